//! A big node: 20,000 tasks in ten hierarchies, and 100,000 cgroups that come and go.

use truant_core::{
    Engine,
    ids::{Actor, BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{ChargeDelta, Facts, Hierarchy, Input},
    report::Report,
};

use crate::scenario::{seen, v2};

const TASKS: u32 = 20_000;
const PODS: u64 = 500;
const AT: BootTime = BootTime(1);

fn hierarchies() -> impl Iterator<Item = HierarchyId> {
    (0..10).map(HierarchyId)
}

fn task(pid: u32) -> Task {
    Task { tid: pid, tgid: pid, start: BootTime(u64::from(pid) << 30), comm: Comm::new(b"task") }
}

fn made(key: CgroupKey, parent: Option<u64>, name: &str) -> Input {
    Input::CgroupMade { at: None, key, parent, name: name.as_bytes().into() }
}

/// `/`, `/kubepods`, `/system.slice` and `/kubepods/p…`, by the same ids in every hierarchy.
fn node(engine: &mut Engine, out: &mut Vec<Report>) {
    let named = |id: HierarchyId| Hierarchy { id, name: format!("h{}", id.0), controllers: vec![] };
    let facts = Facts { hierarchies: hierarchies().map(named).collect(), own_pid: 0, ..v2() };
    engine.feed(Input::Started(Box::new(facts)), out);
    for hierarchy in hierarchies() {
        let key = |id| CgroupKey { hierarchy, id };
        engine.feed(made(key(1), None, ""), out);
        engine.feed(made(key(2), Some(1), "kubepods"), out);
        engine.feed(made(key(3), Some(1), "system.slice"), out);
        for pod in 0..PODS {
            engine.feed(made(key(100 + pod), Some(2), &format!("p{pod}")), out);
        }
    }
}

#[test]
fn every_task_leaves_in_two_of_ten_hierarchies_and_is_found() {
    let (mut engine, mut out) = (Engine::new(), Vec::new());
    node(&mut engine, &mut out);
    for pid in 1..=TASKS {
        let path = format!("/kubepods/p{}", u64::from(pid) % PODS);
        let places = hierarchies().map(|id| (id, path.as_bytes().into())).collect();
        engine.feed(seen(task(pid), 1, places), &mut out);
    }
    let mover = Actor { pid: 7, comm: Comm::default() };
    for pid in 1..=TASKS {
        for hierarchy in hierarchies().take(2) {
            let to = CgroupKey { hierarchy, id: 3 };
            let (task, from, whole_process) = (task(pid), None, true);
            engine.feed(Input::Moved { at: AT, task, whole_process, from, to, mover }, &mut out);
        }
    }
    engine.feed(Input::Looked { at: BootTime(u64::MAX) }, &mut out);
    let in_both = |report: &&Report| matches!(report, Report::Finding(it) if it.also.len() == 1);
    assert_eq!(out.iter().filter(in_both).count(), TASKS as usize);
}

#[test]
fn cgroups_that_come_and_go_leave_their_sums() {
    let (mut engine, mut out) = (Engine::new(), Vec::new());
    node(&mut engine, &mut out);
    for batch in 0..100_u64 {
        out.clear();
        let ids = (batch * 1000..batch * 1000 + 1000).map(|id| 1_000_000 + id);
        let mut deltas = Vec::new();
        for id in ids {
            let key = CgroupKey { hierarchy: HierarchyId::V2, id };
            engine.feed(made(key, Some(3), &format!("s{id}")), &mut out);
            engine.feed(Input::CgroupRemoved { at: AT, key }, &mut out);
            engine.feed(Input::CgroupReleased { at: AT, key }, &mut out);
            deltas.push(ChargeDelta {
                cgroup: id,
                charged: 3,
                uncharged: 1,
                ..ChargeDelta::default()
            });
        }
        engine.feed(Input::Charges(deltas), &mut out);
        engine.feed(Input::IntervalEnded { at: AT }, &mut out);
    }
    let Some(Report::Charges(ledger)) = out.last() else { panic!("no ledger: {out:?}") };
    assert_eq!(ledger.rows.len(), 1002);
    assert_eq!(ledger.rows[0].subtree_net, 200_000);
    out.clear();
    engine.feed(Input::Ended { at: AT }, &mut out);
    let Some(Report::Summary(summary)) = out.last() else { panic!("no summary: {out:?}") };
    assert!(summary.lost.is_empty(), "{summary:?}");
}
