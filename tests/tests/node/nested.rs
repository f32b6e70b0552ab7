//! Docker in a pod, on v2: its containers are in cgroups at the top of the node's tree, and are the
//! pod's all the same.

use truant_tests::{
    Ran, Watch,
    cri::{Bind, ContainerPlan},
    engines::{self, Driver, Layout, containerd, until},
    lines::text,
    procs::Process,
    watch,
};

use super::scene::{Scene, shell_plan};

const UID: &str = "9e8d7c6b-5a49-4838-a726-150403f2e1d0";

/// Docker with files and sockets of the container's own. By itself it gives its containerd fifteen
/// seconds to come up, which is too short where all is emulated: so that one is started before.
const INNER: &str = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && \
    echo 'disabled_plugins = [\"io.containerd.grpc.v1.cri\"]' >/run/containerd.toml && \
    (containerd --config /run/containerd.toml >/run/containerd.log 2>&1 &) && \
    exec dockerd --containerd /run/containerd/containerd.sock --host unix:///run/docker.sock \
    --pidfile /run/docker.pid --exec-root /run/docker --bridge none --iptables=false \
    --exec-opt native.cgroupdriver=cgroupfs --storage-driver overlay2 >/run/docker.log 2>&1";

pub(super) fn docker_in_a_pod() -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V2])?;
    let cri = containerd(Driver::Cgroupfs);
    let scene = Scene::start(&cri, Driver::Cgroupfs, ("builder", UID), &plan());
    let docker = |words: &str| format!("docker --host unix:///run/docker.sock {words}");
    let start = std::time::Instant::now();
    loop {
        let done = scene.container.exec(&["/bin/sh", "-c", &docker("info")]);
        if done.is_ok_and(|done| done.status == 0) {
            break;
        }
        let said = || scene.shell("tail -n 30 /run/containerd.log /run/docker.log");
        assert!(start.elapsed().as_secs() < 120, "Docker does not answer: {}", said());
    }
    scene.shell(&docker("load -i /opt/images/busybox.tar"));
    let watch = Watch::start(&[]);
    let id = scene.shell(&docker("run -d --network=none truant/busybox sleep 7919"));
    let id = id.lines().last().unwrap_or_default().trim().to_owned();
    let sleeper = until("the inner container runs", || {
        Process::in_cgroups_of(&id).into_iter().find(|it| it.comm == "sleep")
    });
    let place = format!("/docker/{id}");
    assert_eq!(sleeper.memory_cgroup(), place);
    let about = |line: &serde_json::Value| line["to"] == *place;
    assert!(watch.wait_for(about), "{:#?}", watch.so_far());
    let lines = watch.stop();
    // Who is moved is the runtime, on its way to become what the container runs.
    let left: Vec<_> = lines.of("finding").into_iter().filter(|line| about(line)).collect();
    for line in left {
        assert_eq!(line["kind"], "left", "{line:#}");
        scene.check_home(line);
        scene.check_home(&serde_json::json!({ "home": line["mover_home"] }));
    }
    lines.assert_status_of_a_busy_node(1);
    let audit = watch::output(["audit", "--output", "json"]);
    let out = audit.finding_of("already_out", sleeper.pid);
    assert_eq!((text(out, "to"), &out["home"]["pod_uid"]), (&*place, &UID.into()), "{out:#}");
    audit.assert_status(1);
    Ok(())
}

/// A privileged container with the node's programs.
fn plan() -> ContainerPlan {
    let mut plan = shell_plan(INNER, true);
    plan.memory_limit = 1 << 30;
    let binds = [("/usr", "/usr"), ("/usr/lib", "/lib"), ("/usr/lib64", "/lib64")];
    let binds = binds.into_iter().chain([("/opt/images", "/opt/images")]);
    plan.mounts = binds
        .map(|(host, inside)| Bind { inside: inside.to_owned(), ..Bind::readonly(host) })
        .collect();
    plan
}
