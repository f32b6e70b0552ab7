//! The end of processes, and of threads that sat elsewhere than their leader:
//! `sched:sched_process_exit`.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use truant_ebpf::{Counter, Exited, Kind};

use crate::{
    emit::{emit, settle},
    kernel::Task,
};

// kernel: 5.10 trace sched_process_exit(task_struct *, ...)
#[raw_tracepoint(tracepoint = "sched_process_exit")]
fn tracepoint_sched_process_exit(ctx: RawTracePointContext) -> u32 {
    settle(try_exit(Task::at(ctx.arg(0))))
}

/// The last thread to go reports the process, whichever it is.
#[inline(always)]
fn try_exit(task: Task) -> Result<(), Counter> {
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
