//! The shapes of the JSON lines. Field names are a contract; every field is always there, and
//! `null` means "not known".

mod audit;
mod memory;

use std::collections::BTreeMap;

use serde::Serialize;

pub(super) use self::{
    audit::{
        Audit, Books, Cgroup, Dead, Exposure, Home, Limit, LimitChange, Limits, Mismatch, Mount,
        Pod, Runtime, Unseen,
    },
    memory::{Holder, Kill, NodeMemory, Payer, PodRow, RanOut},
};

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    Header(Header<'a>),
    Finding(Box<Finding<'a>>),
    Update(Update<'a>),
    Charges(Charges<'a>),
    #[serde(rename = "pod")]
    PodRow(PodRow),
    Audit(Audit),
    Loss(Loss),
    Summary(Summary),
}

#[derive(Debug, Serialize)]
pub(super) struct Header<'a> {
    pub(super) at_ns: u64,
    pub(super) time: Option<String>,
    pub(super) version: &'a str,
    pub(super) kernel: &'a str,
    pub(super) boot_time: Option<String>,
    pub(super) interval_ns: u64,
    pub(super) mode: &'static str,
    pub(super) hierarchies: Vec<Hierarchy>,
    pub(super) memory_hierarchy: Option<u32>,
    pub(super) hooks: Vec<Hook<'a>>,
    pub(super) guard: &'a [String],
    pub(super) own_pid: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Hierarchy {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) controllers: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Hook<'a> {
    pub(super) need: &'static str,
    pub(super) way: Option<&'static str>,
    pub(super) note: Option<&'a str>,
    pub(super) refused: Vec<Refusal<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Refusal<'a> {
    pub(super) way: &'static str,
    pub(super) why: &'a str,
    pub(super) mend: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding<'a> {
    pub(super) at_ns: u64,
    pub(super) time: Option<String>,
    pub(super) kind: &'static str,
    pub(super) pid: u32,
    pub(super) tid: u32,
    pub(super) comm: String,
    pub(super) started_ns: u64,
    pub(super) whole_process: bool,
    pub(super) hierarchy: Option<String>,
    pub(super) from: Option<String>,
    pub(super) from_id: Option<u64>,
    pub(super) from_container: Option<Container<'a>>,
    pub(super) to: Option<String>,
    pub(super) to_id: Option<u64>,
    pub(super) to_container: Option<Container<'a>>,
    pub(super) also: Vec<Also>,
    pub(super) times: u64,
    pub(super) mover: Option<Mover>,
    pub(super) mover_home: Option<Home>,
    pub(super) lost_controllers: &'a [String],
    pub(super) home: Option<Home>,
    pub(super) limits: Option<LimitChange>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) exposure: Option<Exposure>,
    pub(super) kill: Option<Kill>,
}

#[derive(Debug, Serialize)]
pub(super) struct Also {
    pub(super) hierarchy: String,
    pub(super) from: Option<String>,
    pub(super) from_id: Option<u64>,
    pub(super) to: Option<String>,
    pub(super) to_id: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Update<'a> {
    pub(super) at_ns: u64,
    pub(super) time: Option<String>,
    pub(super) outside_net_bytes: i64,
    pub(super) over: bool,
    /// The finding's line as it would be written now.
    pub(super) finding: Box<Line<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Mover {
    pub(super) pid: u32,
    pub(super) comm: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Container<'a> {
    pub(super) pod_uid: Option<&'a str>,
    pub(super) container_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Charges<'a> {
    pub(super) at_ns: u64,
    pub(super) time: Option<String>,
    pub(super) cgroup: Option<String>,
    pub(super) id: Option<u64>,
    pub(super) container: Option<Container<'a>>,
    #[serde(flatten)]
    pub(super) interval: Sums,
    pub(super) net_bytes: i64,
    pub(super) subtree_net_bytes: i64,
    pub(super) since_start: Sums,
    pub(super) by: Vec<Process>,
    pub(super) guarded: bool,
    pub(super) removed: bool,
    pub(super) polled: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Process {
    pub(super) pid: Option<u32>,
    pub(super) comm: String,
    #[serde(flatten)]
    pub(super) interval: Sums,
    pub(super) net_bytes: i64,
    pub(super) since_start: Sums,
}

#[derive(Debug, Serialize)]
pub(super) struct Sums {
    pub(super) charged_bytes: u64,
    pub(super) uncharged_bytes: u64,
    pub(super) failures: u64,
    pub(super) limit_hits: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Loss {
    pub(super) at_ns: u64,
    pub(super) time: Option<String>,
    pub(super) cause: &'static str,
    pub(super) count: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) at_ns: u64,
    pub(super) time: Option<String>,
    pub(super) findings: BTreeMap<&'static str, u64>,
    pub(super) lost: BTreeMap<&'static str, u64>,
    pub(super) moves: u64,
    pub(super) unmoved: u64,
    pub(super) blind: Vec<&'static str>,
    pub(super) status: &'static str,
    pub(super) exit_status: u8,
}
