//! Processes of many threads, moved as a whole or in parts.

use serde_json::Value;
use truant_tests::{
    Cgroups, Child, Hierarchy, Ran, Watch,
    lines::{number, text},
    node::Named,
};

use super::Scene;

pub(super) fn a_process_of_many_threads() -> Ran {
    let mut scene = Scene::of_memory()?;
    let threads = scene.child.threads(100);
    assert_eq!(threads.len(), 100);
    let watch = scene.watch();
    scene.outside.take(scene.child.pid());
    let lines = watch.stop();
    let left = lines.finding("left");
    scene.assert_moved(left, &scene.inside, &scene.outside);
    assert_eq!(left["whole_process"], true);
    assert_eq!(number(left, "tid"), number(left, "pid"));
    Ok(())
}

/// A hierarchy of a name and no controller has what v1 moves threads by.
pub(super) fn one_thread_on_v1() -> Ran {
    let named = Named::mount("truant-threads")?;
    let mut scene = Scene::of(named.hierarchy.clone());
    let threads = scene.child.threads(3);
    let watch = scene.watch();
    scene.outside.take_thread(threads[1]);
    scene.inside.take_thread(threads[1]);
    let lines = watch.stop();
    let (left, back) = (lines.findings("left"), lines.findings("came_back"));
    assert_eq!((left.len(), back.len()), (1, 1), "{:#?}", lines.of("finding"));
    scene.assert_moved(left[0], &scene.inside, &scene.outside);
    scene.assert_moved(back[0], &scene.outside, &scene.inside);
    for finding in [left[0], back[0]] {
        assert_is_thread(finding, threads[1]);
    }
    Ok(())
}

/// Threads of one process can be in different cgroups of v2 only below one that is the domain of
/// them all.
pub(super) fn one_thread_on_v2() -> Ran {
    let cgroups = Cgroups::without_controllers(Hierarchy::v2()?);
    let domain = cgroups.make("domain");
    let (inside, outside) = (cgroups.make("domain/guarded"), cgroups.make("domain/outside"));
    let mut child = Child::start();
    domain.take(child.pid());
    for cgroup in [&inside, &outside] {
        cgroup.set("cgroup.type", "threaded");
    }
    let threads = child.threads(3);
    inside.take_thread(threads[1]);
    let watch = Watch::start(&["--guard", &inside.path]);
    outside.take_thread(threads[1]);
    let lines = watch.stop();
    let left = lines.finding("left");
    assert_is_thread(left, threads[1]);
    assert_eq!(number(left, "pid"), u64::from(child.pid()));
    assert_eq!((text(left, "from"), text(left, "to")), (&*inside.path, &*outside.path));
    assert_eq!(text(left, "hierarchy"), "v2");
    Ok(())
}

fn assert_is_thread(finding: &Value, tid: u32) {
    assert_eq!(number(finding, "tid"), u64::from(tid));
    assert_ne!(number(finding, "pid"), u64::from(tid));
    assert_eq!(finding["whole_process"], false);
}
