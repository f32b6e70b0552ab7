//! Every kind of finding, as scenarios.

use crate::scenario::{check, v1, v2};
use truant_core::input::Facts;

/// A v2 tree with two pods and the host's own services.
pub(crate) const NODE: &str = "
    scan 0:1 /
    scan 0:2 /kubepods
    scan 0:3 /kubepods/burstable
    scan 0:10 /kubepods/burstable/$A
    scan 0:11 /kubepods/burstable/$A/$a
    scan 0:12 /kubepods/burstable/$A/$b
    scan 0:13 /kubepods/burstable/$A/$a/init.scope
    scan 0:20 /kubepods/$B
    scan 0:21 /kubepods/$B/$b
    scan 0:30 /system.slice
    scan 0:31 /system.slice/leaky.service
    scan 0:32 /init.scope
";

/// The same pods in three v1 hierarchies, with the same ids for other cgroups.
pub(crate) const V1_NODE: &str = "
    scan 1:1 /
    scan 1:2 /kubepods
    scan 1:3 /kubepods/$A
    scan 1:4 /system.slice
    scan 4:1 /
    scan 4:2 /system.slice
    scan 4:3 /kubepods
    scan 4:4 /kubepods/$A
    scan 7:1 /
    scan 7:2 /kubepods
    scan 7:3 /kubepods/$A
    scan 7:4 /kubepods/$A/$a
    scan 7:5 /user.slice
";

#[track_caller]
pub(crate) fn on_node(inputs: &str, expected: &str) {
    check(v2(), &format!("{NODE}\n{inputs}"), expected);
}

#[track_caller]
fn on_v1(inputs: &str, expected: &str) {
    check(v1(), &format!("{V1_NODE}\n{inputs}"), expected);
}

#[test]
fn left() {
    on_node(
        "move 100 11 0:31
         end",
        "Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory
         Found, 1 moves, 0 unmoved, {Left: 1}, {}, []",
    );
}

#[test]
fn left_for_the_root() {
    on_node("move 100 11 0:1", "Left 100 v2 /kubepods/burstable/$A/$a -> / by 7 lost cpu,memory");
}

#[test]
fn left_by_a_source_from_the_scan() {
    on_node(
        "seen 100 0=/kubepods/$B/$b
         move 100 ? 0:31",
        "Left 100 v2 /kubepods/$B/$b -> /system.slice/leaky.service by 7 lost cpu,memory",
    );
}

#[test]
fn left_by_a_source_from_a_path_that_had_no_number_yet() {
    on_node(
        "seen 100 0=/kubepods/$B/late
         move 100 ? 0:31",
        "Left 100 v2 /kubepods/$B/late -> /system.slice/leaky.service by 7 lost cpu,memory",
    );
}

#[test]
fn left_by_a_source_from_a_fork_and_its_forks() {
    on_node(
        "seen 100 0=/kubepods/$B/$b
         fork 100 101
         fork 101 102
         move 102 ? 0:31",
        "Left 102 v2 /kubepods/$B/$b -> /system.slice/leaky.service by 7 lost cpu,memory",
    );
}

#[test]
fn left_by_a_source_from_an_earlier_move() {
    on_node(
        "move 100 31 0:21
         move 100 ? 0:32",
        "Left 100 v2 /kubepods/$B/$b -> /init.scope by 7 lost cpu,memory",
    );
}

#[test]
fn left_once_however_often_it_moves_on() {
    on_node(
        "move 100 11 0:31
         move 100 31 0:32
         move 100 32 0:1
         end",
        "Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory
         Found, 3 moves, 0 unmoved, {Left: 1}, {}, []",
    );
}

#[test]
fn left_a_cgroup_that_is_removed_meanwhile() {
    on_node(
        "rm 0:11
         move 100 11 0:31",
        "Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory",
    );
}

#[test]
fn left_as_a_thread() {
    on_node(
        "thread 100.105 11 0:31",
        "Left 100.105 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 \
         lost cpu,memory",
    );
}

#[test]
fn each_v1_hierarchy_tells_its_own_story() {
    on_v1(
        "move 100 4 4:2
         move 100 3 1:4
         move 100 4 7:3
         move 100 3 7:5
         end",
        "Left 100 memory /kubepods/$A -> /system.slice, \
         name=systemd /kubepods/$A -> /system.slice, \
         cpu,cpuacct /kubepods/$A -> /user.slice by 7 lost memory,cpu,cpuacct
         Found, 4 moves, 0 unmoved, {Left: 1}, {}, []",
    );
}

#[test]
fn back_in_one_hierarchy_is_not_back_in_another() {
    on_v1(
        "move 100 4 4:2
         move 100 3 7:5
         move 100 5 7:3
         look 200000000
         move 100 3 7:5
         move 100 2 4:4",
        "Left 100 memory /kubepods/$A -> /system.slice, \
         cpu,cpuacct /kubepods/$A -> /user.slice by 7 lost memory,cpu,cpuacct
         CameBack 100 cpu,cpuacct /user.slice -> /kubepods/$A by 7
         Left 100 cpu,cpuacct /kubepods/$A -> /user.slice by 7 lost cpu,cpuacct
         CameBack 100 memory /system.slice -> /kubepods/$A by 7",
    );
}

#[test]
fn born_outside() {
    on_node(
        "seen 100 0=/kubepods/$B/$b
         born 100 101 21 31
         end",
        "BornOutside 101 v2 /kubepods/$B/$b -> /system.slice/leaky.service by 100 lost cpu,memory
         Found, 0 moves, 0 unmoved, {BornOutside: 1}, {}, []",
    );
}

#[test]
fn born_in_v2_and_like_its_parent_elsewhere() {
    on_v1(
        "scan 0:1 /
         scan 0:2 /kubepods
         scan 0:3 /other
         seen 100 0=/kubepods 4=/kubepods/$A
         born 100 101 2 3
         move 101 ? 4:2
         move 101 ? 0:2",
        "BornOutside 101 v2 /kubepods -> /other by 100
         Left 101 memory /kubepods/$A -> /system.slice by 7 lost memory
         CameBack 101 v2 /other -> /kubepods by 7",
    );
}

#[test]
fn came_back() {
    on_node(
        "move 100 11 0:31
         move 100 31 0:32
         move 100 32 0:21
         end",
        "Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory
         CameBack 100 v2 /init.scope -> /kubepods/$B/$b by 7
         Found, 3 moves, 0 unmoved, {Left: 1, CameBack: 1}, {}, []",
    );
}

#[test]
fn came_back_without_its_children() {
    on_node(
        "move 100 11 0:31
         fork 100 101
         move 101 ? 0:11",
        "Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory",
    );
}

#[test]
fn a_number_used_again_is_another_task() {
    on_node(
        "move 100 11 0:31
         exit 100
         move 100@5 31 0:11
         move 100@5 11 0:32
         move 100@9 32 0:11",
        "Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory
         Left 100 v2 /kubepods/burstable/$A/$a -> /init.scope by 7 lost cpu,memory",
    );
}

#[test]
fn a_thread_comes_back_alone_or_with_its_process() {
    on_node(
        "thread 100.105 11 0:31
         thread 100.106 11 0:31
         thread 100.105 31 0:11
         move 100 11 0:13",
        "Left 100.105 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service, 2 times by 7 \
         lost cpu,memory
         CameBack 100.105 v2 /system.slice/leaky.service -> /kubepods/burstable/$A/$a by 7
         CameBack 100.106 v2 /system.slice/leaky.service -> \
         /kubepods/burstable/$A/$a/init.scope by 7",
    );
}

#[test]
fn a_process_comes_back_with_its_threads_in_one_finding() {
    on_node(
        "thread 100.105 11 0:31
         move 100 11 0:31
         move 100 31 0:11
         move 100 11 0:12",
        "Left 100.105 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 \
         lost cpu,memory
         Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory
         CameBack 100 v2 /system.slice/leaky.service -> /kubepods/burstable/$A/$a by 7",
    );
}

#[test]
fn a_thread_that_exec_ended_does_not_come_back() {
    on_node(
        "thread 100.105 11 0:31
         exec 100 other
         move 100 11 0:13",
        "Left 100.105 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 \
         lost cpu,memory",
    );
}

#[test]
fn a_whole_process_takes_its_threads_along() {
    on_node(
        "seen 100 0=/kubepods/$B/$b
         seen 100.105 0=/kubepods/$B
         move 100 ? 0:31
         thread 100.105 ? 0:21
         thread 100.106 ? 0:21",
        "Left 100 v2 /kubepods/$B/$b -> /system.slice/leaky.service by 7 lost cpu,memory",
    );
}

#[test]
fn a_thread_elsewhere_forks_where_it_is() {
    on_node(
        "seen 100 0=/system.slice
         seen 100.105 0=/kubepods/$B/$b
         fork 100.105 101
         fork 100 102
         move 101 ? 0:31
         move 102 ? 0:31",
        "Left 101 v2 /kubepods/$B/$b -> /system.slice/leaky.service by 7 lost cpu,memory",
    );
}

#[test]
fn moved_into_another_pod() {
    on_node(
        "move 100 11 0:21
         end",
        "Moved 100 v2 /kubepods/burstable/$A/$a -> /kubepods/$B/$b by 7
         Found, 1 moves, 0 unmoved, {Moved: 1}, {}, []",
    );
}

#[test]
fn moved_out_of_its_pod_into_what_all_pods_share() {
    on_node(
        "move 100 11 0:3
         move 100 3 0:11
         move 100 11 0:2",
        "Moved 100 v2 /kubepods/burstable/$A/$a -> /kubepods/burstable by 7
         Moved 100 v2 /kubepods/burstable/$A/$a -> /kubepods by 7",
    );
}

#[test]
fn the_scan_adds_to_events_but_does_not_override_them() {
    on_node(
        "move 100 31 0:21
         seen 100 0=/system.slice
         seen 101 0=/system.slice
         fork 100 101
         move 100 ? 0:32
         move 101 ? 0:32",
        "Left 100 v2 /kubepods/$B/$b -> /init.scope by 7 lost cpu,memory",
    );
}

#[test]
fn a_guard_of_ones_own() {
    let facts = Facts { guard: vec!["/machine.slice/ci-*".into()], ..v2() };
    check(
        facts,
        "scan 0:1 /
         scan 0:2 /machine.slice
         scan 0:3 /machine.slice/ci-1
         scan 0:4 /machine.slice/ci-1/job1
         scan 0:5 /machine.slice/ci-1/job2
         scan 0:6 /machine.slice/web
         scan 0:7 /kubepods
         move 100 4 0:6
         move 101 4 0:5
         move 102 7 0:6
         move 103 4 0:3
         move 104 3 0:4",
        "Left 100 v2 /machine.slice/ci-1/job1 -> /machine.slice/web by 7 lost cpu,memory
         Moved 101 v2 /machine.slice/ci-1/job1 -> /machine.slice/ci-1/job2 by 7",
    );
}

#[test]
fn a_renamed_cgroup_goes_by_its_new_name() {
    on_v1(
        "name 4:2 renamed.slice
         move 100 4 4:2
         seen 101 4=/renamed.slice
         move 101 ? 4:2
         end",
        "Left 100 memory /kubepods/$A -> /renamed.slice by 7 lost memory
         Found, 1 moves, 1 unmoved, {Left: 1}, {}, []",
    );
}

#[test]
fn out_of_a_pod_into_its_slice_counts_where_limits_hang_on_it() {
    let moves = |hierarchy: u32, from: u32| {
        format!("seen 100 {hierarchy}=/kubepods/$A\nmove 100 {from} {hierarchy}:{}", from - 1)
    };
    on_v1(&moves(4, 4), "Moved 100 memory /kubepods/$A -> /kubepods by 7");
    on_v1(&moves(1, 3), "");
}
