//! The two ways out of a program: a record in the ring, and a counter.

use core::arch::asm;

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use truant_ebpf::Counter;

use crate::maps::{COUNTS, RING};

/// Adds to a number of a map that an interrupt on this CPU may add to as well. `core` offers the
/// target no atomic addition, since it has no compare-and-swap before 5.12; this instruction is
/// older than both.
#[inline(always)]
pub(crate) fn add(number: *mut u64, amount: u64) {
    // SAFETY: map values are aligned to 8 bytes and live as long as the program runs.
    unsafe {
        asm!(
            "lock *(u64 *)({number} + 0) += {amount}",
            number = in(reg) number,
            amount = in(reg) amount
        );
    }
}

/// Counts one `counter`. Apart, so that what programs do nearly always is short.
#[cold]
#[inline(never)]
pub(crate) fn count(counter: Counter) {
    if let Some(number) = COUNTS.get_ptr_mut(counter as u32) {
        add(number, 1);
    }
}

/// Counts what a program's body failed at.
#[inline(always)]
pub(crate) fn settle(result: Result<(), Counter>) -> u32 {
    if let Err(counter) = result {
        count(counter);
    }
    0
}

/// Puts a record into the ring.
///
/// # Errors
/// [`Counter::RingFull`].
#[inline(always)]
pub(crate) fn emit<T: 'static>(record: T) -> Result<(), Counter> {
    emit_filled(|to: *mut T| {
        // SAFETY: `to` is room for a whole record.
        unsafe { to.write(record) };
        Ok(())
    })
}

/// Puts a record into the ring that `fill` writes there. What it reads goes straight to where it
/// belongs, and needs no place on the stack, where a large record has none and a small one has to
/// wait.
///
/// Nobody is woken: the reader looks by itself many times a second, and a wake-up a record would
/// cost the traced more than the record.
///
/// # Errors
/// [`Counter::RingFull`], and what `fill` fails at, in which case there is no record.
#[inline(always)]
pub(crate) fn emit_filled<T: 'static>(
    fill: impl FnOnce(*mut T) -> Result<(), Counter>,
) -> Result<(), Counter> {
    let mut entry = RING.reserve::<T>(0).ok_or(Counter::RingFull)?;
    match fill(entry.as_mut_ptr()) {
        Ok(()) => {
            entry.submit(u64::from(BPF_RB_NO_WAKEUP));
            Ok(())
        }
        Err(counter) => {
            entry.discard(0);
            Err(counter)
        }
    }
}
