//! What the core makes of all that the readers find on real nodes: who is out, and who could get
//! out. Owns no rule and no reader; no runtime is asked.

use std::{fs::File, os::unix::fs::MetadataExt};

use truant_core::{
    Engine,
    ids::BootTime,
    input::{Facts, Hierarchy, Input},
    report::{Audit, Exposure, Finding, Report},
};

use super::{CgroupRoot, Hierarchies, testing::Tree};
use crate::captures::{Capture, without_ids};

/// Those who are out, by their roles, as `role hierarchy:cgroup < home's cgroup`, and those who
/// could get out, with the hierarchies in which they could.
#[track_caller]
fn check(capture: &Capture, out: &[&str], exposed: &[&str]) {
    let audit = audit(capture);
    let found = audit.pods.iter().flat_map(|pod| &pod.processes);
    assert_eq!(found.map(|finding| stray(capture, finding)).collect::<Vec<_>>(), out);
    let could = audit.exposed.iter().map(|exposure| could_leave(capture, exposure));
    assert_eq!(could.collect::<Vec<_>>(), exposed);
    assert_eq!((audit.unsure, audit.unseen), (vec![], vec![]));
}

fn audit(capture: &Capture) -> Audit {
    let host = capture.host();
    let Hierarchies { list, mode, memory } = host.hierarchies().unwrap();
    let facts = Facts {
        mode,
        hierarchies: list.clone(),
        memory,
        own_pid: host.own_pid().unwrap(),
        ..Facts::default()
    };
    let (mut engine, mut said) = (Engine::new(), Vec::new());
    engine.feed(Input::Started(Box::new(facts)), &mut said);
    let trees: Vec<_> = list.iter().map(|hierarchy| grown(capture, hierarchy)).collect();
    for (_, root) in &trees {
        root.walk(&mut |input| engine.feed(input, &mut said)).unwrap();
    }
    let scan = host.scan_tasks(&mut |input| engine.feed(input, &mut said)).unwrap();
    assert_eq!((scan.ended, scan.unread), (0, 0));
    for (pid, peers) in engine.to_view() {
        let view = host.view(pid, &list, &peers).unwrap();
        engine.feed(Input::View(Box::new(view)), &mut said);
    }
    said.clear();
    engine.feed(Input::Audited { at: BootTime(1 << 60) }, &mut said);
    let mut audits = said.into_iter().filter_map(|report| match report {
        Report::Audit(audit) => Some(*audit),
        _ => None,
    });
    audits.next_back().unwrap()
}

/// The cgroups of a hierarchy as folders, and the first of them.
fn grown(capture: &Capture, hierarchy: &Hierarchy) -> (Tree, CgroupRoot) {
    let mount = match hierarchy.name.trim_start_matches("name=") {
        "" => "/sys/fs/cgroup".to_owned(),
        name => format!("/sys/fs/cgroup/{name}"),
    };
    let cgroups = capture.cgroups(&mount);
    let tree = cgroups.iter().fold(Tree::new(), |tree, path| tree.dir(&format!("r{path}")));
    let dir = File::open(tree.path("r")).unwrap();
    let id = dir.metadata().unwrap().ino();
    (tree, CgroupRoot::private(hierarchy.id, dir.into(), id))
}

fn role(capture: &Capture, pid: u32) -> &'static str {
    let roles = ["init", "service", "executed", "child", "agent", "builder"];
    let found = roles.into_iter().find(|role| capture.has(role) && capture.pid(role) == pid);
    found.expect("it has a role")
}

fn stray(capture: &Capture, finding: &Finding) -> String {
    let [to, from] = [&finding.to, &finding.from].map(|place| {
        let path = place.path.as_deref().map(String::from_utf8_lossy);
        without_ids(&path.unwrap_or_default())
    });
    format!("{} {}:{to} < {from}", role(capture, finding.task.tgid), finding.hierarchy)
}

fn could_leave(capture: &Capture, exposure: &Exposure) -> String {
    let mut names: Vec<_> = exposure.mounts.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let names = names.join(" ");
    let systemd = if exposure.runs_systemd { ", runs systemd" } else { "" };
    format!("{}: {names}{systemd}", role(capture, exposure.task.tgid))
}

#[test]
fn dockers_incident() {
    let home = "/kubepods/burstable/pod5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7/ID";
    check(
        &Capture::incident(),
        &[
            &format!("init memory:/init.scope < {home}"),
            &format!("service memory:/system.slice/leaky.service < {home}"),
        ],
        &["init: blkio cpu,cpuacct memory pids, runs systemd"],
    );
}

#[test]
fn pods_on_v2() {
    check(&Capture::pods(), &[], &[]);
}

/// The pod's other container has mounted no more than its own cgroup, so the fence is not missed
/// there.
#[test]
fn a_privileged_container_of_a_pod_on_v2() {
    check(&Capture::unfenced(), &[], &["agent: v2"]);
}
