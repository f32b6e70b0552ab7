//! Every map of the programs, and why it has its size.
//!
//! Hash maps are preallocated: an allocation in a charge hook would charge memory itself.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray, PerCpuHashMap, RingBuf},
};
use truant_ebpf::{CONTROL_SLOTS, COUNTERS, Sums};

/// All records. 4 MiB hold 47,000 moves, more than two CPUs make between two looks of the reader.
#[map]
pub(crate) static RING: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// [`truant_ebpf::Counter`]s.
#[map]
pub(crate) static COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTERS, 0);

/// The epoch, and what the programs learnt about the kernel.
#[map]
pub(crate) static CONTROL: Array<u64> = Array::with_max_entries(CONTROL_SLOTS, 0);

/// Charges by cgroup and process, see [`truant_ebpf::charge_key`]. Rows live for one interval.
/// Userspace lowers the size on nodes with many CPUs, since each row has a value for each CPU.
#[map]
pub(crate) static CHARGES: PerCpuHashMap<[u64; 2], Sums> = PerCpuHashMap::with_max_entries(8192, 0);

/// Charges by cgroup alone, for what found no room in [`CHARGES`]: the totals stay exact.
#[map]
pub(crate) static OVERFLOW: PerCpuHashMap<[u64; 2], Sums> =
    PerCpuHashMap::with_max_entries(8192, 0);

/// A move from the entry of `cgroup_attach_task` to its return, by the mover's thread: source, and
/// the arguments. The kernel moves under one mutex, so more than one entry is already unusual.
#[map]
pub(crate) static MOVES: HashMap<u64, [u64; 4]> = HashMap::with_max_entries(64, 0);

/// The arguments of `page_counter_try_charge` from entry to return, by the frame's address, for
/// kprobes alone. A frame is on a stack, and a stack is on a CPU or preempted inside the call.
#[map]
pub(crate) static CALLS: HashMap<u64, [u64; 3]> = HashMap::with_max_entries(1024, 0);
