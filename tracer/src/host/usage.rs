//! What memory cgroups hold, from their own files.
//!
//! Owns the two files, v2's and v1's. Which cgroups are read, and when, is decided elsewhere.

use std::os::fd::AsFd;

use rustix::io::Errno;
use truant_core::{
    ids::HierarchyId,
    input::{Counter, Usage},
};

use super::{
    cgroupfs::CgroupRoot,
    fsutil::{is_gone, number, read_at},
};

/// What one round of reading came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Polled {
    /// A row for each cgroup that could be read.
    pub(crate) rows: Vec<Usage>,
    /// Cgroups that are gone, or that have no such file, as v2's root.
    pub(crate) gone: usize,
    /// Cgroups whose file could not be read, or made no sense.
    pub(crate) unread: usize,
}

impl CgroupRoot {
    /// Reads the usage of cgroups of this hierarchy, which must be memory's, given by id and path.
    pub(crate) fn usage(&self, cgroups: &[(u64, Box<[u8]>)]) -> Polled {
        let mut polled = Polled::default();
        let mut buffer = Vec::with_capacity(64);
        for (id, path) in cgroups {
            match self.usage_of(*id, path, &mut buffer) {
                Ok(bytes) => polled.rows.push(Usage { cgroup: *id, bytes }),
                Err(errno) if is_gone(errno) => polled.gone += 1,
                Err(_) => polled.unread += 1,
            }
        }
        polled
    }

    /// Reads the counters of cgroups as [`Self::usage`] does. One that is gone or has no counter is
    /// there without bytes; one that cannot be read is not there.
    pub(crate) fn counters(&self, cgroups: &[(u64, Box<[u8]>)]) -> Vec<Counter> {
        let mut buffer = Vec::with_capacity(64);
        let counter = |(id, path): &(u64, Box<[u8]>)| {
            let bytes = match self.usage_of(*id, path, &mut buffer) {
                Ok(bytes) => Some(bytes),
                Err(errno) if is_gone(errno) => None,
                Err(_) => return None,
            };
            Some(Counter { cgroup: *id, bytes })
        };
        cgroups.iter().filter_map(counter).collect()
    }

    /// Whether counters hold what is below a cgroup, too. Not so in v1 before 5.11, unless switched
    /// on at the root.
    pub(crate) fn is_hierarchical(&self) -> bool {
        let mut buffer = Vec::with_capacity(8);
        self.hierarchy == HierarchyId::V2
            || read_at(self.dir(), "memory.use_hierarchy", &mut buffer)
                .map_or_else(is_gone, |()| buffer.trim_ascii_end() == b"1")
    }

    fn usage_of(&self, id: u64, path: &[u8], buf: &mut Vec<u8>) -> Result<u64, Errno> {
        let (dir, _) = self.open(id, path)?;
        self.usage_in(&dir, buf)
    }

    /// Reads the usage of the cgroup whose directory this is.
    pub(super) fn usage_in(&self, dir: impl AsFd, buf: &mut Vec<u8>) -> Result<u64, Errno> {
        let v2 = self.hierarchy == HierarchyId::V2;
        let file = if v2 { "memory.current" } else { "memory.usage_in_bytes" };
        read_at(dir, file, buf)?;
        number(buf.trim_ascii_end()).ok_or(Errno::INVAL)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::MetadataExt,
    };

    use super::*;
    use crate::host::testing::Tree;

    #[track_caller]
    fn check(hierarchy: HierarchyId, file: &str) {
        let tree = Tree::new()
            .file(&format!("a/b/{file}"), "4096\n")
            .file(&format!("bad/{file}"), "max\n")
            .dir("none");
        let id = |path: &str| fs::metadata(tree.path(path)).unwrap().ino();
        let dir = File::open(tree.path("")).unwrap().into();
        let root = CgroupRoot::private(hierarchy, dir, id(""));
        let list: [(u64, &[u8]); 5] = [
            (id("a/b"), b"/a/b"),
            (id("a/b") + 1, b"/a/b"),
            (id("bad"), b"/bad"),
            (id("none"), b"/none"),
            (99, b"/missing"),
        ];
        let list = list.map(|(id, path)| (id, Box::from(path)));
        let rows = vec![Usage { cgroup: id("a/b"), bytes: 4096 }];
        assert_eq!(root.usage(&list), Polled { rows, gone: 3, unread: 1 });
        let none = [id("a/b") + 1, id("none"), 99].map(|cgroup| Counter { cgroup, bytes: None });
        let mut counters = vec![Counter { cgroup: id("a/b"), bytes: Some(4096) }];
        counters.extend(none);
        assert_eq!(root.counters(&list), counters);
    }

    #[test]
    fn counters_hold_what_is_below_unless_the_root_says_no() {
        for (says, holds) in [("1\n", true), ("0\n", false)] {
            let tree = Tree::new().file("memory.use_hierarchy", says);
            let root =
                CgroupRoot::private(HierarchyId(4), File::open(tree.path("")).unwrap().into(), 1);
            assert_eq!(root.is_hierarchical(), holds);
        }
    }

    #[test]
    fn the_file_is_the_hierarchys() {
        check(HierarchyId::V2, "memory.current");
        check(HierarchyId(4), "memory.usage_in_bytes");
    }
}
