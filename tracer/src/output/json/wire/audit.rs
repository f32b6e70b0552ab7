//! The shapes of what an audit says, and of whose a task is.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

#[derive(Debug, Serialize)]
pub(in super::super) struct Home {
    pub(in super::super) pod_uid: Option<String>,
    pub(in super::super) container_id: Option<String>,
    pub(in super::super) pod: Option<String>,
    pub(in super::super) namespace: Option<String>,
    pub(in super::super) container: Option<String>,
    pub(in super::super) image: Option<String>,
    pub(in super::super) labels: Option<BTreeMap<String, String>>,
    pub(in super::super) witnesses: Vec<&'static str>,
    pub(in super::super) sure: bool,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct LimitChange {
    pub(in super::super) before: Limits,
    pub(in super::super) after: Limits,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Limits {
    pub(in super::super) memory_bytes: Option<Limit>,
    pub(in super::super) pids: Option<Limit>,
    pub(in super::super) cpu_millis: Option<Limit>,
}

/// A number, or that there is none.
#[derive(Debug)]
pub(in super::super) enum Limit {
    Unlimited,
    Of(u64),
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unlimited => serializer.serialize_str("unlimited"),
            Self::Of(most) => serializer.serialize_u64(*most),
        }
    }
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Exposure {
    pub(in super::super) mounts: Vec<Mount>,
    pub(in super::super) host_cgroups: Option<bool>,
    pub(in super::super) may_mount: Option<bool>,
    pub(in super::super) runs_systemd: bool,
    pub(in super::super) lacks_nsdelegate: bool,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Mount {
    pub(in super::super) hierarchy: String,
    pub(in super::super) root: String,
    pub(in super::super) at: String,
    pub(in super::super) writable: bool,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Audit {
    pub(in super::super) at_ns: u64,
    pub(in super::super) time: Option<String>,
    pub(in super::super) runtimes: Vec<Runtime>,
    pub(in super::super) books: Option<Books>,
    pub(in super::super) pods: Vec<Pod>,
    pub(in super::super) unsure: usize,
    pub(in super::super) exposed: usize,
    pub(in super::super) mismatch: Option<Mismatch>,
    pub(in super::super) dead: Vec<Dead>,
    pub(in super::super) unseen: Vec<Unseen>,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Runtime {
    pub(in super::super) name: Option<String>,
    pub(in super::super) version: Option<String>,
    pub(in super::super) socket: String,
    pub(in super::super) cgroup_driver: Option<String>,
    pub(in super::super) trouble: Option<String>,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit is part of each name in the contract")]
pub(in super::super) struct Books {
    pub(in super::super) used_bytes: u64,
    pub(in super::super) total_bytes: u64,
    pub(in super::super) guarded_bytes: u64,
    pub(in super::super) outside_bytes: u64,
    pub(in super::super) rest_bytes: u64,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Pod {
    pub(in super::super) home: Home,
    pub(in super::super) processes: usize,
    pub(in super::super) cgroups: Vec<Cgroup>,
    pub(in super::super) inside_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Cgroup {
    pub(in super::super) path: Option<String>,
    pub(in super::super) id: Option<u64>,
    pub(in super::super) held_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Mismatch {
    pub(in super::super) root: String,
    pub(in super::super) runtime: Option<String>,
    pub(in super::super) systemd: Vec<Home>,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Dead {
    pub(in super::super) path: Option<String>,
    pub(in super::super) id: Option<u64>,
    pub(in super::super) held_bytes: u64,
    pub(in super::super) count: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(in super::super) struct Unseen {
    pub(in super::super) what: String,
    pub(in super::super) why: String,
    pub(in super::super) mend: Option<String>,
}
