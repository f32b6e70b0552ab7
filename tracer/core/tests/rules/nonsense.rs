//! Random inputs, most of them nonsense: the engine never panics and says the same twice.

use proptest::prelude::*;
use truant_core::{
    Engine,
    ids::{Actor, BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{ChargeDelta, Counter, Input, LossCause, Usage},
    report::Report,
};

use crate::scenario::{seen, v2};

/// Few numbers, so that inputs meet.
fn small() -> impl Strategy<Value = u32> {
    0_u32..12
}

fn cgroup() -> impl Strategy<Value = CgroupKey> {
    (0_u32..3, 0_u64..12)
        .prop_map(|(hierarchy, id)| CgroupKey { hierarchy: HierarchyId(hierarchy), id })
}

fn task() -> impl Strategy<Value = Task> {
    (small(), small(), 0_u64..3).prop_map(|(tid, tgid, start)| Task {
        tid,
        tgid,
        start: BootTime(start * 1_000_000_000),
        comm: Comm::new(b"any"),
    })
}

fn name() -> impl Strategy<Value = Box<[u8]>> {
    let known =
        prop_oneof![Just("kubepods"), Just("a"), Just("b"), Just(".."), Just(""), Just("a/b")];
    prop_oneof![
        8 => known.prop_map(|name| name.as_bytes().into()),
        1 => proptest::collection::vec(any::<u8>(), 0..4).prop_map(Vec::into_boxed_slice),
    ]
}

fn delta() -> impl Strategy<Value = ChargeDelta> {
    let amount = || prop_oneof![4 => 0_u64..1000, 1 => any::<u64>()];
    (0_u64..12, proptest::option::of(small()), amount(), amount(), 0_u64..2, 0_u64..2).prop_map(
        |(cgroup, pid, charged, uncharged, failures, limit_hits)| ChargeDelta {
            cgroup,
            pid,
            charged,
            uncharged,
            failures,
            limit_hits,
        },
    )
}

fn lifecycle() -> impl Strategy<Value = Input> {
    let at = BootTime(1);
    prop_oneof![
        3 => (cgroup(), proptest::option::of(0_u64..12), name(), any::<bool>()).prop_map(
            move |(key, parent, name, seen)| {
                let at = seen.then_some(at);
                Input::CgroupMade { at, key, parent, name }
            }
        ),
        1 => (cgroup(), name()).prop_map(move |(key, name)| Input::CgroupRenamed { at, key, name }),
        1 => cgroup().prop_map(move |key| Input::CgroupRemoved { at, key }),
        1 => cgroup().prop_map(move |key| Input::CgroupReleased { at, key }),
    ]
}

fn tasks() -> impl Strategy<Value = Input> {
    let at = BootTime(1);
    let mover = Actor { pid: 3, comm: Comm::new(b"mover") };
    let path = name().prop_map(|name| [b"/".as_slice(), &name].concat().into_boxed_slice());
    let places = proptest::collection::vec(((0_u32..3).prop_map(HierarchyId), path), 0..4);
    prop_oneof![
        (task(), places).prop_map(|(task, places)| seen(task, 1, places)),
        (task(), any::<bool>(), proptest::option::of(0_u64..12), cgroup()).prop_map(
            move |(task, whole_process, from, to)| Input::Moved {
                at,
                task,
                whole_process,
                from,
                to,
                mover
            }
        ),
        (small(), small(), task()).prop_map(move |(parent_tid, parent, task)| Input::Forked {
            at,
            parent_tid,
            parent,
            task
        }),
        (small(), task(), 0_u64..12, 0_u64..12).prop_map(move |(parent_tid, task, from, to)| {
            Input::Born { at, parent_tid, parent: mover, task, from, to }
        }),
        small().prop_map(move |pid| Input::Exec { at, pid, comm: Comm::new(b"other") }),
        (small(), small()).prop_map(move |(tid, tgid)| Input::Exited { at, tid, tgid }),
    ]
}

fn rest() -> impl Strategy<Value = Input> {
    let at = BootTime(1);
    prop_oneof![
        4 => proptest::collection::vec(delta(), 0..6).prop_map(Input::Charges),
        1 => (0_u64..12, any::<u64>())
            .prop_map(|(cgroup, bytes)| Input::Polled(vec![Usage { cgroup, bytes }])),
        2 => any::<u64>().prop_map(|count| Input::Skipped { count }),
        4 => recounted(),
        3 => Just(Input::IntervalEnded { at }),
        2 => Just(Input::Looked { at: BootTime(1 << 30) }),
        1 => any::<u64>().prop_map(|count| Input::Unmoved { count }),
        1 => any::<u64>().prop_map(|count| Input::Lost { cause: LossCause::RingFull, count }),
        1 => Just(Input::Started(Box::new(v2()))),
        1 => small().prop_map(move |pid| Input::OomKill { at, pid }),
    ]
}

fn recounted() -> impl Strategy<Value = Input> {
    let counter = (0_u64..12, proptest::option::of(any::<u64>()))
        .prop_map(|(cgroup, bytes)| Counter { cgroup, bytes });
    let counters = proptest::collection::vec(counter, 0..6);
    let during = proptest::collection::vec(delta(), 0..3);
    (counters, during).prop_map(|(counters, during)| Input::Recounted { counters, during })
}

fn feed(inputs: &[Input]) -> Vec<Report> {
    let (mut engine, mut out) = (Engine::new(), Vec::new());
    engine.feed(Input::Started(Box::new(v2())), &mut out);
    for input in inputs {
        engine.feed(input.clone(), &mut out);
    }
    engine.feed(Input::Ended { at: BootTime(2) }, &mut out);
    out
}

proptest! {
    #[test]
    fn any_inputs_give_the_same_reports_twice_and_a_summary(
        inputs in proptest::collection::vec(prop_oneof![lifecycle(), tasks(), rest()], 0..200)
    ) {
        let out = feed(&inputs);
        prop_assert_eq!(&out, &feed(&inputs));
        let Some(Report::Summary(summary)) = out.last() else {
            return Err(TestCaseError::fail("no summary"));
        };
        let found = out.iter().filter(|report| matches!(report, Report::Finding(_))).count();
        prop_assert_eq!(summary.findings.values().sum::<u64>(), found as u64);
    }
}
