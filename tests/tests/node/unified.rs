//! Pods of containerd on v2: their names, a container that moves itself out, a process that one
//! bears outside, and systemd in a container where the tree is no longer fenced.

use std::{thread, time::Duration};

use rustix::mount::{MountFlags, mount_remount};
use truant_tests::{
    Ran, Watch,
    cri::Bind,
    engines::{self, Driver, Layout, TREE_WRITABLE, containerd, docker, until, until_or},
    lines::text,
    procs::Process,
    watch,
};

use super::scene::{PROGRAMS, Scene, shell_plan};

const UID: &str = "2b4d6f80-1a3c-4e5f-8a9b-c0d1e2f3a4b5";

/// Where a container goes that moves itself.
const RUNAWAY: &str = "/runaway";

/// When a runtime has told of a new container, on an emulated node too.
const NAMED: Duration = Duration::from_secs(5);

/// The mount of v2.
const TREE: &str = "/sys/fs/cgroup";

pub(super) fn cgroupfs_driver() -> Ran {
    moves_itself(Driver::Cgroupfs)
}

pub(super) fn systemd_driver() -> Ran {
    moves_itself(Driver::Systemd)
}

/// A privileged container makes a cgroup at the top and goes there, once it is told to.
fn moves_itself(driver: Driver) -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V2])?;
    let cri = containerd(driver);
    let watch = Watch::start(&[]);
    let line = format!(
        "until [ -e /tmp/go ]; do sleep 0.2; done; mkdir -p {TREE}{RUNAWAY}; \
         echo 0 >{TREE}{RUNAWAY}/cgroup.procs; exec sleep 7919"
    );
    let scene = Scene::start(&cri, driver, ("runaway", UID), &shell_plan(&line, true));
    let pid = scene.container.pid();
    let inside = Process::of(pid).expect("it runs").memory_cgroup().to_owned();
    assert!(inside.contains(&scene.container.id), "{inside}");
    // A runtime that is busy takes a moment to tell the names of what it has just started.
    thread::sleep(NAMED);
    scene.shell("touch /tmp/go");
    until("the container is outside", || {
        Process::of(pid).filter(|it| it.memory_cgroup() == RUNAWAY)
    });
    assert!(watch.wait_for(|line| line["kind"] == "left"), "{:#?}", watch.so_far());
    let lines = watch.stop();
    let left = lines.finding("left");
    assert_eq!((left["pid"].clone(), text(left, "from")), (pid.into(), &*inside));
    assert_eq!(text(left, "to"), RUNAWAY);
    scene.check_home(left);
    scene.check_home(&serde_json::json!({ "home": left["mover_home"] }));
    lines.assert_status_of_a_busy_node(1);
    let audit = watch::output(["audit", "--output", "json"]);
    let out = audit.finding_of("already_out", pid);
    assert_eq!(text(out, "to"), RUNAWAY);
    scene.check_home(out);
    assert_eq!(audit.findings("already_out").len(), 1, "{:#?}", audit.of("finding"));
    let runtime = &audit.of("audit")[0]["runtimes"][0];
    assert_eq!(
        (&runtime["name"], &runtime["cgroup_driver"]),
        (&"containerd".into(), &driver.name().into(),)
    );
    audit.assert_status(1);
    Ok(())
}

/// No event tells of such a birth but the fork itself.
pub(super) fn born_outside_by_clone3() -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V2])?;
    let cri = containerd(Driver::Cgroupfs);
    let mut plan = shell_plan("exec sleep 7919", true);
    plan.mounts.push(Bind::readonly(PROGRAMS));
    let scene = Scene::start(&cri, Driver::Cgroupfs, ("bearer", UID), &plan);
    let watch = Watch::start(&[]);
    let own = std::env::current_exe().expect("the binary has a path");
    let line = format!(
        "mkdir {TREE}/nursery; (echo 'fork wait 1048576 {TREE}/nursery'; sleep 7919) | \
         TRUANT_TEST_CHILD=1 {}",
        own.display(),
    );
    let container = scene.container.clone();
    // Ends with the pod.
    thread::spawn(move || container.exec(&["/bin/sh", "-c", &line]));
    assert!(watch.wait_for(|line| line["kind"] == "born_outside"), "{:#?}", watch.so_far());
    let lines = watch.stop();
    let born = lines.findings("born_outside")[0];
    let kinds = lines.of("finding").into_iter().map(|line| text(line, "kind"));
    // The pod was there before, and could get out.
    assert_eq!(kinds.collect::<Vec<_>>(), ["exposed", "born_outside"]);
    assert_eq!(text(born, "to"), "/nursery");
    scene.check_home(born);
    lines.assert_status_of_a_busy_node(1);
    let audit = watch::output(["audit", "--output", "json"]);
    let pid = u32::try_from(born["pid"].as_u64().expect("a number")).expect("a pid is small");
    scene.check_home(audit.finding_of("already_out", pid));
    audit.assert_status(1);
    Ok(())
}

/// What keeps systemd in a container's own cgroup namespace is an option of the node's mount.
pub(super) fn systemd_where_the_tree_is_not_fenced() -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V2])?;
    let docker = docker(Driver::Cgroupfs);
    let fence = Fence::down();
    let watch = Watch::start(&[]);
    let container = docker.run_systemd(UID, &["--cgroupns=private", TREE_WRITABLE]);
    let init = Process::of(container.pid()).expect("it runs");
    let is_service = |it: &Process| it.memory_cgroup() == "/system.slice/leaky.service";
    let line = "systemctl list-jobs; systemctl status leaky.service; systemctl --failed; true";
    let state = || format!("its service is outside: {}", container.exec(&["sh", "-c", line]));
    let service = until_or(state, || {
        assert!(Process::of(init.pid).is_some(), "systemd has ended: {}", container.logs());
        init.namesakes().into_iter().find(is_service)
    });
    let is_left = |line: &serde_json::Value| line["kind"] == "left" && line["pid"] == init.pid;
    assert!(watch.wait_for(is_left), "{:#?}", watch.so_far());
    let lines = watch.stop();
    let left = lines.finding_of("left", init.pid);
    assert_eq!(text(left, "to"), "/init.scope");
    assert_eq!(left["home"]["container_id"], *container.id);
    lines.assert_status_of_a_busy_node(1);
    let audit = watch::output(["audit", "--output", "json"]);
    for process in [&init, &service] {
        let out = audit.finding_of("already_out", process.pid);
        assert_eq!(out["home"]["pod_uid"], UID, "{out:#}");
    }
    let mut exposed = audit.findings("exposed").into_iter();
    let exposed = exposed.find(|line| line["home"]["container_id"] == *container.id);
    let exposed = &exposed.expect("it could get out")["exposure"];
    assert_eq!(exposed["lacks_nsdelegate"], true, "{exposed:#}");
    audit.assert_status(1);
    drop(fence);
    Ok(())
}

/// The node's tree without `nsdelegate`, until this is dropped.
struct Fence;

impl Fence {
    fn down() -> Self {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount_remount(TREE, flags, "memory_recursiveprot").expect("the tree can be mounted anew");
        Self
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let _ = mount_remount(TREE, flags, "nsdelegate,memory_recursiveprot");
    }
}
