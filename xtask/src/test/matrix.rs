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

/// Cases that kprobes change nothing about.
const NO_MATTER_OF_KPROBES: [&str; 11] = [
    "attach::between_pods",
    "attach::inside_a_pod",
    "attach::names_of_any_bytes",
    "exec::",
    "exit::",
    "fork::",
    "lifecycle::",
    "oom::",
    "robust::ends",
    "robust::recordings",
    "robust::refusals",
];

/// Cases that do not ask where a task was last known to be.
const NO_MATTER_OF_TASKS: [&str; 9] = [
    "attach::between_pods",
    "attach::inside_a_pod",
    "attach::names_of_any_bytes",
    "exec::",
    "lifecycle::",
    "oom::",
    "robust::ends",
    "robust::recordings",
    "robust::refusals",
];

/// The cases that are left to other cells and ways: what does not hang on the way of tracing moves
/// and charges runs with the best one alone, and what takes long on two kernels.
pub(super) fn elsewhere(cell: &Cell, way: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    if !cell.whole || way != "fentry" {
        names.extend(LONG);
    }
    match way {
        "fentry" if cell.whole => {}
        "fentry" => names.extend(["robust::refusals", "robust::recordings"]),
        "kprobe" => names.extend(NO_MATTER_OF_KPROBES),
        _ => names.extend(NO_MATTER_OF_TASKS),
    }
    names
}
