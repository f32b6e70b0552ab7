//! Quiet life: pods of all classes come and go, and nothing is found.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    sync::Mutex,
    thread::{self, ScopedJoinHandle},
    time::Instant,
};

use truant_tests::{
    Lines, Ran, Watch,
    cri::Cri,
    engines::{self, Crun, Driver, Layout, cgroup_parent, containerd, run},
    procs::Process,
    say,
};

use super::scene::{pod_plan, shell_plan};

/// The classes of service as cgroups have them; the guaranteed pods' is none.
const CLASSES: [&str; 3] = ["", "burstable", "besteffort"];

/// Containers of each class over the CRI. An emulated guest takes seconds for each, where a node
/// takes a few hundred milliseconds; `TRUANT_QUIET` asks for more.
const EACH: usize = 6;

/// Containers of each class by crun alone, which takes a fraction of that: with those above they
/// are 200 and one.
const EACH_BY_CRUN: usize = 61;

/// Containers by crun that share a pod.
const IN_A_POD: usize = 8;

/// Pods by crun at once: while one waits for systemd, the other's container starts. With a guest's
/// two processors, more of them were not faster.
const AT_ONCE: usize = 2;

/// What truant may grow by between the first class and the last, in bytes.
const GROWTH: u64 = 4 << 20;

/// The uid of a pod, and the id of a container in it.
type Home = (String, String);

pub(super) fn containers_come_and_go() -> Ran {
    engines::on(&["bullseye", "bookworm", "trixie"], &[Layout::V1, Layout::Hybrid, Layout::V2])?;
    let asked = std::env::var("TRUANT_QUIET").ok().and_then(|count| count.parse().ok());
    let each = asked.unwrap_or(EACH);
    let driver = Driver::Systemd;
    let (cri, crun) = (containerd(driver), Crun::new(driver));
    let watch = Watch::start(&[]);
    let mut homes = Vec::new();
    let mut resident = Vec::new();
    for (number, class) in CLASSES.iter().enumerate() {
        let start = Instant::now();
        homes.extend(over_cri(&cri, driver, class, number, each));
        let (over_cri, start) = (start.elapsed(), Instant::now());
        homes.extend(by_crun(&crun, driver, class, number));
        say(&format!("{class}: {over_cri:.1?} over the CRI, {:.1?} by crun", start.elapsed()));
        run("systemctl", ["daemon-reload"]);
        resident.push(Process::of(watch.pid()).expect("truant runs").resident());
    }
    let lines = watch.stop();
    lines.assert_no_finding();
    lines.assert_status_of_a_busy_node(0);
    check_homes(&lines, &homes);
    say(&format!("{} containers; resident, in bytes: {resident:?}", homes.len()));
    assert!(resident[2] < resident[0] + GROWTH, "{resident:?}");
    Ok(())
}

/// That each container is in the ledger, and in all of it with its own pod.
fn check_homes(lines: &Lines, homes: &[Home]) {
    let mut seen = BTreeMap::<_, BTreeSet<_>>::new();
    for line in lines.of("charges") {
        let home = &line["container"];
        seen.entry(home["container_id"].as_str()).or_default().insert(home["pod_uid"].as_str());
    }
    for (uid, id) in homes {
        let pods = seen.get(&Some(id.as_str())).unwrap_or_else(|| panic!("no {id}"));
        assert!(pods.iter().eq([&Some(uid.as_str())]), "{id} of {uid}: {pods:?}");
    }
}

/// Starts containers of one class one after the other, runs a command in each, and removes it.
fn over_cri(cri: &Cri, driver: Driver, class: &str, number: usize, count: usize) -> Vec<Home> {
    let uid = format!("d0d0cafe-0000-4000-8000-00000000000{number}");
    let plan = pod_plan(&format!("quiet-{number}"), &uid, driver, class);
    let pod = cri.run_pod(plan).expect("a sandbox runs");
    let ids = (0..count).map(|turn| {
        let mut plan = shell_plan("exec sleep 7919", false);
        plan.name = format!("turn-{turn}");
        let container = pod.start(&plan).expect("a container starts");
        let done = container.exec(&["/bin/sh", "-c", "sleep 0.1; echo done"]);
        assert_eq!(done.expect("a command runs").said, "done\n");
        container.stop().expect("it can be stopped");
        (uid.clone(), container.id)
    });
    let ids = ids.collect();
    pod.remove().expect("a pod can be removed");
    ids
}

/// The same without a runtime's daemon, in one pod after the other, a few of them side by side.
fn by_crun(crun: &Crun, driver: Driver, class: &str, number: usize) -> Vec<Home> {
    let turns: Vec<_> = (0..EACH_BY_CRUN).map(|turn| number * EACH_BY_CRUN + turn).collect();
    let pods = Mutex::new(turns.chunks(IN_A_POD));
    let next = || pods.lock().expect("nobody panics with it").next();
    let run = || -> Vec<Home> {
        std::iter::from_fn(next).flat_map(|turns| pod_by_crun(crun, driver, class, turns)).collect()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(run)).collect();
        let ended = threads.into_iter().map(ScopedJoinHandle::join);
        ended.flat_map(|homes| homes.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// One pod with containers of these numbers, whose slice ends with it.
fn pod_by_crun(crun: &Crun, driver: Driver, class: &str, turns: &[usize]) -> Vec<Home> {
    let uid = format!("d0d0cafe-0000-4000-9000-{:012}", turns[0]);
    let parent = cgroup_parent(driver, class, &uid);
    let homes = turns.iter().map(|turn| {
        let container = crun.start(&parent, *turn as u64, &["/bin/sleep", "7919"]);
        // The parentheses make a child, which is born inside.
        assert_eq!(container.exec(&["/bin/sh", "-c", "(true); echo done"]), "done\n");
        let id = container.id.clone();
        container.remove();
        (uid.clone(), id)
    });
    let homes = homes.collect();
    run("systemctl", ["stop", &parent]);
    homes
}
