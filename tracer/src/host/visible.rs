//! Which mounts of a namespace can be reached by their paths: a mount covers what lies below it.
//!
//! Owns the relation of mounts, by their numbers and not by their order, which a copied namespace
//! or a moved mount does not keep. What is on a mount is not its matter.

use std::{collections::HashMap, os::unix::ffi::OsStrExt, path::Path};

use super::mountinfo::{Mount, Mounts};

/// The tree of mounts.
pub(super) struct Visible<'a> {
    /// Each mount by its number.
    by_id: HashMap<u32, &'a Mount>,
    /// The mount on a mount at a path: the last, if two are said to be there.
    on: HashMap<(u32, &'a [u8]), u32>,
}

impl<'a> Visible<'a> {
    /// Takes in a namespace.
    pub(super) fn of(mounts: &'a Mounts) -> Self {
        let by_id = mounts.list.iter().map(|mount| (mount.id, mount)).collect();
        let place = |mount: &'a Mount| (mount.parent, mount.point.as_os_str().as_bytes());
        // The first mount of all is said to be mounted on itself.
        let mounted = mounts.list.iter().filter(|mount| mount.parent != mount.id);
        let on = mounted.map(|mount| (place(mount), mount.id)).collect();
        Self { by_id, on }
    }

    /// Whether a mount is what its path leads to.
    pub(super) fn shows(&self, mount: &Mount) -> bool {
        if self.covered_at(mount.id, &mount.point, mount.id) {
            return false;
        }
        let mut child = mount;
        // Numbers that lead around in a circle are none of the kernel's.
        for _ in 0..self.by_id.len() {
            if child.parent == child.id {
                break;
            }
            let parent = self.by_id.get(&child.parent);
            // All that is on a mount is at its point or below.
            let top = parent.map_or(Path::new("/"), |parent| &parent.point);
            let mut between = child.point.ancestors().take_while(|path| path.starts_with(top));
            if between.any(|path| self.covered_at(child.parent, path, child.id)) {
                return false;
            }
            let Some(parent) = parent else { break };
            child = parent;
        }
        true
    }

    /// Whether another mount than `own` is on the mount `on` at `path`.
    fn covered_at(&self, on: u32, path: &Path, own: u32) -> bool {
        self.on.get(&(on, path.as_os_str().as_bytes())).is_some_and(|id| *id != own)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::mountinfo;

    /// Mounts as `number parent point`, and the numbers of those that can be seen.
    #[track_caller]
    fn check(mounts: &[&str], expected: &[u32]) {
        let line = |mount: &&str| {
            let fields: Vec<_> = mount.split(' ').collect();
            format!("{} {} 0:1 / {} rw - t s rw", fields[0], fields[1], fields[2])
        };
        let lines: Vec<_> = mounts.iter().map(line).collect();
        let mounts = mountinfo::parse(lines.join("\n").as_bytes());
        assert_eq!((mounts.list.len(), mounts.malformed), (lines.len(), 0));
        let visible = Visible::of(&mounts);
        let seen = mounts.list.iter().filter(|mount| visible.shows(mount));
        assert_eq!(seen.map(|mount| mount.id).collect::<Vec<_>>(), expected, "{lines:?}");
    }

    #[test]
    fn beside_and_below_each_other() {
        check(
            &["20 1 /", "21 20 /sys", "30 21 /sys/fs/cgroup", "31 30 /sys/fs/cgroup/memory"],
            &[20, 21, 30, 31],
        );
        check(&["20 1 /", "21 20 /a", "22 20 /ab", "23 20 /a/b"], &[20, 21, 22]);
    }

    #[test]
    fn at_the_same_point() {
        check(&["20 1 /", "30 20 /c", "31 30 /c"], &[20, 31]);
        check(&["20 1 /", "31 30 /c", "30 20 /c"], &[20, 31]);
        check(&["20 1 /", "30 20 /c", "31 20 /c"], &[20, 31]);
        check(&["20 1 /", "30 20 /c", "31 30 /c", "32 31 /c"], &[20, 32]);
    }

    #[test]
    fn over_what_lies_below() {
        check(
            &["20 1 /", "30 20 /c", "31 30 /c/memory", "40 30 /c", "41 40 /c/memory"],
            &[20, 40, 41],
        );
        check(&["20 1 /", "21 20 /sys", "30 21 /sys/c", "31 30 /sys/c/m", "50 20 /sys"], &[20, 50]);
    }

    #[test]
    fn the_first_of_all() {
        check(&["1 1 /", "21 1 /a"], &[1, 21]);
        check(&["1 1 /", "20 1 /", "21 20 /a"], &[20, 21]);
    }

    #[test]
    fn circles_end() {
        check(&["20 21 /a", "21 20 /b"], &[20, 21]);
    }

    proptest! {
        #[test]
        fn the_deepest_of_a_stack_alone_is_seen(depth in 1..20_u32) {
            let line = |id: u32| format!("{} {} 0:1 / /c rw - t s rw\n", id + 1, id);
            let text: String = (1..=depth).map(line).collect::<Vec<_>>().concat();
            let mounts = mountinfo::parse(text.as_bytes());
            let visible = Visible::of(&mounts);
            let seen: Vec<_> = mounts.list.iter().filter(|mount| visible.shows(mount)).collect();
            prop_assert_eq!(seen.len(), 1);
            prop_assert_eq!(seen[0].id, depth + 1);
        }
    }
}
