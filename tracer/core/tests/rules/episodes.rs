//! What is said once, and what is added to it afterwards.

use truant_core::input::Facts;

use crate::{
    findings::{NODE, V1_NODE},
    scenario::{run, v1, v2},
};

/// What is said of findings, in what order; the ledger has tests of its own.
#[track_caller]
fn check(facts: Facts, node: &str, inputs: &str, expected: &[&str]) {
    // Nothing waits at the end of an interval.
    let inputs = inputs.replace("tick", "look 200000000\ntick");
    let said = run(facts, &format!("{node}\n{inputs}"));
    let of_findings = |line: &&str| {
        ["Left", "BornOutside", "CameBack", "update"].iter().any(|word| line.starts_with(word))
    };
    assert_eq!(said.lines().filter(of_findings).collect::<Vec<_>>(), expected, "\n{said}");
}

#[track_caller]
fn on_node(inputs: &str, expected: &[&str]) {
    check(v2(), NODE, inputs, expected);
}

#[track_caller]
fn on_v1(inputs: &str, expected: &[&str]) {
    check(v1(), V1_NODE, inputs, expected);
}

/// The only one there is in many of these.
const LEFT: &str =
    "Left 100 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 lost cpu,memory";

#[test]
fn the_weightiest_hierarchy_comes_first_in_whatever_order_it_is_left() {
    on_v1(
        "move 100 3 1:4
         move 100 4 4:2
         end",
        &["Left 100 memory /kubepods/$A -> /system.slice, \
           name=systemd /kubepods/$A -> /system.slice by 7 lost memory"],
    );
}

#[test]
fn a_hierarchy_that_is_left_later_is_an_update() {
    on_v1(
        "move 100 3 1:4
         look 200000000
         move 100 4 4:2
         tick
         tick
         end",
        &[
            "Left 100 name=systemd /kubepods/$A -> /system.slice by 7",
            "update, 0 outside: Left 100 memory /kubepods/$A -> /system.slice, \
             name=systemd /kubepods/$A -> /system.slice by 7 lost memory",
        ],
    );
}

#[test]
fn threads_that_leave_one_by_one_are_told_once() {
    on_node(
        "thread 100.101 11 0:31
         look 200000000
         thread 100.102 11 0:31
         thread 100.103 11 0:31
         thread 100.104 11 0:32
         tick",
        &[
            "Left 100.101 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 \
             lost cpu,memory",
            "Left 100.104 v2 /kubepods/burstable/$A/$a -> /init.scope by 7 lost cpu,memory",
            "update, 0 outside: Left 100.101 v2 /kubepods/burstable/$A/$a -> \
             /system.slice/leaky.service, 3 times by 7 lost cpu,memory",
        ],
    );
}

#[test]
fn children_born_at_one_place_are_told_once() {
    on_node(
        "born 100 101 11 31
         look 200000000
         exit 101
         born 100 102 11 31
         born 100 103 11 32
         tick
         born 100 104 11 31
         charge 31 +5000000 , 31/104 +5000000
         tick
         exit 100
         exit 102
         exit 104
         tick
         tick
         end",
        &[
            "BornOutside 101 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 100 \
             lost cpu,memory",
            "BornOutside 103 v2 /kubepods/burstable/$A/$a -> /init.scope by 100 lost cpu,memory",
            "update, 0 outside: BornOutside 101 v2 /kubepods/burstable/$A/$a -> \
             /system.slice/leaky.service, 2 times by 100 lost cpu,memory",
            "update, 5000000 outside: BornOutside 101 v2 /kubepods/burstable/$A/$a -> \
             /system.slice/leaky.service, 3 times by 100 lost cpu,memory",
            "update, 5000000 outside, over: BornOutside 101 v2 /kubepods/burstable/$A/$a -> \
             /system.slice/leaky.service, 3 times by 100 lost cpu,memory",
        ],
    );
}

#[test]
fn short_lives_at_one_place_are_told_once() {
    on_node(
        "born 100 101 11 31
         exit 101
         born 100 102 11 31
         exit 102
         look 200000000
         born 100 103 11 31
         exit 103
         tick",
        &[
            "BornOutside 101 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service, 2 times \
             by 100 lost cpu,memory",
            "update, 0 outside: BornOutside 101 v2 /kubepods/burstable/$A/$a -> \
             /system.slice/leaky.service, 3 times by 100 lost cpu,memory",
        ],
    );
}

#[test]
fn a_birth_is_no_part_of_what_became_of_the_one_before() {
    on_node(
        "born 100 101 11 31
         move 101 31 0:11
         born 100 102 11 31
         move 101 11 0:31
         born 100 103 11 31
         tick",
        &[
            "BornOutside 101 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 100 \
             lost cpu,memory",
            "CameBack 101 v2 /system.slice/leaky.service -> /kubepods/burstable/$A/$a by 7",
            "Left 101 v2 /kubepods/burstable/$A/$a -> /system.slice/leaky.service by 7 \
             lost cpu,memory",
            "update, 0 outside: BornOutside 101 v2 /kubepods/burstable/$A/$a -> \
             /system.slice/leaky.service, 3 times by 100 lost cpu,memory",
        ],
    );
}

#[test]
fn who_leaves_once_more_in_one_hierarchy_is_still_out_in_the_other() {
    on_v1(
        "move 100 4 4:2
         move 100 3 7:5
         look 200000000
         move 100 5 7:3
         move 100 3 7:5
         move 100 5 7:3
         tick
         charge 2 +2000000 , 2/100 +2000000
         tick
         move 100 2 4:4
         tick",
        &[
            "Left 100 memory /kubepods/$A -> /system.slice, \
             cpu,cpuacct /kubepods/$A -> /user.slice by 7 lost memory,cpu,cpuacct",
            "CameBack 100 cpu,cpuacct /user.slice -> /kubepods/$A by 7",
            "Left 100 cpu,cpuacct /kubepods/$A -> /user.slice by 7 lost cpu,cpuacct",
            "CameBack 100 cpu,cpuacct /user.slice -> /kubepods/$A by 7",
            "CameBack 100 memory /system.slice -> /kubepods/$A by 7",
        ],
    );
}

#[test]
fn a_number_used_again_charges_nothing_to_who_had_it_before() {
    on_node(
        "move 100 11 0:31
         fork 1 100@50
         charge 31 +9000000 , 31/100 +9000000
         tick
         end",
        &[LEFT],
    );
}

#[test]
fn what_is_charged_before_a_finding_is_told_is_not_lost() {
    on_node(
        "move 100 11 0:31
         charge 31 +5000000 , 31/100 +5000000
         tick
         end",
        &[LEFT, &format!("update, 5000000 outside: {LEFT}")],
    );
}

#[test]
fn another_mover_and_another_time_are_another_finding() {
    on_v1(
        "move 100 3 1:4
         look 200000000
         look 20000000000
         move@20000000000 100 4 4:2
         end",
        &[
            "Left 100 name=systemd /kubepods/$A -> /system.slice by 7",
            "Left 100 memory /kubepods/$A -> /system.slice by 7 lost memory",
        ],
    );
}

#[test]
fn what_is_charged_outside_is_added_when_it_matters() {
    on_node(
        "move 100 11 0:31
         charge 11 +9000000 , 11/100 +9000000
         tick
         charge 31 +1048576 , 31/100 +1048576
         tick
         charge 31 +1000000 , 31/100 +1000000
         tick
         fork 100 200
         charge 31 +100000000 -48576 , 31/200 +100000000 -48576
         tick
         charge 31 +4096 , 31/100 +4096
         end",
        &[
            LEFT,
            &format!("update, 1048576 outside: {LEFT}"),
            &format!("update, 102000000 outside: {LEFT}"),
            &format!("update, 102004096 outside: {LEFT}"),
        ],
    );
}

#[test]
fn it_is_over_with_the_last_process_that_was_born_to_it() {
    on_node(
        "move 100 11 0:31
         fork 100 200
         tick
         exit 100
         charge 31 +2000000 , 31/200 +2000000
         tick
         exit 200
         charge 31 -4096 , 31/200 -4096
         tick
         charge 31 +9000000 , 31/200 +9000000
         tick
         end",
        &[
            LEFT,
            &format!("update, 2000000 outside: {LEFT}"),
            &format!("update, 1995904 outside, over: {LEFT}"),
        ],
    );
}

#[test]
fn who_comes_back_is_followed_no_more() {
    on_node(
        "move 100 11 0:31
         charge 31 +4096 , 31/100 +4096
         tick
         move 100 31 0:11
         charge 31 +4096 , 31/100 +4096
         tick
         charge 31 +9000000 , 31/100 +9000000
         tick",
        &[
            LEFT,
            "CameBack 100 v2 /system.slice/leaky.service -> /kubepods/burstable/$A/$a by 7",
            &format!("update, 8192 outside, over: {LEFT}"),
        ],
    );
}

#[test]
fn a_name_that_is_learnt_later_is_an_update() {
    on_node(
        "move 100 11 0:31
         tick
         container $a uid=aaaaaaaa-1111-4222-8333-444444444444 pod=dev name=main
         tick
         tick",
        &[LEFT, &format!("update of dev, 0 outside: {LEFT}")],
    );
}

#[test]
fn who_was_out_already_is_followed_too() {
    on_node(
        "seen 60 0=/kubepods/burstable/$A/$a by=1 pid=7 mnt=7 net=7
         seen 61 0=/system.slice/leaky.service by=60 pid=7 mnt=7 net=7
         audit
         charge 31 +2000000 , 31/61 +2000000
         tick",
        &["update, 2000000 outside: AlreadyOut 61 v2 /kubepods/burstable/$A/$a -> \
           /system.slice/leaky.service by 0 lost cpu,memory"],
    );
}

#[test]
fn who_left_another_hierarchy_is_found_by_the_audit() {
    let said = run(
        v1(),
        &format!(
            "{V1_NODE}
             seen 100 1=/kubepods/$A 4=/system.slice 7=/kubepods/$A by=1
             move 100 3 1:4
             audit
             end"
        ),
    );
    assert!(said.contains("{Left: 1, AlreadyOut: 1}"), "{said}");
}

#[test]
fn who_was_born_with_others_is_not_found_once_more_by_the_audit() {
    let said = run(
        v2(),
        &format!(
            "{NODE}
             seen 100 0=/kubepods/burstable/$A/$a by=1
             born 100 101 11 31
             born 100 102 11 31
             fork 102 103
             audit
             end"
        ),
    );
    assert!(said.contains("{BornOutside: 1}"), "{said}");
}

#[test]
fn who_left_is_not_found_once_more_by_the_audit() {
    let said = run(
        v2(),
        &format!("{NODE}\nseen 100 0=/kubepods/burstable/$A/$a by=1\nmove 100 11 0:31\naudit\nend"),
    );
    assert!(said.contains("{Left: 1}"), "{said}");
}
