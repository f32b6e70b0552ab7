//! What memory cgroups hold, with what tells whose it is, from their own files.
//!
//! Owns `cgroup.stat`, and v1's `memory.stat`. Which cgroups are read, and when, is decided
//! elsewhere.

use rustix::io::Errno;
use truant_core::{ids::HierarchyId, input::Holding};

use super::{
    cgroupfs::CgroupRoot,
    fsutil::{number, read_at},
};

impl CgroupRoot {
    /// Reads what cgroups of this hierarchy, which must be memory's, hold, given by id and path.
    /// There is no row for one that is gone, or has no such file, as v2's root.
    ///
    /// What a cgroup holds by itself is told by v1 alone: its cache and what its processes have,
    /// without kernel memory and without swap, as bytes. How many removed cgroups are kept below
    /// one is told by v2 alone.
    pub(crate) fn holdings(&self, cgroups: &[(u64, Box<[u8]>)]) -> Vec<Holding> {
        let mut buffer = Vec::with_capacity(4096);
        let holding = |(id, path): &(u64, Box<[u8]>)| self.holding(*id, path, &mut buffer).ok();
        cgroups.iter().filter_map(holding).collect()
    }

    fn holding(&self, id: u64, path: &[u8], buffer: &mut Vec<u8>) -> Result<Holding, Errno> {
        let (dir, _) = self.open(id, path)?;
        let bytes = self.usage_in(&dir, buffer)?;
        let (mut own, mut dying) = (None, None);
        if self.hierarchy == HierarchyId::V2 {
            let read = read_at(&dir, "cgroup.stat", buffer);
            dying = read.ok().and_then(|()| row(buffer, b"nr_dying_descendants"));
        } else if read_at(&dir, "memory.stat", buffer).is_ok() {
            let parts = row(buffer, b"cache").zip(row(buffer, b"rss"));
            own = parts.map(|(cache, rss)| cache.saturating_add(rss));
        }
        Ok(Holding { cgroup: id, bytes, own, dying })
    }
}

/// The number in the row of this name, of a file with `name number` in each line.
fn row(table: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = table.split(|byte| *byte == b'\n');
    number(lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(b" "))?)
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

    /// What is told of these cgroups, as `[bytes, own, dying]`.
    fn holdings(tree: &Tree, id: HierarchyId, paths: &[&str]) -> Vec<[Option<u64>; 3]> {
        let inode = |path: &str| fs::metadata(tree.path(path)).map_or(99, |stat| stat.ino());
        let root = CgroupRoot::private(id, File::open(tree.path("")).unwrap().into(), inode(""));
        let cgroup = |path: &&str| (inode(path), format!("/{path}").into_bytes().into());
        let cgroups: Vec<_> = paths.iter().map(cgroup).collect();
        let rows = root.holdings(&cgroups);
        assert!(rows.iter().all(|row| cgroups.iter().any(|(id, _)| *id == row.cgroup)));
        rows.iter().map(|row| [Some(row.bytes), row.own, row.dying]).collect()
    }

    #[test]
    fn files_of_v2() {
        let tree = Tree::new()
            .file("a/memory.current", "8192\n")
            .file("a/cgroup.stat", "nr_descendants 4\nnr_dying_descendants 3\nnr_subsys_x 9\n")
            .file("a/memory.stat", "cache 1\nrss 2\n")
            .file("b/memory.current", "4096\n")
            .file("bad/memory.current", "max\n")
            .dir("none");
        let expected = [[Some(8192), None, Some(3)], [Some(4096), None, None]];
        let paths = ["", "a", "b", "bad", "none", "missing"];
        assert_eq!(holdings(&tree, HierarchyId::V2, &paths), expected);
    }

    #[test]
    fn files_of_v1() {
        let stat = "cache 100\nrss 20\nrss_huge 7\nswap 3\ntotal_cache 1000\ntotal_rss 2000\n";
        let tree = Tree::new()
            .file("memory.usage_in_bytes", "12288\n")
            .file("a/memory.usage_in_bytes", "8192\n")
            .file("a/memory.stat", stat)
            .file("a/cgroup.stat", "nr_dying_descendants 3\n")
            .file("b/memory.usage_in_bytes", "4096\n")
            .file("b/memory.stat", "total_cache 1000\ntotal_rss 2000\n");
        let expected =
            [[Some(12288), None, None], [Some(8192), Some(120), None], [Some(4096), None, None]];
        assert_eq!(holdings(&tree, HierarchyId(4), &["", "a", "b", "missing"]), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>(), value: u64) {
            let table = [&bytes, format!("\nrss {value}\n").as_bytes()].concat();
            prop_assert!(row(&bytes, b"rss").is_none_or(|_| bytes.len() > 4));
            let earlier = bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"rss "));
            prop_assert!(earlier || row(&table, b"rss") == Some(value));
        }
    }
}
