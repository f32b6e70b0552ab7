//! Births: `sched:sched_process_fork`, for processes, and for threads made outside their leader's
//! cgroups.
//!
//! `clone3` with `CLONE_INTO_CGROUP` moves nobody, so the only sign of it is a child that is not
//! where its parent is. That works in the v2 hierarchy alone.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use truant_ebpf::{Born, Counter, Forked, Kind};

use crate::{
    emit::{emit_filled, settle},
    kernel::{Access, Probed, Task, Typed},
};

// kernel: 5.10 trace sched_process_fork(task_struct *, task_struct *)
#[btf_tracepoint(function = "sched_process_fork")]
fn btf_sched_process_fork(ctx: BtfTracePointContext) -> u32 {
    settle(try_fork(Task::<Typed>::at(ctx.arg(0)), Task::at(ctx.arg(1))))
}

// kernel: 5.10 trace sched_process_fork(task_struct *, task_struct *)
#[raw_tracepoint(tracepoint = "sched_process_fork")]
fn tracepoint_sched_process_fork(ctx: RawTracePointContext) -> u32 {
    settle(try_fork(Task::<Probed>::at(ctx.arg(0)), Task::at(ctx.arg(1))))
}

#[inline(always)]
fn try_fork<A: Access + Eq>(parent: Task<A>, child: Task<A>) -> Result<(), Counter> {
    let (parent_set, child_set) = (parent.cgroups()?, child.cgroups()?);
    if child.tid()? != child.tgid()? && child_set == child.leader()?.cgroups()? {
        return Ok(());
    }
    let forked = |kind: Kind, to: *mut Forked| {
        // SAFETY: `to` is a whole record of the ring, of integers, and is only written to.
        let to = unsafe { &mut *to };
        to.kind = kind as u32;
        to.reserved = 0;
        // SAFETY: the helper takes nothing and returns a number.
        to.at = unsafe { bpf_ktime_get_boot_ns() };
        to.parent_tid = parent.tid()?;
        to.parent = parent.tgid()?;
        child.record(&mut to.task)
    };
    if parent_set == child_set {
        return emit_filled(|to| forked(Kind::Forked, to));
    }
    let (from, to) = (parent_set.v2()?.id()?, child_set.v2()?.id()?);
    if from == to {
        return emit_filled(|to| forked(Kind::Forked, to));
    }
    emit_filled(|born: *mut Born| {
        // SAFETY: as above.
        let born = unsafe { &mut *born };
        born.from = from;
        born.to = to;
        born.parent_comm = parent.comm()?;
        forked(Kind::Born, &raw mut born.forked)
    })
}
