//! Charges summed by cgroup and process, so that no charge costs a record.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_get_current_pid_tgid};
use truant_ebpf::{Counter, ROW_CGROUP, Row, Sum, Word, charge_key, split_charge_key};

use crate::{
    emit::{add, count},
    kernel::Memcg,
    maps::{CHARGES, OVERFLOW},
    words,
};

/// Adds `amount` to the current process's row of `memcg`, or to the cgroup's row in the overflow
/// table where the first is full.
///
/// # Errors
/// [`Counter::TotalsFull`] where both are full.
#[inline(always)]
pub(crate) fn sum(memcg: Memcg, which: Sum, amount: u64) -> Result<(), Counter> {
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let epoch = words::get(Word::Epoch);
    let key = charge_key(memcg.serial(), tgid, epoch);
    if let Some(row) = CHARGES.get_ptr_mut(key) {
        add_to(row, which, amount);
        return Ok(());
    }
    new_row(memcg, key, which, amount)
}

/// The way of the first charge of an interval, apart so that the common way stays short.
#[inline(never)]
fn new_row(memcg: Memcg, key: u64, which: Sum, amount: u64) -> Result<(), Counter> {
    let mut row: Row = [0; 5];
    row[ROW_CGROUP] = memcg.cgroup_id()?;
    // Another CPU may have made the row meanwhile, so the result of the insertion says nothing.
    let _ = CHARGES.insert(key, row, u64::from(BPF_NOEXIST));
    if let Some(row) = CHARGES.get_ptr_mut(key) {
        add_to(row, which, amount);
        return Ok(());
    }
    count(Counter::ProcessesFull);
    let (_, epoch) = split_charge_key(key);
    let key = charge_key(memcg.serial(), 0, epoch);
    let _ = OVERFLOW.insert(key, row, u64::from(BPF_NOEXIST));
    let row = OVERFLOW.get_ptr_mut(key).ok_or(Counter::TotalsFull)?;
    add_to(row, which, amount);
    Ok(())
}

#[inline(always)]
fn add_to(row: *mut Row, which: Sum, amount: u64) {
    // SAFETY: `row` is a map value, and `which` is in bounds.
    add(unsafe { row.cast::<u64>().add(which as usize) }, amount);
}
