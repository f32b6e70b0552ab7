//! `sched_process_fork`: who is born in another cgroup than the parent's, and who is not.

use std::process::ExitCode;

use truant_tests::{
    Case, Cgroup, Cgroups, Child, Hierarchy, Ran, Unmet, Watch, case,
    lines::{number, text},
    suite::unmet,
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("fork::a_process_is_born_outside", a_process_is_born_outside),
    case("fork::what_it_takes_is_charged_outside", what_it_takes_is_charged_outside),
    case("fork::a_short_life_outside", a_short_life_outside),
    case("fork::a_process_is_born_in_the_same_pod", a_process_is_born_in_the_same_pod),
    case("fork::a_plain_fork", a_plain_fork),
    case("fork::a_child_of_one_that_left", a_child_of_one_that_left),
];

const MEMORY: usize = 16 << 20;

struct Scene {
    parent: Child,
    inside: Cgroup,
    sibling: Cgroup,
    outside: Cgroup,
    cgroups: Cgroups,
}

impl Scene {
    /// Only v2 knows births into another cgroup.
    fn new() -> Result<Self, Unmet> {
        Ok(Self::of(Hierarchy::v2()?))
    }

    fn of(hierarchy: Hierarchy) -> Self {
        let cgroups = Cgroups::new(hierarchy);
        let inside = cgroups.make("guarded/pod/one");
        let sibling = cgroups.make("guarded/pod/two");
        let outside = cgroups.make("outside/service");
        let parent = Child::start();
        inside.take(parent.pid());
        Self { parent, inside, sibling, outside, cgroups }
    }

    fn watch(&self) -> Watch {
        Watch::start(&["--guard", &self.cgroups.path("guarded")])
    }
}

fn a_process_is_born_outside() -> Ran {
    let mut scene = Scene::new()?;
    let watch = scene.watch();
    let born = scene.parent.fork(Some(&scene.outside.dir), 0);
    let lines = watch.stop();
    lines.assert_traced("births");
    let finding = lines.finding("born_outside");
    assert_eq!(number(finding, "pid"), u64::from(born));
    assert_eq!(text(finding, "from"), scene.inside.path);
    assert_eq!(text(finding, "to"), scene.outside.path);
    assert_eq!(text(finding, "hierarchy"), "v2");
    assert_eq!(number(&finding["mover"], "pid"), u64::from(scene.parent.pid()));
    assert_eq!(text(&finding["mover"], "comm"), scene.parent.comm());
    assert_eq!(lines.summary()["findings"]["born_outside"], 1);
    lines.assert_status(1);
    Ok(())
}

fn what_it_takes_is_charged_outside() -> Ran {
    if !Hierarchy::memory()?.is_v2() {
        return unmet("the memory controller is not in v2");
    }
    let mut scene = Scene::new()?;
    let watch = scene.watch();
    if watch.polls() {
        return unmet("polling reads what is guarded and what is at the top alone");
    }
    let born = scene.parent.fork(Some(&scene.outside.dir), MEMORY);
    assert!(scene.outside.memory() >= MEMORY as u64, "the kernel charges it outside");
    let lines = watch.stop();
    let row = lines.last_charges(&scene.outside.path);
    assert_eq!(row["guarded"], false);
    assert!(row["subtree_net_bytes"].as_u64() >= Some(MEMORY as u64), "{row:#}");
    let charges = lines.charges(&scene.outside.path);
    let by = charges.iter().flat_map(|row| row["by"].as_array().expect("a list"));
    let by = by.filter(|process| process["pid"] == born);
    let charged: u64 = by.map(|process| number(process, "charged_bytes")).sum();
    assert!(charged >= MEMORY as u64, "{charges:#?}");
    Ok(())
}

fn a_short_life_outside() -> Ran {
    let mut scene = Scene::new()?;
    let watch = scene.watch();
    let born = scene.parent.fork_and_wait(Some(&scene.outside.dir), 0);
    let lines = watch.stop();
    let finding = lines.finding("born_outside");
    assert_eq!(number(finding, "pid"), u64::from(born));
    assert_eq!(text(finding, "to"), scene.outside.path);
    Ok(())
}

fn a_process_is_born_in_the_same_pod() -> Ran {
    let mut scene = Scene::new()?;
    let watch = scene.watch();
    scene.parent.fork(Some(&scene.sibling.dir), 0);
    let lines = watch.stop();
    lines.assert_no_finding();
    lines.assert_status(0);
    Ok(())
}

fn a_plain_fork() -> Ran {
    let mut scene = Scene::of(Hierarchy::memory()?);
    let watch = scene.watch();
    let child = scene.parent.fork(None, 0);
    scene.outside.take(child);
    let lines = watch.stop();
    // No birth, and the child is where its parent is until it is moved.
    let left = lines.finding("left");
    assert_eq!(number(left, "pid"), u64::from(child));
    assert_eq!(text(left, "from"), scene.inside.path);
    Ok(())
}

/// The child is out like its parent, which is one finding; it comes back by itself to where it
/// has never been, which is none.
fn a_child_of_one_that_left() -> Ran {
    let mut scene = Scene::of(Hierarchy::memory()?);
    let watch = scene.watch();
    scene.outside.take(scene.parent.pid());
    let child = scene.parent.fork(None, 0);
    scene.inside.take(child);
    let lines = watch.stop();
    assert_eq!(number(lines.finding("left"), "pid"), u64::from(scene.parent.pid()));
    assert!(lines.count("moves") >= 2, "{}", lines.summary());
    Ok(())
}
