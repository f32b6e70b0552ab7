//! The shapes of who pays for a pod, and of what a kill for want of memory was about.

use serde::Serialize;

use super::{Home, Limit, Sums};

#[derive(Debug, Serialize)]
pub(in super::super) struct PodRow {
    pub(in super::super) at_ns: u64,
    pub(in super::super) time: Option<String>,
    pub(in super::super) home: Home,
    pub(in super::super) inside_net_bytes: i64,
    pub(in super::super) outside_net_bytes: i64,
    pub(in super::super) net_bytes: i64,
    pub(in super::super) payers: Vec<Payer>,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Payer {
    pub(in super::super) cgroup: Option<String>,
    pub(in super::super) id: Option<u64>,
    pub(in super::super) guarded: bool,
    #[serde(flatten)]
    pub(in super::super) interval: Sums,
    pub(in super::super) net_bytes: i64,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Kill {
    pub(in super::super) ran_out: Option<RanOut>,
    pub(in super::super) inside_bytes: Option<u64>,
    pub(in super::super) outside_net_bytes: i64,
    pub(in super::super) holders: Vec<Holder>,
    pub(in super::super) node: Option<NodeMemory>,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct RanOut {
    pub(in super::super) node: bool,
    pub(in super::super) cgroup: Option<String>,
    pub(in super::super) limit: Option<Limit>,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Holder {
    pub(in super::super) cgroup: Option<String>,
    pub(in super::super) id: Option<u64>,
    pub(in super::super) held_bytes: u64,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit is part of each name in the contract")]
pub(in super::super) struct NodeMemory {
    pub(in super::super) total_bytes: u64,
    pub(in super::super) free_bytes: u64,
    pub(in super::super) available_bytes: u64,
}
