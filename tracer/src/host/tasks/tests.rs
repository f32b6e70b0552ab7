//! The scan of tasks on made trees and on the live node.

use std::{fs, io::Write, process::Command, thread};

use rustix::param::clock_ticks_per_second;
use truant_core::{
    ids::{Comm, HierarchyId},
    input::Namespaces,
};

use super::*;
use crate::host::{stat, testing::Tree};

fn stat_line(pid: u32, comm: &str, state: &str, threads: u32) -> String {
    let start = u64::from(pid) * 10;
    format!("{pid} ({comm}) {state} 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 {threads} 0 {start} 9 9\n")
}

/// Adds a thread; the leader's files are those of the process too.
fn task(tree: Tree, [tgid, tid]: [u32; 2], state: &str, threads: u32, cgroup: &str) -> Tree {
    let stat = stat_line(tid, &format!("t{tid}"), state, threads);
    let tree = if tgid == tid {
        tree.file(&format!("proc/{tgid}/stat"), &stat).file(&format!("proc/{tgid}/cgroup"), cgroup)
    } else {
        tree
    };
    tree.file(&format!("proc/{tgid}/task/{tid}/stat"), &stat)
        .file(&format!("proc/{tgid}/task/{tid}/cgroup"), cgroup)
}

/// What is seen, as `tgid/tid comm start-in-ticks places`.
fn seen(tree: &Tree) -> (Vec<String>, TaskScan) {
    let tick = 1_000_000_000 / clock_ticks_per_second();
    let mut list = Vec::new();
    let scan = tree.host().scan_tasks(&mut |input| {
        let Input::TaskSeen { task, ppid: 1, places, .. } = input else {
            panic!("not a task: {input:?}");
        };
        let places: Vec<_> = places
            .iter()
            .map(|(hierarchy, path)| format!("{}{}", hierarchy.0, String::from_utf8_lossy(path)))
            .collect();
        let (comm, start) = (task.comm.to_string_lossy().into_owned(), task.start.0 / tick);
        list.push(format!("{}/{} {comm} {start} {}", task.tgid, task.tid, places.join(" ")));
    });
    list.sort();
    (list, scan.unwrap())
}

#[track_caller]
fn check(tree: &Tree, expected: &[&str], counts: [usize; 4]) {
    let (list, scan) = seen(tree);
    assert_eq!(list, expected);
    let [processes, threads, ended, unread] = counts;
    assert_eq!(scan, TaskScan { processes, threads, ended, unread });
}

#[test]
fn processes_with_their_places() {
    let tree = task(Tree::new(), [2, 2], "S", 1, "4:memory:/a\n0::/b\n");
    let tree = task(tree, [30, 30], "R", 1, "4:memory:/\n0::/../c d\n").file("proc/meminfo", "");
    let expected = ["2/2 t2 20 4/a 0/b", "30/30 t30 300 4/ 0/../c d"];
    check(&tree, &expected, [2, 0, 0, 0]);
}

#[test]
fn threads_only_outside_their_leaders_cgroups() {
    let tree = task(Tree::new(), [5, 5], "S", 3, "4:memory:/a\n");
    let tree = task(tree, [5, 6], "S", 3, "4:memory:/a\n");
    let tree = task(tree, [5, 7], "S", 3, "4:memory:/b\n");
    check(&tree, &["5/5 t5 50 4/a", "5/7 t7 70 4/b"], [1, 1, 0, 0]);
}

#[test]
fn the_dead_are_not_taken_to_be_in_the_root() {
    let tree = task(Tree::new(), [5, 5], "Z", 1, "4:memory:/\n");
    check(&tree, &[], [0, 0, 1, 0]);
    let tree = task(Tree::new(), [5, 5], "S", 2, "4:memory:/a\n");
    let tree = task(tree, [5, 6], "Z", 2, "4:memory:/\n");
    check(&tree, &["5/5 t5 50 4/a"], [1, 0, 1, 0]);
}

#[test]
fn a_dead_leader_is_where_its_living_threads_are() {
    let tree = task(Tree::new(), [5, 5], "Z", 2, "4:memory:/\n");
    let tree = task(tree, [5, 6], "S", 2, "4:memory:/a\n");
    check(&tree, &["5/5 t5 50 4/a"], [1, 0, 0, 0]);
}

/// What the scan says of the namespaces and of what is watched, by process.
fn marks(tree: &Tree) -> Vec<(u32, Option<Namespaces>, Option<String>)> {
    let mut list = Vec::new();
    let scan = tree.host().scan_tasks(&mut |input| {
        let Input::TaskSeen { task, namespaces, monitors, .. } = input else {
            panic!("not a task: {input:?}");
        };
        list.push((task.tid, namespaces, monitors));
    });
    assert_eq!(scan.unwrap().unread, 0);
    list.sort_by_key(|(tid, ..)| *tid);
    list
}

fn with_namespaces(tree: Tree, dir: &str, first: u32) -> Tree {
    let kinds = ["pid", "mnt", "cgroup", "net", "ipc"];
    kinds.iter().zip(first..).fold(tree, |tree, (kind, number)| {
        tree.link(&format!("proc/{dir}/ns/{kind}"), &format!("{kind}:[{number}]"))
    })
}

fn numbered(first: u32) -> Namespaces {
    let [pid, mount, cgroup, net, ipc] = [0, 1, 2, 3, 4].map(|index| Some(first + index));
    Namespaces { pid, mount, cgroup, net, ipc }
}

#[test]
fn namespaces_of_processes_alone() {
    let kernel = stat_line(2, "kthreadd", "S", 1).replace(" -1 0 ", " -1 2129984 ");
    let tree = task(Tree::new(), [5, 5], "S", 2, "4:memory:/a\n");
    let tree = task(tree, [5, 6], "S", 2, "4:memory:/b\n");
    let tree = task(tree, [8, 8], "Z", 2, "4:memory:/\n");
    let tree = task(tree, [8, 9], "S", 2, "4:memory:/a\n");
    let tree = task(tree, [11, 11], "S", 1, "4:memory:/a\n")
        .file("proc/2/stat", kernel)
        .file("proc/2/cgroup", "4:memory:/\n")
        .link("proc/11/ns/mnt", "mnt:[70]");
    let tree = with_namespaces(tree, "2", 10);
    let tree = with_namespaces(tree, "5", 20);
    let tree = with_namespaces(tree, "5/task/6", 30);
    let tree = with_namespaces(tree, "8/task/9", 40);
    let only_mount = Namespaces { mount: Some(70), ..Namespaces::default() };
    let expected = [
        (2, None, None),
        (5, Some(numbered(20)), None),
        (6, None, None),
        (8, Some(numbered(40)), None),
        (11, Some(only_mount), None),
    ];
    assert_eq!(marks(&tree), expected);
}

#[test]
fn what_a_shim_watches_over_is_in_the_beginning_of_its_arguments() {
    let id = "ab".repeat(32);
    let shim = |tree: Tree, pid: u32, arguments: &str| {
        tree.file(&format!("proc/{pid}/stat"), stat_line(pid, "containerd-shim", "S", 1))
            .file(&format!("proc/{pid}/cgroup"), "0::/x\n")
            .file(&format!("proc/{pid}/cmdline"), arguments)
    };
    let tree = shim(Tree::new(), 5, &format!("shim\0-namespace\0k8s.io\0-id\0{id}\0"));
    let tree = shim(tree, 6, &format!("shim\0{}\0-id\0{id}\0", "x".repeat(1 << 20)));
    let tree = task(tree, [7, 7], "S", 1, "0::/x\n");
    let tree = tree.file("proc/7/cmdline", format!("other\0-id\0{id}\0"));
    assert_eq!(marks(&tree), [(5, None, Some(id)), (6, None, None), (7, None, None)]);
}

#[test]
fn a_process_read_again_is_as_the_scan_saw_it() {
    let tree = task(Tree::new(), [5, 5], "S", 1, "4:memory:/a\n0::/b\n");
    let tree = task(tree, [8, 8], "Z", 2, "4:memory:/\n");
    let tree = task(tree, [8, 9], "S", 2, "4:memory:/a\n");
    let tree = task(tree, [10, 10], "Z", 1, "4:memory:/\n").file("proc/11/cgroup", "nonsense");
    let tree = tree.file("proc/11/stat", stat_line(11, "x", "S", 1));
    let mut seen = Vec::new();
    let scan = tree.host().scan_tasks(&mut |input| {
        if let Input::TaskSeen { task, places, .. } = input {
            seen.push((task.tid, Input::Placed { task, places }));
        }
    });
    assert_eq!((scan.unwrap().processes, seen.len()), (2, 2));
    for (pid, placed) in seen {
        assert_eq!(tree.host().task(pid).unwrap(), Some(placed));
    }
    assert_eq!(tree.host().task(10).unwrap(), None, "it is dead");
    assert_eq!(tree.host().task(99).unwrap(), None, "it never was");
    let error = tree.host().task(11).unwrap_err().to_string();
    assert!(error.contains("proc/11"), "{error}");
}

#[test]
fn what_cannot_be_read_is_counted() {
    let tree = Tree::new()
        .dir("proc/5")
        .file("proc/6/cgroup", "0::/\n")
        .file("proc/6/stat", "nonsense")
        .file("proc/7/cgroup", "")
        .file("proc/7/stat", stat_line(7, "x", "S", 1));
    check(&tree, &[], [0, 0, 1, 2]);
    assert!(Host::at(&tree.path("none")).scan_tasks(&mut |_| ()).is_err());
}

#[test]
fn this_process_is_found_in_the_live_procfs() {
    let host = Host::live();
    let own = fs::read("/proc/self/comm").unwrap();
    let hierarchies = host.hierarchies().unwrap().list;
    let mut found = None;
    let scan = host.scan_tasks(&mut |input| {
        if let Input::TaskSeen { task, places, namespaces, .. } = input
            && task.tgid == std::process::id()
            && task.tid == task.tgid
        {
            found = Some((task, places, namespaces));
        }
    });
    assert!(scan.unwrap().processes > 0);
    let (task, places, namespaces) = found.unwrap();
    let mount = fs::read_link("/proc/self/ns/mnt").unwrap();
    let number = namespaces.unwrap().mount.unwrap();
    assert_eq!(mount.to_str().unwrap(), format!("mnt:[{number}]"));
    assert_eq!(task.comm, Comm::new(own.trim_ascii_end()));
    assert!(task.start <= crate::host::clock::now());
    let ids =
        |list: &[(HierarchyId, Box<[u8]>)]| list.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(ids(&places), hierarchies.iter().map(|one| one.id).collect::<Vec<_>>());
}

#[test]
fn a_name_made_to_confuse_is_read_from_the_live_procfs() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let name = b") Z 1 (\n\xff";
    let waiting = thread::spawn(move || {
        fs::File::create("/proc/thread-self/comm").unwrap().write_all(name).unwrap();
        ready.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        stopped.recv().unwrap_err();
    });
    let tid = is_ready.recv().unwrap();
    let line = fs::read(format!("/proc/self/task/{tid}/stat")).unwrap();
    drop(stop);
    waiting.join().unwrap();
    let stat = stat::parse(&line).unwrap();
    assert_eq!(stat.comm, Comm::new(name));
    assert!(!stat.exiting);
}

#[test]
fn a_zombie_of_the_live_procfs_counts_as_ended() {
    let mut child = Command::new("true").spawn().unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    let dead = || stat::parse(&fs::read(&stat).unwrap()).unwrap().exiting;
    while !dead() {
        thread::yield_now();
    }
    let mut seen = false;
    let scan = Host::live().scan_tasks(&mut |input| {
        seen |= matches!(input, Input::TaskSeen { task, .. } if task.tgid == child.id());
    });
    child.wait().unwrap();
    assert!(!seen);
    assert!(scan.unwrap().ended > 0);
}
