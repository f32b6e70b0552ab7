//! Kills for want of memory: at the limit of a pod's container, and on a node that runs out of it
//! because of what a pod took along when it went outside.

use std::{fs, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use truant_tests::{
    Hierarchy, Lines, Ran, Watch,
    cri::{Bind, Container, ContainerPlan},
    engines::{self, Driver, Layout, containerd, until},
    lines::{number, text},
    procs::{Process, Spared, held},
    say,
};

use super::scene::{PROGRAMS, Scene, shell_plan};

const UID: &str = "0c0ffee0-1d2e-4f3a-8b4c-5d6e7f809102";

/// The container's limit.
const LIMIT: u64 = 128 << 20;

/// What a process holds that is not killed.
const KEPT: u64 = 40 << 20;

/// What one holds outside that is not killed.
const HELD: u64 = 300 << 20;

/// What is left of a node's memory before a pod takes it.
const LEFT: u64 = 900 << 20;

/// More than that.
const TOO_MUCH: u64 = 2 << 30;

/// Where the processes go that move themselves.
const OUTSIDE: &str = "/runaway";

/// What figures may differ by of what a process touches: its own pages, and what the kernel keeps
/// on a CPU.
const NEAR: u64 = 4 << 20;

/// Two intervals of a watch, so that what was charged is in its ledger.
const INTERVALS: Duration = Duration::from_secs(3);

pub(super) fn at_the_limit() -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V1, Layout::V2])?;
    let cri = containerd(Driver::Cgroupfs);
    let plan = ContainerPlan { memory_limit: LIMIT.cast_signed(), ..plan(false) };
    let scene = Scene::start(&cri, Driver::Cgroupfs, ("limited", UID), &plan);
    let inside = memory_cgroup(scene.container.pid());
    let watch = Watch::start(&[]);
    let _spared = Spared::processes(&[watch.pid(), std::process::id()]);
    let holder = hold(&scene.container, "", &format!("(echo 'touch {KEPT}'; sleep 7919)"));
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

pub(super) fn of_the_node() -> Ran {
    engines::on(&["bullseye", "bookworm", "trixie"], &[Layout::V1, Layout::Hybrid, Layout::V2])?;
    let cri = containerd(Driver::Cgroupfs);
    let scene = Scene::start(&cri, Driver::Cgroupfs, ("taker", UID), &plan(true));
    let inside = memory_cgroup(scene.container.pid());
    let watch = Watch::start(&[]);
    let _spared = Spared::processes(&[watch.pid(), std::process::id()]);
    let _reserved = Reserved::all_but(LEFT);
    let root = Hierarchy::memory()?.root;
    let out = format!("{}{OUTSIDE}", root.display());
    let out = format!("mkdir -p {out}; echo 0 >{out}/cgroup.procs;");
    let holder = hold(&scene.container, &out, &format!("(echo 'touch {HELD}'; sleep 7919)"));
    until("a process holds memory outside", || holds(&holder, OUTSIDE, HELD));
    thread::sleep(INTERVALS);
    // As a kubelet has it: who asked for little is killed before the node's own.
    let out = format!("echo 900 >/proc/self/oom_score_adj; {out}");
    // By its name in bytes, it is `hog`.
    let words = format!(
        "(echo 'name 104 111 103'; until [ -e /tmp/go ]; do sleep 0.2; done; \
         echo 'touch {TOO_MUCH}'; sleep 7919)"
    );
    let known = hold(&scene.container, &out, &words);
    let is_hog = |it: &Process| it.comm == "hog" && it.memory_cgroup() == OUTSIDE;
    let hog = until("another one is there", || known[0].namesakes().into_iter().find(is_hog));
    let stopped = Stopped::all(&["containerd", "containerd-shim"]);
    fs::write(format!("/proc/{}/root/tmp/go", hog.pid), "").expect("its files can be reached");
    let oom = told(&watch, |line| line["pid"] == hog.pid);
    drop(stopped);
    say(&format!("{} bytes outside by the cgroup's own file", held(OUTSIDE).unwrap_or_default()));
    let lines = watch.stop();
    scene.check_home(&oom);
    assert_eq!(text(&oom, "from"), OUTSIDE);
    check_node(&oom, &inside);
    check_others(&lines, scene.container.pid());
    lines.assert_status_of_a_busy_node(1);
    Ok(())
}

/// What a finding says of a node that ran out because of what is outside of a pod.
fn check_node(oom: &Value, inside: &str) {
    let kill = &oom["kill"];
    let node = serde_json::json!({ "node": true, "cgroup": null, "limit": null });
    assert_eq!(kill["ran_out"], node, "{oom:#}");
    // By far less than what is outside; the cgroup's own file says the same.
    let within = number(kill, "inside_bytes");
    let now = held(inside).expect("the container is there");
    assert!(within < KEPT && within.abs_diff(now) < 2 * NEAR, "{now} now: {oom:#}");
    assert!(net(kill) >= HELD.cast_signed(), "{oom:#}");
    let largest = &kill["holders"][0];
    assert_eq!(text(largest, "cgroup"), OUTSIDE, "{oom:#}");
    assert!(number(largest, "held_bytes") >= HELD, "{oom:#}");
    let total = number(&kill["node"], "total_bytes");
    assert!(number(&kill["node"], "available_bytes") < total / 2, "{oom:#}");
    say(&format!("{kill}"));
}

/// That whoever left is of the pod, and nobody else was killed.
fn check_others(lines: &Lines, init: u32) {
    assert_eq!(lines.findings("oom").len(), 1, "{:#?}", lines.findings("oom"));
    let left = lines.findings("left");
    assert!(!left.is_empty() && left.iter().all(|line| line["home"]["pod_uid"] == UID));
    assert!(left.iter().all(|line| line["to"] == OUTSIDE && line["pid"] != init), "{left:#?}");
}

/// A container that sees the tests' programs; if it is privileged, the node's cgroups too, by the
/// incident's mount where it would not without.
fn plan(privileged: bool) -> ContainerPlan {
    let mut plan = shell_plan("exec sleep 7919", privileged);
    plan.mounts.push(Bind::readonly(PROGRAMS));
    if privileged && Layout::here().is_ok_and(|layout| layout != Layout::V2) {
        plan.mounts.push(Bind::readonly("/sys/fs/cgroup"));
    }
    plan
}

/// Has a process in the container do as these words tell it, after what `before` does to the
/// shell that starts it; the processes that were in the container before.
fn hold(container: &Container, before: &str, words: &str) -> Vec<Process> {
    let known = Process::of(container.pid()).expect("it runs").namesakes();
    let own = std::env::current_exe().expect("the binary has a path");
    let line = format!("{before} {words} | TRUANT_TEST_CHILD=1 {}", own.display());
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

/// Memory of the node that nobody gets until this is dropped: a pool of huge pages, which takes
/// less time than to have processes touch as much.
struct Reserved;

const POOL: &str = "/proc/sys/vm/nr_hugepages";

impl Reserved {
    fn all_but(left: u64) -> Self {
        let reserved = Self;
        fs::write("/proc/sys/vm/drop_caches", "3").expect("caches can be dropped");
        let pages = available().saturating_sub(left) >> 21;
        fs::write(POOL, pages.to_string()).expect("huge pages can be had");
        let available = available();
        say(&format!("{pages} huge pages wanted, {available} bytes left"));
        assert!(available < TOO_MUCH, "{available} bytes are left");
        reserved
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let _ = fs::write(POOL, "0");
    }
}

/// Processes that do nothing until this is dropped. What the kernel takes from them to the last it
/// would have to read again, and again, and an emulated node would take minutes to give up.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn all(comms: &[&str]) -> Self {
        let all = Process::all().into_iter();
        let all = all.filter(|it| comms.iter().any(|comm| it.comm == *comm));
        let pids = all.filter_map(|it| Pid::from_raw(it.pid.cast_signed())).collect();
        let stopped = Self(pids);
        stopped.send(Signal::STOP);
        stopped
    }

    fn send(&self, signal: Signal) {
        for pid in &self.0 {
            let _ = kill_process(*pid, signal);
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.send(Signal::CONT);
    }
}

fn available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("it is there");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.expect("a number") << 10
}
