//! `cgroup_mkdir`, `cgroup_rmdir`: cgroups that live for milliseconds have their path.

use std::process::ExitCode;

use truant_tests::{Case, Cgroups, Child, Hierarchy, Ran, Watch, case, lines::text};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[case("lifecycle::a_short_life_has_its_path", a_short_life_has_its_path)];

fn a_short_life_has_its_path() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let inside = cgroups.make("guarded/pod");
    let child = Child::start();
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    let brief = cgroups.make("brief");
    brief.take(child.pid());
    inside.take(child.pid());
    brief.remove();
    let lines = watch.stop();
    let left = lines.findings("left");
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(text(left[0], "to"), brief.path);
    Ok(())
}
