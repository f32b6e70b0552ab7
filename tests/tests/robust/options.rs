//! The options of the v2 hierarchy, which are those of all its mounts: a run leaves them as they
//! were.

use std::{fs, path::PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use truant_tests::{Hierarchy, Mount, Ran, suite::unmet, watch::output};

/// With it, the kernel keeps containers in their own cgroup namespaces.
const FENCE: &str = "nsdelegate";

/// Where the tree is hidden, truant mounts it for itself.
pub(super) fn stay_when_the_tree_is_covered() -> Ran {
    let v2 = Hierarchy::v2()?;
    let _before = Options(options());
    Mount::cgroup2(FENCE)?;
    let set = options();
    if !set.split(',').any(|option| option == FENCE) {
        return unmet("only in the initial cgroup namespace an option of v2 can be set");
    }
    let cover = Cover::over(v2.root);
    let lines = output(["audit", "--output", "json"]);
    drop(cover);
    assert_eq!(options(), set);
    let audits = lines.of("audit");
    let unseen = audits.first().expect("an audit")["unseen"].as_array().expect("a list");
    let of_v2 = |it: &serde_json::Value| it["what"] == "the cgroups of hierarchy v2";
    assert!(!unseen.iter().any(of_v2), "it was seen: {unseen:#?}");
    Ok(())
}

/// The options now, without the one that all file systems have.
fn options() -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo is readable");
    let mut of_v2 = mounts.lines().filter_map(|line| line.split_once(" - cgroup2 "));
    let (_, rest) = of_v2.next().expect("it is mounted");
    let options = rest.split(' ').nth(1).expect("options come last");
    options.trim_start_matches("rw").trim_start_matches(',').to_owned()
}

/// Sets the options again when it is dropped.
struct Options(String);

impl Drop for Options {
    fn drop(&mut self) {
        let _ = Mount::cgroup2(&self.0);
    }
}

/// An empty folder over another, until this is dropped.
struct Cover(PathBuf);

impl Cover {
    fn over(folder: PathBuf) -> Self {
        mount("truant-test", &folder, "tmpfs", MountFlags::empty(), None).expect("root may mount");
        Self(folder)
    }
}

impl Drop for Cover {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}
