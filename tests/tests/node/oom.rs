//! Kills for want of memory: at the limit of a pod's container.

use std::thread;

use serde_json::Value;
use truant_tests::{
    Ran, Watch,
    cri::{Bind, Container, ContainerPlan},
    engines::{self, Driver, Layout, containerd, until},
    lines::{number, text},
    procs::{Process, Spared},
};

use super::scene::{PROGRAMS, Scene, shell_plan};

const UID: &str = "0c0ffee0-1d2e-4f3a-8b4c-5d6e7f809102";

/// The container's limit.
const LIMIT: u64 = 128 << 20;

/// What a process holds that is not killed.
const KEPT: u64 = 40 << 20;

/// What figures may differ by of what a process touches: its own pages, and what the kernel keeps
/// on a CPU.
const NEAR: u64 = 4 << 20;

pub(super) fn at_the_limit() -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V2])?;
    let cri = containerd(Driver::Cgroupfs);
    let plan = ContainerPlan { memory_limit: LIMIT.cast_signed(), ..plan() };
    let scene = Scene::start(&cri, Driver::Cgroupfs, ("limited", UID), &plan);
    let inside = memory_cgroup(scene.container.pid());
    let watch = Watch::start(&[]);
    let _spared = Spared::processes(&[watch.pid(), std::process::id()]);
    let holder = hold(&scene.container, &format!("(echo 'touch {KEPT}'; sleep 7919)"));
    until("a process holds memory inside", || holds(&holder, &inside, KEPT));
    let done = scene.container.exec(&["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    assert_eq!(done.expect("a command runs").status, 137, "the limit kills it");
    let oom = told(&watch, |line| line["comm"] == "dd");
    let lines = watch.stop();
    assert_eq!(lines.findings("oom").len(), 1, "{:#?}", lines.findings("oom"));
    scene.check_home(&oom);
    assert_eq!(text(&oom, "from"), inside);
    let kill = &oom["kill"];
    assert_eq!(kill["ran_out"]["node"], false, "{oom:#}");
    assert_eq!(kill["ran_out"]["cgroup"], *inside, "{oom:#}");
    assert_eq!(kill["ran_out"]["limit"], LIMIT, "{oom:#}");
    let within = number(kill, "inside_bytes");
    assert!((KEPT..LIMIT + NEAR).contains(&within), "{oom:#}");
    // Less than nothing, as a process that is moved in gives back what its runtime paid for.
    assert!(net(kill) < NEAR.cast_signed(), "{oom:#}");
    lines.assert_status_of_a_busy_node(0);
    Ok(())
}

/// A container that sees the tests' programs.
fn plan() -> ContainerPlan {
    let mut plan = shell_plan("exec sleep 7919", false);
    plan.mounts.push(Bind::readonly(PROGRAMS));
    plan
}

/// Has a process in the container do as these words tell it; the processes that were in the
/// container before.
fn hold(container: &Container, words: &str) -> Vec<Process> {
    let known = Process::of(container.pid()).expect("it runs").namesakes();
    let own = std::env::current_exe().expect("the binary has a path");
    let line = format!("{words} | TRUANT_TEST_CHILD=1 {}", own.display());
    let container = container.clone();
    // Ends with the pod.
    thread::spawn(move || container.exec(&["/bin/sh", "-c", &line]));
    known
}

/// A process that was not there before, is in this cgroup and holds so much.
fn holds(known: &[Process], cgroup: &str, bytes: u64) -> Option<Process> {
    let all = known.first()?.namesakes();
    let is_new = |it: &Process| known.iter().all(|known| known.pid != it.pid);
    all.into_iter().find(|it| is_new(it) && it.memory_cgroup() == cgroup && it.resident() >= bytes)
}

fn memory_cgroup(pid: u32) -> String {
    Process::of(pid).expect("it runs").memory_cgroup().to_owned()
}

/// The kill of whom is meant, once it is told.
fn told(watch: &Watch, is_meant: impl Fn(&Value) -> bool) -> Value {
    let is_it = |line: &Value| line["kind"] == "oom" && is_meant(line);
    let is_told = watch.wait_for(is_it);
    let findings = watch.so_far().into_iter().filter(|line| line["type"] == "finding");
    let findings: Vec<_> = findings.collect();
    assert!(is_told, "{findings:#?}");
    findings.into_iter().find(is_it).expect("it was there a moment ago")
}

fn net(kill: &Value) -> i64 {
    kill["outside_net_bytes"].as_i64().expect("a number")
}
