//! Kills for want of memory, and who pays for what a pod's processes charge.

use crate::{
    findings::{NODE, V1_NODE},
    scenario::{run, v1, v2},
};
use truant_core::input::{Facts, Hook, Need, Way};

/// A node whose refusals of charges are seen.
fn traced() -> Facts {
    let charges =
        Hook { need: Need::Charges, way: Some(Way::Fentry), note: None, refused: Vec::new() };
    Facts { hooks: vec![charges], ..v2() }
}

/// Without the ledger's rows and the moves, and with `/kubepods/burstable` left out of paths.
#[track_caller]
fn on(facts: Facts, inputs: &str, expected: &str) {
    let said = run(facts, &format!("{NODE}{inputs}"));
    let is_meant =
        |line: &&str| ["Oom", "pod", "Clean", "Found"].iter().any(|it| line.starts_with(it));
    let said = said.replace("/kubepods/burstable", "").replace("/system.slice", "/S");
    let said: Vec<_> = said.lines().filter(is_meant).collect();
    let expected: Vec<_> = expected.lines().map(str::trim).collect();
    assert_eq!(said, expected);
}

#[test]
fn a_limit_that_refused_is_what_the_victim_died_of() {
    on(
        traced(),
        "seen 60 0=/kubepods/burstable/$A/$a
         limit 0:10 5000 max max
         hold 10 4900
         kill 60
         exit 60
         charge 10 f3 h3
         tick
         end",
        "Oom 60 -/- $A/$a in /$A/$a: /$A Some(Of(5000)); 4900 inside, 0 outside;
         Clean, 0 moves, 0 unmoved, {Oom: 1}, {}, []",
    );
}

#[test]
fn where_no_limit_refused_the_node_ran_out() {
    on(
        traced(),
        "seen 60 0=/kubepods/burstable/$A/$a
         fork 60 61
         move 61 11 0:31
         charge 31 +9000 , 31/61 +9000
         tick
         hold 10 100
         hold 30 50
         hold 31 9000
         kill 61
         tick
         end",
        "pod -/- $A/-; /S/leaky.service out +9000-0 of +9000-0
         Oom 61 -/- $A/$a in /S/leaky.service: node; 100 inside, 9000 outside; /S/leaky.service=9000
         Found, 1 moves, 0 unmoved, {Left: 1, Oom: 1}, {}, []",
    );
}

#[test]
fn in_v1_it_is_the_limit_in_the_hierarchy_of_memory_if_one_refused() {
    let kill = |charges: &str| {
        run(
            Facts { hooks: traced().hooks, ..v1() },
            &format!(
                "{V1_NODE}
                 seen 60 4=/kubepods/$A
                 limit 4:4 5000 max max
                 kill 60
                 {charges}
                 tick"
            ),
        )
    };
    let refused = kill("charge 4 f1 h1");
    assert!(refused.contains("/kubepods/$A: /kubepods/$A Some(Of(5000));"), "{refused}");
    let passed = kill("charge 4 +1");
    assert!(passed.contains("/kubepods/$A: node;"), "{passed}");
}

#[test]
fn without_refusals_it_is_not_known_what_ran_out() {
    on(
        v2(),
        "seen 60 0=/system.slice
         kill 60
         tick
         end",
        "Oom 60  in /S: unknown; ? inside, 0 outside;
         Clean, 0 moves, 0 unmoved, {Oom: 1}, {}, []",
    );
}

#[test]
fn what_a_pod_uses_is_told_by_who_pays_inside_and_outside() {
    on(
        v2(),
        "seen 60 0=/kubepods/burstable/$A/$a
         fork 60 61
         move 61 11 0:31
         charge 11/60 +100 , 31/61 +4000
         fork 61 62
         charge 31/62 +500
         exit 62
         tick
         charge 11/60 -100
         tick
         end",
        "pod -/- $A/-; /S/leaky.service out +4500-0 of +4500-0; /$A/$a +100-0 of +100-0
         pod -/- $A/-; /S/leaky.service out +0-0 of +4500-0; /$A/$a +0-100 of +100-100
         Found, 1 moves, 0 unmoved, {Left: 1}, {}, []",
    );
}
