//! `sched_process_fork`: a child that is born where its parent is not.

use std::process::ExitCode;

use truant_tests::{
    Case, Cgroups, Child, Hierarchy, Ran, Watch, case,
    lines::{number, text},
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("fork::born_outside_is_told", born_outside_is_told),
    case("fork::born_inside_is_nothing", born_inside_is_nothing),
];

fn born_outside_is_told() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::v2()?);
    let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
    let mut child = Child::start();
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    let born = child.fork(Some(&outside.dir), 4 << 20);
    let lines = watch.stop();
    let finding = lines.finding("born_outside");
    assert_eq!(number(finding, "pid"), u64::from(born));
    assert_eq!(text(finding, "from"), inside.path);
    assert_eq!(text(finding, "to"), outside.path);
    assert_eq!(number(&finding["mover"], "pid"), u64::from(child.pid()));
    Ok(())
}

fn born_inside_is_nothing() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::v2()?);
    let inside = cgroups.make("guarded/pod");
    let mut child = Child::start();
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    child.fork_and_wait(None, 4096);
    let lines = watch.stop();
    lines.assert_no_finding();
    lines.assert_status(0);
    Ok(())
}
