//! What userspace tells the programs before they are loaded: offsets and constants.
//!
//! Both live in read-only data that is frozen at load, so the verifier knows each value and drops
//! the branches it rules out. The reads are volatile, or the compiler would fold the defaults in.

use core::ptr;

use truant_ebpf::{CONSTANTS, Constant, FIELDS, Field, STEPS, Step, UNKNOWN};

/// Offsets in bytes, by [`Field`].
#[unsafe(no_mangle)]
static OFFSETS: [u32; FIELDS.len()] = [UNKNOWN; FIELDS.len()];

/// Numbers of the running kernel, by [`Constant`].
#[unsafe(no_mangle)]
static VALUES: [u32; CONSTANTS] = [UNKNOWN; CONSTANTS];

/// Signed bytes, by [`Step`].
#[unsafe(no_mangle)]
static WAYS: [i64; STEPS] = [i64::MAX; STEPS];

/// The offset of `field` in its structure.
#[inline(always)]
pub(crate) fn offset(field: Field) -> u64 {
    // SAFETY: a reference to a static element is valid for reads; every `Field` is in bounds.
    u64::from(unsafe { ptr::read_volatile(&raw const OFFSETS[field as usize]) })
}

/// The value of `constant`.
#[inline(always)]
pub(crate) fn value(constant: Constant) -> u32 {
    // SAFETY: a reference to a static element is valid for reads; every `Constant` is in bounds.
    unsafe { ptr::read_volatile(&raw const VALUES[constant as usize]) }
}

/// What to add to an address for `step`.
#[inline(always)]
pub(crate) fn step(step: Step) -> u64 {
    // SAFETY: a reference to a static element is valid for reads; every `Step` is in bounds.
    unsafe { ptr::read_volatile(&raw const WAYS[step as usize]) }.cast_unsigned()
}
