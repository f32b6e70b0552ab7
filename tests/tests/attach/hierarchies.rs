//! Every hierarchy that there is, and one of v1 with a name alone.

use std::{collections::BTreeMap, fs, path::Path};

use truant_tests::{Cgroup, Cgroups, Child, Hierarchy, Ran, Watch, lines::text, node::Named};

pub(super) fn every_hierarchy() -> Ran {
    let named = Named::mount("truant-every")?;
    let all = Hierarchy::all();
    assert!(all.contains(&named.hierarchy), "{all:?}");
    let child = Child::start();
    let scenes: Vec<_> = all.into_iter().map(|hierarchy| Scene::new(hierarchy, &child)).collect();
    let guards: Vec<_> = scenes.iter().map(|scene| scene.cgroups.path("guarded")).collect();
    let arguments: Vec<_> = guards.iter().flat_map(|path| ["--guard", path]).collect();
    let watch = Watch::start(&arguments);
    for scene in &scenes {
        scene.outside.take(child.pid());
    }
    let lines = watch.stop();
    let left = lines.findings("left");
    let found: BTreeMap<_, _> = left.iter().map(|it| (text(it, "hierarchy"), *it)).collect();
    assert_eq!((left.len(), found.len()), (scenes.len(), scenes.len()), "{left:#?}");
    for Scene { cgroups, inside, outside } in &scenes {
        let name = &*cgroups.hierarchy.name;
        let found = found[name];
        assert_eq!((text(found, "from"), text(found, "to")), (&*inside.path, &*outside.path));
        if !cgroups.hierarchy.is_v2() {
            // A name is no controller.
            let controllers: Vec<_> = name.split(',').filter(|it| !it.contains('=')).collect();
            assert_eq!(found["lost_controllers"], serde_json::json!(controllers));
        }
    }
    lines.assert_status(1);
    Ok(())
}

struct Scene {
    inside: Cgroup,
    outside: Cgroup,
    cgroups: Cgroups,
}

impl Scene {
    fn new(hierarchy: Hierarchy, child: &Child) -> Self {
        let cgroups = Cgroups::new(hierarchy);
        let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
        for path in ["", "guarded", "guarded/pod", "outside"] {
            give_cpus(&cgroups.top().join(path));
        }
        inside.take(child.pid());
        Self { inside, outside, cgroups }
    }
}

/// In v1 a cgroup with no CPUs and no memory nodes takes no task.
fn give_cpus(dir: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let above = dir.parent().map(|parent| parent.join(file));
        if let Some(text) = above.and_then(|above| fs::read_to_string(above).ok()) {
            let _ = fs::write(dir.join(file), text.trim());
        }
    }
}
