//! The few names of things: hierarchies, cgroups, tasks, and time.
//!
//! Owns no table; what is known of a cgroup or a task is kept elsewhere.

use alloc::{borrow::Cow, string::String};

/// Nanoseconds since boot, as `CLOCK_BOOTTIME` and `task_struct::start_boottime` count them.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BootTime(pub u64);

/// A hierarchy's number, the first column of `/proc/PID/cgroup`; 0 is cgroup v2. The numbers of
/// v1 hierarchies change at every boot.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HierarchyId(pub u32);

impl HierarchyId {
    /// The unified hierarchy.
    pub const V2: Self = Self(0);
}

/// A cgroup: its hierarchy, and its id there, which is its directory's inode number. The ids of
/// two hierarchies overlap, so neither half names a cgroup alone.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CgroupKey {
    /// The hierarchy.
    pub hierarchy: HierarchyId,
    /// The inode number of the cgroup's directory.
    pub id: u64,
}

/// The kernel's name of a task: at most 15 bytes, anyone's to choose, in any encoding.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Comm(pub [u8; 16]);

impl Comm {
    /// Keeps the first 15 bytes of `name`.
    pub fn new(name: &[u8]) -> Self {
        let mut comm = [0; 16];
        for (to, from) in comm.iter_mut().take(15).zip(name) {
            *to = *from;
        }
        Self(comm)
    }

    /// The bytes before the first NUL.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The name with invalid UTF-8 replaced. Control characters are still in it.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }
}

/// One thread as the kernel knows it. `start` tells a task from a later one with the same number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Task {
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Process id (thread group id) in the initial pid namespace.
    pub tgid: u32,
    /// When the thread was started.
    pub start: BootTime,
    /// Its name at that moment.
    pub comm: Comm,
}

/// A process that did something to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Actor {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Its name at that moment.
    pub comm: Comm,
}
