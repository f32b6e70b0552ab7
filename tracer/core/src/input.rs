//! Everything the engine can be told, live, recorded or replayed.
//!
//! One closed enum; nothing else reaches the engine, no clock and no file.

use alloc::{boxed::Box, string::String, vec::Vec};

pub use crate::facts::{Facts, Hierarchy, Hook, Mode, Need, Refusal, Way};
pub use crate::node::{
    CgroupLimits, CgroupMount, ContainerFacts, Holding, Limit, Namespaces, NodeMemory,
    RuntimeFacts, Unseen, View,
};

use crate::ids::{Actor, BootTime, CgroupKey, Comm, HierarchyId, Task};

/// One thing that happened, or one thing that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// Comes first, once: the node, the ways of tracing, the settings.
    Started(Box<Facts>),
    /// A hierarchy that was not in the facts (mounted later, or first seen in an event).
    Hierarchy(Hierarchy),
    /// A cgroup exists: made just now, or found by the first scan (`at` is none then).
    CgroupMade {
        /// When it was made, if that was seen.
        at: Option<BootTime>,
        /// The cgroup.
        key: CgroupKey,
        /// The id of its parent in the same hierarchy; none for the hierarchy's root.
        parent: Option<u64>,
        /// Its directory's name: one path component, empty for the root.
        name: Box<[u8]>,
    },
    /// A cgroup's directory got another name (v1 only).
    CgroupRenamed {
        /// When.
        at: BootTime,
        /// The cgroup.
        key: CgroupKey,
        /// The new name.
        name: Box<[u8]>,
    },
    /// A cgroup's directory was removed. Pages may still be charged to it.
    CgroupRemoved {
        /// When.
        at: BootTime,
        /// The cgroup.
        key: CgroupKey,
    },
    /// The last reference to a removed cgroup is gone: no charge of it is left anywhere.
    CgroupReleased {
        /// When.
        at: BootTime,
        /// The cgroup.
        key: CgroupKey,
    },
    /// A task found by the first scan, which runs after the probes are attached.
    TaskSeen {
        /// The task.
        task: Task,
        /// Its parent process.
        ppid: u32,
        /// Its place in each hierarchy, as `/proc/PID/cgroup` has it in the host's view.
        places: Vec<(HierarchyId, Box<[u8]>)>,
        /// Its namespaces; none of a thread, of a kernel thread, and where they are not known.
        namespaces: Option<Namespaces>,
        /// The id of the container, or of the pod's sandbox, that the process watches over by its
        /// arguments, as containerd's shim and conmon do.
        monitors: Option<String>,
    },
    /// The places of a process read once more, where no events tell of its moves.
    Placed {
        /// The task.
        task: Task,
        /// As in [`Self::TaskSeen`].
        places: Vec<(HierarchyId, Box<[u8]>)>,
    },
    /// A container runtime, or why there is none to ask.
    Runtime(Box<RuntimeFacts>),
    /// What a runtime says of a container or of a pod's sandbox.
    Container(Box<ContainerFacts>),
    /// A runtime knows a container no more.
    ContainerGone {
        /// The container's id.
        id: String,
    },
    /// What the processes in a mount namespace see of the cgroup hierarchies.
    View(Box<View>),
    /// Limits of cgroups, by their own files.
    Limits(Vec<CgroupLimits>),
    /// What memory cgroups hold, by their own files, at one moment.
    Held(Vec<Holding>),
    /// Resident memory of processes, in bytes.
    Resident(Vec<(u32, u64)>),
    /// The memory of the node.
    NodeMemory(NodeMemory),
    /// Something that an audit should have read and could not.
    Unseen(Box<Unseen>),
    /// All that an audit needs has been told: now it is judged.
    Audited {
        /// When.
        at: BootTime,
    },
    /// A task was moved between two cgroups of one hierarchy, successfully.
    Moved {
        /// When.
        at: BootTime,
        /// The task; the leader where the whole process was moved.
        task: Task,
        /// Whether all threads of the process were moved with it.
        whole_process: bool,
        /// Where it was, if the way of tracing moves can see it.
        from: Option<u64>,
        /// Where it is now.
        to: CgroupKey,
        /// Who wrote to `cgroup.procs` or `tasks`.
        mover: Actor,
    },
    /// Moves that changed nothing (source = destination), since the last such input.
    Unmoved {
        /// How many.
        count: u64,
    },
    /// A process was forked, or a thread outside its leader's cgroups was started. It is in its
    /// creator's cgroups.
    Forked {
        /// When.
        at: BootTime,
        /// The creating thread.
        parent_tid: u32,
        /// The creating process.
        parent: u32,
        /// The new task.
        task: Task,
    },
    /// A process was born in another cgroup than its parent's, in the v2 hierarchy. In every
    /// other hierarchy it is in its parent's.
    Born {
        /// When.
        at: BootTime,
        /// The creating thread.
        parent_tid: u32,
        /// The creating process, which chose the cgroup.
        parent: Actor,
        /// The new task.
        task: Task,
        /// The parent's cgroup in the v2 hierarchy.
        from: u64,
        /// The child's cgroup in the v2 hierarchy.
        to: u64,
    },
    /// A process runs another program now.
    Exec {
        /// When.
        at: BootTime,
        /// The process.
        pid: u32,
        /// Its new name.
        comm: Comm,
    },
    /// A process ended (its last thread), or a thread that was outside its leader's cgroups.
    Exited {
        /// When.
        at: BootTime,
        /// The thread.
        tid: u32,
        /// The process; equal to `tid` where the whole process ended.
        tgid: u32,
    },
    /// The kernel chose a victim to kill because memory ran out.
    OomKill {
        /// When.
        at: BootTime,
        /// The victim's process.
        pid: u32,
    },
    /// All that had happened by then was told: what belongs together is complete.
    Looked {
        /// When.
        at: BootTime,
    },
    /// Page charges since the last such input, summed.
    Charges(Vec<ChargeDelta>),
    /// What memory cgroups hold, read from their files, where charges cannot be traced.
    Polled(Vec<Usage>),
    /// The kernel did not run programs that count charges, which its own counters may make good.
    Skipped {
        /// How often since the last such input; 0 where it may have happened and is not counted.
        count: u64,
    },
    /// What memory cgroups hold by the kernel's own counters, read after the last [`Self::Charges`]
    /// or [`Self::Recounted`].
    Recounted {
        /// The counters.
        counters: Vec<Counter>,
        /// Page charges from right before the reading to right after it, summed.
        during: Vec<ChargeDelta>,
    },
    /// Something was lost since the last such input.
    Lost {
        /// Why.
        cause: LossCause,
        /// How many.
        count: u64,
    },
    /// An interval is over: the ledger is due.
    IntervalEnded {
        /// When.
        at: BootTime,
    },
    /// Comes last, once.
    Ended {
        /// When.
        at: BootTime,
    },
}

impl Input {
    /// When it happened, if it says so.
    pub fn at(&self) -> Option<BootTime> {
        match self {
            Self::Started(facts) => Some(facts.at),
            Self::CgroupMade { at, .. } => *at,
            Self::CgroupRenamed { at, .. }
            | Self::CgroupRemoved { at, .. }
            | Self::CgroupReleased { at, .. }
            | Self::Moved { at, .. }
            | Self::Forked { at, .. }
            | Self::Born { at, .. }
            | Self::Exec { at, .. }
            | Self::Exited { at, .. }
            | Self::OomKill { at, .. }
            | Self::Looked { at }
            | Self::Audited { at }
            | Self::IntervalEnded { at }
            | Self::Ended { at } => Some(*at),
            Self::Hierarchy(_)
            | Self::TaskSeen { .. }
            | Self::Placed { .. }
            | Self::Runtime(_)
            | Self::Container(_)
            | Self::ContainerGone { .. }
            | Self::View(_)
            | Self::Limits(_)
            | Self::Held(_)
            | Self::Resident(_)
            | Self::NodeMemory(_)
            | Self::Unseen(_)
            | Self::Unmoved { .. }
            | Self::Charges(_)
            | Self::Polled(_)
            | Self::Skipped { .. }
            | Self::Recounted { .. }
            | Self::Lost { .. } => None,
        }
    }
}

/// What one process charged to one memory cgroup, or the whole cgroup's sum.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ChargeDelta {
    /// The id of the cgroup in the hierarchy of the memory controller.
    pub cgroup: u64,
    /// The process that charged; none for the sum over all, which is exact even where the
    /// per-process rows are not.
    pub pid: Option<u32>,
    /// Bytes charged.
    pub charged: u64,
    /// Bytes uncharged.
    pub uncharged: u64,
    /// Attempts to charge that a limit refused. The kernel tries again after reclaim, so a
    /// process may have noticed nothing.
    pub failures: u64,
    /// Attempts of this cgroup or one below it that this very cgroup's limit refused.
    pub limit_hits: u64,
}

/// What a memory cgroup and all below it hold, by its own file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// The id of the cgroup in the hierarchy of the memory controller.
    pub cgroup: u64,
    /// `memory.current` or `memory.usage_in_bytes`.
    pub bytes: u64,
}

/// The kernel's own counter of a memory cgroup and all below it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counter {
    /// The id of the cgroup in the hierarchy of the memory controller.
    pub cgroup: u64,
    /// `memory.current` or `memory.usage_in_bytes`; none where the cgroup has no such file.
    pub bytes: Option<u64>,
}

/// Why something is missing.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LossCause {
    /// Events dropped because userspace did not empty the ring in time.
    RingFull,
    /// Charges dropped because the table of cgroup totals was full.
    TotalsFull,
    /// Charges counted in their cgroup's total but not by process: that table was full.
    ProcessesFull,
    /// Moves or charges in flight that found no room to be remembered from entry to return.
    InFlightFull,
    /// Hits the kernel skipped because the program was already running on that CPU.
    Recursion,
    /// Kernel memory that could not be read.
    Unreadable,
    /// Records, lines or files that do not have the form they should have.
    Malformed,
    /// Cgroups whose path could not be found.
    PathUnknown,
}
