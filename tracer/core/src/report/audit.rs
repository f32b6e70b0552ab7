//! What an audit comes to: who is out, who could get out, and where the memory is.

use alloc::{boxed::Box, string::String, vec::Vec};

use super::{Finding, Home, Place};
use crate::{
    ids::{BootTime, HierarchyId, Task},
    input::{CgroupMount, Limit, RuntimeFacts, Unseen},
};

/// What an audit comes to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Audit {
    /// When.
    pub at: BootTime,
    /// The runtimes that were asked.
    pub runtimes: Vec<RuntimeFacts>,
    /// The pods whose processes are out, the one with most memory outside first.
    pub pods: Vec<Strays>,
    /// The processes outside of which the witnesses do not agree whose they are.
    pub unsure: Vec<Finding>,
    /// The containers whose processes could get out.
    pub exposed: Vec<Exposure>,
    /// Why a cgroup driver that is not the host's is in use, where it is.
    pub mismatch: Option<Mismatch>,
    /// What removed cgroups of pods still hold, most first.
    pub dead: Vec<Dead>,
    /// Where the node's memory is.
    pub books: Option<Books>,
    /// What could not be seen.
    pub unseen: Vec<Unseen>,
}

/// The processes of one pod, or of one container without a pod, that are out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Strays {
    /// Whose they are; of several containers of the pod, the first one's.
    pub home: Home,
    /// A finding each, by the cgroup they sit in.
    pub processes: Vec<Finding>,
    /// The memory cgroups that they sit in and what each holds in bytes, most first; of two of
    /// which one is above the other, the one above alone.
    pub cgroups: Vec<(Place, Option<u64>)>,
    /// What the pod's own memory cgroup holds in bytes.
    pub inside: Option<u64>,
}

/// A container whose processes could get out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exposure {
    /// Which.
    pub home: Home,
    /// A process of it.
    pub task: Task,
    /// The mounts that show a tree above the container's own cgroup and let cgroups be made in it.
    pub mounts: Vec<(String, CgroupMount)>,
    /// Whether it is in the host's cgroup namespace.
    pub host_cgroups: Option<bool>,
    /// Whether it may mount, or mount anew for writing, what it sees.
    pub may_mount: Option<bool>,
    /// Whether systemd is its first process, which makes use of it by itself.
    pub runs_systemd: bool,
}

impl Exposure {
    /// Whether its own cgroup namespace would keep it in, had the node mounted v2 with
    /// `nsdelegate`.
    pub fn lacks_nsdelegate(&self) -> bool {
        let mut hierarchies = self.mounts.iter().map(|(_, mount)| mount.hierarchy);
        self.host_cgroups == Some(false) && hierarchies.any(|it| it == HierarchyId::V2)
    }
}

/// Pods laid out by one cgroup driver on a node run by another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// The guarded root that says so.
    pub root: Box<[u8]>,
    /// The runtime that uses it, if one said so.
    pub runtime: Option<String>,
    /// The containers that run systemd as their first process there.
    pub systemd: Vec<Home>,
}

/// Memory of removed cgroups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dead {
    /// The cgroup below which they were, or the removed one itself.
    pub place: Place,
    /// Bytes.
    pub bytes: u64,
    /// How many there are, where that is known.
    pub count: Option<u64>,
}

/// Where the node's memory is, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Books {
    /// All there is, less what is free.
    pub used: u64,
    /// All there is.
    pub total: u64,
    /// What the guarded subtrees account for.
    pub guarded: u64,
    /// What is charged to cgroups outside in which tasks of pods are.
    pub outside: u64,
}

impl Books {
    /// What is used and is neither: the node's own.
    pub fn rest(&self) -> u64 {
        self.used.saturating_sub(self.guarded).saturating_sub(self.outside)
    }
}

/// The limits on the way up, the smallest of each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<Limit>,
    /// Tasks.
    pub pids: Option<Limit>,
    /// Thousandths of a CPU.
    pub cpu: Option<Limit>,
}

impl Limits {
    /// Those of `other` where these are not known.
    fn or(self, other: Self) -> Self {
        Self {
            memory: self.memory.or(other.memory),
            pids: self.pids.or(other.pids),
            cpu: self.cpu.or(other.cpu),
        }
    }
}

impl LimitChange {
    /// Those of `other`, which is of another hierarchy, where these are not known.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { before: self.before.or(other.before), after: self.after.or(other.after) }
    }
}

/// The limits before and after.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LimitChange {
    /// At home.
    pub before: Limits,
    /// Where the task is.
    pub after: Limits,
}
