//! The records of the ring, each defined once.
//!
//! The first word of a record is its [`Kind`]. Times are nanoseconds since boot, as
//! `CLOCK_BOOTTIME` counts them; process and thread ids are those of the initial pid namespace;
//! cgroup ids are inode numbers, unique within one hierarchy.

use core::mem::{offset_of, size_of};

/// The longest name of a cgroup's directory, in bytes, as in `NAME_MAX`.
pub const NAME_MAX: usize = 255;

/// What a record is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Kind {
    /// [`Moved`].
    Moved = 1,
    /// [`Forked`].
    Forked,
    /// [`Born`].
    Born,
    /// [`Exec`].
    Exec,
    /// [`Exited`].
    Exited,
    /// [`NamedCgroup`].
    CgroupMade,
    /// [`NamedCgroup`].
    CgroupRenamed,
    /// [`Cgroup`].
    CgroupRemoved,
    /// [`Cgroup`].
    CgroupReleased,
    /// [`OomKill`].
    OomKill,
}

/// A task's name: 16 bytes in the order of memory, ended by a NUL. Anyone may choose them.
pub type Comm = [u64; 2];

/// A thread.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Task {
    /// Thread id.
    pub tid: u32,
    /// Process id.
    pub tgid: u32,
    /// When the thread was started.
    pub start: u64,
    /// Its name.
    pub comm: Comm,
}

/// A task was moved between two cgroups of one hierarchy.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Moved {
    /// [`Kind::Moved`].
    pub kind: u32,
    /// 1 if all threads of the process were moved, 0 if this one alone.
    pub whole: u32,
    /// When.
    pub at: u64,
    /// The task; the leader where the whole process was moved.
    pub task: Task,
    /// The cgroup it was in; 0 if not known.
    pub from: u64,
    /// The cgroup it is in.
    pub to: u64,
    /// The hierarchy.
    pub hierarchy: u32,
    /// The process that moved it.
    pub mover: u32,
    /// That process's name, or that of the thread that wrote.
    pub mover_comm: Comm,
}

/// A process was made, or a thread whose leader sits elsewhere, in its creator's cgroups.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Forked {
    /// [`Kind::Forked`], or [`Kind::Born`] within [`Born`].
    pub kind: u32,
    /// The creating thread.
    pub parent_tid: u32,
    /// When.
    pub at: u64,
    /// The new task.
    pub task: Task,
    /// The creating process.
    pub parent: u32,
    /// Zero.
    pub reserved: u32,
}

/// A process was born in another cgroup of the v2 hierarchy than its parent's.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Born {
    /// The birth.
    pub forked: Forked,
    /// The parent's cgroup in the v2 hierarchy.
    pub from: u64,
    /// The child's.
    pub to: u64,
    /// The creating thread's name.
    pub parent_comm: Comm,
}

/// A process runs another program.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Exec {
    /// [`Kind::Exec`].
    pub kind: u32,
    /// The process.
    pub pid: u32,
    /// When.
    pub at: u64,
    /// Its new name.
    pub comm: Comm,
}

/// A process ended (`tid` is `tgid`), or one thread that sat elsewhere than its leader.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Exited {
    /// [`Kind::Exited`].
    pub kind: u32,
    /// The thread.
    pub tid: u32,
    /// When.
    pub at: u64,
    /// The process.
    pub tgid: u32,
    /// Zero.
    pub reserved: u32,
}

/// Something happened to a cgroup.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Cgroup {
    /// The kind.
    pub kind: u32,
    /// The hierarchy.
    pub hierarchy: u32,
    /// When.
    pub at: u64,
    /// The cgroup.
    pub id: u64,
    /// Its parent; 0 for a root.
    pub parent: u64,
}

/// Something happened to a cgroup, and its directory's name matters.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NamedCgroup {
    /// The cgroup.
    pub cgroup: Cgroup,
    /// The name up to its first NUL.
    pub name: [u8; NAME_MAX + 1],
}

/// The kernel chose a process to kill because memory ran out.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct OomKill {
    /// [`Kind::OomKill`].
    pub kind: u32,
    /// The process.
    pub pid: u32,
    /// When.
    pub at: u64,
}

const _: () = {
    assert!(size_of::<Task>() == 32 && offset_of!(Task, comm) == 16);
    assert!(size_of::<Moved>() == 88 && offset_of!(Moved, from) == 48);
    assert!(offset_of!(Moved, hierarchy) == 64 && offset_of!(Moved, mover_comm) == 72);
    assert!(size_of::<Forked>() == 56 && offset_of!(Forked, parent) == 48);
    assert!(size_of::<Born>() == 88 && offset_of!(Born, parent_comm) == 72);
    assert!(size_of::<Exec>() == 32 && offset_of!(Exec, comm) == 16);
    assert!(size_of::<Exited>() == 24 && offset_of!(Exited, tgid) == 16);
    assert!(size_of::<Cgroup>() == 32 && offset_of!(Cgroup, parent) == 24);
    assert!(size_of::<NamedCgroup>() == 288 && offset_of!(NamedCgroup, name) == 32);
    assert!(size_of::<OomKill>() == 16 && offset_of!(OomKill, at) == 8);
};
