//! The incident: systemd in a container moves itself and its services out of the pod, with truant
//! started before it and started after it. By containerd as a kubelet uses it, in hybrid mode, and
//! by Docker on v1.

use std::{collections::BTreeMap, thread, time::Duration};

use serde_json::Value;
use truant_tests::{
    Lines, Ran, Watch,
    cri::{Bind, ContainerPlan, PodPlan},
    engines::{self, Driver, Layout, SYSTEMD, TREE_READ_ONLY, containerd, docker, until},
    lines::{by_hierarchy, number, text},
    procs::{Process, held},
    say, watch,
};

const UID: &str = "5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7";

/// The container's limit.
const LIMIT: u64 = 512 << 20;

/// What the service in the container holds.
const LEAK: u64 = 200 << 20;

/// What figures of a cgroup may differ by that were read one after the other.
const NEAR: u64 = 2 << 20;

/// What should be said of a container that leaked, whatever runs it.
struct Suspect {
    id: String,
    pid: u32,
    /// Pod, namespace and container, where the runtime has them.
    names: [Option<&'static str>; 3],
    /// The memory cgroup of the container, of its first process and of its service.
    inside: String,
    /// Where its first process may be, on its way and in the end.
    init: &'static [&'static str],
    service: &'static str,
}

pub(super) fn by_cri() -> Ran {
    engines::on(&["bullseye"], &[Layout::Hybrid])?;
    investigate_pod(ContainerPlan { privileged: true, ..ContainerPlan::default() });
    Ok(())
}

/// It takes no more than this of what a privileged container may do.
pub(super) fn with_sys_admin_alone() -> Ran {
    engines::on(&["bullseye"], &[Layout::Hybrid])?;
    let capabilities = vec!["SYS_ADMIN".to_owned()];
    investigate_pod(ContainerPlan { capabilities, ..ContainerPlan::default() });
    Ok(())
}

/// A pod as a kubelet asks for it, with what its container may do.
fn investigate_pod(rights: ContainerPlan) {
    let cri = containerd(Driver::Cgroupfs);
    let watch = Watch::start(&[]);
    let pod = cri.run_pod(PodPlan {
        name: "dev-env".to_owned(),
        namespace: "team-a".to_owned(),
        uid: UID.to_owned(),
        cgroup_parent: engines::cgroup_parent(Driver::Cgroupfs, "burstable", UID),
        labels: [("app".to_owned(), "dev".to_owned())].into(),
        privileged: rights.privileged,
        host_pid: false,
    });
    let pod = pod.expect("a sandbox runs");
    let container = pod.start(&ContainerPlan {
        name: "workspace".to_owned(),
        image: SYSTEMD.to_owned(),
        mounts: vec![Bind::readonly("/sys/fs/cgroup")],
        memory_limit: LIMIT.cast_signed(),
        ..rights
    });
    let container = container.expect("a container starts");
    let suspect = Suspect {
        pid: container.pid(),
        names: [Some("dev-env"), Some("team-a"), Some("workspace")],
        inside: format!("/kubepods/burstable/pod{UID}/{}", container.id),
        id: container.id.clone(),
        init: &["/", "/system.slice/containerd.service"],
        service: "/system.slice/containerd.service/system.slice/leaky.service",
    };
    thread::spawn(move || container.exec(&["sleep", "7919"]));
    suspect.investigate(watch);
}

pub(super) fn by_docker() -> Ran {
    engines::on(&["bookworm"], &[Layout::V1])?;
    let docker = docker(Driver::Cgroupfs);
    let watch = Watch::start(&[]);
    let options = ["--name=workspace", "--cgroupns=private", TREE_READ_ONLY];
    let container = docker.run_systemd(UID, &options);
    let suspect = Suspect {
        pid: container.pid(),
        names: [None, None, Some("workspace")],
        inside: format!("/kubepods/burstable/pod{UID}/{}", container.id),
        id: container.id.clone(),
        init: &["/", "/init.scope"],
        service: "/system.slice/leaky.service",
    };
    container.exec_detached(&["sleep", "7919"]);
    suspect.investigate(watch);
    Ok(())
}

impl Suspect {
    /// Sees it happen by the node's own files, and holds both runs against them.
    fn investigate(&self, watch: Watch) {
        let worker = until("the service holds its memory outside", || self.worker());
        let innocent = until("a command runs in the container", || self.executed());
        let init = Process::of(self.pid).expect("it runs");
        assert!(self.init.contains(&init.memory_cgroup()), "{init:?}");
        assert_eq!(innocent.memory_cgroup(), self.inside);
        say(&format!("{worker:?}"));
        assert!(
            watch.wait_for(|line| self.is_left(line) || self.is_left(&line["finding"])),
            "the container's systemd is seen leaving: {:#?}",
            watch.so_far(),
        );
        // Whatever else it would say, it may say by then.
        thread::sleep(Duration::from_secs(2));
        self.check_before(&watch.stop(), &innocent);
        let init = Process::of(self.pid).expect("it runs");
        let usage = || held(self.service).expect("the cgroup has a figure");
        let before = usage();
        let lines = watch::output(["audit", "--output", "json"]);
        let usage = (before.min(usage()), before.max(usage()));
        self.check_after(&lines, &[&init, &worker], &innocent, usage);
    }

    /// The process that holds the service's memory, once it does.
    fn worker(&self) -> Option<Process> {
        let all = Process::of(self.pid)?.namesakes();
        let holds = |it: &Process| it.memory_cgroup() == self.service && it.resident() >= LEAK;
        all.into_iter().find(holds)
    }

    fn executed(&self) -> Option<Process> {
        let all = Process::of(self.pid)?.namesakes();
        all.into_iter().find(|it| it.comm == "sleep" && it.memory_cgroup() == self.inside)
    }

    fn is_memory(line: &Value, pid: u32) -> bool {
        let hierarchy = line["hierarchy"].as_str().unwrap_or_default();
        line["pid"] == pid && hierarchy.split(',').any(|it| it == "memory")
    }

    /// Whether this says that its systemd left the hierarchy of the memory controller.
    fn is_left(&self, finding: &Value) -> bool {
        finding["kind"] == "left" && Self::is_memory(finding, self.pid)
    }

    /// What a run said that was there before.
    fn check_before(&self, lines: &Lines, innocent: &Process) {
        let left = lines.latest("left").into_iter().filter(|line| line["pid"] == self.pid);
        let left: Vec<_> = left.collect();
        // Once, though it leaves four hierarchies and more.
        assert_eq!(left.len(), 1, "{:#?}", lines.of("finding"));
        let left = left[0];
        assert!(self.is_left(left) && by_hierarchy(left).len() > 1, "{left:#}");
        say(&format!("left: {}", lines.findings("left").len()));
        // Its services leave hierarchies of their own, or are born to it where it is.
        let outside: BTreeMap<u64, i64> = lines
            .of("update")
            .into_iter()
            .filter(|it| it["finding"]["home"]["container_id"] == *self.id)
            .map(|it| (number(&it["finding"], "pid"), it["outside_net_bytes"].as_i64()))
            .map(|(pid, net)| (pid, net.expect("a number")))
            .collect();
        let outside: i64 = outside.values().sum();
        assert!(outside >= LEAK.cast_signed(), "{outside}");
        assert_eq!(text(left, "from"), self.inside);
        // It may move on from there.
        assert!(self.init.contains(&text(left, "to")), "{left:#}");
        assert_eq!(left["mover"]["pid"], self.pid, "{left:#}");
        self.check_home(left);
        Self::check_limits(left);
        let of_innocent = |line: &&Value| line["pid"] == innocent.pid;
        let wrong: Vec<_> = lines.of("finding").into_iter().filter(of_innocent).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        lines.assert_status_of_a_busy_node(1);
    }

    /// What an audit said that came afterwards; `usage` is what the service's cgroup held
    /// meanwhile, at least and at most.
    fn check_after(
        &self,
        lines: &Lines,
        strays: &[&Process; 2],
        innocent: &Process,
        usage: (u64, u64),
    ) {
        let out = lines.findings("already_out");
        let of = |pid: u32| {
            let found = out.iter().find(|line| Self::is_memory(line, pid)).copied();
            found.unwrap_or_else(|| panic!("{pid} is out: {out:#?}"))
        };
        for stray in strays {
            let line = of(stray.pid);
            assert_eq!(text(line, "to"), stray.memory_cgroup());
            assert_eq!(text(line, "from"), self.inside);
            self.check_home(line);
            Self::check_limits(line);
        }
        let worker = of(strays[1].pid);
        assert!(number(worker, "resident_bytes") > LEAK - NEAR, "{worker:#}");
        assert!(out.iter().all(|line| line["pid"] != innocent.pid), "{out:#?}");
        let exposed = lines.findings("exposed");
        let exposed = exposed.into_iter().find(|line| line["home"]["container_id"] == *self.id);
        let exposed = exposed.unwrap_or_else(|| panic!("it could get out: {:#?}", lines.lines));
        assert_eq!(exposed["exposure"]["runs_systemd"], true);
        self.check_books(lines.of("audit").first().expect("an audit"), usage);
        lines.assert_status(1);
    }

    fn check_books(&self, audit: &Value, usage: (u64, u64)) {
        let pods = audit["pods"].as_array().expect("a list");
        assert_eq!(pods.len(), 1, "{audit:#}");
        let cgroups = pods[0]["cgroups"].as_array().expect("a list");
        let held = cgroups.iter().find(|it| it["path"] == self.service);
        let held = number(held.unwrap_or_else(|| panic!("{audit:#}")), "held_bytes");
        let (least, most) = usage;
        assert!((least - NEAR..=most + NEAR).contains(&held), "{held}, but {usage:?}: {audit:#}");
        say(&format!("{held} bytes outside, {least} to {most} by its own file"));
        assert!(number(&audit["books"], "outside_bytes") >= held, "{audit:#}");
        assert_eq!(audit["mismatch"]["root"], "/kubepods", "{audit:#}");
        assert_eq!(audit["unseen"], serde_json::json!([]));
    }

    fn check_home(&self, line: &Value) {
        let home = &line["home"];
        assert_eq!(home["pod_uid"], UID, "{line:#}");
        assert_eq!(home["container_id"], *self.id, "{line:#}");
        for (field, name) in ["pod", "namespace", "container"].iter().zip(self.names) {
            assert_eq!(home[field], serde_json::json!(name), "{line:#}");
        }
        assert_eq!(home["sure"], true, "{line:#}");
    }

    fn check_limits(line: &Value) {
        assert_eq!(line["limits"]["before"]["memory_bytes"], LIMIT, "{line:#}");
        assert_eq!(line["limits"]["after"]["memory_bytes"], "unlimited", "{line:#}");
    }
}
