//! The node's processes and the cgroups they are in, by their own files: what a test holds against
//! what truant says.

use std::fs;

use crate::Hierarchy;

/// A process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// Its cgroups: the hierarchy's controllers or name, nothing for v2, and the path.
    pub cgroups: Vec<(String, String)>,
}

impl Process {
    /// One by its id; none if it is gone.
    pub fn of(pid: u32) -> Option<Self> {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let cgroup = |line: &str| {
            let (name, path) = line.split_once(':')?.1.split_once(':')?;
            Some((name.to_owned(), path.to_owned()))
        };
        let cgroups = text.lines().filter_map(cgroup).collect();
        Some(Self { pid, comm: comm.trim_end().to_owned(), cgroups })
    }

    /// All that there are.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").expect("processes can be listed").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Self::of).collect()
    }

    /// Those of which a cgroup names this, a container's id for one.
    pub fn in_cgroups_of(name: &str) -> Vec<Self> {
        let names = |(_, path): &(String, String)| path.contains(name);
        Self::all().into_iter().filter(|process| process.cgroups.iter().any(names)).collect()
    }

    /// Those that share this one's pid namespace.
    pub fn namesakes(&self) -> Vec<Self> {
        let space = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = space(self.pid);
        Self::all().into_iter().filter(|it| own.is_some() && space(it.pid) == own).collect()
    }

    /// Its resident memory in bytes; nothing once it has ended.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.unwrap_or_default() * 1024
    }

    /// The cgroup that pays for its memory; nothing if the node has no such controller.
    pub fn memory_cgroup(&self) -> &str {
        let has_memory = |name: &str| name.split(',').any(|it| it == "memory");
        let v1 = self.cgroups.iter().find(|(name, _)| has_memory(name));
        let v2 = || self.cgroups.iter().find(|(name, _)| name.is_empty());
        v1.or_else(v2).map_or("", |(_, path)| path)
    }
}

/// What the kernel says that a memory cgroup and all below it hold, in bytes; none of the root of
/// v2, which has no such file.
pub fn held(cgroup: &str) -> Option<u64> {
    let hierarchy = Hierarchy::memory().ok()?;
    let file = if hierarchy.is_v2() { "memory.current" } else { "memory.usage_in_bytes" };
    let dir = hierarchy.root.join(cgroup.trim_start_matches('/'));
    fs::read_to_string(dir.join(file)).ok()?.trim().parse().ok()
}

/// Processes that the kernel does not choose when memory runs out, until this is dropped.
#[derive(Debug)]
pub struct Spared(Vec<(u32, String)>);

impl Spared {
    /// Those with these ids; what they start from now on is spared as well.
    ///
    /// # Panics
    /// If there is none of one id.
    pub fn processes(pids: &[u32]) -> Self {
        let spare = |pid: &u32| {
            let file = adjustment(*pid);
            let before = fs::read_to_string(&file).expect("it runs");
            fs::write(file, "-1000").expect("root may do so");
            (*pid, before)
        };
        Self(pids.iter().map(spare).collect())
    }
}

impl Drop for Spared {
    fn drop(&mut self) {
        for (pid, before) in &self.0 {
            // It may have ended.
            let _ = fs::write(adjustment(*pid), before.trim());
        }
    }
}

fn adjustment(pid: u32) -> String {
    format!("/proc/{pid}/oom_score_adj")
}
