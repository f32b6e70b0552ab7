//! `cgroup_attach_task`: who was moved, from where, to where, and by whom.

use std::process::ExitCode;

use truant_tests::{
    Case, Cgroups, Child, Hierarchy, Ran, Watch, case,
    child::own_comm,
    lines::{number, text},
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("attach::out_and_back_is_told_with_its_mover", out_and_back_is_told_with_its_mover),
    case("attach::a_hundred_threads_are_one_finding", a_hundred_threads_are_one_finding),
    case("attach::a_move_that_changes_nothing_is_counted", a_move_that_changes_nothing_is_counted),
    case("attach::many_moves_are_all_found_or_counted", many_moves_are_all_found_or_counted),
];

fn out_and_back_is_told_with_its_mover() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
    let child = Child::start();
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    outside.take(child.pid());
    inside.take(child.pid());
    let lines = watch.stop();
    lines.assert_status(1);
    for (kind, from, to) in [("left", &inside, &outside), ("came_back", &outside, &inside)] {
        let found = lines.findings(kind);
        assert_eq!(found.len(), 1, "{kind}: {found:#?}");
        assert_eq!(number(found[0], "pid"), u64::from(child.pid()));
        assert_eq!(text(found[0], "comm"), child.comm());
        assert_eq!(text(found[0], "from"), from.path);
        assert_eq!(text(found[0], "to"), to.path);
        assert_eq!(number(&found[0]["mover"], "pid"), u64::from(std::process::id()));
        assert_eq!(text(&found[0]["mover"], "comm"), own_comm());
    }
    Ok(())
}

fn a_hundred_threads_are_one_finding() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
    let mut child = Child::start();
    child.threads(100);
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    outside.take(child.pid());
    let lines = watch.stop();
    let left = lines.finding("left");
    assert_eq!(left["whole_process"], true);
    Ok(())
}

fn a_move_that_changes_nothing_is_counted() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let inside = cgroups.make("guarded/pod");
    let child = Child::start();
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    for _ in 0..3 {
        inside.take(child.pid());
    }
    let lines = watch.stop();
    lines.assert_no_finding();
    lines.assert_status(0);
    assert!(lines.count("unmoved") >= 3, "{}", lines.summary());
    Ok(())
}

fn many_moves_are_all_found_or_counted() -> Ran {
    const ROUNDS: usize = 5_000;
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
    let children = [Child::start(), Child::start()];
    for child in &children {
        inside.take(child.pid());
    }
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    std::thread::scope(|scope| {
        for child in &children {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    outside.take(child.pid());
                    inside.take(child.pid());
                }
            });
        }
    });
    let lines = watch.stop();
    let found = lines.findings("left").len() + lines.findings("came_back").len();
    let lost = lines.lost("ring_full");
    assert_eq!(found as u64 + lost, 4 * ROUNDS as u64, "{}", lines.summary());
    lines.assert_status(if lost > 0 { 3 } else { 1 });
    Ok(())
}
