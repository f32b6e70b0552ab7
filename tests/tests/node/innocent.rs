//! What looks like the incident and is none: systemd in a container that stays where it belongs.

use std::{thread, time::Duration};

use truant_tests::{
    Ran, Watch,
    cri::{Bind, ContainerPlan, PodPlan},
    engines::{self, Driver, Layout, SYSTEMD, TREE_READ_ONLY, containerd, docker, podman, until},
    procs::Process,
    watch,
};

const UID: &str = "7c1d2e3f-4a5b-4678-9abc-def012345678";

pub(super) fn systemd_driver_of_containerd() -> Ran {
    engines::on(&["bullseye", "bookworm"], &[Layout::Hybrid, Layout::V1])?;
    by_cri(Driver::Systemd, true);
    Ok(())
}

pub(super) fn systemd_driver_of_docker() -> Ran {
    engines::on(&["bullseye", "bookworm"], &[Layout::Hybrid, Layout::V1])?;
    let docker = docker(Driver::Systemd);
    let watch = Watch::start(&[]);
    let container = docker.run_systemd(UID, &[TREE_READ_ONLY]);
    check(watch, container.pid());
    Ok(())
}

pub(super) fn by_podman() -> Ran {
    engines::on(&["bullseye", "bookworm"], &[Layout::Hybrid, Layout::V1])?;
    let watch = Watch::start(&["--guard", "machine.slice"]);
    let container =
        podman(&["-t", "--network=none", "--systemd=always", &format!("localhost/{SYSTEMD}")]);
    check(watch, container.pid());
    Ok(())
}

pub(super) fn cgroup_namespace_of_the_host() -> Ran {
    engines::on(&["bookworm"], &[Layout::Hybrid, Layout::V1])?;
    let docker = docker(Driver::Cgroupfs);
    let watch = Watch::start(&[]);
    let container = docker.run_systemd(UID, &["--cgroupns=host", TREE_READ_ONLY]);
    check(watch, container.pid());
    Ok(())
}

pub(super) fn without_the_bind_mount() -> Ran {
    engines::on(&["bullseye"], &[Layout::Hybrid])?;
    by_cri(Driver::Cgroupfs, false);
    Ok(())
}

fn by_cri(driver: Driver, bind: bool) {
    let cri = containerd(driver);
    let watch = Watch::start(&[]);
    let pod = cri.run_pod(PodPlan {
        name: "innocent".to_owned(),
        namespace: "team-b".to_owned(),
        uid: UID.to_owned(),
        cgroup_parent: engines::cgroup_parent(driver, "burstable", UID),
        labels: [].into(),
        privileged: true,
        host_pid: false,
    });
    let pod = pod.expect("a sandbox runs");
    let mount = bind.then(|| Bind::readonly("/sys/fs/cgroup"));
    let container = pod.start(&ContainerPlan {
        name: "workspace".to_owned(),
        image: SYSTEMD.to_owned(),
        privileged: true,
        mounts: mount.into_iter().collect(),
        memory_limit: 512 << 20,
        ..ContainerPlan::default()
    });
    check(watch, container.expect("a container starts").pid());
}

/// That nobody is found, by a run that saw it start and by an audit.
fn check(watch: Watch, pid: u32) {
    let init = Process::of(pid).expect("it runs");
    let is_up = || init.namesakes().into_iter().find(|it| it.comm == "stress");
    let service = until("its systemd runs a service", is_up);
    truant_tests::say(&format!("{} {}", service.comm, service.memory_cgroup()));
    thread::sleep(Duration::from_secs(2));
    let lines = watch.stop();
    let moved = |kind: &str| lines.findings(kind).len();
    assert_eq!((moved("left"), moved("born_outside")), (0, 0), "{:#?}", lines.of("finding"));
    lines.assert_status_of_a_busy_node(0);
    let audit = watch::output(["audit", "--output", "json"]);
    assert!(audit.findings("already_out").is_empty(), "{:#?}", audit.of("finding"));
    audit.assert_status(0);
}
