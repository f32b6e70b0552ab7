//! Moves: `cgroup_attach_task`, on every hierarchy.
//!
//! At entry the task is still in its source, at return in its destination. The tracepoint of that
//! name fires only after the move, so alone it knows no source. The mover is the current process.

use aya_ebpf::{
    bindings::BPF_ANY,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, generated::bpf_ktime_get_boot_ns},
    macros::{fentry, fexit, kprobe, kretprobe, raw_tracepoint},
    programs::{FEntryContext, FExitContext, ProbeContext, RawTracePointContext, RetProbeContext},
};
use aya_log_ebpf::debug;
use truant_ebpf::{Counter, Kind, Moved};

use crate::{
    emit::{emit, settle},
    kernel::{Cgroup, Task},
    maps::MOVES,
};

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[fentry(function = "cgroup_attach_task")]
fn fentry_cgroup_attach_task(ctx: FEntryContext) -> u32 {
    settle(try_enter(ctx.arg(0), ctx.arg(1), ctx.arg(2)))
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[fexit(function = "cgroup_attach_task")]
fn fexit_cgroup_attach_task(ctx: FExitContext) -> u32 {
    let returned: i32 = ctx.arg(3);
    debug!(&ctx, "cgroup_attach_task returned {}", returned);
    settle(try_leave(returned))
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[kprobe(function = "cgroup_attach_task")]
fn kprobe_cgroup_attach_task(ctx: ProbeContext) -> u32 {
    let (Some(to), Some(task), Some(whole)) = (ctx.arg(0), ctx.arg(1), ctx.arg(2)) else {
        return settle(Err(Counter::Unreadable));
    };
    settle(try_enter(to, task, whole))
}

// kernel: 5.10 int cgroup_attach_task(cgroup *, task_struct *, bool)
#[kretprobe(function = "cgroup_attach_task")]
fn kretprobe_cgroup_attach_task(ctx: RetProbeContext) -> u32 {
    settle(try_leave(ctx.ret()))
}

// kernel: 5.10 trace cgroup_attach_task(cgroup *, const char *, task_struct *, bool)
#[raw_tracepoint(tracepoint = "cgroup_attach_task")]
fn tracepoint_cgroup_attach_task(ctx: RawTracePointContext) -> u32 {
    let whole: u8 = ctx.arg(3);
    settle(try_report(0, Cgroup(ctx.arg(0)), Task(ctx.arg(2)), whole != 0))
}

/// Remembers the source and the arguments. A `bool` argument fills only the lowest byte.
#[inline(always)]
fn try_enter(to: u64, task: u64, whole: u64) -> Result<(), Counter> {
    let from = Task(task).cgroups()?.within(Cgroup(to).root()?)?.id()?;
    let call = [from, to, task, whole & 0xff];
    MOVES
        .insert(bpf_get_current_pid_tgid(), call, u64::from(BPF_ANY))
        .map_err(|_| Counter::InFlightFull)
}

/// Reports the remembered move if the call succeeded.
#[inline(always)]
fn try_leave(returned: i32) -> Result<(), Counter> {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread writes its entry, and it is in this program.
    let Some(&[from, to, task, whole]) = (unsafe { MOVES.get(thread) }) else {
        // The call was already under way when the entry was attached, or its failure is counted.
        return Ok(());
    };
    MOVES.remove(thread).map_err(|_| Counter::InFlightFull)?;
    if returned != 0 {
        return Ok(());
    }
    try_report(from, Cgroup(to), Task(task), whole != 0)
}

/// Reports a move, unless it changed nothing. A whole process whose leader stays may still bring
/// back threads from elsewhere.
#[inline(always)]
fn try_report(from: u64, to: Cgroup, task: Task, whole: bool) -> Result<(), Counter> {
    let destination = to.id()?;
    if from == destination && !(whole && task.threads()? > 1) {
        return Err(Counter::Unmoved);
    }
    emit(Moved {
        kind: Kind::Moved as u32,
        whole: u32::from(whole),
        // SAFETY: the helper takes nothing and returns a number.
        at: unsafe { bpf_ktime_get_boot_ns() },
        task: task.record()?,
        from,
        to: destination,
        hierarchy: to.root()?.id()?,
        mover: (bpf_get_current_pid_tgid() >> 32) as u32,
        mover_comm: bpf_get_current_comm().map_err(|_| Counter::Unreadable)?,
    })
}
