//! Moves: `cgroup_attach_task`, on every hierarchy.
//!
//! At entry the task is still in its source, at return in its destination. The tracepoint of that
//! name fires only after the move, so alone it knows no source. The mover is the current process.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::{fentry, fexit, kprobe, kretprobe, raw_tracepoint},
    programs::{FEntryContext, FExitContext, ProbeContext, RawTracePointContext, RetProbeContext},
};
use aya_log_ebpf::debug;
use truant_ebpf::{Counter, Kind, Moved};

use crate::{
    emit::{emit_filled, settle},
    kernel::{Access, Cgroup, Probed, Read, Task, Typed, current},
    maps::MOVE,
};

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[fentry(function = "cgroup_attach_task")]
fn fentry_cgroup_attach_task(ctx: FEntryContext) -> u32 {
    let call = Call::<Typed>::new(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    let source = call.source();
    // Also where there is none, or the return would take the last call's for this one's.
    source::remember(source.unwrap_or(Place { cgroup: 0, hierarchy: 0 }));
    settle(source.map(|_| ()))
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[fexit(function = "cgroup_attach_task")]
fn fexit_cgroup_attach_task(ctx: FExitContext) -> u32 {
    let returned: i32 = ctx.arg(3);
    debug!(&ctx, "cgroup_attach_task returned {}", returned);
    let from = source::recall();
    if from.cgroup == 0 || returned != 0 {
        // The call was already under way when the entry was attached, or its failure is counted, or
        // it moved nobody.
        return 0;
    }
    settle(try_report(from, Call::<Typed>::new(ctx.arg(0), ctx.arg(1), ctx.arg(2))))
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[kprobe(function = "cgroup_attach_task")]
fn kprobe_cgroup_attach_task(ctx: ProbeContext) -> u32 {
    let (Some(to), Some(task), Some(whole)) = (ctx.arg(0), ctx.arg(1), ctx.arg(2)) else {
        return settle(Err(Counter::Unreadable));
    };
    let call = Call::<Probed>::new(to, task, whole);
    settle(
        call.source()
            .and_then(|from| remember([from.cgroup, u64::from(from.hierarchy), to, task, whole])),
    )
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[kretprobe(function = "cgroup_attach_task")]
fn kretprobe_cgroup_attach_task(ctx: RetProbeContext) -> u32 {
    settle(try_leave(ctx.ret()))
}

// kernel: 5.10 trace cgroup_attach_task(cgroup *, const char *, task_struct *, bool)
#[raw_tracepoint(tracepoint = "cgroup_attach_task")]
fn tracepoint_cgroup_attach_task(ctx: RawTracePointContext) -> u32 {
    let call = Call::<Probed>::new(ctx.arg(0), ctx.arg(2), ctx.arg(3));
    settle(call.hierarchy().and_then(|hierarchy| try_report(Place { cgroup: 0, hierarchy }, call)))
}

/// The arguments of a call.
#[derive(Clone, Copy)]
struct Call<A> {
    to: Cgroup<A>,
    task: Task<A>,
    whole: bool,
}

impl<A: Access> Call<A> {
    /// A `bool` argument fills only the lowest byte.
    #[inline(always)]
    fn new(to: u64, task: u64, whole: u64) -> Self {
        Self { to: Cgroup::at(to), task: Task::at(task), whole: whole & 0xff != 0 }
    }

    /// The number of the hierarchy in which the task is moved.
    #[inline(always)]
    fn hierarchy(&self) -> Read<u32> {
        self.to.root()?.id()
    }

    /// Where the task is before the move.
    #[inline(always)]
    fn source(&self) -> Read<Place> {
        let root = self.to.root()?;
        let hierarchy = root.id()?;
        let cgroup = self.task.cgroups()?.id_within(root, hierarchy)?;
        Ok(Place { cgroup, hierarchy })
    }
}

/// A cgroup by its id, 0 if it is not known, and the number of its hierarchy.
#[derive(Clone, Copy)]
struct Place {
    cgroup: u64,
    hierarchy: u32,
}

/// Where the task was that is being moved, from the entry of the call to its return, for fentry and
/// fexit. One is enough, since the kernel moves under one mutex. It is no map, whose values are
/// looked up.
mod source {
    use core::cell::UnsafeCell;

    use super::Place;

    struct Source(UnsafeCell<Place>);

    // SAFETY: only the one holder of the kernel's mutex gets here.
    unsafe impl Sync for Source {}

    // Not in `.bss`, all of which userspace writes now and then.
    #[unsafe(no_mangle)]
    #[unsafe(link_section = ".data.source")]
    static SOURCE: Source = Source(UnsafeCell::new(Place { cgroup: 0, hierarchy: 0 }));

    #[inline(always)]
    pub(super) fn remember(place: Place) {
        // SAFETY: as above. Volatile, since the compiler knows of no other program.
        unsafe {
            (&raw mut (*SOURCE.0.get()).cgroup).write_volatile(place.cgroup);
            (&raw mut (*SOURCE.0.get()).hierarchy).write_volatile(place.hierarchy);
        }
    }

    /// What was remembered, once.
    #[inline(always)]
    pub(super) fn recall() -> Place {
        // SAFETY: as above.
        unsafe {
            let cgroup = &raw mut (*SOURCE.0.get()).cgroup;
            let hierarchy = (&raw const (*SOURCE.0.get()).hierarchy).read_volatile();
            let place = Place { cgroup: cgroup.read_volatile(), hierarchy };
            cgroup.write_volatile(0);
            place
        }
    }
}

/// Remembers, under the thread that moves, what a kretprobe needs, which is given no arguments and
/// may miss a call: the source, and the arguments.
#[inline(always)]
fn remember(known: [u64; 5]) -> Result<(), Counter> {
    let slot = MOVE.get_ptr_mut(0).ok_or(Counter::InFlightFull)?.cast::<u64>();
    // SAFETY: the slot is a map value of more words than these. Only the one holder of the kernel's
    // mutex gets here.
    unsafe {
        slot.write(Task::current().address());
        slot.add(1).cast::<[u64; 5]>().write(known);
    }
    Ok(())
}

/// Reports the remembered move if the call succeeded.
#[inline(always)]
fn try_leave(returned: i32) -> Result<(), Counter> {
    let slot = MOVE.get_ptr_mut(0).ok_or(Counter::InFlightFull)?.cast::<u64>();
    // SAFETY: as above.
    let (thread, known) = unsafe { (slot.read(), slot.add(1).cast::<[u64; 5]>().read()) };
    if thread != Task::current().address() {
        // The call was already under way when the entry was attached, or its failure is counted.
        return Ok(());
    }
    // SAFETY: as above.
    unsafe { slot.write(0) };
    if returned != 0 {
        return Ok(());
    }
    let [cgroup, hierarchy, to, task, whole] = known;
    let from = Place { cgroup, hierarchy: (hierarchy & 0xffff_ffff) as u32 };
    try_report(from, Call::<Probed>::new(to, task, whole))
}

/// Reports a move, unless it changed nothing. A whole process whose leader stays may still bring
/// back threads from elsewhere.
#[inline(always)]
fn try_report<A: Access>(from: Place, call: Call<A>) -> Result<(), Counter> {
    let Call { to, task, whole } = call;
    let destination = to.id()?;
    if from.cgroup == destination && !(whole && task.threads()? > 1) {
        return Err(Counter::Unmoved);
    }
    emit_filled(|moved: *mut Moved| {
        // SAFETY: `moved` is a whole record of the ring, of integers, and is only written to.
        let moved = unsafe { &mut *moved };
        moved.kind = Kind::Moved as u32;
        moved.whole = u32::from(whole);
        moved.from = from.cgroup;
        moved.to = destination;
        moved.hierarchy = from.hierarchy;
        // SAFETY: the helper takes nothing and returns a number.
        moved.at = unsafe { bpf_ktime_get_boot_ns() };
        task.record(&mut moved.task)?;
        current(&mut moved.mover, &mut moved.mover_comm)
    })
}
