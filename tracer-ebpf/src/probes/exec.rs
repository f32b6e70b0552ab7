//! Processes that run another program: `sched:sched_process_exec`.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use truant_ebpf::{Counter, Exec, Kind};

use crate::{
    emit::{emit, settle},
    kernel::Task,
};

// kernel: 5.10 trace sched_process_exec(task_struct *, pid_t, linux_binprm *)
#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn tracepoint_sched_process_exec(ctx: RawTracePointContext) -> u32 {
    settle(try_exec(Task::at(ctx.arg(0))))
}

#[inline(always)]
fn try_exec(task: Task) -> Result<(), Counter> {
    emit(Exec {
        kind: Kind::Exec as u32,
        pid: task.tgid()?,
        // SAFETY: the helper takes nothing and returns a number.
        at: unsafe { bpf_ktime_get_boot_ns() },
        comm: task.comm()?,
    })
}
