//! The end of processes, and of threads that sat elsewhere than their leader:
//! `sched:sched_process_exit`.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use truant_ebpf::{Counter, Exited, Kind};

use crate::{
    emit::{emit, settle},
    kernel::{Access, Probed, Task, Typed},
};

// kernel: 5.10 trace sched_process_exit(task_struct *, ...)
#[btf_tracepoint(function = "sched_process_exit")]
fn btf_sched_process_exit(ctx: BtfTracePointContext) -> u32 {
    settle(try_exit(Task::<Typed>::at(ctx.arg(0))))
}

// kernel: 5.10 trace sched_process_exit(task_struct *, ...)
#[raw_tracepoint(tracepoint = "sched_process_exit")]
fn tracepoint_sched_process_exit(ctx: RawTracePointContext) -> u32 {
    settle(try_exit(Task::<Probed>::at(ctx.arg(0))))
}

/// The last thread to go reports the process, whichever it is.
#[inline(always)]
fn try_exit<A: Access + Eq>(task: Task<A>) -> Result<(), Counter> {
    let tgid = task.tgid()?;
    let last = task.threads_alive()? == 0;
    if !last && task.cgroups()? == task.leader()?.cgroups()? {
        return Ok(());
    }
    emit(Exited {
        kind: Kind::Exited as u32,
        tid: if last { tgid } else { task.tid()? },
        // SAFETY: the helper takes nothing and returns a number.
        at: unsafe { bpf_ktime_get_boot_ns() },
        tgid,
        reserved: 0,
    })
}
