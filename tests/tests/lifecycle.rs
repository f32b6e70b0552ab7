//! `cgroup_mkdir`, `cgroup_rename`, `cgroup_rmdir`, `cgroup_release`: every cgroup goes by its
//! path, however short it lives, and what it leaves behind is still its own.

use std::{fs, process::ExitCode};

use truant_tests::{
    Case, Cgroup, Cgroups, Child, Hierarchy, Mount, Ran, Unmet, Watch, case,
    lines::{number, text},
    node::Named,
    suite::unmet,
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("lifecycle::cgroups_of_milliseconds", cgroups_of_milliseconds),
    case("lifecycle::a_cgroup_made_and_left", a_cgroup_made_and_left),
    case("lifecycle::a_renamed_cgroup", a_renamed_cgroup),
    case("lifecycle::a_removed_cgroup_that_holds_pages", a_removed_cgroup_that_holds_pages),
];

const MIB: usize = 1 << 20;

struct Scene {
    child: Child,
    home: Cgroup,
    cgroups: Cgroups,
}

impl Scene {
    fn new() -> Result<Self, Unmet> {
        let cgroups = Cgroups::new(Hierarchy::memory()?);
        let home = cgroups.make("guarded/pod/home");
        let child = Child::start();
        home.take(child.pid());
        Ok(Self { child, home, cgroups })
    }

    fn watch(&self) -> Watch {
        Watch::start(&["--guard", &self.cgroups.path("guarded")])
    }
}

fn cgroups_of_milliseconds() -> Ran {
    let mut scene = Scene::new()?;
    let watch = scene.watch();
    if watch.polls() {
        return unmet("polling sees no cgroup that lives shorter than its interval");
    }
    let mut paths = Vec::new();
    for number in 0..20 {
        let short = scene.cgroups.make(&format!("guarded/pod/short-{number}"));
        short.take(scene.child.pid());
        scene.child.touch(MIB);
        scene.home.take(scene.child.pid());
        short.remove();
        paths.push(short.path);
    }
    let lines = watch.stop();
    lines.assert_no_finding();
    for path in paths {
        let charged = lines.charges(&path).iter().map(|row| number(row, "charged_bytes")).sum();
        assert!((MIB as u64..2 * MIB as u64).contains(&charged), "{path}: {charged}");
    }
    assert_eq!(lines.lost("path_unknown"), 0);
    Ok(())
}

/// The finding names a cgroup that was not there when the node was scanned, and is gone again.
fn a_cgroup_made_and_left() -> Ran {
    let scene = Scene::new()?;
    let watch = scene.watch();
    let fresh = scene.cgroups.make("outside/fresh");
    let id = fresh.id();
    fresh.take(scene.child.pid());
    scene.home.take(scene.child.pid());
    fresh.remove();
    let lines = watch.stop();
    lines.assert_traced("lifecycle");
    let left = lines.findings("left");
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(text(left[0], "to"), fresh.path);
    assert_eq!(number(left[0], "to_id"), id);
    assert_eq!(lines.findings("came_back").len(), 1);
    Ok(())
}

/// Only v1 lets cgroups be renamed.
fn a_renamed_cgroup() -> Ran {
    let named = Named::mount("truant-rename")?;
    let cgroups = Cgroups::new(named.hierarchy.clone());
    let inside = cgroups.make("guarded/before");
    let outside = cgroups.make("outside");
    let child = Child::start();
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    fs::rename(&inside.dir, inside.dir.with_file_name("after")).expect("v1 renames");
    outside.take(child.pid());
    let lines = watch.stop();
    let left = lines.finding("left");
    assert_eq!(text(left, "from"), cgroups.path("guarded/after"));
    assert_eq!(text(left, "to"), outside.path);
    Ok(())
}

fn a_removed_cgroup_that_holds_pages() -> Ran {
    let mut scene = Scene::new()?;
    let files = Mount::tmpfs("16m")?;
    let watch = scene.watch();
    if watch.polls() {
        return unmet("polling reads the files of a cgroup, which are gone with it");
    }
    let gone = scene.cgroups.make("guarded/pod/gone");
    gone.take(scene.child.pid());
    let small = files.path().join("small");
    scene.child.write(&files.path().join("large"), 4 * MIB);
    scene.child.write(&small, MIB);
    scene.home.take(scene.child.pid());
    gone.remove();
    // A row is shown when something changes.
    fs::remove_file(small).expect("the file is there");
    let is_removed = |line: &serde_json::Value| line["removed"] == true;
    let seen = watch.wait_for(|line| line["cgroup"] == gone.path && is_removed(line));
    let lines = watch.stop();
    assert!(seen, "{:#?}", lines.charges(&gone.path));
    let row = lines.last_charges(&gone.path);
    assert!(row["net_bytes"].as_u64() >= Some(4 * MIB as u64), "{row:#}");
    Ok(())
}
