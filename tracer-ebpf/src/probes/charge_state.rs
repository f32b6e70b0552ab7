//! Page charges where the page counter cannot be hooked: `memcg:mod_memcg_*`, since 6.15.
//!
//! The kernel fires these for every statistic of a memory cgroup, several times a page. Anonymous
//! and file pages, kernel memory and sockets make up nearly all of `memory.current`, so every
//! other item leaves at once. Pages that are charged and not yet mapped are missing.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use truant_ebpf::{Constant, Counter, Sum};

use crate::{emit::settle, globals::value, kernel::Memcg, sums::sum};

// kernel: 6.15 trace mod_memcg_lruvec_state(mem_cgroup *, int, int) | 7.1 (mem_cgroup *, int, long)
#[raw_tracepoint(tracepoint = "mod_memcg_lruvec_state")]
fn tracepoint_mod_memcg_lruvec_state(ctx: RawTracePointContext) -> u32 {
    settle(try_state(&ctx, Constant::AnonMapped, Constant::FilePages))
}

// kernel: 6.15 trace mod_memcg_state(mem_cgroup *, int, int) | 7.1 (mem_cgroup *, int, long)
#[raw_tracepoint(tracepoint = "mod_memcg_state")]
fn tracepoint_mod_memcg_state(ctx: RawTracePointContext) -> u32 {
    settle(try_state(&ctx, Constant::Kmem, Constant::Sock))
}

#[inline(always)]
fn try_state(ctx: &RawTracePointContext, one: Constant, other: Constant) -> Result<(), Counter> {
    let item: u32 = ctx.arg(1);
    if item != value(one) && item != value(other) {
        return Ok(());
    }
    let pages: i32 = ctx.arg(2);
    let which = if pages < 0 { Sum::Uncharged } else { Sum::Charged };
    sum(Memcg::at(ctx.arg(0))?, which, u64::from(pages.unsigned_abs()))
}
