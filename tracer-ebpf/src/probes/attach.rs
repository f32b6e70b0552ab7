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
    emit::{emit, settle},
    kernel::{Access, Cgroup, Probed, Read, Task, Typed, current},
    maps::MOVE,
};

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[fentry(function = "cgroup_attach_task")]
fn fentry_cgroup_attach_task(ctx: FEntryContext) -> u32 {
    let call = Call::<Typed>::new(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    settle(call.source().and_then(|from| remember([from])))
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[fexit(function = "cgroup_attach_task")]
fn fexit_cgroup_attach_task(ctx: FExitContext) -> u32 {
    let returned: i32 = ctx.arg(3);
    debug!(&ctx, "cgroup_attach_task returned {}", returned);
    let call = |[from]: [u64; 1]| (from, Call::<Typed>::new(ctx.arg(0), ctx.arg(1), ctx.arg(2)));
    settle(try_leave(returned, call))
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[kprobe(function = "cgroup_attach_task")]
fn kprobe_cgroup_attach_task(ctx: ProbeContext) -> u32 {
    let (Some(to), Some(task), Some(whole)) = (ctx.arg(0), ctx.arg(1), ctx.arg(2)) else {
        return settle(Err(Counter::Unreadable));
    };
    let call = Call::<Probed>::new(to, task, whole);
    settle(call.source().and_then(|from| remember([from, to, task, whole])))
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[kretprobe(function = "cgroup_attach_task")]
fn kretprobe_cgroup_attach_task(ctx: RetProbeContext) -> u32 {
    let call = |[from, to, task, whole]: [u64; 4]| (from, Call::<Probed>::new(to, task, whole));
    settle(try_leave(ctx.ret(), call))
}

// kernel: 5.10 trace cgroup_attach_task(cgroup *, const char *, task_struct *, bool)
#[raw_tracepoint(tracepoint = "cgroup_attach_task")]
fn tracepoint_cgroup_attach_task(ctx: RawTracePointContext) -> u32 {
    settle(try_report(0, Call::<Probed>::new(ctx.arg(0), ctx.arg(2), ctx.arg(3))))
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

    /// The cgroup that the task is in before the move.
    #[inline(always)]
    fn source(&self) -> Read<u64> {
        self.task.cgroups()?.id_within(self.to.root()?)
    }
}

/// Remembers, under the thread that moves, what the return needs: the source, and the arguments
/// where it is not given them again.
#[inline(always)]
fn remember<const N: usize>(known: [u64; N]) -> Result<(), Counter> {
    let slot = MOVE.get_ptr_mut(0).ok_or(Counter::InFlightFull)?.cast::<u64>();
    // SAFETY: the slot is a map value of more than `N` words. Only the one holder of the kernel's
    // mutex gets here.
    unsafe {
        slot.write(Task::current().address());
        slot.add(1).cast::<[u64; N]>().write(known);
    }
    Ok(())
}

/// Reports the remembered move if the call succeeded. `call` makes the source and the arguments of
/// what was remembered.
#[inline(always)]
fn try_leave<A: Access, const N: usize>(
    returned: i32,
    call: impl Fn([u64; N]) -> (u64, Call<A>),
) -> Result<(), Counter> {
    let slot = MOVE.get_ptr_mut(0).ok_or(Counter::InFlightFull)?.cast::<u64>();
    // SAFETY: as above.
    let (thread, known) = unsafe { (slot.read(), slot.add(1).cast::<[u64; N]>().read()) };
    if thread != Task::current().address() {
        // The call was already under way when the entry was attached, or its failure is counted.
        return Ok(());
    }
    // SAFETY: as above.
    unsafe { slot.write(0) };
    if returned != 0 {
        return Ok(());
    }
    let (from, call) = call(known);
    try_report(from, call)
}

/// Reports a move, unless it changed nothing. A whole process whose leader stays may still bring
/// back threads from elsewhere.
#[inline(always)]
fn try_report<A: Access>(from: u64, call: Call<A>) -> Result<(), Counter> {
    let Call { to, task, whole } = call;
    let destination = to.id()?;
    if from == destination && !(whole && task.threads()? > 1) {
        return Err(Counter::Unmoved);
    }
    let hierarchy = to.root()?.id()?;
    let (mover, mover_comm) = current()?;
    emit(Moved {
        kind: Kind::Moved as u32,
        whole: u32::from(whole),
        // SAFETY: the helper takes nothing and returns a number.
        at: unsafe { bpf_ktime_get_boot_ns() },
        task: task.record()?,
        from,
        to: destination,
        hierarchy,
        mover,
        mover_comm,
    })
}
