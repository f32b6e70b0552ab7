//! The rules of the ledger, as scenarios.

use truant_core::input::{Facts, Hook, Need, Way};

use crate::scenario::{check, run, v1, v2};

/// A v2 tree with a pod, its container, and a service of the host.
const NODE: &str = "
    scan 0:1 /
    scan 0:2 /kubepods
    scan 0:3 /kubepods/$A
    scan 0:4 /kubepods/$A/$a
    scan 0:9 /leaky.service
    seen 100 0=/leaky.service
    seen 101 0=/leaky.service
";

#[track_caller]
fn on_node(inputs: &str, expected: &str) {
    check(v2(), &format!("{NODE}\n{inputs}"), expected);
}

#[test]
fn a_charge_shows_in_its_cgroup_and_in_the_subtrees_above() {
    on_node(
        "charge 4 +8192 , 4/100 +8192
         tick
         tick",
        "ledger
         / +0-0 of +0-0, subtree 8192
         /kubepods guarded +0-0 of +0-0, subtree 8192
         /kubepods/$A guarded +0-0 of +0-0, subtree 8192
         /kubepods/$A/$a guarded +8192-0 of +8192-0, subtree 8192; p100/100 +8192-0 of +8192-0
         ledger",
    );
}

#[test]
fn intervals_begin_anew_and_totals_go_on() {
    on_node(
        "charge 9 +10 , 9/100 +10
         tick
         charge 9 +5 -3 f1 h2 , 9/100 +4 -3 f1
         tick",
        "ledger
         / +0-0 of +0-0, subtree 10
         /leaky.service +10-0 of +10-0, subtree 10; p100/100 +10-0 of +10-0
         ledger
         / +0-0 of +0-0, subtree 12
         /leaky.service +5-3f1h2 of +15-3f1h2, subtree 12; \
         p100/100 +4-3f1 of +14-3f1; rest +1-0 of +1-0h2",
    );
}

#[test]
fn processes_are_ordered_by_what_they_charged() {
    on_node(
        "charge 9 +100 -7 , 9/101 +60 , 9/100 +10 -2 , 9/55 +0 -5
         tick",
        "ledger
         / +0-0 of +0-0, subtree 93
         /leaky.service +100-7 of +100-7, subtree 93; p101/101 +60-0 of +60-0; \
         rest +30-0 of +30-0; p100/100 +10-2 of +10-2; /55 +0-5 of +0-5",
    );
}

#[test]
fn a_process_that_ended_is_named_once_more_and_then_part_of_the_rest() {
    on_node(
        "exec 100 hog
         charge 9 +10 , 9/100 +10
         exit 100
         charge 9 +1 , 9/100 +1
         tick
         charge 9 +5 , 9/100 +2
         tick",
        "ledger
         / +0-0 of +0-0, subtree 11
         /leaky.service +11-0 of +11-0, subtree 11; hog/100 +11-0 of +11-0
         ledger
         / +0-0 of +0-0, subtree 16
         /leaky.service +5-0 of +16-0, subtree 16; rest +3-0 of +14-0; /100 +2-0 of +2-0",
    );
}

#[test]
fn a_process_idle_in_an_interval_keeps_its_total() {
    on_node(
        "charge 9 +10 , 9/100 +10
         tick
         charge 9 +1 , 9/101 +1
         tick
         charge 9 +2 , 9/100 +2
         tick",
        "ledger
         / +0-0 of +0-0, subtree 10
         /leaky.service +10-0 of +10-0, subtree 10; p100/100 +10-0 of +10-0
         ledger
         / +0-0 of +0-0, subtree 11
         /leaky.service +1-0 of +11-0, subtree 11; p101/101 +1-0 of +1-0
         ledger
         / +0-0 of +0-0, subtree 13
         /leaky.service +2-0 of +13-0, subtree 13; p100/100 +2-0 of +12-0",
    );
}

#[test]
fn a_removed_cgroup_stays_while_it_holds_charges() {
    on_node(
        "charge 4 +10
         tick
         rm 0:4
         charge 4 -3
         tick",
        "ledger
         / +0-0 of +0-0, subtree 10
         /kubepods guarded +0-0 of +0-0, subtree 10
         /kubepods/$A guarded +0-0 of +0-0, subtree 10
         /kubepods/$A/$a guarded +10-0 of +10-0, subtree 10; rest +10-0 of +10-0
         ledger
         / +0-0 of +0-0, subtree 7
         /kubepods guarded +0-0 of +0-0, subtree 7
         /kubepods/$A guarded +0-0 of +0-0, subtree 7
         /kubepods/$A/$a guarded removed +0-3 of +10-3, subtree 7; rest +0-3 of +10-3",
    );
}

#[test]
fn what_a_released_cgroup_held_is_its_parents() {
    on_node(
        "charge 4 +10
         rm 0:4
         free 0:4
         tick
         tick
         charge 3 -10
         tick",
        "ledger
         / +0-0 of +0-0, subtree 10
         /kubepods guarded +0-0 of +0-0, subtree 10
         /kubepods/$A guarded +0-0 of +0-0, subtree 10
         /kubepods/$A/$a guarded removed +10-0 of +10-0, subtree 10; rest +10-0 of +10-0
         ledger
         ledger
         / +0-0 of +0-0, subtree 0
         /kubepods guarded +0-0 of +0-0, subtree 0
         /kubepods/$A guarded +0-10 of +10-10, subtree 0; rest +0-10 of +10-10",
    );
}

#[test]
fn a_cgroup_of_milliseconds_is_in_the_ledger_by_its_path() {
    on_node(
        "mk 0:50 /kubepods/$A/short
         rm 0:50
         free 0:50
         charge 50 +10 -10
         tick
         charge 50 f1
         tick
         end",
        "ledger
         / +0-0 of +0-0, subtree 0
         /kubepods guarded +0-0 of +0-0, subtree 0
         /kubepods/$A guarded +0-0 of +0-0, subtree 0
         /kubepods/$A/short guarded removed +10-10 of +10-10, subtree 0; rest +10-10 of +10-10
         ledger
         / +0-0 of +0-0, subtree 0
         /kubepods guarded +0-0 of +0-0, subtree 0
         /kubepods/$A guarded +0-0 of +0-0, subtree 0
         /kubepods/$A/short guarded removed +0-0f1 of +10-10f1, subtree 0; \
         rest +0-0f1 of +10-10f1
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_parent_released_before_its_child_waits_for_it() {
    on_node(
        "charge 4 +10
         free 0:3
         tick
         tick
         free 0:4
         tick
         tick
         tick
         tick
         charge 2 -4
         tick",
        "ledger
         / +0-0 of +0-0, subtree 10
         /kubepods guarded +0-0 of +0-0, subtree 10
         /kubepods/$A guarded removed +0-0 of +0-0, subtree 10
         /kubepods/$A/$a guarded +10-0 of +10-0, subtree 10; rest +10-0 of +10-0
         ledger
         ledger
         ledger
         ledger
         ledger
         ledger
         / +0-0 of +0-0, subtree 6
         /kubepods guarded +0-4 of +10-4, subtree 6; rest +0-4 of +10-4",
    );
}

#[test]
fn a_cgroup_nobody_told_of_has_a_row_and_is_counted_once() {
    on_node(
        "charge 77 +10 , 9 +1
         tick
         charge 77 +1
         tick
         charge 77 +1
         tick
         end",
        "ledger
         / +0-0 of +0-0, subtree 1
         /leaky.service +1-0 of +1-0, subtree 1; rest +1-0 of +1-0
         ?77 +10-0 of +10-0, subtree 10; rest +10-0 of +10-0
         ledger
         ?77 +1-0 of +11-0, subtree 11; rest +1-0 of +11-0
         loss PathUnknown 1
         ledger
         ?77 +1-0 of +12-0, subtree 12; rest +1-0 of +12-0
         Inconclusive, 0 moves, 0 unmoved, {}, {PathUnknown: 1}, []",
    );
}

#[test]
fn a_cgroup_removed_before_tracing_began_is_no_loss() {
    let lifecycle =
        Hook { need: Need::Lifecycle, way: Some(Way::Tracepoint), note: None, refused: Vec::new() };
    check(
        Facts { hooks: vec![lifecycle], ..v2() },
        "scan 0:1 /
         charge 77 -10
         tick
         tick
         tick
         end",
        "ledger
         ?77 removed +0-10 of +0-10, subtree -10; rest +0-10 of +0-10
         ledger
         ledger
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_cgroup_told_of_late_brings_its_charges_to_its_ancestors() {
    on_node(
        "charge 77 +10
         tick
         mk 0:77 /kubepods/$A/late
         charge 9 +1
         tick
         end",
        "ledger
         ?77 +10-0 of +10-0, subtree 10; rest +10-0 of +10-0
         ledger
         / +0-0 of +0-0, subtree 11
         /kubepods guarded +0-0 of +0-0, subtree 10
         /kubepods/$A guarded +0-0 of +0-0, subtree 10
         /leaky.service +1-0 of +1-0, subtree 1; rest +1-0 of +1-0
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_parent_told_of_after_its_child_is_put_between() {
    on_node(
        "mk 0:81 #80/child
         charge 81 +10
         mk 0:80 /leaky.service/parent
         tick",
        "ledger
         / +0-0 of +0-0, subtree 10
         /leaky.service +0-0 of +0-0, subtree 10
         /leaky.service/parent +0-0 of +0-0, subtree 10
         /leaky.service/parent/child +10-0 of +10-0, subtree 10; rest +10-0 of +10-0",
    );
}

#[test]
fn ids_are_those_of_the_memory_hierarchy() {
    check(
        v1(),
        "scan 7:1 /
         scan 7:2 /cpu
         scan 4:1 /
         scan 4:2 /kubepods
         charge 2 +10
         free 7:2
         tick
         tick
         charge 2 +1
         tick",
        "ledger
         / +0-0 of +0-0, subtree 10
         /kubepods guarded +10-0 of +10-0, subtree 10; rest +10-0 of +10-0
         ledger
         ledger
         / +0-0 of +0-0, subtree 11
         /kubepods guarded +1-0 of +11-0, subtree 11; rest +1-0 of +11-0",
    );
}

#[test]
fn polled_readings_are_told_as_changes() {
    on_node(
        "poll 4 1000
         poll 9 50
         tick
         poll 4 1500
         poll 9 50
         tick
         poll 4 900
         poll 4 1000
         rm 0:4
         tick",
        "ledger
         ledger
         /kubepods/$A/$a guarded polled +500-0 of +500-0, subtree 500
         ledger
         /kubepods/$A/$a guarded removed polled +100-600 of +600-600, subtree 0",
    );
}

#[test]
fn a_polled_cgroup_leaves_nothing_to_its_parent() {
    on_node(
        "poll 4 1000
         poll 4 1500
         poll 3 2000
         free 0:4
         tick
         tick
         poll 3 2100
         tick",
        "ledger
         /kubepods/$A/$a guarded removed polled +500-0 of +500-0, subtree 500
         ledger
         ledger
         /kubepods/$A guarded polled +100-0 of +100-0, subtree 100",
    );
}

#[test]
fn more_processes_than_are_kept_apart_are_summed() {
    let lines = |line: fn(u32) -> String| (1..=300).map(line).collect::<Vec<_>>().concat();
    let deltas = lines(|pid| format!(" , 9/{pid} +1"));
    let seen = lines(|pid| format!("seen {pid} 0=/\n"));
    let said = run(v2(), &format!("{NODE}\n{seen}\ncharge 9 +300{deltas}\ntick"));
    assert_eq!(said.matches("; p").count(), 256, "{said}");
    assert!(
        said.contains("+300-0 of +300-0, subtree 300; rest +44-0 of +44-0; p1/1 +1-0"),
        "{said}"
    );
    // Those that did nothing make room for those that do.
    let later =
        format!("{NODE}\n{seen}\ncharge 9 +300{deltas}\ntick\ncharge 9 +7 , 9/300 +7\ntick");
    assert!(run(v2(), &later).contains("; p300/300 +7-0 of +7-0"));
}
