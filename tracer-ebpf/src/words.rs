//! What userspace and the programs tell each other while they run.
//!
//! It is in the object's `.bss`, alone, which userspace has as a map of one value. A program so
//! reaches it without a look-up.

use core::cell::UnsafeCell;

use truant_ebpf::{Control, Word};

struct Shared(UnsafeCell<Control>);

// SAFETY: all accesses are volatile ones of whole words, and two CPUs that write at once write the
// same.
unsafe impl Sync for Shared {}

#[unsafe(no_mangle)]
static WORDS: Shared = Shared(UnsafeCell::new([0; 2]));

/// Reads a word.
#[inline(always)]
pub(crate) fn get(word: Word) -> u64 {
    // SAFETY: a `Word` is in bounds.
    unsafe { WORDS.0.get().cast::<u64>().add(word as usize).read_volatile() }
}

/// Writes a word.
#[inline(always)]
pub(crate) fn set(word: Word, to: u64) {
    // SAFETY: a `Word` is in bounds.
    unsafe { WORDS.0.get().cast::<u64>().add(word as usize).write_volatile(to) }
}
