//! The kernels that tests run on, the ways of hooking, and which cases are left to which of them.
//! Owns no run.

use crate::vm::Cgroup;

/// A kernel and its hierarchies. Each way of hooking is forced in turn.
pub(super) struct Cell {
    /// The kernel's name, as `vm` takes it.
    pub(super) kernel: &'static str,
    /// What is mounted.
    pub(super) cgroup: Cgroup,
    /// Whether the cases that take long run here, too.
    whole: bool,
}

/// The matrix: v2 on every kernel, v1 and both together where Debian's kernel has v1's memory
/// controller. Those that take longest come first.
pub(super) const CELLS: [Cell; 8] = [
    Cell { kernel: "5.10", cgroup: Cgroup::V2, whole: true },
    Cell { kernel: "newest", cgroup: Cgroup::V2, whole: true },
    Cell { kernel: "6.1", cgroup: Cgroup::V2, whole: false },
    Cell { kernel: "6.12", cgroup: Cgroup::V2, whole: false },
    Cell { kernel: "5.10", cgroup: Cgroup::V1, whole: false },
    Cell { kernel: "6.1", cgroup: Cgroup::V1, whole: false },
    Cell { kernel: "5.10", cgroup: Cgroup::Hybrid, whole: false },
    Cell { kernel: "6.1", cgroup: Cgroup::Hybrid, whole: false },
];

/// The ways, as `--hooks` takes them.
pub(super) const WAYS: [&str; 3] = ["fentry", "kprobe", "tracepoint"];

/// Cases that take half a minute and more where everything is emulated, by how their names begin.
const LONG: [&str; 3] = [
    "attach::a_storm_against_a_stopped_reader",
    "attach::many_moves_on_two_cpus",
    "charge::totals_stand_when_the_table_is_full",
];

/// Cases about what is made of an event, which the kernel has no part in.
const OF_ANY_KERNEL: [&str; 7] = [
    "attach::between_pods",
    "attach::inside_a_pod",
    "attach::names_of_any_bytes",
    "robust::ends",
    "robust::options",
    "robust::recordings",
    "robust::refusals",
];

/// Cases that kprobes change nothing about. With them come raw tracepoints in place of typed ones.
const NO_MATTER_OF_KPROBES: [&str; 6] = [
    "attach::a_move_that_is_refused",
    "attach::a_process_comes_back",
    "attach::a_process_moves_on_outside",
    "attach::a_process_that_ends_right_after",
    "lifecycle::",
    "oom::the_victim",
];

/// Cases that do not ask where a task was last known to be.
const NO_MATTER_OF_TASKS: [&str; 4] =
    ["attach::a_move_that_is_refused", "exec::", "lifecycle::", "oom::"];

/// The cases that are left to other cells and ways, by how their names begin: what does not hang
/// on the kernel or on the way runs with the best way on two kernels, as does what takes long.
pub(super) fn elsewhere(cell: &Cell, way: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    if !cell.whole || way != "fentry" {
        names.extend(LONG);
        names.extend(OF_ANY_KERNEL);
    }
    match way {
        "fentry" => {}
        "kprobe" => names.extend(NO_MATTER_OF_KPROBES),
        _ => names.extend(NO_MATTER_OF_TASKS),
    }
    names
}
