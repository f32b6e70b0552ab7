//! What is known before anything happens: the node's hierarchies, the ways of tracing, and what a
//! run was asked to do. Decides nothing.

use alloc::{string::String, vec::Vec};

use crate::ids::{BootTime, HierarchyId};

/// What is known of the node and of this run before anything happens.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// truant's version.
    pub version: String,
    /// `uname -r`.
    pub kernel: String,
    /// When tracing began.
    pub at: BootTime,
    /// Wall clock at boot time zero, in nanoseconds since 1970, to show times to people.
    pub boot_epoch_ns: u64,
    /// Length of the interval between two ledgers, in nanoseconds.
    pub interval_ns: u64,
    /// Which controllers are where.
    pub mode: Mode,
    /// The hierarchies there are.
    pub hierarchies: Vec<Hierarchy>,
    /// The hierarchy of the memory controller, if the kernel has one.
    pub memory: Option<HierarchyId>,
    /// What was chosen for each need, and what was refused.
    pub hooks: Vec<Hook>,
    /// The guarded subtrees as asked for; empty for any kubepods root.
    pub guard: Vec<String>,
    /// Whether who could get out counts for the verdict as who is.
    pub fail_on_exposed: bool,
    /// truant's own process.
    pub own_pid: u32,
}

/// How a node lays out its cgroup hierarchies.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// Only v1 hierarchies.
    V1,
    /// Controllers in v1 hierarchies, and a v2 hierarchy beside them.
    Hybrid,
    /// Only the v2 hierarchy.
    #[default]
    V2,
}

/// A cgroup hierarchy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hierarchy {
    /// Its number.
    pub id: HierarchyId,
    /// The second column of `/proc/PID/cgroup`: the controllers with commas, or `name=…`; empty
    /// for v2.
    pub name: String,
    /// The controllers whose limits hold here: those of `name`, or what v2's root offers.
    pub controllers: Vec<String>,
}

/// What must be seen.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Need {
    /// Tasks moved between cgroups, with their source.
    Moves,
    /// Tasks born in another cgroup than their parent's.
    Births,
    /// Pages charged and uncharged.
    Charges,
    /// Cgroups made, renamed, removed, released.
    Lifecycle,
    /// Processes that exec and exit.
    Processes,
    /// Victims of the out-of-memory killer.
    Oom,
}

/// A way to see it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Way {
    /// BPF trampolines at a function's entry and exit.
    Fentry,
    /// Kprobes at a function's entry and return.
    Kprobe,
    /// Tracepoints.
    Tracepoint,
    /// Files read at each interval.
    Polled,
}

/// What was decided for one need.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// The need.
    pub need: Need,
    /// The way in use; none where every way was refused.
    pub way: Option<Way>,
    /// What the way in use cannot do, in words, if anything.
    pub note: Option<String>,
    /// The better ways, in order, and why each was refused.
    pub refused: Vec<Refusal>,
}

/// Why a way is not in use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The way.
    pub way: Way,
    /// What refused it, in words.
    pub why: String,
    /// What would mend it, in words, if anything would.
    pub mend: Option<String>,
}
