//! Inputs that say what files and runtimes know of tasks, containers and cgroups.

use proptest::{collection::vec, option, prelude::*};

use truant_core::{
    ids::{BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{
        CgroupLimits, CgroupMount, ContainerFacts, Holding, Input, Limit, Namespaces, NodeMemory,
        RuntimeFacts, Unseen, View,
    },
};

use super::{comm, key, n32, n64, name, places, task};

/// Any input about the node.
pub(super) fn about_the_node() -> impl Strategy<Value = Input> {
    prop_oneof![
        (task(), places()).prop_map(|(task, places)| Input::Placed { task, places }),
        runtime().prop_map(|it| Input::Runtime(Box::new(it))),
        container().prop_map(|it| Input::Container(Box::new(it))),
        any::<String>().prop_map(|id| Input::ContainerGone { id }),
        view().prop_map(|it| Input::View(Box::new(it))),
        vec(limits(), 0..5).prop_map(Input::Limits),
        vec(holding(), 0..5).prop_map(Input::Held),
        vec((n32(), n64()), 0..5).prop_map(Input::Resident),
        (n64(), n64(), n64()).prop_map(|(total, free, available)| Input::NodeMemory(NodeMemory {
            total,
            free,
            available,
        })),
        any::<(String, String, Option<String>)>()
            .prop_map(|(what, why, mend)| Input::Unseen(Box::new(Unseen { what, why, mend }))),
        n64().prop_map(|at| Input::Audited { at: BootTime(at) }),
    ]
}

/// Any namespaces.
pub(super) fn namespaces() -> impl Strategy<Value = Namespaces> {
    any::<[Option<u32>; 5]>().prop_map(|[pid, mount, cgroup, net, ipc]| Namespaces {
        pid,
        mount,
        cgroup,
        net,
        ipc,
    })
}

fn runtime() -> impl Strategy<Value = RuntimeFacts> {
    any::<([String; 3], [Option<String>; 2])>().prop_map(
        |([name, version, socket], [cgroup_driver, trouble])| RuntimeFacts {
            name,
            version,
            socket,
            cgroup_driver,
            trouble,
        },
    )
}

fn container() -> impl Strategy<Value = ContainerFacts> {
    let said = any::<([String; 2], [Option<String>; 6], Option<u32>, Option<u64>)>();
    let labels = vec(any::<(String, String)>(), 0..3);
    (said, labels, option::of(name())).prop_map(|(said, labels, cgroup)| {
        let ([id, runtime], names, pid, memory_limit) = said;
        let [sandbox, pod_uid, pod, namespace, name, image] = names;
        ContainerFacts {
            id,
            sandbox,
            pod_uid,
            pod,
            namespace,
            name,
            image,
            labels,
            pid,
            cgroup,
            memory_limit,
            runtime,
        }
    })
}

fn view() -> impl Strategy<Value = View> {
    let mount = (n32(), name(), name(), any::<bool>()).prop_map(|(id, root, at, writable)| {
        CgroupMount { hierarchy: HierarchyId(id), root, at, writable, is_fenced: !writable }
    });
    (n32(), option::of(comm()), any::<[Option<bool>; 3]>(), vec(mount, 0..4)).prop_map(
        |(pid, init, [host_cgroups, may_mount, host_users], mounts)| View {
            pid,
            init,
            host_cgroups,
            may_mount,
            host_users,
            mounts,
        },
    )
}

fn limits() -> impl Strategy<Value = CgroupLimits> {
    (key(), option::of(limit()), option::of(limit()), option::of(limit()))
        .prop_map(|(key, memory, pids, cpu)| CgroupLimits { key, memory, pids, cpu })
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![Just(Limit::Unlimited), n64().prop_map(Limit::Of)]
}

fn holding() -> impl Strategy<Value = Holding> {
    (n64(), n64(), any::<[Option<u64>; 2]>()).prop_map(|(cgroup, bytes, [own, dying])| Holding {
        cgroup,
        bytes,
        own,
        dying,
    })
}

/// One of every variant about the node, and of those that say little or nothing one too.
pub(super) fn one_of_each(at: BootTime, key: CgroupKey, task: Task) -> Vec<Input> {
    let places = vec![(key.hierarchy, Box::from(*b"/a"))];
    let ends = Namespaces { pid: Some(u32::MAX), mount: Some(0), ..Namespaces::default() };
    let monitors = Some("9f8e".to_owned());
    let (namespaces, places_too) = (Some(ends), places.clone());
    let unseen = |mend: Option<&str>| {
        let (what, why) = ("the mounts of 7".to_owned(), "not permitted\u{202e}".to_owned());
        Input::Unseen(Box::new(Unseen { what, why, mend: mend.map(str::to_owned) }))
    };
    vec![
        Input::TaskSeen { task, ppid: 1, places, namespaces, monitors },
        Input::Placed { task, places: places_too },
        Input::Runtime(Box::new(one_runtime())),
        Input::Runtime(Box::default()),
        Input::Container(Box::new(one_container())),
        Input::Container(Box::default()),
        Input::ContainerGone { id: "9f8e".to_owned() },
        Input::View(Box::new(one_view(key.hierarchy))),
        Input::View(Box::default()),
        Input::Limits(vec![CgroupLimits {
            key,
            memory: Some(Limit::Of(u64::MAX)),
            pids: Some(Limit::Unlimited),
            cpu: None,
        }]),
        Input::Held(vec![
            Holding { cgroup: 11, bytes: 4096, own: Some(0), dying: Some(2) },
            Holding { cgroup: 12, bytes: u64::MAX, own: None, dying: None },
        ]),
        Input::Resident(vec![(1234, 4096), (u32::MAX, u64::MAX)]),
        Input::NodeMemory(NodeMemory { total: 4096, free: 1024, available: 2048 }),
        unseen(Some("start as root")),
        unseen(None),
        Input::Looked { at },
        Input::Audited { at },
    ]
}

fn one_runtime() -> RuntimeFacts {
    RuntimeFacts {
        name: "containerd".to_owned(),
        version: "1.4.13~ds1".to_owned(),
        socket: "/run/containerd/containerd.sock".to_owned(),
        cgroup_driver: Some("cgroupfs".to_owned()),
        trouble: Some("slow\n".to_owned()),
    }
}

fn one_container() -> ContainerFacts {
    let text = |text: &str| Some(text.to_owned());
    ContainerFacts {
        id: "9f8e".to_owned(),
        sandbox: text("1706"),
        pod_uid: text("0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b"),
        pod: text("dev-env"),
        namespace: text("default"),
        name: text("ma\u{1b}in\\"),
        image: text("docker.io/library/dev:1"),
        labels: vec![("app".to_owned(), "\u{202e}ved".to_owned())],
        pid: Some(1234),
        cgroup: Some(Box::from(*b"/a/\xff")),
        memory_limit: Some(512 << 20),
        runtime: "containerd".to_owned(),
    }
}

fn one_view(hierarchy: HierarchyId) -> View {
    let mount = |root: &[u8], writable| CgroupMount {
        hierarchy,
        root: root.into(),
        at: Box::from(*b"/sys/fs/cgroup/memory\n"),
        writable,
        is_fenced: false,
    };
    View {
        pid: 1234,
        init: Some(Comm::new(b"systemd")),
        host_cgroups: Some(false),
        may_mount: Some(true),
        host_users: None,
        mounts: vec![mount(b"/", true), mount(b"/a", false)],
    }
}
