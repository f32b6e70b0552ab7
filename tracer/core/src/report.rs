//! Everything the engine can say. It names no format and no screen.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    ids::{Actor, BootTime, CgroupKey, Comm, Task},
    input::{Facts, LossCause},
    path::Container,
};

/// One thing to be shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Report {
    /// First: the node and the ways of tracing.
    Header(Box<Facts>),
    /// Something is wrong, or is right again.
    Finding(Box<Finding>),
    /// Who charged what where in the interval that just ended.
    Charges(Ledger),
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
    /// Who did it: the writer of `cgroup.procs`, or the parent that chose the child's cgroup.
    pub mover: Actor,
    /// The controllers whose limits of the guarded subtree no longer hold for the task.
    pub lost_controllers: Vec<String>,
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
