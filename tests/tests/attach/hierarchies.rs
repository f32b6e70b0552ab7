//! Every hierarchy that there is, and one of v1 with a name alone.

use std::{collections::BTreeMap, fs, path::Path};

use truant_tests::{
    Cgroup, Cgroups, Child, Hierarchy, Ran, Watch, lines::by_hierarchy, node::Named,
};

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
    // A process that leaves is told of once, whatever it leaves.
    let left = lines.latest("left");
    assert_eq!((left.len(), lines.findings("left").len()), (1, 1), "{left:#?}");
    let found = by_hierarchy(left[0]);
    let paths = |it: &'_ Scene| (it.inside.path.clone(), it.outside.path.clone());
    let expected: BTreeMap<_, _> =
        scenes.iter().map(|scene| (&*scene.cgroups.hierarchy.name, paths(scene))).collect();
    let owned = |(from, to): (&str, &str)| (from.to_owned(), to.to_owned());
    let found: BTreeMap<_, _> = found.into_iter().map(|(name, it)| (name, owned(it))).collect();
    assert_eq!(found, expected);
    let lost = left[0]["lost_controllers"].as_array().expect("a list");
    let v1 = scenes.iter().map(|scene| &scene.cgroups.hierarchy).filter(|it| !it.is_v2());
    // A name is no controller.
    let controllers = v1.flat_map(|it| it.name.split(',')).filter(|it| !it.contains('='));
    for controller in controllers {
        assert!(lost.iter().any(|it| it == controller), "{controller}: {lost:?}");
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
