//! Who is out already, as scenarios: what fooled people, point by point.

use crate::scenario::{check, v1, v2};
use truant_core::{ids::BootTime, input::Facts};

/// A hybrid node as the cgroupfs driver lays it out, after systemd in a container has moved away:
/// it manages memory and leaves cpu alone.
pub(crate) const HYBRID: &str = "
    scan 1:1 /
    scan 4:1 /
    scan 4:2 /kubepods
    scan 4:3 /kubepods/$A
    scan 4:4 /kubepods/$A/$a
    scan 4:5 /b
    scan 4:6 /b/a.service
    scan 4:7 /init.scope
    scan 7:1 /
    scan 7:2 /kubepods
    scan 7:3 /kubepods/$A
    scan 7:4 /kubepods/$A/$a
    seen 1 0=/ 1=/ 4=/ 7=/ by=0 pid=1 mnt=1 net=1
    seen 50 0=/x 1=/ 4=/ 7=/ pid=1 mnt=1 net=1 shim=$a
    seen 60 0=/x 1=/i 4=/init.scope 7=/kubepods/$A/$a by=50 pid=7 mnt=7 net=7
    seen 61 0=/x 1=/a 4=/b/a.service 7=/kubepods/$A/$a by=60 pid=7 mnt=8 net=7
    seen 62 0=/x 1=/kubepods/$A/$a 4=/kubepods/$A/$a 7=/kubepods/$A/$a by=50 pid=7 mnt=7 net=7
";

/// The same on v2, where nothing of the container is left inside.
pub(crate) const V2: &str = "
    scan 0:1 /
    scan 0:2 /kubepods
    scan 0:3 /kubepods/$A
    scan 0:4 /kubepods/$A/$a
    scan 0:5 /init.scope
    scan 0:6 /system.slice
    scan 0:7 /system.slice/hog.service
    seen 1 0=/init.scope by=0 pid=1 mnt=1 net=1
";

#[track_caller]
pub(crate) fn on(facts: Facts, node: &str, inputs: &str, expected: &str) {
    check(facts, &format!("{node}{inputs}"), expected);
}

#[test]
fn what_one_hierarchy_hides_another_tells() {
    on(
        v1(),
        HYBRID,
        "container $a uid=aaaaaaaa-1111-4222-8333-444444444444 pod=dev name=main
         limit 4:6 max ? ?
         limit 4:5 max ? ?
         limit 4:4 1024 ? ?
         limit 4:3 max ? ?
         limit 4:2 8589934592 ? ?
         limit 4:7 max ? ?
         hold 6 217000000
         hold 3 14000000
         hold 2 14000000
         rss 61 9000
         node 1000000000 100000000
         audit
         end",
        "audit
         out dev/main $A/$a, inside 14000000: /b/a.service=217000000 /init.scope=?
         61 memory /kubepods/$A/$a -> /b/a.service, 1024/?/? -> max/?/?, rss 9000
         by [Other, Pid, Mnt, Net, Ancestry]
         60 memory /kubepods/$A/$a -> /init.scope, 1024/?/? -> max/?/?
         by [Other, Pid, Mnt, Net, Ancestry]
         books 900000000 = 14000000 + 217000000 + 669000000
         Found, 0 moves, 0 unmoved, {AlreadyOut: 2}, {}, []",
    );
}

#[test]
fn a_shim_tells_where_nothing_is_left_inside() {
    on(
        v2(),
        V2,
        "seen 50 0=/system.slice pid=1 mnt=1 net=1 shim=$a
         seen 60 0=/init.scope by=50 pid=7 mnt=7 net=7
         seen 61 0=/system.slice/hog.service by=60 pid=7 mnt=8 net=7
         audit
         end",
        "audit
         out -/- $A/-, inside ?: /init.scope=? /system.slice/hog.service=?
         60 v2 /kubepods/$A -> /init.scope, ?/?/? -> ?/?/?
         by [Ancestry]
         61 v2 /kubepods/$A -> /system.slice/hog.service, ?/?/? -> ?/?/?
         by [Ancestry]
         Found, 0 moves, 0 unmoved, {AlreadyOut: 2}, {}, []",
    );
}

#[test]
fn what_a_pod_shares_names_no_container() {
    on(
        v2(),
        V2,
        "seen 50 0=/system.slice pid=1 mnt=1 net=1 shim=$a
         seen 55 0=/kubepods/$A/$a by=50 pid=5 mnt=5 net=7
         seen 60 0=/init.scope by=50 pid=7 mnt=7 net=7
         audit
         end",
        "audit
         out -/- $A/-, inside ?: /init.scope=?
         60 v2 /kubepods/$A -> /init.scope, ?/?/? -> ?/?/?
         by [Net, Ancestry]
         Found, 0 moves, 0 unmoved, {AlreadyOut: 1}, {}, []",
    );
}

#[test]
fn a_program_of_the_shim_is_no_containers() {
    on(
        v2(),
        V2,
        "seen 50 0=/system.slice pid=1 mnt=1 net=1 shim=$a
         seen 60 0=/system.slice by=50 pid=1 mnt=1 net=1
         audit
         end",
        "audit
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn a_runtime_tells_whose_its_first_processes_are() {
    on(
        v2(),
        V2,
        "seen 60 0=/init.scope by=1 pid=7 mnt=7 net=7
         container $a uid=aaaaaaaa-1111-4222-8333-444444444444 init=60 pod=dev name=main
         audit
         end",
        "audit
         out dev/main $A/$a, inside ?: /init.scope=?
         60 v2 /kubepods/$A/$a -> /init.scope, ?/?/? -> ?/?/?
         by [Runtime]
         Found, 0 moves, 0 unmoved, {AlreadyOut: 1}, {}, []",
    );
}

#[test]
fn an_engineers_shell_in_a_pods_namespaces_is_nobodys() {
    on(
        v2(),
        V2,
        "seen 60 0=/kubepods/$A/$a by=1 pid=7 mnt=7 net=7
         seen 70 0=/system.slice by=1 pid=7 mnt=7 net=7
         seen 71 0=/system.slice by=1 pid=1 mnt=1 net=7
         audit
         end",
        "audit
         unsure 70 v2 /kubepods/$A/$a -> /system.slice, ?/?/? -> ?/?/?
         by [Pid, Mnt, Net]
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn witnesses_of_two_pods_make_nobody_sure() {
    on(
        v2(),
        V2,
        "scan 0:20 /kubepods/$B
         seen 60 0=/kubepods/$A/$a by=1 pid=7 mnt=7 net=7
         seen 61 0=/kubepods/$B by=1 pid=8 mnt=8 net=8
         seen 62 0=/system.slice by=60 pid=8 mnt=8 net=8
         audit
         end",
        "audit
         unsure 62 v2 /kubepods/$B -> /system.slice, ?/?/? -> ?/?/?
         by [Pid, Mnt, Net, Ancestry]
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn hosts_namespaces_say_nothing() {
    on(
        v2(),
        V2,
        "seen 60 0=/kubepods/$A/$a by=1 pid=1 mnt=7 net=1
         seen 61 0=/system.slice by=1 pid=1 mnt=9 net=1
         audit
         end",
        "audit
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn no_hierarchy_without_limits_makes_a_stray() {
    on(
        v1(),
        HYBRID,
        "exit 60
         exit 61
         audit
         end",
        "audit
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn who_was_on_the_way_in_is_not_out() {
    on(
        v1(),
        HYBRID,
        "exit 60
         place 61 4=/kubepods/$A/$a 7=/kubepods/$A/$a
         audit
         end",
        "audit
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn who_was_just_started_may_be_on_the_way_in() {
    on(
        v2(),
        V2,
        "seen 60 0=/kubepods/$A/$a by=1 pid=7 mnt=7 net=7
         seen 61@99 0=/system.slice by=60 pid=7 mnt=7 net=7
         audit
         end",
        "audit
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn who_started_right_before_tracing_began_is_not_forgotten() {
    on(
        Facts { at: BootTime(99_500_000_000), ..v2() },
        V2,
        "seen 60 0=/kubepods/$A/$a by=1 pid=7 mnt=7 net=7
         seen 61@99 0=/system.slice by=60 pid=7 mnt=7 net=7
         audit
         end",
        "audit
         unseen whether those who have just started are out
         Inconclusive, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn who_is_out_and_comes_back_is_no_news_twice() {
    on(
        v1(),
        HYBRID,
        "exit 60
         audit
         move 61 6 4:4
         end",
        "audit
         out -/- $A/$a, inside ?: /b/a.service=?
         61 memory /kubepods/$A/$a -> /b/a.service, ?/?/? -> ?/?/?
         by [Other, Pid, Mnt, Net, Ancestry]
         CameBack 61 memory /b/a.service -> /kubepods/$A/$a by 7
         Found, 1 moves, 0 unmoved, {CameBack: 1, AlreadyOut: 1}, {}, []",
    );
}

#[test]
fn a_child_is_its_parents_wherever_it_is_born() {
    on(
        v2(),
        V2,
        "seen 60 0=/kubepods/$A/$a by=1 pid=7 mnt=7 net=7
         fork 60 63
         exit 60
         place 63 0=/system.slice
         audit
         end",
        "audit
         out -/- $A/$a, inside ?: /system.slice=?
         63 v2 /kubepods/$A/$a -> /system.slice, ?/?/? -> ?/?/?
         by [Parent, Ancestry]
         Found, 0 moves, 0 unmoved, {AlreadyOut: 1}, {}, []",
    );
}

#[test]
fn a_stray_in_the_root_has_no_limit_and_no_cgroup_of_its_own() {
    on(
        v2(),
        V2,
        "seen 60 0=/kubepods/$A/$a by=1 pid=7 mnt=7 net=7
         seen 61 0=/ by=60 pid=7 mnt=7 net=7
         limit 0:2 max max max
         limit 0:3 1000 max 500
         limit 0:4 2000 10 max
         rss 61 4096
         node 100000 10000
         audit
         end",
        "audit
         out -/- $A/$a, inside ?: /=?
         61 v2 /kubepods/$A/$a -> /, 1000/?/500 -> max/?/max, rss 4096
         by [Pid, Mnt, Net, Ancestry]
         books 90000 = 0 + 4096 + 85904
         Found, 0 moves, 0 unmoved, {AlreadyOut: 1}, {}, []",
    );
}

#[test]
fn removed_cgroups_hold_what_nobody_below_does() {
    on(
        v2(),
        V2,
        "hold 2 50000000 1
         hold 3 50000000 1
         hold 4 10000000 0
         audit
         end",
        "audit
         dead /kubepods/$A 40000000
         Clean, 0 moves, 0 unmoved, {}, {}, []",
    );
}

#[test]
fn what_was_not_seen_leaves_nobody_clean() {
    on(
        v2(),
        V2,
        "unseen mounts
         audit
         end",
        "audit
         unseen mounts
         Inconclusive, 0 moves, 0 unmoved, {}, {}, []",
    );
}
