//! A run that starts in other namespaces than the host's.

use std::fs;

use truant_tests::{Ran, namespace};

use super::Scene;

/// As in a debug pod: there, the paths of running tasks do not begin at the hierarchy's root.
pub(super) fn from_a_cgroup_namespace_of_its_own() -> Ran {
    let scene = Scene::of_memory()?;
    let own = scene.cgroups.make("debug/container");
    let root = scene.cgroups.hierarchy.root.join("cgroup.procs");
    let back = || fs::write(root, "0").expect("a process can be moved");
    let watch = namespace::in_one_of_its_own(&own, back, || scene.watch())?;
    scene.outside.take(scene.child.pid());
    let lines = watch.stop();
    scene.assert_moved(lines.finding("left"), &scene.inside, &scene.outside);
    lines.assert_status(1);
    Ok(())
}
