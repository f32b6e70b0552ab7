//! Everything the engine can say. It names no format and no screen.

mod audit;

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    ids::{Actor, BootTime, CgroupKey, Comm, Task},
    input::{ChargeDelta, Facts, Limit, LossCause, NodeMemory},
    path::Container,
};
pub use audit::{Audit, Books, Dead, Exposure, LimitChange, Limits, Mismatch, Strays};

/// One thing to be shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Report {
    /// First: the node and the ways of tracing.
    Header(Box<Facts>),
    /// Something is wrong, or is right again.
    Finding(Box<Finding>),
    /// More of a finding that was told.
    Update(Box<Update>),
    /// Who charged what where in the interval that just ended.
    Charges(Ledger),
    /// Who is out already, who could get out, and where the memory is.
    Audit(Box<Audit>),
    /// Something was lost since the last such report.
    Loss {
        /// When it was noticed.
        at: BootTime,
        /// Why.
        cause: LossCause,
        /// How many since the last report.
        count: u64,
    },
    /// Last: what it comes to.
    Summary(Box<Summary>),
}

/// A task that is not where it belongs, or is back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What happened.
    pub kind: FindingKind,
    /// When.
    pub at: BootTime,
    /// Whose task; the leader where the whole process was moved.
    pub task: Task,
    /// Whether all threads of the process are meant.
    pub whole_process: bool,
    /// The hierarchy, as the `hierarchy` of the JSON lines: `v2`, the controllers, or `name=…`.
    pub hierarchy: String,
    /// Where it was.
    pub from: Place,
    /// Where it is now.
    pub to: Place,
    /// The same of this process in other hierarchies.
    pub also: Vec<Also>,
    /// How often, in one hierarchy: threads of the process that were moved one by one, or children
    /// of one parent that were born in the same cgroup, of which `task` is the first.
    pub times: u64,
    /// Who did it: the writer of `cgroup.procs`, or the parent that chose the child's cgroup. None
    /// where nobody saw it happen.
    pub mover: Option<Actor>,
    /// The controllers whose limits of the guarded subtree no longer hold for the task.
    pub lost_controllers: Vec<String>,
    /// Whose task it is, wherever it may be.
    pub home: Option<Box<Home>>,
    /// Whose process moved it.
    pub mover_home: Option<Box<Home>>,
    /// The limits that held for it inside, and those that hold where it is.
    pub limits: Option<LimitChange>,
    /// Resident memory of its process in bytes, where that was read.
    pub resident: Option<u64>,
    /// What a kill for want of memory was about.
    pub kill: Option<Box<Kill>>,
}

/// From where to where a task got in one more hierarchy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Also {
    /// The hierarchy, named as in the finding.
    pub hierarchy: String,
    /// Where it was.
    pub from: Place,
    /// Where it is now.
    pub to: Place,
}

/// What became of a finding after it was told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Update {
    /// When.
    pub at: BootTime,
    /// The finding with all that is known by now; its time is that of the finding.
    pub finding: Finding,
    /// What the process, and those that were born to it since, charged to cgroups outside of the
    /// guarded subtree, less what they uncharged there, in bytes since the finding.
    pub outside: i64,
    /// Whether that was all: they ended, or it is inside again.
    pub is_over: bool,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FindingKind {
    /// A task was moved out of the guarded subtree.
    Left,
    /// A task was born outside by a parent inside.
    BornOutside,
    /// A task was moved from one pod into another.
    Moved,
    /// A task that had left is inside again.
    CameBack,
    /// A task whose home is a pod was outside before anybody watched.
    AlreadyOut,
    /// A container's processes could get out.
    Exposed,
    /// A process was killed because memory ran out.
    Oom,
}

/// A kill for want of memory, and who held it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kill {
    /// What ran out; none where it is not known.
    pub ran_out: Option<RanOut>,
    /// What the victim's pod held in its own cgroup, in bytes.
    pub inside: Option<u64>,
    /// What the processes of the victim's pod had charged to cgroups outside since tracing began,
    /// less what they uncharged there, in bytes.
    pub outside: i64,
    /// The cgroups outside of the guarded subtree that held most, in bytes, most first.
    pub holders: Vec<(Place, u64)>,
    /// The node's memory at that moment.
    pub node: Option<NodeMemory>,
}

/// What ran out of memory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RanOut {
    /// A cgroup, at its limit in bytes where that is known.
    Cgroup(Place, Option<Limit>),
    /// The node.
    Node,
}

/// The pod and the container that a task belongs to, wherever it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home {
    /// By their ids.
    pub container: Container,
    /// By the names the runtime has for them.
    pub names: Option<Names>,
    /// What tells so, strongest first. Without the witnesses that say nothing.
    pub witnesses: Vec<Witness>,
    /// False where the witnesses do not agree.
    pub is_sure: bool,
}

/// A pod's and a container's names. None is "not known", or that it has none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Names {
    /// The pod.
    pub pod: Option<String>,
    /// The pod's namespace.
    pub namespace: Option<String>,
    /// The container.
    pub container: Option<String>,
    /// The container's image.
    pub image: Option<String>,
    /// The labels of both.
    pub labels: Vec<(String, String)>,
}

/// What can tell whose task one is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Witness {
    /// The cgroup it is in, or was in before it was moved.
    Cgroup,
    /// The cgroup that it is still in, in another v1 hierarchy.
    OtherHierarchy,
    /// The runtime, which started the process.
    Runtime,
    /// Its parent, when it was forked.
    Parent,
    /// It shares the pid namespace of tasks whose home is known.
    PidNamespace,
    /// Likewise, the mount namespace.
    MountNamespace,
    /// Likewise, the cgroup namespace.
    CgroupNamespace,
    /// Likewise, the network namespace.
    NetNamespace,
    /// Likewise, the IPC namespace.
    IpcNamespace,
    /// A process above it is a container's first one, or is watched over by a shim or by conmon.
    Ancestry,
}

/// A cgroup, and what its path says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The cgroup, if it is known by number.
    pub key: Option<CgroupKey>,
    /// Its path from the hierarchy's root; none where it could not be found out.
    pub path: Option<Box<[u8]>>,
    /// The pod and container the path names.
    pub container: Option<Container>,
}

/// The memory of an interval.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ledger {
    /// When the interval ended.
    pub at: BootTime,
    /// A row for each cgroup in whose subtree something changed, by path.
    pub rows: Vec<LedgerRow>,
    /// A row for each pod whose processes charged or uncharged something in this interval, the one
    /// that charged most outside first.
    pub pods: Vec<PodRow>,
}

/// One memory cgroup in one interval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LedgerRow {
    /// The cgroup.
    pub place: Place,
    /// Whether it lies in the guarded subtree.
    pub guarded: bool,
    /// Whether its directory is gone.
    pub removed: bool,
    /// Whether the figures were read from files at each interval instead of traced.
    pub polled: bool,
    /// Bytes in this interval, this cgroup's own.
    pub interval: Sums,
    /// Bytes since tracing began, this cgroup's own.
    pub total: Sums,
    /// Charged less uncharged since tracing began, with all descendants, removed ones included.
    pub subtree_net: i64,
    /// The processes that charged or uncharged in this interval, most charged first.
    pub by: Vec<ProcessRow>,
}

/// What the processes of one pod, wherever they are, charged, by who pays for it. Processes that
/// could not be told apart are in no pod's row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodRow {
    /// The pod, or the container where there is no pod.
    pub home: Home,
    /// The cgroups that pay, those outside first, then by what was charged.
    pub payers: Vec<Payer>,
}

impl PodRow {
    /// Bytes since tracing began, of the payers that are inside, or of those that are not.
    pub fn net(&self, guarded: bool) -> i64 {
        let payers = self.payers.iter().filter(|payer| payer.guarded == guarded);
        payers.map(|payer| payer.total.net()).fold(0, i64::wrapping_add)
    }
}

/// What a pod's processes charged to one cgroup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payer {
    /// The cgroup.
    pub place: Place,
    /// Whether it lies in the guarded subtree.
    pub guarded: bool,
    /// Bytes in this interval.
    pub interval: Sums,
    /// Bytes since tracing began.
    pub total: Sums,
}

/// Charges of one process in one cgroup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProcessRow {
    /// The process; none for all that could not be told apart.
    pub pid: Option<u32>,
    /// Its name, if known.
    pub comm: Comm,
    /// Bytes in this interval.
    pub interval: Sums,
    /// Bytes since tracing began.
    pub total: Sums,
}

/// Bytes in and out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sums {
    /// Bytes charged.
    pub charged: u64,
    /// Bytes uncharged.
    pub uncharged: u64,
    /// Attempts that a limit refused.
    pub failures: u64,
    /// Attempts, of this cgroup or of one below, that this cgroup's own limit refused.
    pub limit_hits: u64,
}

impl Sums {
    /// Those of a delta.
    pub(crate) fn of(delta: &ChargeDelta) -> Self {
        let ChargeDelta { charged, uncharged, failures, limit_hits, .. } = *delta;
        Self { charged, uncharged, failures, limit_hits }
    }

    /// Bytes charged less bytes uncharged.
    pub fn net(&self) -> i64 {
        self.charged.wrapping_sub(self.uncharged).cast_signed()
    }

    /// Adds; what overflows wraps, which keeps every net right.
    pub(crate) fn add(&mut self, other: Self) {
        self.zip(other, u64::wrapping_add);
    }

    /// Subtracts, each down to zero.
    pub(crate) fn take_away(&mut self, other: Self) {
        self.zip(other, u64::saturating_sub);
    }

    fn zip(&mut self, other: Self, combine: fn(u64, u64) -> u64) {
        self.charged = combine(self.charged, other.charged);
        self.uncharged = combine(self.uncharged, other.uncharged);
        self.failures = combine(self.failures, other.failures);
        self.limit_hits = combine(self.limit_hits, other.limit_hits);
    }
}

/// What a whole run comes to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// When it ended.
    pub at: BootTime,
    /// Findings by kind.
    pub findings: BTreeMap<FindingKind, u64>,
    /// Losses by cause.
    pub lost: BTreeMap<LossCause, u64>,
    /// Moves seen, findings or not.
    pub moves: u64,
    /// Moves that changed nothing.
    pub unmoved: u64,
    /// Needs for which no way was left.
    pub blind: Vec<crate::input::Need>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What a run says in one word.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Verdict {
    /// Nothing was found, and nothing was missed.
    #[default]
    Clean,
    /// Somebody is or was out.
    Found,
    /// Something was lost, or could not be seen: no word can be given.
    Inconclusive,
}
