//! Docker in a pod, on v2: its containers are in cgroups at the top of the node's tree, and are the
//! pod's all the same.

use truant_tests::{
    Ran, Watch,
    cri::Bind,
    engines::{self, Driver, Layout, containerd, until},
    lines::text,
    procs::Process,
    watch,
};

use super::scene::{Scene, shell_plan};

const UID: &str = "9e8d7c6b-5a49-4838-a726-150403f2e1d0";

/// The node's own programs, with processes and sockets of the container's own.
const INNER: &str = "mount -t proc proc /node/proc && mount -t tmpfs tmpfs /node/run && \
    exec chroot /node /usr/bin/dockerd --data-root /var/lib/inner";

pub(super) fn docker_in_a_pod() -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V2])?;
    let cri = containerd(Driver::Cgroupfs);
    let mut plan = shell_plan(INNER, true);
    plan.memory_limit = 1 << 30;
    plan.mounts.push(Bind::writable("/", "/node"));
    let scene = Scene::start(&cri, Driver::Cgroupfs, ("builder", UID), &plan);
    let inner = |line: &str| scene.shell(&format!("PATH=/usr/bin:/bin chroot /node {line}"));
    until("Docker in the pod answers", || {
        let done = scene.container.exec(&["chroot", "/node", "/usr/bin/docker", "info"]).ok()?;
        (done.status == 0).then_some(())
    });
    inner("docker load -i /opt/images/busybox.tar");
    let watch = Watch::start(&[]);
    let id = inner("docker run -d --network=none truant/busybox sleep 7919");
    let id = id.lines().last().unwrap_or_default().trim().to_owned();
    let sleeper = until("the inner container runs", || {
        Process::in_cgroups_of(&id).into_iter().find(|it| it.comm == "sleep")
    });
    assert_eq!(sleeper.memory_cgroup(), format!("/docker/{id}"));
    let about = |line: &serde_json::Value| line["to"] == format!("/docker/{id}");
    assert!(watch.wait_for(about), "{:#?}", watch.so_far());
    let lines = watch.stop();
    let left = lines.of("finding").into_iter().find(|line| about(line)).expect("it was there");
    assert_eq!(left["home"]["pod_uid"], UID, "{left:#}");
    lines.assert_status_of_a_busy_node(1);
    let audit = watch::output(["audit", "--output", "json"]);
    let out = audit.finding_of("already_out", sleeper.pid);
    assert_eq!(text(&out["home"], "pod"), "builder");
    audit.assert_status(1);
    Ok(())
}
