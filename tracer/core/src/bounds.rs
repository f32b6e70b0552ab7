//! Tests that every table is bounded and shrinks again. They look inside, so they are here.

use alloc::{boxed::Box, format, vec::Vec};

use crate::{
    engine::Engine,
    ids::{Actor, BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{ChargeDelta, Input, LossCause},
};

const AT: BootTime = BootTime(1);

fn key(id: u64) -> CgroupKey {
    CgroupKey { hierarchy: HierarchyId::V2, id }
}

fn task(tgid: u32, tid: u32) -> Task {
    Task { tid, tgid, start: AT, comm: Comm::default() }
}

fn made(id: u64, parent: Option<u64>, name: &str) -> Input {
    Input::CgroupMade { at: Some(AT), key: key(id), parent, name: name.as_bytes().into() }
}

fn moved(task: Task, from: u64, to: u64) -> Input {
    let mover = Actor { pid: 7, comm: Comm::default() };
    let whole_process = task.tid == task.tgid;
    Input::Moved { at: AT, task, whole_process, from: Some(from), to: key(to), mover }
}

fn charge(cgroup: u64, pid: u32) -> Input {
    let whole = ChargeDelta { cgroup, charged: 1, ..ChargeDelta::default() };
    Input::Charges(Vec::from([whole, ChargeDelta { pid: Some(pid), ..whole }]))
}

/// An engine that has taken a root (1), `/kubepods` (2), `/other` (3) and these inputs.
fn fed(inputs: impl IntoIterator<Item = Input>) -> Engine {
    let (mut engine, mut out) = (Engine::new(), Vec::new());
    let node = [made(1, None, ""), made(2, Some(1), "kubepods"), made(3, Some(1), "other")];
    for input in node.into_iter().chain(inputs) {
        engine.feed(input, &mut out);
        out.clear();
    }
    engine
}

#[test]
fn tasks_in_the_same_places_share_them_and_ended_ones_leave_none() {
    let places = || {
        let place = |id| (HierarchyId(id), Box::from(*b"/kubepods"));
        (0..13).map(place).collect()
    };
    let seen = (1..=5000).map(|pid| Input::TaskSeen {
        task: task(pid, pid),
        ppid: 1,
        places: places(),
        namespaces: None,
        monitors: None,
    });
    let forks = (1..=5000).map(|pid| {
        let task = task(pid + 5000, pid + 5000);
        Input::Forked { at: AT, parent_tid: pid, parent: pid, task }
    });
    let moves = (1..=10_000).map(|pid| moved(task(pid, pid), 2, 3));
    let threads = (1..=100).map(|tid| moved(task(1, 20_000 + tid), 3, 2));
    let lives = seen.chain(forks).chain(moves).chain(threads);
    assert_eq!(fed(lives.clone()).tasks.sizes(), (10_000, 100, 2));
    assert_eq!(fed(lives.clone()).findings.len(), 10_000);

    let together = lives.clone().chain([moved(task(1, 1), 3, 2)]);
    assert_eq!(fed(together).tasks.sizes(), (10_000, 0, 2));

    let exits = (1..=10_000).map(|pid| Input::Exited { at: AT, tid: pid, tgid: pid });
    let engine = fed(lives.chain(exits));
    assert_eq!(engine.tasks.sizes(), (0, 0, 0));
    assert_eq!(engine.findings.len(), 0);
}

#[test]
fn what_is_over_is_followed_no_more() {
    let birth = |parent: u32, child: u32| {
        let parent = Actor { pid: parent, comm: Comm::default() };
        let (parent_tid, task) = (parent.pid, task(child, child));
        Input::Born { at: AT, parent_tid, parent, task, from: 2, to: 3 }
    };
    let fork = |parent, child| {
        let task = task(child, child);
        Input::Forked { at: AT, parent_tid: parent, parent, task }
    };
    let tick = || Input::IntervalEnded { at: BootTime(1 << 40) };
    let left = (1..=1000).map(|pid| moved(task(pid, pid), 2, 3));
    let forked = (1..=1000).map(|pid| fork(pid, pid + 1000));
    let born = (1..=1000).map(|pid| birth(5000 + pid % 10, pid + 2000));
    let threads = (1..=1000).map(|tid| moved(task(6000, 10_000 + tid), 2, 3));
    let lives = left.chain(forked).chain(born).chain(threads);
    let mut engine = fed(lives);
    assert_eq!(engine.episodes.sizes().1, 1000 + 1000 + 1000 + 1 + 10);
    engine.feed(tick(), &mut Vec::new());
    let exit = |pid| Input::Exited { at: AT, tid: pid, tgid: pid };
    for pid in (1..=3000).chain(5000..=5009).chain([6000]) {
        engine.feed(exit(pid), &mut Vec::new());
    }
    engine.feed(tick(), &mut Vec::new());
    assert_eq!(engine.episodes.sizes(), (0, 0));
    // The same processes leave and come back as fast as they can.
    let storm = (0..10_000).map(|turn| {
        let (from, to) = if turn % 2 == 0 { (2, 3) } else { (3, 2) };
        moved(task(1, 1), from, to)
    });
    let mut engine = fed(storm);
    let (findings, processes) = engine.episodes.sizes();
    assert!(findings < 10 && processes == 1, "{findings}, {processes}");
    engine.feed(tick(), &mut Vec::new());
    engine.feed(exit(1), &mut Vec::new());
    engine.feed(tick(), &mut Vec::new());
    assert_eq!(engine.episodes.sizes(), (0, 0));
}

#[test]
fn released_cgroups_are_forgotten_after_another_interval() {
    let short = (100..1100).flat_map(|id| {
        let (at, key) = (AT, key(id));
        let gone = [Input::CgroupRemoved { at, key }, Input::CgroupReleased { at, key }];
        [made(id, Some(3), &format!("s{id}")), charge(id, 5)].into_iter().chain(gone)
    });
    let mut engine = fed(short);
    assert_eq!((engine.tree.sizes(), engine.book.sizes()), ((1003, 2, 1000), (1002, 1000)));
    for sizes in [((1003, 2, 1000), (1002, 0)), ((3, 2, 0), (2, 0))] {
        engine.feed(Input::IntervalEnded { at: AT }, &mut Vec::new());
        assert_eq!((engine.tree.sizes(), engine.book.sizes()), sizes);
    }
}

#[test]
fn removed_cgroups_nobody_releases_go_at_last_and_are_counted_if_they_were_charged() {
    let short = (100..70_100).flat_map(|id| {
        let name = format!("s{id}");
        let charged = (id % 2 == 0).then(|| charge(id, 5));
        let removed = Input::CgroupRemoved { at: AT, key: key(id) };
        [made(id, Some(3), &name)].into_iter().chain(charged).chain([removed])
    });
    let engine = fed(short);
    assert_eq!(engine.tree.sizes(), (65_536 + 3, 2, 65_536));
    let counted = engine.losses.total().get(&LossCause::TotalsFull).copied();
    assert_eq!(counted, Some((70_000 - 65_536) / 2));
}

#[test]
fn unknown_cgroups_without_end_are_counted_once_there_is_no_room() {
    let engine = fed((100..140_100).map(|id| charge(id, 5)));
    assert_eq!(engine.book.sizes(), (1 << 17, 1 << 16));
    // The sum and the share of a process, for each.
    let counted = engine.losses.total().get(&LossCause::TotalsFull).copied();
    assert_eq!(counted, Some(2 * (140_000 - (1 << 17))));
}

#[test]
fn processes_that_end_leave_their_share_to_the_rest() {
    let lives = (1..=100).flat_map(|pid| {
        let fork = Input::Forked { at: AT, parent_tid: 1, parent: 1, task: task(pid, pid) };
        [fork, charge(2, pid), charge(3, pid)]
    });
    let mut engine = fed(lives);
    engine.feed(Input::IntervalEnded { at: AT }, &mut Vec::new());
    assert_eq!(engine.book.sizes(), (3, 200));
    for pid in 1..=60 {
        engine.feed(Input::Exited { at: AT, tid: pid, tgid: pid }, &mut Vec::new());
    }
    engine.feed(Input::IntervalEnded { at: AT }, &mut Vec::new());
    assert_eq!(engine.book.sizes(), (3, 80));
}
