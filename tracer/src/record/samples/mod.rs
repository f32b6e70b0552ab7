//! Inputs to test recordings with: every variant, with any content.

mod node;

use proptest::{collection::vec, option, prelude::*};

use truant_core::{
    ids::{Actor, BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{
        ChargeDelta, Counter, Facts, Hierarchy, Hook, Input, LossCause, Mode, Need, Refusal, Usage,
        Way,
    },
};

/// Any input, all variants alike.
pub(crate) fn input() -> impl Strategy<Value = Input> {
    prop_oneof![about_cgroups(), about_tasks(), about_sums(), node::about_the_node()]
}

fn about_cgroups() -> impl Strategy<Value = Input> {
    prop_oneof![
        facts().prop_map(|facts| Input::Started(Box::new(facts))),
        hierarchy().prop_map(Input::Hierarchy),
        (option::of(at()), key(), option::of(n64()), name())
            .prop_map(|(at, key, parent, name)| { Input::CgroupMade { at, key, parent, name } }),
        (at(), key(), name()).prop_map(|(at, key, name)| Input::CgroupRenamed { at, key, name }),
        (at(), key()).prop_map(|(at, key)| Input::CgroupRemoved { at, key }),
        (at(), key()).prop_map(|(at, key)| Input::CgroupReleased { at, key }),
    ]
}

fn about_tasks() -> impl Strategy<Value = Input> {
    prop_oneof![
        (task(), n32(), places(), option::of(node::namespaces()), any::<Option<String>>())
            .prop_map(|(task, ppid, places, namespaces, monitors)| {
                Input::TaskSeen { task, ppid, places, namespaces, monitors }
            }),
        (at(), task(), any::<bool>(), option::of(n64()), key(), actor()).prop_map(
            |(at, task, whole_process, from, to, mover)| Input::Moved {
                at,
                task,
                whole_process,
                from,
                to,
                mover,
            }
        ),
        (at(), n32(), n32(), task()).prop_map(|(at, parent_tid, parent, task)| Input::Forked {
            at,
            parent_tid,
            parent,
            task,
        }),
        (at(), n32(), actor(), task(), n64(), n64()).prop_map(
            |(at, parent_tid, parent, task, from, to)| Input::Born {
                at,
                parent_tid,
                parent,
                task,
                from,
                to,
            }
        ),
        (at(), n32(), comm()).prop_map(|(at, pid, comm)| Input::Exec { at, pid, comm }),
        (at(), n32(), n32()).prop_map(|(at, tid, tgid)| Input::Exited { at, tid, tgid }),
        (at(), n32()).prop_map(|(at, pid)| Input::OomKill { at, pid }),
    ]
}

fn about_sums() -> impl Strategy<Value = Input> {
    prop_oneof![
        n64().prop_map(|count| Input::Unmoved { count }),
        vec(delta(), 0..5).prop_map(Input::Charges),
        vec((n64(), n64()).prop_map(|(cgroup, bytes)| Usage { cgroup, bytes }), 0..5)
            .prop_map(Input::Polled),
        n64().prop_map(|count| Input::Skipped { count }),
        (vec(counter(), 0..5), vec(delta(), 0..5))
            .prop_map(|(counters, during)| Input::Recounted { counters, during }),
        (cause(), n64()).prop_map(|(cause, count)| Input::Lost { cause, count }),
        at().prop_map(|at| Input::Looked { at }),
        at().prop_map(|at| Input::IntervalEnded { at }),
        at().prop_map(|at| Input::Ended { at }),
    ]
}

fn counter() -> impl Strategy<Value = Counter> {
    (n64(), option::of(n64())).prop_map(|(cgroup, bytes)| Counter { cgroup, bytes })
}

fn n32() -> impl Strategy<Value = u32> {
    any::<u32>()
}

fn n64() -> impl Strategy<Value = u64> {
    any::<u64>()
}

fn at() -> impl Strategy<Value = BootTime> {
    n64().prop_map(BootTime)
}

fn key() -> impl Strategy<Value = CgroupKey> {
    (n32(), n64()).prop_map(|(number, id)| CgroupKey { hierarchy: HierarchyId(number), id })
}

fn name() -> impl Strategy<Value = Box<[u8]>> {
    prop_oneof![vec(any::<u8>(), 0..40), any::<String>().prop_map(String::into_bytes)]
        .prop_map(Into::into)
}

fn comm() -> impl Strategy<Value = Comm> {
    prop_oneof![any::<[u8; 16]>().prop_map(Comm), name().prop_map(|name| Comm::new(&name))]
}

fn task() -> impl Strategy<Value = Task> {
    (n32(), n32(), at(), comm()).prop_map(|(tid, tgid, start, comm)| Task {
        tid,
        tgid,
        start,
        comm,
    })
}

fn places() -> impl Strategy<Value = Vec<(HierarchyId, Box<[u8]>)>> {
    vec((n32().prop_map(HierarchyId), name()), 0..4)
}

fn actor() -> impl Strategy<Value = Actor> {
    (n32(), comm()).prop_map(|(pid, comm)| Actor { pid, comm })
}

fn delta() -> impl Strategy<Value = ChargeDelta> {
    (n64(), option::of(n32()), n64(), n64(), n64(), n64()).prop_map(
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

fn hierarchy() -> impl Strategy<Value = Hierarchy> {
    (n32(), any::<String>(), vec(any::<String>(), 0..3))
        .prop_map(|(id, name, controllers)| Hierarchy { id: HierarchyId(id), name, controllers })
}

fn facts() -> impl Strategy<Value = Facts> {
    let numbers = (at(), n64(), n64(), n32(), any::<bool>());
    let lists = (vec(hierarchy(), 0..3), vec(hook(), 0..3), vec(any::<String>(), 0..3));
    let memory = option::of(n32().prop_map(HierarchyId));
    (any::<[String; 2]>(), numbers, mode(), memory, lists).prop_map(
        |([version, kernel], numbers, mode, memory, lists)| {
            let (at, boot_epoch_ns, interval_ns, own_pid, fail_on_exposed) = numbers;
            let (hierarchies, hooks, guard) = lists;
            Facts {
                version,
                kernel,
                at,
                boot_epoch_ns,
                interval_ns,
                mode,
                hierarchies,
                memory,
                hooks,
                guard,
                fail_on_exposed,
                own_pid,
            }
        },
    )
}

fn hook() -> impl Strategy<Value = Hook> {
    let refusal = (way(), any::<String>(), any::<Option<String>>())
        .prop_map(|(way, why, mend)| Refusal { way, why, mend });
    (need(), option::of(way()), any::<Option<String>>(), vec(refusal, 0..3))
        .prop_map(|(need, way, note, refused)| Hook { need, way, note, refused })
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::V1), Just(Mode::Hybrid), Just(Mode::V2)]
}

fn need() -> impl Strategy<Value = Need> {
    use Need::{Births, Charges, Lifecycle, Moves, Oom, Processes};
    proptest::sample::select(vec![Moves, Births, Charges, Lifecycle, Processes, Oom])
}

fn way() -> impl Strategy<Value = Way> {
    use Way::{Fentry, Kprobe, Polled, Tracepoint};
    proptest::sample::select(vec![Fentry, Kprobe, Tracepoint, Polled])
}

fn cause() -> impl Strategy<Value = LossCause> {
    use LossCause::{
        InFlightFull, Malformed, PathUnknown, ProcessesFull, Recursion, RingFull, TotalsFull,
        Unreadable,
    };
    let known = [RingFull, TotalsFull, ProcessesFull, InFlightFull, Recursion, Unreadable];
    let rest = [Malformed, PathUnknown];
    proptest::sample::select(known.into_iter().chain(rest).collect::<Vec<_>>())
}

/// One of every variant, in an order that makes sense.
pub(super) fn one_of_each() -> Vec<Input> {
    let mut inputs = version_1();
    if let Some(Input::Started(facts)) = inputs.first_mut() {
        facts.fail_on_exposed = true;
    }
    let at = BootTime(62_000_000_000);
    let key = CgroupKey { hierarchy: HierarchyId(4), id: 11 };
    let task = Task { tid: 1234, tgid: 1234, start: BootTime(7), comm: Comm::new(b"sh") };
    let end = inputs.len() - 1;
    inputs.splice(end..end, node::one_of_each(at, key, task));
    inputs
}

/// One of every variant that version 1 knew, and no more than that said of it.
pub(super) fn version_1() -> Vec<Input> {
    let at = BootTime(61_000_000_000);
    let key = CgroupKey { hierarchy: HierarchyId(4), id: 11 };
    let memory = Hierarchy {
        id: HierarchyId(4),
        name: "memory".to_owned(),
        controllers: vec!["memory".to_owned()],
    };
    let comm = Comm::new(b"a\n\xff\\");
    let task = Task { tid: 1235, tgid: 1234, start: BootTime(7), comm };
    let actor = Actor { pid: 77, comm: Comm::new(b"systemd") };
    let sum = ChargeDelta { cgroup: 11, charged: 4096, uncharged: 8192, ..Default::default() };
    let delta = ChargeDelta { pid: Some(1234), failures: 2, limit_hits: 1, ..sum };
    let places = vec![(HierarchyId(4), Box::from(b"/a/\x1b".as_slice()))];
    let known = Counter { cgroup: 11, bytes: Some(4096) };
    let none = Counter { cgroup: 12, bytes: None };
    vec![
        Input::Started(Box::new(one_facts(at, &memory))),
        Input::Hierarchy(memory),
        Input::CgroupMade { at: None, key, parent: None, name: Box::default() },
        Input::CgroupMade { at: Some(at), key, parent: Some(1), name: Box::from(*b"a b") },
        Input::CgroupRenamed { at, key, name: Box::from(*b"\xc3\x28") },
        Input::TaskSeen { task, ppid: 1, places, namespaces: None, monitors: None },
        Input::Moved { at, task, whole_process: true, from: Some(1), to: key, mover: actor },
        Input::Moved { at, task, whole_process: false, from: None, to: key, mover: actor },
        Input::Unmoved { count: 3 },
        Input::Forked { at, parent_tid: 1235, parent: 1234, task },
        Input::Born { at, parent_tid: 1235, parent: actor, task, from: 1, to: 2 },
        Input::Exec { at, pid: 1234, comm },
        Input::Charges(vec![sum, delta]),
        Input::Polled(vec![Usage { cgroup: 11, bytes: 4096 }]),
        Input::OomKill { at, pid: 1234 },
        Input::Exited { at, tid: 1235, tgid: 1234 },
        Input::CgroupRemoved { at, key },
        Input::CgroupReleased { at, key },
        Input::Skipped { count: 2 },
        Input::Recounted { counters: vec![known, none], during: vec![sum] },
        Input::Lost { cause: LossCause::RingFull, count: 12 },
        Input::IntervalEnded { at },
        Input::Ended { at },
    ]
}

fn one_facts(at: BootTime, memory: &Hierarchy) -> Facts {
    let refusal = Refusal {
        way: Way::Fentry,
        why: "not permitted".to_owned(),
        mend: Some("CAP_SYS_ADMIN".to_owned()),
    };
    let hook =
        Hook { need: Need::Moves, way: Some(Way::Kprobe), note: None, refused: vec![refusal] };
    Facts {
        version: "0.1.0".to_owned(),
        kernel: "6.1.0-28-cloud-amd64".to_owned(),
        at,
        boot_epoch_ns: 1_700_000_000_000_000_000,
        interval_ns: 1_000_000_000,
        mode: Mode::Hybrid,
        hierarchies: vec![memory.clone()],
        memory: Some(memory.id),
        hooks: vec![hook],
        guard: vec!["/docker".to_owned()],
        fail_on_exposed: false,
        own_pid: 4711,
    }
}
