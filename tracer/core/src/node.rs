//! Facts on tasks, containers and cgroups that events do not carry: what `/proc`, the cgroup
//! files and the container runtimes say. Judges none of them.
//!
//! None is "not known", never "no".

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::ids::{CgroupKey, Comm, HierarchyId};

/// A process's namespaces, by the inode numbers of `/proc/PID/ns/*`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Namespaces {
    /// Process numbers.
    pub pid: Option<u32>,
    /// Mounts.
    pub mount: Option<u32>,
    /// The roots of cgroup paths.
    pub cgroup: Option<u32>,
    /// Networks.
    pub net: Option<u32>,
    /// System V and POSIX message queues and shared memory.
    pub ipc: Option<u32>,
}

/// What a container's runtime says of it, or of a pod's sandbox.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ContainerFacts {
    /// The runtime's id, 64 hexadecimal digits.
    pub id: String,
    /// The id of its pod's sandbox; a sandbox's own id for the sandbox. None outside Kubernetes.
    pub sandbox: Option<String>,
    /// The pod's uid.
    pub pod_uid: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// The pod's namespace.
    pub namespace: Option<String>,
    /// The container's name; none for a sandbox.
    pub name: Option<String>,
    /// The image it was made from, as it was asked for.
    pub image: Option<String>,
    /// Labels of the pod and of the container, sorted.
    pub labels: Vec<(String, String)>,
    /// Its first process, as the host numbers it.
    pub pid: Option<u32>,
    /// The cgroup it was given, as a path.
    pub cgroup: Option<Box<[u8]>>,
    /// The limit of its memory in bytes; none where it has none, or where that is not said.
    pub memory_limit: Option<u64>,
    /// The runtime's name: `containerd`, `cri-o`, `docker`.
    pub runtime: String,
}

/// A container runtime.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RuntimeFacts {
    /// `containerd`, `cri-o`, `docker`; empty where none answers.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its socket.
    pub socket: String,
    /// `cgroupfs` or `systemd`.
    pub cgroup_driver: Option<String>,
    /// Why it does not answer, in words.
    pub trouble: Option<String>,
}

/// What a process sees of the cgroup hierarchies, and what it may do with it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct View {
    /// The process; others in its mount namespace see the same.
    pub pid: u32,
    /// The name of process 1 of its pid namespace, where that is another than the node's.
    pub init: Option<Comm>,
    /// Whether it is in the host's cgroup namespace.
    pub host_cgroups: Option<bool>,
    /// Whether it, or a program it starts, may mount: `CAP_SYS_ADMIN` in its bounding set.
    pub may_mount: Option<bool>,
    /// Whether user 0 in it is user 0 of the node.
    pub host_users: Option<bool>,
    /// The mounts of cgroup file systems it sees.
    pub mounts: Vec<CgroupMount>,
}

/// A cgroup file system as a container has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CgroupMount {
    /// The hierarchy.
    pub hierarchy: HierarchyId,
    /// The cgroup at its top, as a path from the hierarchy's root.
    pub root: Box<[u8]>,
    /// Where it is mounted, in the container.
    pub at: Box<[u8]>,
    /// Whether cgroups can be made in it: neither the mount nor the file system is read-only.
    pub writable: bool,
    /// Whether the kernel keeps tasks of a cgroup namespace inside of it (`nsdelegate`), and the
    /// process is in one of its own.
    pub is_fenced: bool,
}

/// A limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// There is none.
    Unlimited,
    /// At most so much.
    Of(u64),
}

/// The limits of one cgroup, those above it not counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CgroupLimits {
    /// The cgroup.
    pub key: CgroupKey,
    /// Bytes: `memory.max`, `memory.limit_in_bytes`.
    pub memory: Option<Limit>,
    /// Tasks: `pids.max`.
    pub pids: Option<Limit>,
    /// Thousandths of a CPU: `cpu.max`, `cpu.cfs_quota_us` by `cpu.cfs_period_us`.
    pub cpu: Option<Limit>,
}

/// What a memory cgroup and all below it hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// The id of the cgroup in the hierarchy of the memory controller.
    pub cgroup: u64,
    /// `memory.current` or `memory.usage_in_bytes`.
    pub bytes: u64,
    /// What is charged to it and not to one below it, where its files tell.
    pub own: Option<u64>,
    /// How many removed cgroups below it are kept, by `cgroup.stat`.
    pub dying: Option<u64>,
}

/// The memory of the node in bytes, by `/proc/meminfo`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NodeMemory {
    /// All there is.
    pub total: u64,
    /// Free.
    pub free: u64,
    /// Free, or free at once for whoever asks.
    pub available: u64,
}

/// Something that should have been read and could not.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unseen {
    /// What is not known for that reason, in words.
    pub what: String,
    /// Why, in words.
    pub why: String,
    /// What would mend it, in words, if anything would.
    pub mend: Option<String>,
}
