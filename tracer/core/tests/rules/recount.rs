//! What the kernel skipped is made good from its counters, or else is a loss.

use crate::scenario::{check, v2};

/// Two cgroups, of which the upper one held 100 bytes and the lower one 60 before tracing began.
const NODE: &str = "
    scan 0:1 /
    scan 0:2 /a
    scan 0:3 /a/b
    recount 2=100 3=60
";

#[track_caller]
fn on_node(inputs: &str, expected: &str) {
    check(v2(), &format!("{NODE}\n{inputs}"), expected);
}

#[test]
fn a_skipped_charge_is_made_good_once_it_is_seen_twice() {
    on_node(
        "charge 3 +40
         skip 1
         recount 2=150 3=110
         recount 2=150 3=110
         tick
         end",
        "ledger
         / +0-0 of +0-0, subtree 50
         /a +0-0 of +0-0, subtree 50
         /a/b +50-0 of +50-0, subtree 50; rest +50-0 of +50-0
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn what_the_cgroup_below_does_not_explain_is_the_upper_ones_own() {
    on_node(
        "skip 2
         recount 2=90 3=65
         recount 2=90 3=65
         recount 2=90
         tick
         end",
        "ledger
         / +0-0 of +0-0, subtree -10
         /a +0-15 of +0-15, subtree -10; rest +0-15 of +0-15
         /a/b +5-0 of +5-0, subtree 5; rest +5-0 of +5-0
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_counter_that_is_charged_while_it_is_read_says_nothing() {
    on_node(
        "skip 1
         recount 2=107 3=67 : 3 +7
         recount 2=107 3=67
         tick
         end",
        "ledger
         / +0-0 of +0-0, subtree 7
         /a +0-0 of +0-0, subtree 7
         /a/b +7-0 of +7-0, subtree 7; rest +7-0 of +7-0
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_difference_that_does_not_last_is_none() {
    on_node(
        "skip 1
         recount 2=104 3=64
         recount 2=100 3=60
         tick
         end",
        "ledger
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_skip_that_is_not_made_good_is_a_loss() {
    on_node(
        "skip 3
         recount 2=100 : 3 +7
         tick
         end",
        "ledger
         / +0-0 of +0-0, subtree 7
         /a +0-0 of +0-0, subtree 7
         /a/b +7-0 of +7-0, subtree 7; rest +7-0 of +7-0
         loss Recursion 3
         Inconclusive, 0 moves, 0 unmoved, {}, {Recursion: 3}, []",
    );
}

#[test]
fn a_cgroup_made_after_the_start_held_nothing_before() {
    on_node(
        "mk 0:4 /a/c
         skip 1
         recount 2=130 3=60 4=30
         recount 2=130 3=60 4=30
         tick
         end",
        "ledger
         / +0-0 of +0-0, subtree 30
         /a +0-0 of +0-0, subtree 30
         /a/c +30-0 of +30-0, subtree 30; rest +30-0 of +30-0
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn what_a_cgroup_held_before_cannot_be_told_after_a_skip() {
    check(
        v2(),
        "scan 0:1 /
         scan 0:2 /a
         skip 1
         recount 2=100
         tick
         end",
        "ledger
         loss Recursion 1
         Inconclusive, 0 moves, 0 unmoved, {}, {Recursion: 1}, []",
    );
}

#[test]
fn a_cgroup_without_a_counter_agrees() {
    on_node(
        "scan 0:5 /none
         skip 1
         recount 2=100 3=60 5=none
         tick
         end",
        "ledger
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}
