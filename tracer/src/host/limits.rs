//! The limits of cgroups, from their own files.
//!
//! Owns the files of memory, pids and cpu, v2's and v1's. The limits above a cgroup hold for it,
//! too; which of them is the smallest is decided elsewhere.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use truant_core::{
    ids::{CgroupKey, HierarchyId},
    input::{CgroupLimits, Hierarchy, Limit},
};

use super::{
    cgroupfs::CgroupRoot,
    fsutil::{number, read_at},
};

/// v1 says "no limit" by the most pages that a counter holds, in bytes: nearly 2^63. No node has
/// a part of that, whatever the size of its pages.
const V1_UNLIMITED: u64 = 1 << 62;

impl CgroupRoot {
    /// Reads the limits of cgroups of this hierarchy. There is no row for one that is gone, or is
    /// of another hierarchy. Only controllers that are in the hierarchy are read: the limits of
    /// others are none, as is one whose file cannot be read or makes no sense.
    ///
    /// The root limits nothing, with a file or without. In v2 a cgroup has a controller's files
    /// where its parent hands the controller down. Where it does not, the cgroup is unlimited by
    /// itself, and what holds for it is said above.
    pub(crate) fn limits(
        &self,
        hierarchy: &Hierarchy,
        cgroups: &[(CgroupKey, Box<[u8]>)],
    ) -> Vec<CgroupLimits> {
        let mut buffer = Vec::with_capacity(256);
        let own =
            |key: &CgroupKey| key.hierarchy == self.hierarchy && key.hierarchy == hierarchy.id;
        let limits = cgroups.iter().filter(|(key, _)| own(key)).filter_map(|(key, path)| {
            let (dir, _) = self.open(key.id, path).ok()?;
            Files { root: self, hierarchy, dir, buffer: &mut buffer }.limits(*key).ok()
        });
        limits.collect()
    }
}

/// The files of one cgroup.
struct Files<'a> {
    root: &'a CgroupRoot,
    hierarchy: &'a Hierarchy,
    dir: OwnedFd,
    buffer: &'a mut Vec<u8>,
}

impl Files<'_> {
    /// The error says that the cgroup is gone, or that nothing can be said of it.
    fn limits(mut self, key: CgroupKey) -> Result<CgroupLimits, Errno> {
        let mut limits = CgroupLimits { key, memory: None, pids: None, cpu: None };
        let v2 = key.hierarchy == HierarchyId::V2;
        // A file that is missing says either that the controller is not handed down, or that the
        // cgroup was removed just now.
        let handed_down = if v2 && key.id != self.root.id { self.controllers()? } else { vec![] };
        let mut limit = |controller: &str, read: fn(&mut Self, bool) -> Option<Limit>| {
            if !self.hierarchy.controllers.iter().any(|has| has == controller) {
                None
            } else if key.id == self.root.id
                || (v2 && !handed_down.iter().any(|has| has == controller))
            {
                Some(Limit::Unlimited)
            } else {
                read(&mut self, v2)
            }
        };
        limits.memory = limit("memory", Self::memory);
        limits.pids = limit("pids", Self::pids);
        limits.cpu = limit("cpu", Self::cpu);
        Ok(limits)
    }

    fn controllers(&mut self) -> Result<Vec<String>, Errno> {
        read_at(&self.dir, "cgroup.controllers", self.buffer)?;
        let text = String::from_utf8_lossy(self.buffer);
        Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    fn memory(&mut self, v2: bool) -> Option<Limit> {
        if v2 {
            return maximum(self.read("memory.max")?);
        }
        let bytes = number(self.read("memory.limit_in_bytes")?)?;
        Some(if bytes >= V1_UNLIMITED { Limit::Unlimited } else { Limit::Of(bytes) })
    }

    fn pids(&mut self, _v2: bool) -> Option<Limit> {
        maximum(self.read("pids.max")?)
    }

    fn cpu(&mut self, v2: bool) -> Option<Limit> {
        if v2 {
            return bandwidth(self.read("cpu.max")?);
        }
        let quota = self.read("cpu.cfs_quota_us")?;
        if quota == b"-1" {
            return Some(Limit::Unlimited);
        }
        let quota = number(quota)?;
        share(quota, number(self.read("cpu.cfs_period_us")?)?)
    }

    fn read(&mut self, file: &str) -> Option<&[u8]> {
        read_at(self.dir.as_fd(), file, self.buffer).ok()?;
        Some(self.buffer.trim_ascii_end())
    }
}

/// `max`, or a number.
fn maximum(text: &[u8]) -> Option<Limit> {
    if text == b"max" { Some(Limit::Unlimited) } else { number(text).map(Limit::Of) }
}

/// `max PERIOD` or `QUOTA PERIOD`, both in microseconds.
fn bandwidth(text: &[u8]) -> Option<Limit> {
    let blank = text.iter().position(|byte| *byte == b' ')?;
    let period = number(&text[blank + 1..])?;
    match maximum(&text[..blank])? {
        Limit::Unlimited => Some(Limit::Unlimited),
        Limit::Of(quota) => share(quota, period),
    }
}

/// Thousandths of a CPU, rounded down.
fn share(quota: u64, period: u64) -> Option<Limit> {
    quota.saturating_mul(1000).checked_div(period).map(Limit::Of)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::MetadataExt,
    };

    use proptest::prelude::*;

    use super::*;
    use crate::host::testing::Tree;

    const V1: HierarchyId = HierarchyId(4);

    /// The limits of the cgroup at `path` as `[memory, pids, cpu]`; none for no row.
    fn limits(
        tree: &Tree,
        id: HierarchyId,
        controllers: &[&str],
        path: &str,
    ) -> Option<[Option<Limit>; 3]> {
        let inode = |path: &str| fs::metadata(tree.path(path)).map_or(99, |stat| stat.ino());
        let root = CgroupRoot::private(id, File::open(tree.path("")).unwrap().into(), inode(""));
        let controllers = controllers.iter().map(|&name| name.to_owned()).collect();
        let hierarchy = Hierarchy { id, name: String::new(), controllers };
        let key = CgroupKey { hierarchy: id, id: inode(path) };
        let stranger = CgroupKey { hierarchy: HierarchyId(77), ..key };
        let cgroups = [key, stranger].map(|key| (key, format!("/{path}").into_bytes().into()));
        let rows = root.limits(&hierarchy, &cgroups);
        assert!(rows.iter().all(|row| row.key == key), "{rows:?}");
        rows.first().map(|row| [row.memory, row.pids, row.cpu])
    }

    const ALL: [&str; 3] = ["cpu", "memory", "pids"];
    const UNLIMITED: Option<Limit> = Some(Limit::Unlimited);

    fn v2(memory: &str, pids: &str, cpu: &str) -> Tree {
        Tree::new()
            .file("a/cgroup.controllers", "cpuset cpu memory pids\n")
            .file("a/memory.max", memory)
            .file("a/pids.max", pids)
            .file("a/cpu.max", cpu)
    }

    fn v1(memory: &str, quota: &str, period: &str) -> Tree {
        Tree::new()
            .file("a/memory.limit_in_bytes", memory)
            .file("a/pids.max", "max\n")
            .file("a/cpu.cfs_quota_us", quota)
            .file("a/cpu.cfs_period_us", period)
    }

    #[test]
    fn files_of_v2() {
        let check = |tree: &Tree, expected| {
            assert_eq!(limits(tree, HierarchyId::V2, &ALL, "a"), Some(expected));
        };
        check(&v2("max\n", "max\n", "max 100000\n"), [UNLIMITED; 3]);
        let set = [Some(Limit::Of(536_870_912)), Some(Limit::Of(100)), Some(Limit::Of(500))];
        check(&v2("536870912\n", "100\n", "50000 100000\n"), set);
        let odd = [Some(Limit::Of(0)), Some(Limit::Of(0)), Some(Limit::Of(15))];
        check(&v2("0\n", "0\n", "1500 100000\n"), odd);
        check(&v2("-1\n", "many\n", "50000 0\n"), [None; 3]);
        check(&v2("", "", "50000\n"), [None; 3]);
    }

    #[test]
    fn files_of_v1() {
        let check = |tree: &Tree, expected| {
            assert_eq!(limits(tree, V1, &ALL, "a"), Some(expected));
        };
        check(&v1("9223372036854771712\n", "-1\n", "100000\n"), [UNLIMITED; 3]);
        check(&v1("9223372036854710272\n", "-1\n", ""), [UNLIMITED; 3]);
        let set = [Some(Limit::Of(536_870_912)), UNLIMITED, Some(Limit::Of(2500))];
        check(&v1("536870912\n", "250000\n", "100000\n"), set);
        check(&v1("max\n", "100000\n", "0\n"), [None, UNLIMITED, None]);
        check(&Tree::new().dir("a"), [None; 3]);
    }

    #[test]
    fn only_the_hierarchys_controllers_are_told() {
        let tree = v1("4096\n", "-1\n", "100000\n");
        let memory = [Some(Limit::Of(4096)), None, None];
        assert_eq!(limits(&tree, V1, &["memory"], "a"), Some(memory));
        assert_eq!(limits(&tree, V1, &[], "a"), Some([None; 3]));
    }

    #[test]
    fn a_root_limits_nothing() {
        let tree = Tree::new().file("memory.limit_in_bytes", "4096\n");
        assert_eq!(limits(&tree, V1, &["memory"], ""), Some([UNLIMITED, None, None]));
        assert_eq!(limits(&tree, HierarchyId::V2, &ALL, ""), Some([UNLIMITED; 3]));
    }

    #[test]
    fn what_v2_does_not_hand_down_is_unlimited_by_itself() {
        let tree = Tree::new().file("a/cgroup.controllers", "pids\n").file("a/pids.max", "7\n");
        let expected = [UNLIMITED, Some(Limit::Of(7)), UNLIMITED];
        assert_eq!(limits(&tree, HierarchyId::V2, &ALL, "a"), Some(expected));
        let tree = Tree::new().file("a/cgroup.controllers", "memory pids cpu\n");
        assert_eq!(limits(&tree, HierarchyId::V2, &ALL, "a"), Some([None; 3]));
    }

    #[test]
    fn the_gone_have_no_row() {
        assert_eq!(limits(&Tree::new(), HierarchyId::V2, &ALL, "a"), None);
        // It was removed after it was opened: it has no files any more.
        assert_eq!(limits(&Tree::new().dir("a"), HierarchyId::V2, &ALL, "a"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>(), period: u64) {
            prop_assert!(maximum(&bytes).is_none_or(|_| !bytes.is_empty()));
            let text = [&bytes, format!(" {period}").as_bytes()].concat();
            prop_assert!(bandwidth(&bytes).is_none_or(|_| bytes.contains(&b' ')));
            prop_assert!(bandwidth(&text).is_none_or(|_| !bytes.is_empty()));
        }

        #[test]
        fn what_the_kernel_writes_is_what_is_read(
            cpus in 1..10_000_u64, period in 1..1_000_000_u64
        ) {
            let text = format!("{} {period}", cpus * period);
            prop_assert_eq!(bandwidth(text.as_bytes()), Some(Limit::Of(cpus * 1000)));
        }
    }
}
