//! The only reader of kernel structures.
//!
//! Each type is an address of the structure it is named after, and how to read there. One body so
//! serves fentry, kprobes and raw tracepoints alike. A wrong address is an error or a zero, never a
//! fault; one that is null is an error.
// tidy: long because all reading of kernel structures is in one file.

use core::marker::PhantomData;

use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid, bpf_probe_read_kernel, bpf_probe_read_kernel_str_bytes, generated,
};
use truant_ebpf::{
    Comm, Constant, Counter, Field, NAME_MAX, Step, Task as TaskRecord, UNKNOWN, Word,
};

use crate::{
    globals::{offset, step, value},
    words,
};

/// What a read yields.
pub(crate) type Read<T> = Result<T, Counter>;

/// The number of the v2 hierarchy.
const V2: u32 = 0;

/// Hierarchies a css set can be linked to: 14 v1 controllers, cgroup2, and named ones.
const HIERARCHIES_MAX: u32 = 40;

/// How kernel memory is read at an address.
pub(crate) trait Access: Copy {
    /// Reads what is stored at `address`.
    fn read<T>(address: u64) -> Read<T>;

    /// The process that runs this program. With [`Typed`], on kernels since 5.11 alone.
    fn process() -> Read<u32>;
}

/// Through the helper, which checks any address and copies.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Probed;

/// With plain loads, several times cheaper, from pointers whose type the verifier knows: arguments
/// of fentry, fexit and typed tracepoints, and what they lead to.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Typed;

impl Access for Probed {
    #[inline(always)]
    fn read<T>(address: u64) -> Read<T> {
        // SAFETY: the helper checks the address and copies; `T` is an integer or an array of them.
        unsafe { bpf_probe_read_kernel(address as *const T) }.map_err(|_errno| Counter::Unreadable)
    }

    #[inline(always)]
    fn process() -> Read<u32> {
        Ok((bpf_get_current_pid_tgid() >> 32) as u32)
    }
}

impl Access for Typed {
    #[inline(always)]
    fn read<T>(address: u64) -> Read<T> {
        Ok(load(address))
    }

    #[inline(always)]
    fn process() -> Read<u32> {
        Task::<Self>::current_with_type().tgid()
    }
}

/// Loads from a pointer whose type the verifier knows.
#[inline(always)]
fn load<T>(address: u64) -> T {
    // SAFETY: the kernel lets a load from such a pointer pass, and makes it yield zeroes where the
    // address is wrong.
    unsafe { (address as *const T).read_volatile() }
}

#[inline(always)]
fn at<T>(address: u64) -> Read<T> {
    Probed::read(address)
}

#[inline(always)]
fn field<T>(structure: u64, field: Field) -> Read<T> {
    member::<Probed, T>(structure, field)
}

#[inline(always)]
fn member<A: Access, T>(structure: u64, field: Field) -> Read<T> {
    A::read(structure.wrapping_add(offset(field)))
}

/// A pointer to another structure. The verifier wants to see that it is not null.
#[inline(always)]
fn pointer<A: Access>(structure: u64, field: Field) -> Read<u64> {
    match member::<A, u64>(structure, field)? {
        0 => Err(Counter::Unreadable),
        address => Ok(address),
    }
}

/// `struct task_struct *`.
#[derive(Clone, Copy)]
pub(crate) struct Task<A = Probed>(u64, PhantomData<A>);

impl Task {
    /// The thread that runs this program.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helper takes nothing and returns the current task's address.
        Self::at(unsafe { generated::bpf_get_current_task() })
    }
}

impl Task<Typed> {
    /// The thread that runs this program, on kernels that give its type: since 5.11.
    #[inline(always)]
    fn typed_current() -> Option<Self> {
        (value(Constant::TypedTask) != UNKNOWN).then(Self::current_with_type)
    }

    #[inline(always)]
    fn current_with_type() -> Self {
        // SAFETY: the helper takes nothing and returns the current task's address.
        Self::at(unsafe { generated::bpf_get_current_task_btf() } as u64)
    }
}

/// Writes which process runs this program, and the name of its thread.
#[inline(always)]
pub(crate) fn current(process: &mut u32, comm: &mut Comm) -> Read<()> {
    if let Some(task) = Task::typed_current() {
        *process = task.tgid()?;
        *comm = task.comm()?;
    } else {
        *process = Probed::process()?;
        *comm = Task::current().comm()?;
    }
    Ok(())
}

impl<A: Access> Task<A> {
    #[inline(always)]
    pub(crate) fn at(address: u64) -> Self {
        Self(address, PhantomData)
    }

    /// Where it is.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn tid(self) -> Read<u32> {
        member::<A, _>(self.0, Field::TaskPid)
    }

    #[inline(always)]
    pub(crate) fn tgid(self) -> Read<u32> {
        member::<A, _>(self.0, Field::TaskTgid)
    }

    #[inline(always)]
    pub(crate) fn comm(self) -> Read<Comm> {
        member::<A, _>(self.0, Field::TaskComm)
    }

    #[inline(always)]
    pub(crate) fn cgroups(self) -> Read<CssSet<A>> {
        pointer::<A>(self.0, Field::TaskCgroups).map(CssSet::at)
    }

    #[inline(always)]
    pub(crate) fn leader(self) -> Read<Self> {
        pointer::<A>(self.0, Field::TaskLeader).map(Self::at)
    }

    /// Threads of the process that have not begun to exit.
    #[inline(always)]
    pub(crate) fn threads_alive(self) -> Read<u32> {
        member::<A, _>(pointer::<A>(self.0, Field::TaskSignal)?, Field::SignalLive)
    }

    /// Threads of the process.
    #[inline(always)]
    pub(crate) fn threads(self) -> Read<u32> {
        member::<A, _>(pointer::<A>(self.0, Field::TaskSignal)?, Field::SignalThreads)
    }

    /// When it was started, in nanoseconds since boot.
    #[inline(always)]
    fn start(self) -> Read<u64> {
        member::<A, _>(self.0, Field::TaskStart)
    }

    /// Writes the task as the records have it.
    #[inline(always)]
    pub(crate) fn record(self, to: &mut TaskRecord) -> Read<()> {
        to.tid = self.tid()?;
        to.tgid = self.tgid()?;
        to.start = self.start()?;
        to.comm = self.comm()?;
        Ok(())
    }
}

/// `struct css_set *`: a task's cgroup in every hierarchy.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct CssSet<A = Probed>(u64, PhantomData<A>);

impl<A: Access> CssSet<A> {
    #[inline(always)]
    fn at(address: u64) -> Self {
        Self(address, PhantomData)
    }

    /// The cgroup in the v2 hierarchy.
    #[inline(always)]
    pub(crate) fn v2(self) -> Read<Cgroup<A>> {
        pointer::<A>(self.0, Field::CssSetDefault).map(Cgroup::at)
    }

    /// The address of the memory controller's state for the cgroup.
    #[inline(always)]
    fn memory(self) -> Read<u64> {
        let index = u64::from(value(Constant::MemorySubsysId));
        let table = self.0.wrapping_add(offset(Field::CssSetSubsys));
        match A::read(table.wrapping_add(index << 3))? {
            0 => Err(Counter::Unreadable),
            css => Ok(css),
        }
    }

    /// The id of the cgroup in the hierarchy of that number, which `root` is the root of.
    #[inline(always)]
    pub(crate) fn id_within(self, root: Root<A>, hierarchy: u32) -> Read<u64> {
        if hierarchy == V2 { self.v2()?.id() } else { CssSet::at(self.0).linked_to(root.0)?.id() }
    }
}

impl CssSet {
    /// The cgroup in the v1 hierarchy that `root` is the root of. Named hierarchies have no
    /// controller, so only the links tell. They sit inside other structures, which no type says.
    fn linked_to(self, root: u64) -> Read<Cgroup> {
        let head = self.0.wrapping_add(offset(Field::CssSetLinks));
        let mut node: u64 = at(head)?;
        for _ in 0..HIERARCHIES_MAX {
            if node == head {
                break;
            }
            let link = node.wrapping_sub(offset(Field::LinkNode));
            let cgroup = Cgroup::at(field(link, Field::LinkCgroup)?);
            if cgroup.root()?.0 == root {
                return Ok(cgroup);
            }
            node = at(node)?;
        }
        Err(Counter::Unreadable)
    }
}

/// `struct cgroup_root *`: a hierarchy.
#[derive(Clone, Copy)]
pub(crate) struct Root<A = Probed>(u64, PhantomData<A>);

impl<A: Access> Root<A> {
    /// The hierarchy's number.
    #[inline(always)]
    pub(crate) fn id(self) -> Read<u32> {
        member::<A, _>(self.0, Field::RootHierarchy)
    }
}

/// `struct cgroup *`.
#[derive(Clone, Copy)]
pub(crate) struct Cgroup<A = Probed>(u64, PhantomData<A>);

impl<A: Access> Cgroup<A> {
    #[inline(always)]
    pub(crate) fn at(address: u64) -> Self {
        Self(address, PhantomData)
    }

    /// The inode number of the directory.
    #[inline(always)]
    pub(crate) fn id(self) -> Read<u64> {
        member::<A, _>(pointer::<A>(self.0, Field::CgroupNode)?, Field::NodeId)
    }

    #[inline(always)]
    pub(crate) fn root(self) -> Read<Root<A>> {
        Ok(Root(pointer::<A>(self.0, Field::CgroupRoot)?, PhantomData))
    }
}

impl Cgroup {
    /// The parent's id, 0 for a root.
    pub(crate) fn parent_id(self) -> Read<u64> {
        let css = self.0.wrapping_add(offset(Field::CgroupSelf));
        match field(css, Field::CssParent)? {
            0 => Ok(0),
            parent => Self::at(field(parent, Field::CssCgroup)?).id(),
        }
    }

    /// Copies the directory's name.
    #[inline(always)]
    pub(crate) fn name(self, to: &mut [u8; NAME_MAX + 1]) -> Read<()> {
        let node: u64 = field(self.0, Field::CgroupNode)?;
        let name: u64 = field(node, Field::NodeName)?;
        // SAFETY: the helper checks the address, and writes at most the length of `to`.
        unsafe { bpf_probe_read_kernel_str_bytes(name as *const u8, to) }
            .map(|_| ())
            .map_err(|_errno| Counter::Unreadable)
    }
}

/// `struct mem_cgroup *`, where a program is given one.
#[derive(Clone, Copy)]
pub(crate) struct MemcgAt<A>(u64, PhantomData<A>);

impl<A: Access> MemcgAt<A> {
    #[inline(always)]
    pub(crate) fn new(address: u64) -> Self {
        Self(address, PhantomData)
    }

    /// The serial number of its state, which no other has or had.
    #[inline(always)]
    pub(crate) fn serial(self) -> Read<u64> {
        A::read(self.0.wrapping_add(step(Step::MemcgToSerial)))
    }

    /// The id of the cgroup.
    #[inline(always)]
    pub(crate) fn cgroup_id(self) -> Read<u64> {
        let state = self.0.wrapping_add(offset(Field::MemcgCss));
        Cgroup::<A>::at(pointer::<A>(state, Field::CssCgroup)?).id()
    }
}

/// `struct mem_cgroup *`, by its `memory` counter's address.
#[derive(Clone, Copy)]
pub(crate) struct Memcg {
    counter: u64,
}

impl Memcg {
    /// The memory cgroup whose `memory` counter stands at `counter`; none for the counters of swap,
    /// kernel memory, TCP, huge pages and devices, which the kernel charges through the same calls.
    #[inline(always)]
    pub(crate) fn of_counter(counter: u64) -> Read<Option<Self>> {
        let subsys = memory_subsys()?;
        // What is read here is no `mem_cgroup` at all if the counter is another one's, so a failing
        // read says the same as a foreign value.
        let found: Read<u64> = at(counter.wrapping_add(step(Step::CounterToSubsys)));
        Ok((found == Ok(subsys)).then_some(Self { counter }))
    }

    /// The serial number of the state of the memory cgroup whose `memory` counter stands at
    /// `counter`, which no other has or had, or any number if it is another counter; and the
    /// process that runs this program.
    #[inline(always)]
    pub(crate) fn serial_and_process(counter: u64) -> Read<(u64, u32)> {
        let probed = || at(counter.wrapping_add(step(Step::CounterToSerial)));
        let Some(task) = Task::typed_current() else { return Ok((probed()?, Probed::process()?)) };
        let tgid = task.tgid()?;
        // The current task's is nearly always the one that is charged. All loads are plain ones
        // then, since the verifier knows the types.
        if let Ok(css) = task.cgroups().and_then(CssSet::memory) {
            // Loaded before anything is compared: of two equal pointers the compiler might take the
            // one whose type the verifier does not know.
            let serial = member::<Typed, _>(css, Field::CssSerial)?;
            if css.wrapping_add(step(Step::CssToCounter)) == counter {
                return Ok((serial, tgid));
            }
        }
        Ok((probed()?, tgid))
    }

    /// How far a memory cgroup's `memory` counter is from `counter`, which is that or the one of
    /// memory with swap; none for others. Only v1 has the latter: in v2 swap's has its place.
    #[inline(always)]
    pub(crate) fn step_to_memory(counter: u64) -> Read<Option<u64>> {
        if Self::of_counter(counter)?.is_some() {
            return Ok(Some(0));
        }
        let step = step(Step::MemswToCounter);
        let Some(memcg) = Self::of_counter(counter.wrapping_add(step))? else { return Ok(None) };
        Ok(if memcg.cgroup()?.root()?.id()? == V2 { None } else { Some(step) })
    }

    /// The id of the cgroup.
    #[inline(always)]
    pub(crate) fn cgroup_id(self) -> Read<u64> {
        self.cgroup()?.id()
    }

    #[inline(always)]
    fn cgroup(self) -> Read<Cgroup> {
        at(self.counter.wrapping_add(step(Step::CounterToCgroup))).map(Cgroup::at)
    }
}

/// The address of the memory controller, learnt from the first task that charges: its name is not
/// exported, and the table of kernel symbols is hidden on many nodes.
#[inline(always)]
fn memory_subsys() -> Read<u64> {
    match words::get(Word::MemorySubsys) {
        0 => {
            let subsys = field(Task::current().cgroups()?.memory()?, Field::CssSubsys)?;
            words::set(Word::MemorySubsys, subsys);
            Ok(subsys)
        }
        known => Ok(known),
    }
}

/// The pointer that is stored at `address`.
#[inline(always)]
pub(crate) fn pointer_at(address: u64) -> Read<u64> {
    at(address)
}
