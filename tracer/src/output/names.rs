//! The names that outputs use for the core's enums: `snake_case`, part of the JSON contract.
//!
//! Text shows the same names with spaces; what a name means is said elsewhere.

use truant_core::{
    input::{LossCause, Mode, Need, Way},
    report::{FindingKind, Verdict, Witness},
};

/// Has a name in outputs.
pub(crate) trait Named: Copy {
    /// The name in JSON.
    fn name(self) -> &'static str;

    /// The name for people.
    fn words(self) -> String {
        self.name().replace('_', " ")
    }
}

impl Named for FindingKind {
    fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::BornOutside => "born_outside",
            Self::Moved => "moved",
            Self::CameBack => "came_back",
            Self::AlreadyOut => "already_out",
            Self::Exposed => "exposed",
            Self::Oom => "oom",
        }
    }
}

impl Named for Witness {
    fn name(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::OtherHierarchy => "other_hierarchy",
            Self::Runtime => "runtime",
            Self::Parent => "parent",
            Self::PidNamespace => "pid_namespace",
            Self::MountNamespace => "mount_namespace",
            Self::CgroupNamespace => "cgroup_namespace",
            Self::NetNamespace => "net_namespace",
            Self::IpcNamespace => "ipc_namespace",
            Self::Ancestry => "ancestry",
        }
    }
}

impl Named for LossCause {
    fn name(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::TotalsFull => "totals_full",
            Self::ProcessesFull => "processes_full",
            Self::InFlightFull => "in_flight_full",
            Self::Recursion => "recursion",
            Self::Unreadable => "unreadable",
            Self::Malformed => "malformed",
            Self::PathUnknown => "path_unknown",
        }
    }
}

impl Named for Mode {
    fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Hybrid => "hybrid",
            Self::V2 => "v2",
        }
    }
}

impl Named for Need {
    fn name(self) -> &'static str {
        match self {
            Self::Moves => "moves",
            Self::Births => "births",
            Self::Charges => "charges",
            Self::Lifecycle => "lifecycle",
            Self::Processes => "processes",
            Self::Oom => "oom",
        }
    }
}

impl Named for Way {
    fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
            Self::Polled => "polled",
        }
    }
}

impl Named for Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Found => "found",
            Self::Inconclusive => "inconclusive",
        }
    }
}
