//! Every map of the programs, and why it has its size.
//!
//! Hash maps are preallocated: an allocation in a charge hook would charge memory itself.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};
use truant_ebpf::{COUNTERS, RECENT_PROGRAMS, Recent, Row, SLOTS_OF_EPOCH, Slots};

/// All records. 4 MiB hold 47,000 moves, more than two CPUs make between two looks of the reader.
#[map]
pub(crate) static RING: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// [`truant_ebpf::Counter`]s.
#[map]
pub(crate) static COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTERS, 0);

/// Charges by cgroup and process, see [`truant_ebpf::charge_key`]: for each epoch, the rows that
/// have a place of their own. A charge finds it in a tenth of the instructions that a look-up
/// takes, and userspace reads many of them at once.
#[map]
pub(crate) static SLOTS: Array<Slots> = Array::with_max_entries(2 * SLOTS_OF_EPOCH, 0);

/// The same, for what finds its slot taken. Rows live for one interval.
///
/// All CPUs share a row. The kernel has just added the same batch to the cgroup's own counter, and
/// they share that as well. A value for each CPU would take thousands of small pieces of the
/// kernel's per-CPU memory, and each fork, which takes some too, would search past them.
#[map]
pub(crate) static CHARGES: HashMap<u64, Row> = HashMap::with_max_entries(4096, 0);

/// Charges by cgroup alone, for what found no room in [`CHARGES`]: the totals stay exact.
#[map]
pub(crate) static OVERFLOW: HashMap<u64, Row> = HashMap::with_max_entries(8192, 0);

/// On each CPU, the row that a tracepoint of the memory statistics adds to until another is due: a
/// page is several events, nearly always of the cgroup and process of the last. By
/// [`truant_ebpf::recent`].
#[map]
pub(crate) static RECENT: PerCpuArray<Recent> =
    PerCpuArray::with_max_entries(2 * RECENT_PROGRAMS, 0);

/// The move under way, from the entry of `cgroup_attach_task` to its return, for kprobes alone: the
/// mover's thread, the source, and the arguments. One slot is enough, since the kernel moves under
/// one mutex.
#[map]
pub(crate) static MOVE: Array<[u64; 6]> = Array::with_max_entries(1, 0);

/// The arguments of `page_counter_try_charge` from entry to return, by the frame's address, for
/// kprobes alone. A frame is on a stack, and a stack is on a CPU or preempted inside the call.
#[map]
pub(crate) static CALLS: HashMap<u64, [u64; 3]> = HashMap::with_max_entries(1024, 0);
