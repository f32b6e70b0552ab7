//! The ABI between truant's eBPF programs and its userspace: records, keys, counters, globals.
//!
//! Owns the layout of everything that crosses, once, for both sides. It reads and writes nothing.
//! Every number is fixed-width and native-endian, every layout is free of hidden padding, and every
//! size is asserted, so that userspace decodes by length and then field by field.
#![no_std]

mod fields;
mod records;

pub use fields::{FIELDS, Field, FieldPath, UNKNOWN};
pub use records::{
    Born, Cgroup, Comm, Exec, Exited, Forked, Kind, Moved, NAME_MAX, NamedCgroup, OomKill, Task,
};

/// What a program failed to do, or chose not to report: the index into the per-CPU counters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Counter {
    /// Records dropped because the ring was full.
    RingFull,
    /// Charges dropped because there was no slot, and both tables were full.
    TotalsFull,
    /// Charges that only the cgroup's total has, because the table by process was full.
    ProcessesFull,
    /// Calls whose entry found no room to be remembered until the return.
    InFlightFull,
    /// Kernel memory that could not be read.
    Unreadable,
    /// Moves that changed nothing: source and destination were the same.
    Unmoved,
}

/// How many counters there are.
pub const COUNTERS: u32 = 6;

/// All counters, by index.
pub const ALL_COUNTERS: [Counter; COUNTERS as usize] = [
    Counter::RingFull,
    Counter::TotalsFull,
    Counter::ProcessesFull,
    Counter::InFlightFull,
    Counter::Unreadable,
    Counter::Unmoved,
];

/// A row of the charge table by process: the serial number of the memory cgroup's state, which no
/// other state of any cgroup ever has, then 22 bits of process id, then the epoch.
///
/// Userspace flips the epoch, waits until no program can still write under the old one, and then
/// takes the old rows out: no row is read and written at once, so nothing is lost between the two.
#[must_use]
pub const fn charge_key(serial: u64, tgid: u32, epoch: u64) -> u64 {
    serial << (PID_BITS + 1) | (tgid as u64) << 1 | epoch
}

/// The process id and the epoch of a key.
#[must_use]
pub const fn split_charge_key(key: u64) -> (u32, u64) {
    (((key >> 1) & ((1 << PID_BITS) - 1)) as u32, key & 1)
}

/// The key of the cgroup's row that stands for the processes which found no room.
#[must_use]
pub const fn without_process(key: u64) -> u64 {
    key & !(((1 << PID_BITS) - 1) << 1)
}

/// Bits of the largest process id, `PID_MAX_LIMIT` on 64-bit kernels.
const PID_BITS: u32 = 22;

/// What a row holds: the index into its numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum Sum {
    /// Pages charged.
    Charged,
    /// Pages uncharged.
    Uncharged,
    /// Attempts to charge this cgroup that a limit refused, in v1 also one of memory with swap.
    Failures,
    /// Attempts, of this cgroup or one below it, that this cgroup's own limit refused.
    LimitHits,
}

/// The index of a row's last number: the cgroup's id.
pub const ROW_CGROUP: usize = 4;

/// A row's numbers, by [`Sum`] and [`ROW_CGROUP`].
pub type Row = [u64; 5];

/// A row that has a place of its own, by [`slot_of`]: its numbers, then its key, 0 where there is
/// none, the address of the cgroup's counter, and how many came to take the slot.
pub type Slot = [u64; 8];

/// The index of the key in [`Slot`].
pub const SLOT_KEY: usize = 5;

/// The index of the counter's address in [`Slot`].
pub const SLOT_COUNTER: usize = 6;

/// The index of the number of takers in [`Slot`].
pub const SLOT_TAKERS: usize = 7;

/// The slots that are one value of their map, 16 KiB: to read a value, 5.10 takes as much
/// contiguous memory, and so little it always finds.
pub type Slots = [Slot; 1 << SLOTS_BITS];

/// How many [`Slots`] an epoch has.
pub const SLOTS_OF_EPOCH: u32 = 1 << (SLOT_BITS - SLOTS_BITS);

const SLOTS_BITS: u32 = 8;

/// Bits of the number of a slot in its epoch.
const SLOT_BITS: u32 = 12;

/// The place that a row of this key may have: the index of its [`Slots`], and its own there.
#[must_use]
pub const fn slot_of(key: u64) -> (u32, usize) {
    // Processes, and cgroups with one process each, are made at even distances. Without the
    // cgroup's bits among the process's, such rows would share few slots. The factor is 2^64 over
    // the golden ratio, which spreads what is left.
    let hash = (key ^ key >> (PID_BITS + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let slot = hash >> (u64::BITS - SLOT_BITS);
    (
        slots_of_epoch(key & 1).start + (slot >> SLOTS_BITS) as u32,
        (slot & ((1 << SLOTS_BITS) - 1)) as usize,
    )
}

/// The indices of the [`Slots`] of an epoch.
#[must_use]
pub const fn slots_of_epoch(epoch: u64) -> core::ops::Range<u32> {
    let first = ((epoch & 1) as u32) * SLOTS_OF_EPOCH;
    first..first + SLOTS_OF_EPOCH
}

/// A row that has no place yet: its numbers, then what makes up its key beside the epoch, so
/// that a program compares both as it reads them. Each CPU has such rows, by [`recent`].
pub type Recent = [u64; 7];

/// The index of the serial number in [`Recent`], 0 where there is no row.
pub const RECENT_SERIAL: usize = 5;

/// The index of the process id in [`Recent`].
pub const RECENT_PID: usize = 6;

/// How many programs have such rows of their own.
pub const RECENT_PROGRAMS: u32 = 2;

/// The index of a program's [`Recent`] row for an epoch.
#[must_use]
pub const fn recent(program: u32, epoch: u64) -> u32 {
    program << 1 | (epoch & 1) as u32
}

/// What both sides tell each other while they run: the index into the words of [`Control`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum Word {
    /// The epoch, 0 or 1.
    Epoch,
    /// The address of the memory controller, once the programs saw it.
    MemorySubsys,
}

/// The whole of the object's `.bss`, by [`Word`].
pub type Control = [u64; 2];

/// Numbers of the running kernel that are not offsets: the index into the global `CONSTANTS`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum Constant {
    /// `enum cgroup_subsys_id`: `memory_cgrp_id`.
    MemorySubsysId,
    /// `enum node_stat_item`: `NR_ANON_MAPPED`, in pages.
    AnonMapped,
    /// `enum node_stat_item`: `NR_FILE_PAGES`, in pages.
    FilePages,
    /// `enum memcg_stat_item`: `MEMCG_KMEM`, in pages.
    Kmem,
    /// `enum memcg_stat_item`: `MEMCG_SOCK`, in pages.
    Sock,
    /// 1 where `mark_victim` passes a task (6.9 and later), 0 where it passes a process id.
    OomPassesTask,
    /// `enum bpf_func_id`: the helper that gives the current task with its type, since 5.11.
    TypedTask,
}

/// How many constants there are.
pub const CONSTANTS: usize = 7;

/// Ways from one address in a memory cgroup to another, in bytes, added up from the offsets of
/// fields: the index into the global `WAYS`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum Step {
    /// From the `memory` counter to `css.ss`.
    CounterToSubsys,
    /// From the `memory` counter to `css.serial_nr`.
    CounterToSerial,
    /// From the `memory` counter to `css.cgroup`.
    CounterToCgroup,
    /// From the state to the `memory` counter.
    CssToCounter,
    /// From the counter of memory with swap to the `memory` counter, 0 where there is none.
    MemswToCounter,
    /// From the memory cgroup to `css.serial_nr`.
    MemcgToSerial,
}

/// How many steps there are.
pub const STEPS: usize = 6;
