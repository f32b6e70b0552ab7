//! Births: `sched:sched_process_fork`, for processes, and for threads made outside their leader's
//! cgroups.
//!
//! `clone3` with `CLONE_INTO_CGROUP` moves nobody, so the only sign of it is a child that is not
//! where its parent is. That works in the v2 hierarchy alone.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use truant_ebpf::{Born, Counter, Forked, Kind};

use crate::{
    emit::{emit, settle},
    kernel::{Task, current_comm},
};

// kernel: 5.10 trace sched_process_fork(task_struct *, task_struct *)
#[raw_tracepoint(tracepoint = "sched_process_fork")]
fn tracepoint_sched_process_fork(ctx: RawTracePointContext) -> u32 {
    settle(try_fork(Task::at(ctx.arg(0)), Task::at(ctx.arg(1))))
}

#[inline(always)]
fn try_fork(parent: Task, child: Task) -> Result<(), Counter> {
    let (parent_set, child_set) = (parent.cgroups()?, child.cgroups()?);
    let task = child.record()?;
    if task.tid != task.tgid && child_set == child.leader()?.cgroups()? {
        return Ok(());
    }
    let mut forked = Forked {
        kind: Kind::Forked as u32,
        parent_tid: parent.tid()?,
        // SAFETY: the helper takes nothing and returns a number.
        at: unsafe { bpf_ktime_get_boot_ns() },
        task,
        parent: parent.tgid()?,
        reserved: 0,
    };
    if parent_set == child_set {
        return emit(forked);
    }
    let (from, to) = (parent_set.v2()?.id()?, child_set.v2()?.id()?);
    if from == to {
        return emit(forked);
    }
    forked.kind = Kind::Born as u32;
    let parent_comm = current_comm()?;
    emit(Born { forked, from, to, parent_comm })
}
