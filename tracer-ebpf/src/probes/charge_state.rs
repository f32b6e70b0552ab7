//! Page charges where the page counter cannot be hooked: `memcg:mod_memcg_*`, since 6.15.
//!
//! The kernel fires these for every statistic of a memory cgroup, several times a page. Anonymous
//! and file pages, kernel memory and sockets make up nearly all of `memory.current`, so every
//! other item leaves at once. Pages that are charged and not yet mapped are missing.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use truant_ebpf::{Constant, Counter};

use crate::{
    emit::settle,
    globals::value,
    kernel::{Access, MemcgAt, Probed, Typed},
    sums::sum_recent,
};

// kernel: 6.15 trace mod_memcg_lruvec_state(mem_cgroup *, int, int) | 7.1 (mem_cgroup *, int, long)
#[btf_tracepoint(function = "mod_memcg_lruvec_state")]
fn btf_mod_memcg_lruvec_state(ctx: BtfTracePointContext) -> u32 {
    settle(try_pages(ctx.arg(1), || (MemcgAt::<Typed>::new(ctx.arg(0)), ctx.arg(2))))
}

// kernel: 6.15 trace mod_memcg_state(mem_cgroup *, int, int) | 7.1 (mem_cgroup *, int, long)
#[btf_tracepoint(function = "mod_memcg_state")]
fn btf_mod_memcg_state(ctx: BtfTracePointContext) -> u32 {
    settle(try_other(ctx.arg(1), || (MemcgAt::<Typed>::new(ctx.arg(0)), ctx.arg(2))))
}

// kernel: 6.15 trace mod_memcg_lruvec_state(mem_cgroup *, int, int) | 7.1 (mem_cgroup *, int, long)
#[raw_tracepoint(tracepoint = "mod_memcg_lruvec_state")]
fn tracepoint_mod_memcg_lruvec_state(ctx: RawTracePointContext) -> u32 {
    settle(try_pages(ctx.arg(1), || (MemcgAt::<Probed>::new(ctx.arg(0)), ctx.arg(2))))
}

// kernel: 6.15 trace mod_memcg_state(mem_cgroup *, int, int) | 7.1 (mem_cgroup *, int, long)
#[raw_tracepoint(tracepoint = "mod_memcg_state")]
fn tracepoint_mod_memcg_state(ctx: RawTracePointContext) -> u32 {
    settle(try_other(ctx.arg(1), || (MemcgAt::<Probed>::new(ctx.arg(0)), ctx.arg(2))))
}

/// Mapped anonymous and file pages.
#[inline(always)]
fn try_pages<A: Access>(item: u32, event: impl Fn() -> (MemcgAt<A>, i32)) -> Result<(), Counter> {
    if item != value(Constant::AnonMapped) && item != value(Constant::FilePages) {
        return Ok(());
    }
    sum_recent(0, event)
}

/// Kernel memory and sockets.
#[inline(always)]
fn try_other<A: Access>(item: u32, event: impl Fn() -> (MemcgAt<A>, i32)) -> Result<(), Counter> {
    if item != value(Constant::Kmem) && item != value(Constant::Sock) {
        return Ok(());
    }
    sum_recent(1, event)
}
