//! Charges summed by cgroup and process, so that no charge costs a record.

use core::{arch::asm, mem::MaybeUninit};

use aya_ebpf::{bindings::BPF_NOEXIST, maps::HashMap};
use truant_ebpf::{
    Counter, RECENT_PID, RECENT_SERIAL, ROW_CGROUP, Recent, Row, SLOT_COUNTER, SLOT_KEY,
    SLOT_TAKERS, Slot, Sum, Word, charge_key, recent, slot_of, without_process,
};

use crate::{
    emit::{add, count},
    kernel::{Access, Memcg, MemcgAt},
    maps::{CHARGES, OVERFLOW, RECENT, SLOTS},
    words,
};

/// Adds `amount` to the row of the current process and the memory cgroup whose `memory` counter is
/// at `counter`; nothing for other counters. That is a slot, or a row of the table where another
/// row has the slot, or the cgroup's row in the overflow table where that is full.
///
/// # Errors
/// [`Counter::TotalsFull`] where all are full, [`Counter::Unreadable`] where the kernel lets nobody
/// read what tells the cgroup.
#[inline(always)]
pub(crate) fn sum(counter: u64, which: Sum, amount: u64) -> Result<(), Counter> {
    // What is read here is no serial number if the counter is another one's. A slot has both.
    let Ok((serial, tgid)) = Memcg::serial_and_process(counter) else {
        return without_serial(counter);
    };
    let key = charge_key(serial, tgid, words::get(Word::Epoch));
    if let Some(slot) = slot(key)
        && read(slot, SLOT_KEY) == key
        && read(slot, SLOT_COUNTER) == counter
    {
        add_to(slot, which as usize, amount);
        return Ok(());
    }
    sum_elsewhere(counter, key, which as usize, amount)
}

/// Nothing is wrong where another counter has nothing in the place of the serial number.
#[cold]
#[inline(never)]
fn without_serial(counter: u64) -> Result<(), Counter> {
    match Memcg::of_counter(counter)? {
        Some(_) => Err(Counter::Unreadable),
        None => Ok(()),
    }
}

/// The way of the first charge of an interval, and of rows without a slot. Apart, so that the
/// common way stays short.
#[cold]
#[inline(never)]
fn sum_elsewhere(counter: u64, key: u64, which: usize, amount: u64) -> Result<(), Counter> {
    let Some(memcg) = Memcg::of_counter(counter)? else { return Ok(()) };
    let is_free = slot(key).is_some_and(is_free);
    if !is_free && let Some(row) = CHARGES.get_ptr_mut(key) {
        add_to(row.cast(), which, amount);
        return Ok(());
    }
    let cgroup = memcg.cgroup_id()?;
    let mut row = MaybeUninit::<Row>::uninit();
    let numbers = row.as_mut_ptr().cast::<u64>();
    for at in 0..ROW_CGROUP {
        write(numbers, at, if at == which { amount } else { 0 });
    }
    write(numbers, ROW_CGROUP, cgroup);
    // SAFETY: each of its numbers was written.
    add_row(key, counter, unsafe { row.assume_init_ref() })
}

/// The only slot that a key may have.
#[inline(always)]
fn slot(key: u64) -> Option<*mut u64> {
    let (slots, at) = slot_of(key);
    let slots = SLOTS.get_ptr_mut(slots)?.cast::<Slot>();
    // SAFETY: `slot_of` is in bounds.
    Some(unsafe { slots.add(at) }.cast())
}

/// Whether a slot has no row, and nobody is about to give it one. One with a row is not free even
/// if nobody took it: that came when userspace had already emptied it, see there.
#[inline(always)]
fn is_free(slot: *mut u64) -> bool {
    read(slot, SLOT_KEY) == 0 && read(slot, SLOT_TAKERS) == 0
}

/// Takes a free slot, and tells whether it is the caller's from now on. It stays so until userspace
/// has emptied it, so an interrupt or another CPU never finds that a slot's row has become another.
///
/// Before 5.12 programs have no compare-and-swap. Of those who count themselves, at most one reads
/// that it is alone; that none does costs a slot for an interval.
#[inline(always)]
fn take_slot(slot: *mut u64) -> bool {
    add_to(slot, SLOT_TAKERS, 1);
    read(slot, SLOT_TAKERS) == 1
}

/// Reads a number of a row. Another CPU may write it.
#[inline(always)]
fn read(numbers: *mut u64, at: usize) -> u64 {
    // SAFETY: a row is as long as the callers count.
    unsafe { numbers.add(at).read_volatile() }
}

/// Writes a number of a row. One by one: several zeroes the compiler would write byte by byte, in a
/// loop that takes longer than all else of a charge.
#[inline(always)]
fn write(numbers: *mut u64, at: usize, number: u64) {
    // SAFETY: a row is as long as the callers count.
    unsafe { numbers.add(at).write_volatile(number) };
}

/// Adds pages to the row that this CPU added to last, if it is the one, with neither a look-up nor
/// a locked instruction. `program` is whose row: nobody else has it, since kernels that have these
/// tracepoints let no program interrupt itself, and userspace takes it when its epoch is over.
///
/// `event` reads which cgroup it is and how many pages. It is asked after the helpers, so that
/// little is kept across them.
///
/// # Errors
/// As [`sum`], and what could not be read.
#[inline(always)]
pub(crate) fn sum_recent<A: Access>(
    program: u32,
    event: impl Fn() -> (MemcgAt<A>, i32),
) -> Result<(), Counter> {
    let tgid = A::process()?;
    keep_on_the_stack();
    let row = RECENT.get_ptr_mut(recent(program, words::get(Word::Epoch)));
    // SAFETY: a map value, which nobody else reads or writes meanwhile.
    let row = unsafe { &mut *row.ok_or(Counter::TotalsFull)? };
    keep_on_the_stack();
    let (memcg, pages) = event();
    if row[RECENT_SERIAL] == memcg.serial()? && row[RECENT_PID] == u64::from(tgid) {
        add_pages(row, pages);
        return Ok(());
    }
    change(row, memcg, tgid, pages)
}

/// What is needed after this point waits for it on the stack, not in a register that outlives
/// calls: those are saved at the start of a program, and so by the events that leave at once, too.
#[inline(always)]
fn keep_on_the_stack() {
    // SAFETY: there is no instruction.
    unsafe { asm!("", out("r6") _, out("r7") _, out("r8") _, out("r9") _) };
}

#[inline(always)]
fn add_pages(row: &mut Recent, pages: i32) {
    let numbers = row.as_mut_ptr();
    let amount = i64::from(pages);
    // Two ways, each of few instructions: pages come one by one, many of a kind in a row.
    if pages < 0 {
        let at = Sum::Uncharged as usize;
        write(numbers, at, read(numbers, at).wrapping_sub(amount.cast_unsigned()));
    } else {
        let at = Sum::Charged as usize;
        write(numbers, at, read(numbers, at).wrapping_add(amount.cast_unsigned()));
    }
}

/// Makes the recent row another one with these pages, and adds what it was as [`add_row`] does. If
/// the epoch has changed since the row was found, that is the new one's, and taken with it.
#[cold]
#[inline(never)]
fn change<A: Access>(
    row: &mut Recent,
    memcg: MemcgAt<A>,
    tgid: u32,
    pages: i32,
) -> Result<(), Counter> {
    let (serial, cgroup) = (memcg.serial()?, memcg.cgroup_id()?);
    let [charged, uncharged, failures, hits, old_cgroup, old_serial, old_tgid] = *row;
    let numbers = row.as_mut_ptr();
    (0..ROW_CGROUP).for_each(|at| write(numbers, at, 0));
    write(numbers, ROW_CGROUP, cgroup);
    write(numbers, RECENT_SERIAL, serial);
    write(numbers, RECENT_PID, u64::from(tgid));
    add_pages(row, pages);
    if old_serial == 0 {
        return Ok(());
    }
    let key = charge_key(old_serial, (old_tgid & 0xffff_ffff) as u32, words::get(Word::Epoch));
    // No charge looks for this slot by its counter: where they are counted, these events are not.
    add_row(key, 0, &[charged, uncharged, failures, hits, old_cgroup])
}

#[inline(always)]
fn add_row(key: u64, counter: u64, row: &Row) -> Result<(), Counter> {
    if put_in_slot(key, counter, row) || put(&CHARGES, key, row) {
        return Ok(());
    }
    count(Counter::ProcessesFull);
    if put(&OVERFLOW, without_process(key), row) { Ok(()) } else { Err(Counter::TotalsFull) }
}

/// Adds the row's numbers to those in its slot. Tells whether that was free, or its own already.
#[inline(always)]
fn put_in_slot(key: u64, counter: u64, row: &Row) -> bool {
    let Some(slot) = slot(key) else { return false };
    if read(slot, SLOT_KEY) != key {
        if !is_free(slot) || !take_slot(slot) {
            return false;
        }
        write(slot, ROW_CGROUP, row[ROW_CGROUP]);
        write(slot, SLOT_COUNTER, counter);
        write(slot, SLOT_KEY, key);
    }
    add_sums(slot, row);
    true
}

/// Makes the row, or adds to the one that is there: another CPU may have made it meanwhile, and its
/// cgroup is in it. Tells whether there was room.
#[inline(always)]
fn put(table: &HashMap<u64, Row>, key: u64, row: &Row) -> bool {
    if table.insert(key, row, u64::from(BPF_NOEXIST)).is_ok() {
        return true;
    }
    let Some(there) = table.get_ptr_mut(key) else { return false };
    add_sums(there.cast(), row);
    true
}

#[inline(always)]
fn add_sums(numbers: *mut u64, row: &Row) {
    for (which, amount) in row[..ROW_CGROUP].iter().enumerate() {
        add_to(numbers, which, *amount);
    }
}

#[inline(always)]
fn add_to(numbers: *mut u64, which: usize, amount: u64) {
    // SAFETY: these are a map value's numbers, and `which` is in bounds.
    add(unsafe { numbers.add(which) }, amount);
}
