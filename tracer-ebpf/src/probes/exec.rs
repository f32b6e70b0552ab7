//! Processes that run another program: `sched:sched_process_exec`.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use truant_ebpf::{Counter, Exec, Kind};

use crate::{
    emit::{emit, settle},
    kernel::{Access, Probed, Task, Typed},
};

// kernel: 5.10 trace sched_process_exec(task_struct *, pid_t, linux_binprm *)
#[btf_tracepoint(function = "sched_process_exec")]
fn btf_sched_process_exec(ctx: BtfTracePointContext) -> u32 {
    settle(try_exec(Task::<Typed>::at(ctx.arg(0))))
}

// kernel: 5.10 trace sched_process_exec(task_struct *, pid_t, linux_binprm *)
#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn tracepoint_sched_process_exec(ctx: RawTracePointContext) -> u32 {
    settle(try_exec(Task::<Probed>::at(ctx.arg(0))))
}

#[inline(always)]
fn try_exec<A: Access>(task: Task<A>) -> Result<(), Counter> {
    emit(Exec {
        kind: Kind::Exec as u32,
        pid: task.tgid()?,
        // SAFETY: the helper takes nothing and returns a number.
        at: unsafe { bpf_ktime_get_boot_ns() },
        comm: task.comm()?,
    })
}
