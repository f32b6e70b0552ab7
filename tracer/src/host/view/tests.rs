//! What containers see, on made trees and of this process.

use proptest::prelude::*;
use rustix::thread::capability_is_in_bounding_set;

use super::*;
use crate::{
    captures::{Capture, without_ids},
    host::testing::Tree,
};

/// The incident: a read-only tmpfs, below which the node's own hierarchies can be written to.
const LEAKY: &str = "\
1300 1200 0:99 / / rw - overlay overlay rw\n\
1301 1300 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw,mode=755\n\
1302 1301 0:38 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n\
1303 1301 0:32 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n\
1304 1301 0:33 /docker/1 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
1305 1301 0:37 /../.. /sys/fs/cgroup/systemd rw - cgroup cgroup ro,xattr,name=systemd\n\
1306 1301 0:40 / /sys/fs/cgroup/elsewhere rw - cgroup cgroup rw,name=elsewhere\n";

fn hierarchies() -> Vec<Hierarchy> {
    let names = ["", "memory", "cpu,cpuacct", "name=systemd"];
    let one = |(id, name): (u32, &str)| Hierarchy {
        id: HierarchyId(id),
        name: name.into(),
        controllers: vec![],
    };
    (0..).zip(names).map(one).collect()
}

fn tree(mountinfo: &str) -> Tree {
    Tree::new().file("proc/50/mountinfo", mountinfo)
}

/// The mounts as `hierarchy root at writable`.
#[track_caller]
fn check(mountinfo: &str, expected: &[&str]) {
    let view = tree(mountinfo).host().view(50, &hierarchies(), &[]).unwrap();
    let show = |mount: &CgroupMount| {
        let [root, at] = [&mount.root, &mount.at].map(|path| String::from_utf8_lossy(path));
        format!("{} {root} {at} {}", mount.hierarchy.0, if mount.writable { "rw" } else { "ro" })
    };
    assert_eq!(view.mounts.iter().map(show).collect::<Vec<_>>(), expected);
}

#[test]
fn writable_mounts_below_a_read_only_one() {
    check(
        LEAKY,
        &[
            "0 / /sys/fs/cgroup/unified rw",
            "1 / /sys/fs/cgroup/memory rw",
            "2 /docker/1 /sys/fs/cgroup/cpu,cpuacct ro",
            "3 /../.. /sys/fs/cgroup/systemd ro",
        ],
    );
}

#[test]
fn what_is_covered_is_not_seen() {
    let over = "1310 1303 0:32 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let lines: Vec<_> = LEAKY.lines().filter(|line| line.contains("/memory")).collect();
    check(&format!("{}\n{over}", lines[0]), &["1 /docker/1 /sys/fs/cgroup/memory ro"]);
    let emptied = "1311 1301 0:50 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n";
    check(&format!("{LEAKY}{emptied}"), &[]);
}

#[test]
fn the_same_cgroup_is_told_once_for_each_right() {
    let mounts = "\
        2 1 0:32 / /a ro - cgroup cgroup rw,memory\n3 1 0:32 / /b rw - cgroup cgroup rw,memory\n\
        4 1 0:32 / /c rw - cgroup cgroup rw,memory\n5 1 0:32 /x /d rw - cgroup cgroup rw,memory\n";
    check(mounts, &["1 / /a ro", "1 / /b rw", "1 /x /d rw"]);
}

#[test]
fn who_is_kept_in_a_namespace() {
    let fenced = |tree: Tree| {
        let view = tree.host().view(50, &hierarchies(), &[]).unwrap();
        view.mounts.iter().map(|mount| mount.is_fenced).collect::<Vec<_>>()
    };
    let within = |tree: Tree| tree.link("proc/50/ns/cgroup", "cgroup:[4026532500]");
    assert_eq!(fenced(within(tree(LEAKY))), [true, false, false, false], "v2 alone has it");
    assert_eq!(fenced(within(tree(&LEAKY.replace(",nsdelegate", "")))), [false; 4]);
    assert_eq!(fenced(tree(LEAKY)), [false; 4], "its namespace is not known");
    let host = tree(LEAKY).link("proc/50/ns/cgroup", "cgroup:[4026531835]");
    assert_eq!(fenced(host), [false; 4]);
}

#[test]
fn a_container_with_its_own_namespaces() {
    let tree = tree("")
        .link("proc/50/ns/cgroup", "cgroup:[4026532500]")
        .link("proc/50/ns/user", "user:[4026531837]")
        .link("proc/50/ns/pid", "pid:[4026532501]")
        .link("proc/1/ns/cgroup", "cgroup:[4026531835]")
        .file("proc/50/status", "Name:\tx\nNSpid:\t50\t9\nCapBnd:\t00000000a80425fb\n")
        .link("proc/40/ns/pid", "pid:[4026532999]")
        .file("proc/40/status", "NSpid:\t40\t1\n")
        .file("proc/40/comm", "stranger\n")
        .link("proc/41/ns/pid", "pid:[4026532501]")
        .file("proc/41/status", "NSpid:\t41\t1\n")
        .file("proc/41/comm", "systemd\n");
    let expected = View {
        pid: 50,
        init: Some(Comm::new(b"systemd")),
        host_cgroups: Some(false),
        may_mount: Some(false),
        host_users: Some(true),
        mounts: vec![],
    };
    assert_eq!(tree.host().view(50, &[], &[50, 99, 40, 41]).unwrap(), expected);
    let unknown = View { init: None, ..expected };
    assert_eq!(tree.host().view(50, &[], &[40]).unwrap(), unknown);
}

#[test]
fn a_privileged_one_with_the_nodes_namespaces() {
    let tree = tree("")
        .link("proc/50/ns/cgroup", "cgroup:[4026532500]")
        .link("proc/1/ns/cgroup", "cgroup:[4026532500]")
        .link("proc/50/ns/user", "user:[4026532600]")
        .link("proc/50/ns/pid", "pid:[4026531836]")
        .file("proc/50/status", "NSpid:\t1\nCapBnd:\t000001ffffffffff\n")
        .file("proc/50/comm", "x\n");
    let view = tree.host().view(50, &[], &[]).unwrap();
    assert_eq!((view.host_cgroups, view.host_users), (Some(true), Some(false)));
    assert_eq!((view.may_mount, view.init), (Some(true), None));
}

/// What a process of a real node sees: the name of its namespace's process 1, then what it may,
/// then the mounts as `hierarchy root at`, with `rw` and `fenced` where they are.
#[track_caller]
fn check_process(capture: &Capture, role: &str, may: &str, expected: &[&str]) {
    let host = capture.host();
    let hierarchies = host.hierarchies().unwrap().list;
    // A child is told of by its container's first process.
    let peers = [capture.pid("init")];
    let view = host.view(capture.pid(role), &hierarchies, &peers).unwrap();
    let init = view.init.unwrap();
    let rights = [
        ("is in the host's cgroup namespace", view.host_cgroups),
        ("may mount", view.may_mount),
        ("is the host's root", view.host_users),
    ];
    let rights = rights.iter().filter(|(_, has)| has.unwrap()).map(|(right, _)| *right);
    let said: Vec<_> =
        std::iter::once(str::from_utf8(init.as_bytes()).unwrap()).chain(rights).collect();
    assert_eq!(said.join(", "), may, "{role}");
    let show = |mount: &CgroupMount| {
        let hierarchy = hierarchies.iter().find(|it| it.id == mount.hierarchy).unwrap();
        let [root, at] = [&mount.root, &mount.at].map(|path| String::from_utf8_lossy(path));
        let writable = if mount.writable { " rw" } else { "" };
        let fenced = if mount.is_fenced { " fenced" } else { "" };
        without_ids(&format!("{} {root} {at}{writable}{fenced}", hierarchy.name))
    };
    // Each boot mounts them in another order.
    let mut mounts: Vec<_> = view.mounts.iter().map(show).collect();
    mounts.sort();
    assert_eq!(mounts, expected, "{role}");
}

#[test]
fn processes_of_dockers_incident() {
    let node = Capture::incident();
    let expected = [
        "blkio / /sys/fs/cgroup/blkio rw",
        "cpu,cpuacct / /sys/fs/cgroup/cpu,cpuacct rw",
        "cpuset / /sys/fs/cgroup/cpuset rw",
        "devices / /sys/fs/cgroup/devices rw",
        "freezer / /sys/fs/cgroup/freezer rw",
        "hugetlb / /sys/fs/cgroup/hugetlb rw",
        "memory / /sys/fs/cgroup/memory rw",
        "misc / /sys/fs/cgroup/misc rw",
        "name=systemd / /sys/fs/cgroup/systemd rw",
        "net_cls,net_prio / /sys/fs/cgroup/net_cls,net_prio rw",
        "perf_event / /sys/fs/cgroup/perf_event rw",
        "pids / /sys/fs/cgroup/pids rw",
        "rdma / /sys/fs/cgroup/rdma rw",
    ];
    for role in ["init", "service", "executed"] {
        check_process(&node, role, "systemd, may mount, is the host's root", &expected);
    }
}

#[test]
fn processes_of_pods_on_v2() {
    let pod = "/kubepods.slice/kubepods-burstable.slice/\
        kubepods-burstable-pod5f3a9c1e_0b7d_4c55_9a42_d3e8f1b2c6a7.slice";
    let own = format!(" {pod}/cri-containerd-ID.scope /sys/fs/cgroup");
    let builder = " /system.slice/docker-ID.scope /sys/fs/cgroup rw";
    for (node, fenced) in [(Capture::pods(), " fenced"), (Capture::unfenced(), "")] {
        for role in ["init", "child", "executed"] {
            check_process(&node, role, "sh, is the host's root", &[&format!("{own}{fenced}")]);
        }
        let may = "sleep, may mount, is the host's root";
        check_process(&node, "builder", may, &[&format!("{builder}{fenced}")]);
    }
    let all = "sh, is in the host's cgroup namespace, may mount, is the host's root";
    check_process(&Capture::unfenced(), "agent", all, &[" / /sys/fs/cgroup rw"]);
}

#[test]
fn what_cannot_be_read_is_not_known() {
    let view = tree("nonsense").host().view(50, &hierarchies(), &[]).unwrap();
    assert_eq!(view, View { pid: 50, ..View::default() });
    let gone = tree("").host().view(51, &hierarchies(), &[]).unwrap_err();
    assert!(gone.is_gone() && gone.to_string().contains("proc/51"), "{gone}");
    let many = "x".repeat(MOUNTINFO + 1);
    assert!(tree(&many).host().view(50, &[], &[]).is_err(), "none of it is taken for all of it");
    let unread = Tree::new().dir("proc/50/mountinfo").host().view(50, &[], &[]).unwrap_err();
    assert!(!unread.is_gone(), "{unread}");
}

#[test]
fn this_process_sees_what_the_kernel_says_it_may() {
    let host = Host::live();
    let hierarchies = host.hierarchies().unwrap().list;
    let view = host.view(std::process::id(), &hierarchies, &[]).unwrap();
    let bound = capability_is_in_bounding_set(CapabilitySet::SYS_ADMIN);
    assert_eq!(view.may_mount, Some(bound.unwrap()));
    assert!(view.host_cgroups.is_some() && view.host_users.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_survived(
        bytes in any::<Vec<u8>>(), name in any::<Vec<u8>>(), bits: u64, numbers in "[0-9\t ]{0,20}"
    ) {
        let status = [b"NSpid:".as_slice(), &bytes, b"\nCapBnd:\t", &bytes].concat();
        prop_assert!(own_number(&status).is_none() || !bytes.is_empty());
        prop_assert!(bounding(&status).is_none() || !bytes.is_empty());
        let status = format!("NSpid:\t{numbers}\nCapBnd:\t{bits:016x}\n");
        let last = numbers.split_ascii_whitespace().next_back();
        prop_assert_eq!(own_number(status.as_bytes()), last.and_then(|last| last.parse().ok()));
        prop_assert_eq!(bounding(status.as_bytes()).map(|set| set.bits()), Some(bits));
        let tree = tree("").file("proc/50/status", &bytes).file("proc/50/comm", &name);
        prop_assert!(tree.host().view(50, &[], &[50]).is_ok());
    }
}
