//! Who could get out, by what a process of each container sees.

use crate::{
    audit::{HYBRID, V2, on},
    scenario::{v1, v2},
};
use truant_core::input::Facts;

#[test]
fn a_container_that_nobody_is_left_in_is_asked_what_it_sees() {
    on(
        v2(),
        V2,
        "seen 60 0=/init.scope by=1 pid=7 mnt=7 net=7
         container $a uid=aaaaaaaa-1111-4222-8333-444444444444 init=60 pod=dev name=main
         view 60 systemd no no 0=/
         audit
         end",
        "audit
         out dev/main $A/$a, inside ?: /init.scope=?
         60 v2 /kubepods/$A/$a -> /init.scope, ?/?/? -> ?/?/?
         by [Runtime]
         exposed dev/main $A/$a by 60 v2=/
         Found, 0 moves, 0 unmoved, {AlreadyOut: 1, Exposed: 1}, {}, []",
    );
}

#[test]
fn who_sees_a_tree_above_its_own_could_get_out() {
    on(
        v1(),
        HYBRID,
        "exit 60
         exit 61
         seen 1 0=/ 1=/ 4=/ 7=/ by=0 pid=1 mnt=1 net=1
         exec 1 systemd
         view 62 systemd no no 4=/ 7=/:ro
         audit
         end",
        "audit
         exposed -/- $A/$a by 62 memory=/
         mismatch /kubepods: -/- $A/$a
         Clean, 0 moves, 0 unmoved, {Exposed: 1}, {}, []",
    );
}

#[test]
fn who_could_get_out_counts_where_that_was_asked_for() {
    let facts = Facts { fail_on_exposed: true, ..v1() };
    on(
        facts,
        HYBRID,
        "exit 60
         exit 61
         view 62 sh yes yes
         audit
         end",
        "audit
         exposed -/- $A/$a by 62
         Found, 0 moves, 0 unmoved, {Exposed: 1}, {}, []",
    );
}

#[test]
fn no_fence_no_own_tree_no_reading_lets_anybody_out() {
    on(
        v2(),
        V2,
        "seen 60 0=/kubepods/$A/$a by=1 pid=7 mnt=7 net=7
         view 60 systemd no yes 0=/:fenced 0=/kubepods/$A/$a 0=/:ro
         audit
         end",
        "audit
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}
