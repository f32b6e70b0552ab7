//! The lines of a recording: the core's inputs in a form that is kept.
//!
//! Apart from the core's types on purpose: those may change, these only with the version. Times are
//! nanoseconds since boot, sizes bytes, and names, paths and what runtimes say escaped.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::output::escape::{escape, unescape};

/// The first line.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    /// The version of the truant that recorded.
    pub(super) truant: String,
}

/// Every other line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Input {
    Started(Box<Facts>),
    Hierarchy(Hierarchy),
    CgroupMade {
        at: Option<u64>,
        key: Key,
        parent: Option<u64>,
        name: Bytes,
    },
    CgroupRenamed {
        at: u64,
        key: Key,
        name: Bytes,
    },
    CgroupRemoved {
        at: u64,
        key: Key,
    },
    CgroupReleased {
        at: u64,
        key: Key,
    },
    TaskSeen {
        task: Task,
        ppid: u32,
        places: Vec<(u32, Bytes)>,
        namespaces: Option<Namespaces>,
        monitors: Option<Text>,
    },
    Placed {
        task: Task,
        places: Vec<(u32, Bytes)>,
    },
    Runtime(Box<RuntimeFacts>),
    Container(Box<ContainerFacts>),
    ContainerGone {
        id: Text,
    },
    View(Box<View>),
    Limits(Vec<CgroupLimits>),
    Held(Vec<Holding>),
    Resident(Vec<(u32, u64)>),
    NodeMemory(NodeMemory),
    Unseen(Box<Unseen>),
    Audited {
        at: u64,
    },
    Moved {
        at: u64,
        task: Task,
        whole_process: bool,
        from: Option<u64>,
        to: Key,
        mover: Actor,
    },
    Unmoved {
        count: u64,
    },
    Forked {
        at: u64,
        parent_tid: u32,
        parent: u32,
        task: Task,
    },
    Born {
        at: u64,
        parent_tid: u32,
        parent: Actor,
        task: Task,
        from: u64,
        to: u64,
    },
    Exec {
        at: u64,
        pid: u32,
        comm: Comm,
    },
    Exited {
        at: u64,
        tid: u32,
        tgid: u32,
    },
    OomKill {
        at: u64,
        pid: u32,
    },
    Looked {
        at: u64,
    },
    Charges(Vec<ChargeDelta>),
    Polled(Vec<Usage>),
    Skipped {
        count: u64,
    },
    Recounted {
        counters: Vec<Counter>,
        during: Vec<ChargeDelta>,
    },
    Lost {
        cause: LossCause,
        count: u64,
    },
    IntervalEnded {
        at: u64,
    },
    Ended {
        at: u64,
    },
}

/// Declares a struct of a line.
macro_rules! record {
    ($name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        #[derive(Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name { $(pub(super) $field: $kind),* }
    };
}

record!(Key { hierarchy: u32, id: u64 });
record!(Task { tid: u32, tgid: u32, start: u64, comm: Comm });
record!(Actor { pid: u32, comm: Comm });
record!(Hierarchy { id: u32, name: String, controllers: Vec<String> });
record!(Usage { cgroup: u64, bytes: u64 });
record!(Counter { cgroup: u64, bytes: Option<u64> });
record!(Hook { need: Need, way: Option<Way>, note: Option<String>, refused: Vec<Refusal> });
record!(Refusal { way: Way, why: String, mend: Option<String> });
record!(Namespaces {
    pid: Option<u32>,
    mount: Option<u32>,
    cgroup: Option<u32>,
    net: Option<u32>,
    ipc: Option<u32>,
});
record!(RuntimeFacts {
    name: Text,
    version: Text,
    socket: Text,
    cgroup_driver: Option<Text>,
    trouble: Option<Text>,
});
record!(ContainerFacts {
    id: Text,
    sandbox: Option<Text>,
    pod_uid: Option<Text>,
    pod: Option<Text>,
    namespace: Option<Text>,
    name: Option<Text>,
    image: Option<Text>,
    labels: Vec<(Text, Text)>,
    pid: Option<u32>,
    cgroup: Option<Bytes>,
    memory_limit: Option<u64>,
    runtime: Text,
});
record!(View {
    pid: u32,
    init: Option<Comm>,
    host_cgroups: Option<bool>,
    may_mount: Option<bool>,
    host_users: Option<bool>,
    mounts: Vec<CgroupMount>,
});
record!(CgroupMount { hierarchy: u32, root: Bytes, at: Bytes, writable: bool, is_fenced: bool });
record!(CgroupLimits {
    key: Key,
    memory: Option<Limit>,
    pids: Option<Limit>,
    cpu: Option<Limit>,
});
record!(Holding { cgroup: u64, bytes: u64, own: Option<u64>, dying: Option<u64> });
record!(NodeMemory { total: u64, free: u64, available: u64 });
record!(Unseen { what: Text, why: Text, mend: Option<Text> });
record!(ChargeDelta {
    cgroup: u64,
    pid: Option<u32>,
    charged: u64,
    uncharged: u64,
    failures: u64,
    limit_hits: u64,
});
record!(Facts {
    version: String,
    kernel: String,
    at: u64,
    boot_epoch_ns: u64,
    interval_ns: u64,
    mode: Mode,
    hierarchies: Vec<Hierarchy>,
    memory: Option<u32>,
    hooks: Vec<Hook>,
    guard: Vec<String>,
    fail_on_exposed: bool,
    own_pid: u32,
});

/// A limit.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    Unlimited,
    Of(u64),
}

/// Declares an enum of names, and the ways from and to the core's.
macro_rules! names {
    ($name:ident { $($variant:ident),* $(,)? }) => {
        #[derive(Debug, Deserialize, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name { $($variant),* }

        impl From<truant_core::input::$name> for $name {
            fn from(it: truant_core::input::$name) -> Self {
                match it { $(truant_core::input::$name::$variant => Self::$variant),* }
            }
        }

        impl From<$name> for truant_core::input::$name {
            fn from(it: $name) -> Self {
                match it { $($name::$variant => Self::$variant),* }
            }
        }
    };
}

names!(Mode { V1, Hybrid, V2 });
names!(Need { Moves, Births, Charges, Lifecycle, Processes, Oom });
names!(Way { Fentry, Kprobe, Tracepoint, Polled });
names!(LossCause {
    RingFull,
    TotalsFull,
    ProcessesFull,
    InFlightFull,
    Recursion,
    Unreadable,
    Malformed,
    PathUnknown,
});

/// Any bytes, as an escaped string.
#[derive(Debug)]
pub(super) struct Bytes(pub(super) Box<[u8]>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = unescape(&text).ok_or_else(|| D::Error::custom("a stray backslash"))?;
        Ok(Self(bytes.into()))
    }
}

/// A text that is not truant's own, as an escaped string.
#[derive(Debug)]
pub(super) struct Text(pub(super) String);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Bytes(bytes) = Bytes::deserialize(deserializer)?;
        String::from_utf8(bytes.into()).map(Self).map_err(D::Error::custom)
    }
}

/// A task's name: like [`Bytes`], 16 at most; the NULs at its end are left out.
#[derive(Debug)]
pub(super) struct Comm(pub(super) [u8; 16]);

impl Serialize for Comm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        serializer.serialize_str(&escape(self.0.get(..end).unwrap_or_default()))
    }
}

impl<'de> Deserialize<'de> for Comm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Bytes(bytes) = Bytes::deserialize(deserializer)?;
        let mut comm = [0; 16];
        let room = comm.get_mut(..bytes.len());
        room.ok_or_else(|| D::Error::custom("a comm of more than 16 bytes"))?
            .copy_from_slice(&bytes);
        Ok(Self(comm))
    }
}
