//! Page charges: `page_counter_try_charge`, `page_counter_charge`, `page_counter_uncharge`.
//!
//! The kernel charges anonymous memory, page cache, shared memory, kernel memory and sockets
//! through these three, in batches of up to 64 pages, and `memory.current` is this very counter. So
//! what is summed here equals it exactly. Of a counter and all above it, only the lowest is seen.

use aya_ebpf::{
    EbpfContext as _,
    bindings::BPF_ANY,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use truant_ebpf::{Counter, Sum};

use crate::{
    emit::settle,
    kernel::{Memcg, Read, pointer_at},
    maps::CALLS,
    sums::sum,
};

// kernel: 5.10 bool page_counter_try_charge(page_counter *, unsigned long, page_counter **)
#[fexit(function = "page_counter_try_charge")]
fn fexit_page_counter_try_charge(ctx: FExitContext) -> u32 {
    let charged: u8 = ctx.arg(3);
    // Kernels before 5.13 let no program load an argument that points to a pointer, so this one is
    // read as memory: the arguments lie in the context one word each.
    let fail = || pointer_at((ctx.as_ptr() as u64).wrapping_add(16));
    settle(try_charge(ctx.arg(0), ctx.arg(1), fail, charged != 0))
}

// kernel: 5.10 void page_counter_charge(page_counter *, unsigned long)
#[fentry(function = "page_counter_charge")]
fn fentry_page_counter_charge(ctx: FEntryContext) -> u32 {
    settle(sum(ctx.arg(0), Sum::Charged, ctx.arg(1)))
}

// kernel: 5.10 void page_counter_uncharge(page_counter *, unsigned long)
#[fentry(function = "page_counter_uncharge")]
fn fentry_page_counter_uncharge(ctx: FEntryContext) -> u32 {
    settle(sum(ctx.arg(0), Sum::Uncharged, ctx.arg(1)))
}

// kernel: 5.10 bool page_counter_try_charge(page_counter *, unsigned long, page_counter **)
#[kprobe(function = "page_counter_try_charge")]
fn kprobe_page_counter_try_charge(ctx: ProbeContext) -> u32 {
    settle(try_enter(&ctx))
}

// kernel: 5.10 bool page_counter_try_charge(page_counter *, unsigned long, page_counter **)
#[kretprobe(function = "page_counter_try_charge")]
fn kretprobe_page_counter_try_charge(ctx: RetProbeContext) -> u32 {
    settle(try_leave(&ctx))
}

// kernel: 5.10 void page_counter_charge(page_counter *, unsigned long)
#[kprobe(function = "page_counter_charge")]
fn kprobe_page_counter_charge(ctx: ProbeContext) -> u32 {
    settle(try_add_arguments(&ctx, Sum::Charged))
}

// kernel: 5.10 void page_counter_uncharge(page_counter *, unsigned long)
#[kprobe(function = "page_counter_uncharge")]
fn kprobe_page_counter_uncharge(ctx: ProbeContext) -> u32 {
    settle(try_add_arguments(&ctx, Sum::Uncharged))
}

/// A refused charge leaves the counter that refused it where `fail` says.
#[inline(always)]
fn try_charge(
    counter: u64,
    pages: u64,
    fail: impl Fn() -> Read<u64>,
    charged: bool,
) -> Result<(), Counter> {
    if charged { sum(counter, Sum::Charged, pages) } else { refused(counter, fail()?) }
}

/// A refused charge. In v1 memory is charged with swap first, which has a limit of its own. Apart,
/// so that the way of charges that pass stays short.
#[cold]
#[inline(never)]
fn refused(counter: u64, fail: u64) -> Result<(), Counter> {
    let Some(step) = Memcg::step_to_memory(counter)? else { return Ok(()) };
    sum(counter.wrapping_add(step), Sum::Failures, 1)?;
    sum(pointer_at(fail)?.wrapping_add(step), Sum::LimitHits, 1)
}

#[inline(always)]
fn try_add_arguments(ctx: &ProbeContext, which: Sum) -> Result<(), Counter> {
    let counter = ctx.arg(0).ok_or(Counter::Unreadable)?;
    sum(counter, which, ctx.arg(1).ok_or(Counter::Unreadable)?)
}

#[inline(always)]
fn try_enter(ctx: &ProbeContext) -> Result<(), Counter> {
    let counter: u64 = ctx.arg(0).ok_or(Counter::Unreadable)?;
    let pages: u64 = ctx.arg(1).ok_or(Counter::Unreadable)?;
    let fail: u64 = ctx.arg(2).ok_or(Counter::Unreadable)?;
    // Kernel memory and more take this way as well, and need no entry. In v1, memory with swap
    // does: whether its limit refuses shows only at the return.
    if Memcg::step_to_memory(counter)?.is_none() {
        return Ok(());
    }
    CALLS
        .insert(frame_at_entry(ctx), [counter, pages, fail], u64::from(BPF_ANY))
        .map_err(|_errno| Counter::InFlightFull)
}

#[inline(always)]
fn try_leave(ctx: &RetProbeContext) -> Result<(), Counter> {
    let frame = frame_at_return(ctx);
    // SAFETY: only the call of this frame writes its entry, and it is returning.
    let Some(&[counter, pages, fail]) = (unsafe { CALLS.get(frame) }) else { return Ok(()) };
    let removed = CALLS.remove(frame).map_err(|_errno| Counter::InFlightFull);
    let charged = ctx.ret::<u8>() != 0;
    try_charge(counter, pages, || Ok(fail), charged)?;
    removed
}

/// The address that tells this call from every other under way: an interrupt may charge while a
/// task on the same CPU does, so neither the thread nor the CPU would do.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
fn frame_at_entry(ctx: &ProbeContext) -> u64 {
    // SAFETY: the context of a kprobe is the saved registers. The return has popped 8 bytes more.
    unsafe { (*ctx.regs).rsp }.wrapping_add(8)
}

/// The same at the return of the call.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
fn frame_at_return(ctx: &RetProbeContext) -> u64 {
    // SAFETY: the context of a kretprobe is the saved registers.
    unsafe { (*ctx.regs).rsp }
}

/// The address that tells this call from every other under way.
#[cfg(bpf_target_arch = "aarch64")]
#[inline(always)]
fn frame_at_entry(ctx: &ProbeContext) -> u64 {
    // SAFETY: the context of a kprobe is the saved registers.
    unsafe { (*ctx.regs).sp }
}

/// The same at the return of the call.
#[cfg(bpf_target_arch = "aarch64")]
#[inline(always)]
fn frame_at_return(ctx: &RetProbeContext) -> u64 {
    // SAFETY: the context of a kretprobe is the saved registers.
    unsafe { (*ctx.regs).sp }
}
