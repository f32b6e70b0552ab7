//! Quiet life: pods of all classes come and go, and nothing is found.

use truant_tests::{
    Ran, Watch,
    cri::Cri,
    engines::{self, Driver, Layout, containerd, run},
    lines::text,
    procs::Process,
    say,
};

use super::scene::{pod_plan, shell_plan};

/// The classes of service as cgroups have them; the guaranteed pods' is none.
const CLASSES: [&str; 3] = ["", "burstable", "besteffort"];

/// Containers of each class. An emulated guest takes seconds for each, where a node takes a few
/// hundred milliseconds; `TRUANT_QUIET` asks for more.
const EACH: usize = 6;

/// What truant may grow by between the first class and the last, in bytes.
const GROWTH: u64 = 4 << 20;

pub(super) fn containers_come_and_go() -> Ran {
    engines::on(&["bullseye", "bookworm", "trixie"], &[Layout::V1, Layout::Hybrid, Layout::V2])?;
    let asked = std::env::var("TRUANT_QUIET").ok().and_then(|count| count.parse().ok());
    let each = asked.unwrap_or(EACH);
    let driver = Driver::Systemd;
    let cri = containerd(driver);
    let watch = Watch::start(&[]);
    let mut ids = Vec::new();
    let mut resident = Vec::new();
    for (number, class) in CLASSES.iter().enumerate() {
        ids.extend(pods(&cri, driver, class, number, each));
        run("systemctl", ["daemon-reload"]);
        resident.push(Process::of(watch.pid()).expect("truant runs").resident());
    }
    let lines = watch.stop();
    lines.assert_no_finding();
    lines.assert_status_of_a_busy_node(0);
    for (uid, id) in &ids {
        let of_it = |line: &&serde_json::Value| line["container"]["container_id"] == **id;
        let charges = lines.of("charges");
        let charges = charges.into_iter().find(of_it).unwrap_or_else(|| panic!("no {id}"));
        assert_eq!(text(&charges["container"], "pod_uid"), uid, "{charges:#}");
    }
    say(&format!("{} containers; resident, in bytes: {resident:?}", ids.len()));
    assert!(resident[2] < resident[0] + GROWTH, "{resident:?}");
    Ok(())
}

/// Starts containers of one class one after the other, runs a command in each, and removes it; the
/// uids of the pods and the ids of the containers.
fn pods(
    cri: &Cri,
    driver: Driver,
    class: &str,
    number: usize,
    count: usize,
) -> Vec<(String, String)> {
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
