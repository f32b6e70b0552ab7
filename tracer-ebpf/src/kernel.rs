//! The only reader of kernel structures.
//!
//! Each type is an address of the structure it is named after. Every read goes through
//! `bpf_probe_read_kernel`, so one body serves fentry, kprobes and raw tracepoints alike, and a
//! wrong address is an error and not a fault. An address that is null reads as an error, too.

use aya_ebpf::helpers::{bpf_probe_read_kernel, bpf_probe_read_kernel_str_bytes, generated};
use truant_ebpf::{CONTROL_MEMORY_SUBSYS, Constant, Counter, Field, NAME_MAX, Task as TaskRecord};

use crate::{
    globals::{offset, value},
    maps::CONTROL,
};

/// What a read yields.
pub(crate) type Read<T> = Result<T, Counter>;

/// Hierarchies a css set can be linked to: 14 v1 controllers, cgroup2, and named ones.
const HIERARCHIES_MAX: u32 = 40;

#[inline(always)]
fn at<T>(address: u64) -> Read<T> {
    // SAFETY: the helper checks the address and copies; `T` is an integer or an array of them.
    unsafe { bpf_probe_read_kernel(address as *const T) }.map_err(|_errno| Counter::Unreadable)
}

#[inline(always)]
fn field<T>(structure: u64, field: Field) -> Read<T> {
    at(structure.wrapping_add(offset(field)))
}

/// `struct task_struct *`.
#[derive(Clone, Copy)]
pub(crate) struct Task(pub(crate) u64);

impl Task {
    /// The thread that runs this program.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helper takes nothing and returns the current task's address.
        Self(unsafe { generated::bpf_get_current_task() })
    }

    pub(crate) fn tid(self) -> Read<u32> {
        field(self.0, Field::TaskPid)
    }

    pub(crate) fn tgid(self) -> Read<u32> {
        field(self.0, Field::TaskTgid)
    }

    pub(crate) fn comm(self) -> Read<[u8; 16]> {
        field(self.0, Field::TaskComm)
    }

    pub(crate) fn leader(self) -> Read<Self> {
        field(self.0, Field::TaskLeader).map(Self)
    }

    pub(crate) fn cgroups(self) -> Read<CssSet> {
        field(self.0, Field::TaskCgroups).map(CssSet)
    }

    /// Threads of the process that have not begun to exit.
    pub(crate) fn threads_alive(self) -> Read<u32> {
        field(field(self.0, Field::TaskSignal)?, Field::SignalLive)
    }

    /// Threads of the process.
    pub(crate) fn threads(self) -> Read<u32> {
        field(field(self.0, Field::TaskSignal)?, Field::SignalThreads)
    }

    /// The task as the records have it.
    #[inline(always)]
    pub(crate) fn record(self) -> Read<TaskRecord> {
        Ok(TaskRecord {
            tid: self.tid()?,
            tgid: self.tgid()?,
            start: field(self.0, Field::TaskStart)?,
            comm: self.comm()?,
        })
    }
}

/// `struct css_set *`: a task's cgroup in every hierarchy.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct CssSet(u64);

impl CssSet {
    /// The cgroup in the v2 hierarchy.
    pub(crate) fn v2(self) -> Read<Cgroup> {
        field(self.0, Field::CssSetDefault).map(Cgroup)
    }

    /// The cgroup in the hierarchy that `root` is the root of. Named v1 hierarchies have no
    /// controller, so only the links tell.
    pub(crate) fn within(self, root: Root) -> Read<Cgroup> {
        let head = self.0.wrapping_add(offset(Field::CssSetLinks));
        let mut node: u64 = at(head)?;
        for _ in 0..HIERARCHIES_MAX {
            if node == head {
                break;
            }
            let link = node.wrapping_sub(offset(Field::LinkNode));
            let cgroup = Cgroup(field(link, Field::LinkCgroup)?);
            if cgroup.root()? == root {
                return Ok(cgroup);
            }
            node = at(node)?;
        }
        Err(Counter::Unreadable)
    }

    /// The address of the memory controller, `&memory_cgrp_subsys`.
    #[inline(always)]
    fn memory_subsys(self) -> Read<u64> {
        let index = u64::from(value(Constant::MemorySubsysId));
        let table = self.0.wrapping_add(offset(Field::CssSetSubsys));
        field(at(table.wrapping_add(index << 3))?, Field::CssSubsys)
    }
}

/// `struct cgroup_root *`: a hierarchy.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Root(u64);

impl Root {
    /// The hierarchy's number.
    pub(crate) fn id(self) -> Read<u32> {
        field(self.0, Field::RootHierarchy)
    }
}

/// `struct cgroup *`.
#[derive(Clone, Copy)]
pub(crate) struct Cgroup(pub(crate) u64);

impl Cgroup {
    #[inline(always)]
    fn node(self) -> Read<u64> {
        field(self.0, Field::CgroupNode)
    }

    /// The inode number of the directory.
    #[inline(always)]
    pub(crate) fn id(self) -> Read<u64> {
        field(self.node()?, Field::NodeId)
    }

    pub(crate) fn root(self) -> Read<Root> {
        field(self.0, Field::CgroupRoot).map(Root)
    }

    /// The parent's id, 0 for a root.
    pub(crate) fn parent_id(self) -> Read<u64> {
        let css = self.0.wrapping_add(offset(Field::CgroupSelf));
        match field(css, Field::CssParent)? {
            0 => Ok(0),
            parent => Self(field(parent, Field::CssCgroup)?).id(),
        }
    }

    /// Copies the directory's name.
    #[inline(always)]
    pub(crate) fn name(self, to: &mut [u8; NAME_MAX + 1]) -> Read<()> {
        let name: u64 = field(self.node()?, Field::NodeName)?;
        // SAFETY: the helper checks the address, and writes at most the length of `to`.
        unsafe { bpf_probe_read_kernel_str_bytes(name as *const u8, to) }
            .map(|_| ())
            .map_err(|_errno| Counter::Unreadable)
    }
}

/// `struct mem_cgroup *`.
#[derive(Clone, Copy)]
pub(crate) struct Memcg(pub(crate) u64);

impl Memcg {
    /// The memory cgroup whose `memory` counter stands at `counter`; none for the counters of swap,
    /// kernel memory, TCP, huge pages and devices, which the kernel charges through the same calls.
    #[inline(always)]
    pub(crate) fn of_counter(counter: u64) -> Read<Option<Self>> {
        let memcg = Self(counter.wrapping_sub(offset(Field::MemcgMemory)));
        let subsys = memory_subsys()?;
        // What is read here is no `mem_cgroup` at all if the counter is another one's, so a failing
        // read says the same as a foreign value.
        let found: Read<u64> = field(memcg.css(), Field::CssSubsys);
        Ok((found == Ok(subsys)).then_some(memcg))
    }

    #[inline(always)]
    fn css(self) -> u64 {
        self.0.wrapping_add(offset(Field::MemcgCss))
    }

    /// The id of the cgroup.
    #[inline(always)]
    pub(crate) fn cgroup_id(self) -> Read<u64> {
        Cgroup(field(self.css(), Field::CssCgroup)?).id()
    }
}

/// The address of the memory controller, learnt from the first task that charges: its name is not
/// exported, and the table of kernel symbols is hidden on many nodes.
#[inline(always)]
fn memory_subsys() -> Read<u64> {
    let slot = CONTROL.get_ptr_mut(CONTROL_MEMORY_SUBSYS).ok_or(Counter::Unreadable)?;
    // SAFETY: the slot is a map value: aligned, and valid while the program runs. Two CPUs that
    // write at once write the same.
    let known = unsafe { slot.read_volatile() };
    if known != 0 {
        return Ok(known);
    }
    let subsys = Task::current().cgroups()?.memory_subsys()?;
    // SAFETY: as above.
    unsafe { slot.write_volatile(subsys) };
    Ok(subsys)
}

/// The pointer that is stored at `address`.
#[inline(always)]
pub(crate) fn pointer_at(address: u64) -> Read<u64> {
    at(address)
}
