//! Audits: of a node where all is well, of the incident, of a busy node, of forged names, and of a
//! node of which nothing is known.

use truant_core::{
    ids::{BootTime, Comm, HierarchyId, Task},
    input::{CgroupMount, Limit, RuntimeFacts, Unseen},
    path::Container,
    report::{
        Audit, Books, Dead, Exposure, Finding, FindingKind, Home, LimitChange, Limits, Mismatch,
        Names, Place, Strays, Witness,
    },
};

use super::{AT, CGROUPFS, POD, SYSTEMD, finding, place};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The cgroup of a stray service on the host.
pub(in super::super) const LEAKY: &str = "/system.slice/leaky.service";

/// Whose tasks the samples are about: the container at [`CGROUPFS`].
pub(in super::super) fn home() -> Home {
    named("default", "dev-env", "main")
}

fn named(namespace: &str, pod: &str, container: &str) -> Home {
    let text = |text: &str| Some(text.to_owned());
    Home {
        names: Some(Names {
            pod: text(pod),
            namespace: text(namespace),
            container: text(container),
            image: text("docker.io/library/dev:1"),
            labels: vec![("app".to_owned(), pod.to_owned())],
        }),
        ..nameless(POD)
    }
}

/// A home of which only the ids are known.
pub(in super::super) fn nameless(pod: &str) -> Home {
    Home {
        container: Container {
            pod_uid: Some(pod.to_owned()),
            container_id: Some("9f8e7d6c5b4a39281706f5e4d3c2b1a0".repeat(2)),
        },
        names: None,
        witnesses: vec![Witness::OtherHierarchy, Witness::Runtime, Witness::PidNamespace],
        is_sure: true,
    }
}

/// What the pod may have, and what holds outside.
pub(in super::super) fn limits() -> LimitChange {
    LimitChange {
        before: Limits {
            memory: Some(Limit::Of(512 * MIB)),
            pids: Some(Limit::Of(100)),
            cpu: Some(Limit::Of(500)),
        },
        after: Limits {
            memory: Some(Limit::Unlimited),
            pids: Some(Limit::Unlimited),
            cpu: Some(Limit::Of(500)),
        },
    }
}

fn stray(pid: u32, comm: &str, to: (u64, &str), resident: Option<u64>) -> Finding {
    let start = BootTime(11_000_000_000 + u64::from(pid) * 1_000_000);
    Finding {
        task: Task { tid: pid, tgid: pid, start, comm: Comm::new(comm.as_bytes()) },
        to: place(to.0, to.1.as_bytes()),
        mover: None,
        home: Some(Box::new(home())),
        limits: Some(limits()),
        resident,
        ..finding(FindingKind::AlreadyOut, b"", CGROUPFS.as_bytes(), b"")
    }
}

fn runtime() -> RuntimeFacts {
    RuntimeFacts {
        name: "containerd".to_owned(),
        version: "1.4.13~ds1".to_owned(),
        socket: "/run/containerd/containerd.sock".to_owned(),
        cgroup_driver: Some("cgroupfs".to_owned()),
        trouble: None,
    }
}

fn exposure(home: Home) -> Exposure {
    let mount = |name: &str, writable| {
        let at = format!("/sys/fs/cgroup/{name}").into_bytes().into();
        let mount = CgroupMount {
            hierarchy: HierarchyId(4),
            root: (*b"/").into(),
            at,
            writable,
            is_fenced: false,
        };
        (name.to_owned(), mount)
    };
    Exposure {
        home,
        task: Task { tid: 1200, tgid: 1200, start: BootTime(7), comm: Comm::new(b"systemd") },
        mounts: ["memory", "pids", "devices"].map(|name| mount(name, true)).into(),
        host_cgroups: Some(false),
        may_mount: Some(true),
        runs_systemd: true,
    }
}

/// Nobody is out, nobody could get out, and all was seen.
pub(in super::super) fn nobody() -> Audit {
    let books = Books { used: 3 * GIB, total: 64 * GIB, guarded: 2 * GIB, outside: 0 };
    Audit { at: AT, runtimes: vec![runtime()], books: Some(books), ..Audit::default() }
}

/// A container in a cgroup namespace of its own, on a node where that is no fence.
pub(in super::super) fn unfenced() -> Audit {
    let mut exposure = exposure(named("default", "other", "x"));
    exposure.mounts.truncate(1);
    for (name, mount) in &mut exposure.mounts {
        *name = "v2".to_owned();
        mount.hierarchy = HierarchyId::V2;
        mount.at = (*b"/sys/fs/cgroup").into();
    }
    Audit { exposed: vec![Exposure { runs_systemd: false, ..exposure }], ..nobody() }
}

/// What the engineers of the incident should have seen.
pub(in super::super) fn incident() -> Audit {
    let leaky = (31, LEAKY);
    let processes = vec![
        stray(1234, "stress-ng-vm", leaky, Some(205 * MIB)),
        stray(1230, "stress-ng", leaky, Some(1_258_291)),
        stray(1200, "systemd", (32, "/init.scope"), Some(9 * MIB)),
    ];
    let held = |to: (u64, &str), bytes| (place(to.0, to.1.as_bytes()), Some(bytes));
    let pod = Strays {
        home: home(),
        processes,
        cgroups: vec![held(leaky, 216_965_120), held((32, "/init.scope"), 10_000_000)],
        inside: Some(14_889_779),
    };
    let books =
        Books { used: 36_000_000_000, total: 64 * GIB, guarded: 14 * GIB, outside: 226_965_120 };
    Audit {
        pods: vec![pod],
        exposed: vec![exposure(home()), exposure(other("other", "x"))],
        mismatch: Some(Mismatch {
            root: (*b"/kubepods").into(),
            runtime: Some("containerd".to_owned()),
            systemd: vec![home(), other("other", "x")],
        }),
        dead: vec![Dead {
            place: place(40, b"/kubepods/burstable"),
            bytes: 34_707_865,
            count: Some(4),
        }],
        books: Some(books),
        ..nobody()
    }
}

fn other(pod: &str, container: &str) -> Home {
    let mut home = named("default", pod, container);
    home.container.pod_uid = Some(pod.to_owned());
    home
}

/// Two pods are out with many processes, of two more processes nobody knows whose they are, and a
/// part of the node could not be seen.
#[expect(clippy::too_many_lines, reason = "one value, with all its fields")]
pub(in super::super) fn busy() -> Audit {
    let many = (0..20).map(|at| stray(2000 + at, "worker", (33, "/"), Some(MIB << (at % 4))));
    let second = Strays {
        home: nameless("7b2e9d10-7d2e-4b1c-9a55-1c2d3e4f5a6b"),
        processes: many.map(from_systemd).collect(),
        cgroups: vec![(place(33, b"/"), Some(36_000_000_000))],
        inside: None,
    };
    let unsure = |pid, witnesses: &[Witness]| {
        let mut stray = stray(pid, "tmux: server", (34, "/user.slice"), None);
        let home = Home { witnesses: witnesses.to_vec(), is_sure: false, ..home() };
        stray.home = Some(Box::new(home));
        stray
    };
    let mut docker = named("", "", "web");
    docker.container.pod_uid = None;
    docker.names = docker.names.map(|names| Names { pod: None, namespace: None, ..names });
    let unseen = |what: &str, why: &str, mend: Option<&str>| Unseen {
        what: what.to_owned(),
        why: why.to_owned(),
        mend: mend.map(str::to_owned),
    };
    let without = Exposure { mounts: vec![], host_cgroups: Some(true), ..exposure(docker) };
    let mut audit = incident();
    audit.pods.push(second);
    audit.unsure = vec![
        unsure(3001, &[Witness::Parent, Witness::Ancestry]),
        unsure(3002, &[Witness::NetNamespace]),
    ];
    audit.exposed.push(Exposure { runs_systemd: false, may_mount: None, ..without });
    audit.unseen = vec![
        unseen(
            "what the containers of docker are called",
            "/run/docker.sock could not be opened: permission denied",
            Some("start truant as root, or name the socket with --runtime-socket"),
        ),
        unseen("the mounts of process 4711", "it is in a user namespace of its own", None),
    ];
    audit.runtimes.push(RuntimeFacts {
        socket: "/run/docker.sock".to_owned(),
        trouble: Some("permission denied".to_owned()),
        ..RuntimeFacts::default()
    });
    audit
}

fn from_systemd(stray: Finding) -> Finding {
    let home = nameless("7b2e9d10-7d2e-4b1c-9a55-1c2d3e4f5a6b");
    let lost = Limits { cpu: None, ..limits().after };
    let limits = LimitChange { before: Limits::default(), after: lost };
    let from = place(11, SYSTEMD.as_bytes());
    Finding { home: Some(Box::new(home)), limits: Some(limits), from, ..stray }
}

/// The incident, with `name` wherever somebody else chooses a name, and every figure as wide as it
/// can be.
#[expect(clippy::too_many_lines, reason = "one value, with all its fields")]
pub(in super::super) fn hostile(name: &[u8]) -> Audit {
    let text = String::from_utf8_lossy(&name.repeat(253)).into_owned();
    let some = || Some(text.clone());
    let mut home = named(&text, &text, &text);
    home.container = Container { pod_uid: some(), container_id: some() };
    home.witnesses = WITNESSES.to_vec();
    let wide = place(u64::MAX, &name.repeat(253));
    let all = Limits {
        memory: Some(Limit::Of(u64::MAX)),
        pids: Some(Limit::Of(u64::MAX)),
        cpu: Some(Limit::Of(u64::MAX)),
    };
    let stray = Finding {
        at: BootTime(u64::MAX),
        task: Task { tid: 1, tgid: u32::MAX, start: BootTime(u64::MAX), comm: Comm::new(name) },
        hierarchy: text.clone(),
        to: wide.clone(),
        home: Some(Box::new(home.clone())),
        limits: Some(LimitChange { before: all, after: Limits { pids: None, ..all } }),
        resident: Some(u64::MAX),
        ..stray(1, "", (1, "/"), None)
    };
    let mount = CgroupMount {
        hierarchy: HierarchyId(u32::MAX),
        root: name.repeat(253).into(),
        at: name.repeat(253).into(),
        writable: true,
        is_fenced: false,
    };
    let exposure = Exposure { mounts: vec![(text.clone(), mount); 9], ..exposure(home.clone()) };
    let unseen = Unseen { what: text.clone(), why: text.clone(), mend: some() };
    let runtime = RuntimeFacts {
        name: text.clone(),
        version: text.clone(),
        socket: text.clone(),
        cgroup_driver: some(),
        trouble: some(),
    };
    let worst = u64::MAX;
    Audit {
        at: BootTime(u64::MAX),
        runtimes: vec![runtime],
        pods: vec![Strays {
            home: home.clone(),
            processes: vec![stray.clone(); 9],
            cgroups: vec![(wide.clone(), Some(u64::MAX)), (place(2, name), None)],
            inside: Some(u64::MAX),
        }],
        unsure: vec![stray],
        exposed: vec![exposure; 3],
        mismatch: Some(Mismatch { root: name.into(), runtime: some(), systemd: vec![home; 9] }),
        dead: vec![Dead { place: wide, bytes: u64::MAX, count: Some(u64::MAX) }],
        books: Some(Books { used: worst, total: worst, guarded: worst, outside: worst }),
        unseen: vec![unseen],
    }
}

const WITNESSES: [Witness; 10] = [
    Witness::Cgroup,
    Witness::OtherHierarchy,
    Witness::Runtime,
    Witness::Parent,
    Witness::PidNamespace,
    Witness::MountNamespace,
    Witness::CgroupNamespace,
    Witness::NetNamespace,
    Witness::IpcNamespace,
    Witness::Ancestry,
];

/// Somebody is out and somebody could get out, and no more than that is known.
pub(in super::super) fn unknown() -> Audit {
    let nowhere = Place { key: None, path: None, container: None };
    let home = Home {
        container: Container { pod_uid: None, container_id: None },
        names: None,
        witnesses: vec![],
        is_sure: false,
    };
    let stray = Finding {
        task: Task { tid: 7, tgid: 7, start: BootTime(0), comm: Comm::default() },
        from: nowhere.clone(),
        to: nowhere.clone(),
        home: None,
        limits: None,
        resident: None,
        ..stray(7, "", (1, "/"), None)
    };
    Audit {
        at: AT,
        pods: vec![Strays {
            home: home.clone(),
            processes: vec![stray.clone()],
            cgroups: vec![(nowhere.clone(), None)],
            inside: None,
        }],
        unsure: vec![stray],
        exposed: vec![Exposure {
            home: Home { names: Some(Names::default()), ..home },
            task: Task { tid: 8, tgid: 8, start: BootTime(0), comm: Comm::default() },
            mounts: vec![],
            host_cgroups: None,
            may_mount: None,
            runs_systemd: false,
        }],
        mismatch: Some(Mismatch { root: Box::default(), runtime: None, systemd: vec![] }),
        dead: vec![Dead { place: nowhere, bytes: 0, count: None }],
        runtimes: vec![RuntimeFacts::default()],
        unseen: vec![Unseen::default()],
        books: None,
    }
}
