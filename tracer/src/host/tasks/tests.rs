//! The scan of tasks on made trees and on the live node.

use std::{fs, io::Write, process::Command, thread};

use truant_core::ids::Comm;

use super::*;
use crate::host::testing::Tree;

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
        if let Input::TaskSeen { task, places, .. } = input
            && task.tgid == std::process::id()
            && task.tid == task.tgid
        {
            found = Some((task, places));
        }
    });
    assert!(scan.unwrap().processes > 0);
    let (task, places) = found.unwrap();
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
