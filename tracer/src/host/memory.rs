//! The memory of the node and of its processes.
//!
//! Owns `/proc/meminfo` and `/proc/PID/statm`. Whose cgroup pays for a page is not in them.

use rustix::{fs::CWD, param::page_size};
use truant_core::input::NodeMemory;

use super::{
    Host, ReadError,
    fsutil::{number, open_dir, read_at},
    read,
};

impl Host {
    /// The resident memory in bytes of those of the processes that are there. A page that several
    /// have is counted for each of them.
    pub(crate) fn resident(&self, pids: &[u32]) -> Vec<(u32, u64)> {
        let Ok(proc) = open_dir(CWD, &self.proc) else { return Vec::new() };
        let mut buffer = Vec::with_capacity(128);
        let one = |pid: &u32| {
            read_at(&proc, format!("{pid}/statm"), &mut buffer).ok()?;
            Some((*pid, resident_pages(&buffer)?.saturating_mul(page_size() as u64)))
        };
        pids.iter().filter_map(one).collect()
    }

    /// The memory of the node. Before Linux 3.14 what is available is not said.
    ///
    /// # Errors
    /// If the file cannot be read, or says nothing of one of the three.
    pub(crate) fn node_memory(&self) -> Result<NodeMemory, ReadError> {
        let path = self.proc.join("meminfo");
        let table = read(&path)?;
        let row = |name, missing| bytes(&table, name).ok_or(missing);
        let memory = || {
            Ok(NodeMemory {
                total: row("MemTotal:", "total")?,
                free: row("MemFree:", "free memory")?,
                available: row("MemAvailable:", "available memory")?,
            })
        };
        memory().map_err(|missing| ReadError::Form { path, missing })
    }
}

/// The second number of `statm`.
fn resident_pages(statm: &[u8]) -> Option<u64> {
    number(statm.trim_ascii_end().split(|byte| *byte == b' ').nth(1)?)
}

/// A row of `meminfo`, which counts KiB and says `kB`.
fn bytes(table: &[u8], name: &str) -> Option<u64> {
    let mut lines = table.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(name.as_bytes()))?;
    number(value.strip_suffix(b" kB")?.trim_ascii_start())?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::testing::Tree;

    #[test]
    fn resident_memory_of_those_that_are_there() {
        let tree = Tree::new()
            .file("proc/5/statm", "1000 20 3 4 0 5 0\n")
            .file("proc/6/statm", "0 0 0 0 0 0 0\n")
            .file("proc/7/statm", "nonsense\n");
        let page = page_size() as u64;
        assert_eq!(tree.host().resident(&[5, 6, 7, 8]), [(5, 20 * page), (6, 0)]);
        assert_eq!(tree.host().resident(&[]), []);
        assert_eq!(Tree::new().host().resident(&[5]), []);
    }

    #[test]
    fn the_node() {
        let meminfo = "MemTotal:        4026528 kB\nMemFree:               0 kB\n\
            MemAvailable:    3000000 kB\nSwapTotal: 1 kB\n";
        let expected = NodeMemory { total: 4_026_528 << 10, free: 0, available: 3_000_000 << 10 };
        let tree = Tree::new().file("proc/meminfo", meminfo);
        assert_eq!(tree.host().node_memory().unwrap(), expected);
        let old = "MemTotal: 5 kB\nMemFree: 3 kB\n";
        let error = Tree::new().file("proc/meminfo", old).host().node_memory().unwrap_err();
        assert!(error.to_string().ends_with("has no available memory"), "{error}");
        assert!(Tree::new().host().node_memory().is_err());
    }

    #[test]
    fn this_process_and_this_node() {
        let host = Host::live();
        let own = host.resident(&[std::process::id()]);
        let node = host.node_memory().unwrap();
        assert!(own[0].1 > 0 && own[0].1 < node.total);
        assert!(node.free <= node.total && node.available <= node.total);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(line in any::<Vec<u8>>(), value in 0..u64::MAX / 1024) {
            prop_assert!(resident_pages(&line).is_none_or(|_| line.contains(&b' ')));
            prop_assert!(bytes(&line, "MemTotal:").is_none_or(|_| line.len() > 9));
            let table = [&line, format!("\nMemTotal: {value} kB\n").as_bytes()].concat();
            let earlier = line.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"MemT"));
            prop_assert!(earlier || bytes(&table, "MemTotal:") == Some(value * 1024));
        }
    }
}
