//! Victims of the out-of-memory killer: `oom:mark_victim`.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use truant_ebpf::{Constant, Counter, Kind, OomKill};

use crate::{
    emit::{emit, settle},
    globals::value,
    kernel::{Probed, Task},
};

// kernel: 5.10 trace mark_victim(int) | 5.10 (task_struct *, uid_t) | 6.9 (task_struct *, uid_t)
#[raw_tracepoint(tracepoint = "mark_victim")]
fn tracepoint_mark_victim(ctx: RawTracePointContext) -> u32 {
    settle(try_oom(&ctx))
}

#[inline(always)]
fn try_oom(ctx: &RawTracePointContext) -> Result<(), Counter> {
    let pid = if value(Constant::OomPassesTask) == 1 {
        Task::<Probed>::at(ctx.arg(0)).tgid()?
    } else {
        ctx.arg(0)
    };
    emit(OomKill {
        kind: Kind::OomKill as u32,
        pid,
        // SAFETY: the helper takes nothing and returns a number.
        at: unsafe { bpf_ktime_get_boot_ns() },
    })
}
