//! What is no finding, what is a loss, and what the verdict is then.

use truant_core::input::{Facts, Hook, Need, Way};

use crate::{
    findings::{NODE, on_node},
    scenario::{check, v2},
};

#[test]
fn born_elsewhere_inside_or_by_a_parent_outside_is_nothing() {
    on_node(
        "born 100 101 21 20
         born 100 102 31 32
         born 100 103 31 21
         born 100 104 21 21
         end",
        "Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn moves_inside_a_pod_outside_or_inwards_are_nothing() {
    on_node(
        "move 100 11 0:12
         move 100 12 0:13
         move 101 31 0:32
         move 102 31 0:21
         move 103 2 0:21
         end",
        "Clean, 5 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_move_to_where_it_is_already_is_counted_apart() {
    on_node(
        "seen 100 0=/kubepods/$B/$b
         seen 101 0=/kubepods/$B/$b
         move 100 11 0:11
         move 101 ? 0:21
         same 40
         move 102 77 0:77
         end",
        "Clean, 0 moves, 43 unmoved, {}, {}, []",
    );
}

#[test]
fn an_unknown_source_or_destination_is_a_loss() {
    on_node(
        "move 100 ? 0:31
         move 101 77 0:31
         move 102 11 0:77
         born 103 104 77 31
         tick
         end",
        "ledger
         loss PathUnknown 4
         Inconclusive, 3 moves, 0 unmoved, {}, {PathUnknown: 4}, []",
    );
}

#[test]
fn a_view_from_another_namespace_is_no_place() {
    on_node(
        "seen 100 0=/../../system.slice
         move 100 ? 0:11
         end",
        "loss PathUnknown 1
         Inconclusive, 1 moves, 0 unmoved, {}, {PathUnknown: 1}, []",
    );
}

#[test]
fn truant_itself_is_never_found() {
    on_node(
        "move 999 11 0:31
         thread 999.1000 11 0:31
         born 11 999 11 31
         end",
        "Clean, 2 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_guard_that_is_none_guards_nothing_and_says_so() {
    let facts = Facts { guard: vec!["//".into()], ..v2() };
    check(
        facts,
        &format!("{NODE}\n move 100 11 0:31\n end"),
        "loss Malformed 1
         Inconclusive, 1 moves, 0 unmoved, {}, {Malformed: 1}, []",
    );
}

#[test]
fn nonsense_is_counted() {
    on_node(
        "mk 0:50 #50/self
         mk 0:52 #51/b
         mk 0:51 #52/a
         mk 0:53 #1/..
         name 0:1 root
         end",
        "loss Malformed 4
         Inconclusive, 0 moves, 0 unmoved, {}, {Malformed: 4}, []",
    );
}

#[test]
fn losses_are_said_at_once_and_summed() {
    on_node(
        "lost 3
         move 100 11 0:31
         look 200000000
         lost 4
         lost 0
         end",
        "loss RingFull 3
         Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory
         loss RingFull 4
         Inconclusive, 1 moves, 0 unmoved, {Left: 1}, {RingFull: 7}, []",
    );
}

#[test]
fn a_need_of_the_main_job_without_a_way_gives_no_verdict() {
    let hook = |need, way| Hook { need, way, note: None, refused: Vec::new() };
    let with = |hooks| Facts { hooks, ..v2() };
    check(
        with(vec![hook(Need::Moves, Some(Way::Kprobe)), hook(Need::Oom, None)]),
        "end",
        "Clean, 0 moves, 0 unmoved, {}, {}, [Oom]",
    );
    for need in [Need::Moves, Need::Charges] {
        check(
            with(vec![hook(need, None)]),
            "end",
            &format!("Inconclusive, 0 moves, 0 unmoved, {{}}, {{}}, [{need:?}]"),
        );
    }
}

#[test]
fn nothing_is_said_after_the_end() {
    on_node("end\n move 100 11 0:31\n lost 1\n end", "Clean, 0 moves, 0 unmoved, {}, {}, []");
}
