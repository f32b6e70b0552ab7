//! Tests that what is put together for one verdict is what is put together for all. They look
//! inside, so they are here.

use alloc::{boxed::Box, format, string::String, vec::Vec};

use proptest::prelude::*;

use crate::{
    engine::Engine,
    ids::{BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{Facts, Hierarchy, Input},
    node::Namespaces,
    path::Container,
};

/// Cgroups of two pods in both drivers' words, of containers with and without a pod, of names that
/// come twice, and of the node.
const DIRS: [(u64, u64, &str); 13] = [
    (2, 1, "kubepods"),
    (9, 2, "podaaaaaaaa-1111-4222-8333-444444444444"),
    (8, 9, "ID1"),
    (7, 2, "podbbbbbbbb-1111-4222-8333-444444444444"),
    (6, 7, "ID2"),
    (10, 6, "init.scope"),
    (3, 1, "x-kubepods.slice"),
    (11, 3, "kubepods-podaaaaaaaa_1111_4222_8333_444444444444.slice"),
    (12, 11, "cri-containerd-ID3.scope"),
    (13, 11, "ID2"),
    (14, 2, "docker-ID4.scope"),
    (4, 1, "b"),
    (15, 4, "ID1"),
];

fn id(number: u32) -> String {
    format!("{number:064x}")
}

fn named(text: &str) -> String {
    (1..5)
        .fold(text.into(), |text: String, number| text.replace(&format!("ID{number}"), &id(number)))
}

fn node() -> Engine {
    let mut engine = Engine::new();
    let facts = Facts { memory: Some(HierarchyId(1)), own_pid: 999, ..Facts::default() };
    engine.feed(Input::Started(Box::new(facts)), &mut Vec::new());
    for hierarchy in [HierarchyId(1), HierarchyId(2)] {
        let (name, controllers) = (format!("h{}", hierarchy.0), Vec::new());
        engine.tree.hierarchy(Hierarchy { id: hierarchy, name, controllers });
        let mut made = |own, parent, name: &str| {
            let key = CgroupKey { hierarchy, id: own };
            let name = named(name).into_bytes().into();
            engine.feed(Input::CgroupMade { at: None, key, parent, name }, &mut Vec::new());
        };
        made(1, None, "");
        for (own, parent, name) in DIRS {
            made(own, Some(parent), name);
        }
    }
    engine
}

#[derive(Clone, Debug)]
struct Process {
    places: [usize; 2],
    parent: u32,
    namespaces: [Option<u32>; 3],
    shim: Option<u32>,
}

fn process() -> impl Strategy<Value = Process> {
    let namespace = || prop::option::of(1..6_u32);
    let namespaces = [namespace(), namespace(), namespace()];
    (prop::array::uniform2(0..DIRS.len()), 0..12_u32, namespaces, prop::option::of(1..6_u32))
        .prop_map(|(places, parent, namespaces, shim)| Process { places, parent, namespaces, shim })
}

fn seen(engine: &mut Engine, pid: u32, process: &Process) {
    let path = |(hierarchy, index): (u32, &usize)| {
        let (hierarchy, id) = (HierarchyId(hierarchy), DIRS[*index].0);
        (hierarchy, engine.tree.path(CgroupKey { hierarchy, id }).unwrap())
    };
    let places = (1..).zip(&process.places).map(path).collect();
    let [mount, cgroup, ipc] = process.namespaces;
    let namespaces = Some(Namespaces { mount, cgroup, ipc, ..Namespaces::default() });
    let task = Task { tid: pid, tgid: pid, start: BootTime(1), comm: Comm::default() };
    let monitors = process.shim.map(id);
    let input = Input::TaskSeen { task, ppid: process.parent, places, namespaces, monitors };
    engine.feed(input, &mut Vec::new());
}

proptest! {
    #[test]
    fn a_verdict_is_the_same_with_all_clues_and_with_its_own(
        processes in prop::collection::vec(process(), 1..12)
    ) {
        let mut engine = node();
        for (pid, process) in (1..).zip(&processes) {
            seen(&mut engine, pid, process);
        }
        for pid in (1..).take(processes.len()) {
            let mut own = engine.clues_on(pid);
            let home = engine.home(pid, engine.clues());
            prop_assert_eq!(&home, &engine.home(pid, &own));
            let container = home.map_or_else(Container::default, |home| home.container);
            for hierarchy in [HierarchyId(1), HierarchyId(2)] {
                engine.note_unit(&mut own, hierarchy, &container);
                let all = engine.clues().pod_cgroup(hierarchy, &container);
                prop_assert_eq!(all, own.pod_cgroup(hierarchy, &container));
            }
        }
    }
}
