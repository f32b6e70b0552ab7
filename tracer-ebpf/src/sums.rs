//! Charges summed by cgroup and process, so that no charge costs a record.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_get_current_pid_tgid, maps::HashMap};
use truant_ebpf::{
    Counter, RECENT_KEY, ROW_CGROUP, Recent, Row, Sum, Word, charge_key, recent, without_process,
};

use crate::{
    emit::{add, count},
    kernel::{Access, Memcg, MemcgAt},
    maps::{CHARGES, OVERFLOW, RECENT},
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
    let key = charge_key(memcg.serial(), tgid, words::get(Word::Epoch));
    if let Some(row) = CHARGES.get_ptr_mut(key) {
        add_to(row, which as usize, amount);
        return Ok(());
    }
    new_row(memcg, key, which as usize, amount)
}

/// The way of the first charge of an interval, which makes the row with the charge in it. Apart, so
/// that the common way stays short.
#[inline(never)]
fn new_row(memcg: Memcg, key: u64, which: usize, amount: u64) -> Result<(), Counter> {
    let cgroup = memcg.cgroup_id()?;
    let mut row = MaybeUninit::<Row>::uninit();
    let numbers = row.as_mut_ptr().cast::<u64>();
    for at in 0..ROW_CGROUP {
        write(numbers, at, if at == which { amount } else { 0 });
    }
    write(numbers, ROW_CGROUP, cgroup);
    // SAFETY: each of its numbers was written.
    add_row(key, unsafe { row.assume_init_ref() })
}

/// Writes a number of a row. One by one: several zeroes the compiler would write byte by byte, in a
/// loop that takes longer than all else of a charge.
#[inline(always)]
fn write(numbers: *mut u64, at: usize, number: u64) {
    // SAFETY: a row is as long as the callers count.
    unsafe { numbers.add(at).write_volatile(number) };
}

/// Adds to the row that this CPU added to last, if it is the one, with neither a look-up nor a
/// locked instruction. `program` is whose row: nobody else has it, since kernels that have these
/// tracepoints let no program interrupt itself, and userspace takes it when its epoch is over.
///
/// # Errors
/// As [`sum`], and what could not be read.
#[inline(always)]
pub(crate) fn sum_recent<A: Access>(
    program: u32,
    memcg: MemcgAt<A>,
    which: Sum,
    amount: u64,
) -> Result<(), Counter> {
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let epoch = words::get(Word::Epoch);
    let key = charge_key(memcg.serial()?, tgid, epoch);
    let recent = RECENT.get_ptr_mut(recent(program, epoch)).ok_or(Counter::TotalsFull)?;
    // SAFETY: a map value, which nobody else reads or writes meanwhile.
    let recent = unsafe { &mut *recent };
    if recent[RECENT_KEY] != key {
        change(recent, key, memcg.cgroup_id()?)?;
    }
    recent[which as usize] = recent[which as usize].wrapping_add(amount);
    Ok(())
}

/// Makes the recent row another one, and adds what it was to the table.
#[inline(never)]
fn change(recent: &mut Recent, key: u64, cgroup: u64) -> Result<(), Counter> {
    let [charged, uncharged, failures, hits, old_cgroup, old] = *recent;
    let numbers = recent.as_mut_ptr();
    (0..ROW_CGROUP).for_each(|at| write(numbers, at, 0));
    write(numbers, ROW_CGROUP, cgroup);
    write(numbers, RECENT_KEY, key);
    if old == 0 {
        return Ok(());
    }
    add_row(old, &[charged, uncharged, failures, hits, old_cgroup])
}

#[inline(always)]
fn add_row(key: u64, row: &Row) -> Result<(), Counter> {
    if put(&CHARGES, key, row) {
        return Ok(());
    }
    count(Counter::ProcessesFull);
    if put(&OVERFLOW, without_process(key), row) { Ok(()) } else { Err(Counter::TotalsFull) }
}

/// Makes the row, or adds to the one that is there: another CPU may have made it meanwhile, and its
/// cgroup is in it. Tells whether there was room.
#[inline(always)]
fn put(table: &HashMap<u64, Row>, key: u64, row: &Row) -> bool {
    if table.insert(key, row, u64::from(BPF_NOEXIST)).is_ok() {
        return true;
    }
    let Some(there) = table.get_ptr_mut(key) else { return false };
    for (which, amount) in row[..ROW_CGROUP].iter().enumerate() {
        add_to(there, which, *amount);
    }
    true
}

#[inline(always)]
fn add_to(row: *mut Row, which: usize, amount: u64) {
    // SAFETY: `row` is a map value, and `which` is in bounds.
    add(unsafe { row.cast::<u64>().add(which) }, amount);
}
