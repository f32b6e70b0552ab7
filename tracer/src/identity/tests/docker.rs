//! Runtimes that serve Docker's API.

use truant_core::input::ContainerFacts;

use super::{
    CONTAINER, SANDBOX, UID, containers_in,
    fake::{Answer, Node, Protocol},
    fixture, owned, runtimes_in, settled,
};
use crate::identity::Runtimes;

const SOCKET: &str = "/run/docker.sock";

/// The answer of a Docker of 24.0.
pub(super) fn answer(path: &str) -> Answer {
    let of = |id: &str| format!("/containers/{id}/json");
    Answer::Json(match path {
        "/version" => fixture!("docker-version.json"),
        "/info" => fixture!("docker-info.json"),
        "/containers/json" => fixture!("docker-containers.json"),
        path if path == of(CONTAINER) => fixture!("docker-container.json"),
        path if path == of(SANDBOX) => fixture!("docker-sandbox.json"),
        _ => return Answer::NotFound,
    })
}

#[tokio::test]
async fn containers_come_out_with_names_and_pods() {
    let node = Node::new().with_docker_pid();
    node.serve(SOCKET, Protocol::Http, |path, _| answer(path));
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let runtime = runtimes_in(&inputs)[0];
    assert_eq!((runtime.name.as_str(), runtime.version.as_str()), ("docker", "24.0.7"));
    assert_eq!(runtime.cgroup_driver.as_deref(), Some("cgroupfs"));
    let sandbox = ContainerFacts {
        id: SANDBOX.to_owned(),
        sandbox: Some(SANDBOX.to_owned()),
        pod_uid: Some(UID.to_owned()),
        pod: Some("cart-7d9".to_owned()),
        namespace: Some("shop".to_owned()),
        image: Some("k8s.gcr.io/pause:3.2".to_owned()),
        pid: Some(2210),
        cgroup: Some(format!("/kubepods/burstable/pod{UID}/{SANDBOX}").into_bytes().into()),
        labels: containers_in(&inputs)[0].labels.clone(),
        runtime: "docker".to_owned(),
        ..ContainerFacts::default()
    };
    let container = ContainerFacts {
        id: CONTAINER.to_owned(),
        name: Some("web".to_owned()),
        image: Some("nginx:1.25".to_owned()),
        labels: owned(&[("team", "shop")]),
        pid: Some(2301),
        cgroup: Some(format!("/docker/{CONTAINER}").into_bytes().into()),
        memory_limit: Some(256 << 20),
        runtime: "docker".to_owned(),
        ..ContainerFacts::default()
    };
    let ended = ContainerFacts {
        id: "c0ffee".to_owned(),
        image: Some("busybox".to_owned()),
        runtime: "docker".to_owned(),
        ..ContainerFacts::default()
    };
    assert_eq!(containers_in(&inputs), [&sandbox, &container, &ended]);
}

#[tokio::test]
async fn the_systemd_driver_makes_scopes() {
    let node = Node::new().with_docker_pid();
    node.serve(SOCKET, Protocol::Http, |path, _| match path {
        "/info" => Answer::Json("{\"CgroupDriver\":\"systemd\"}".to_owned()),
        path => answer(path),
    });
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let cgroup = containers_in(&inputs)[1].cgroup.clone().unwrap();
    assert_eq!(
        String::from_utf8(cgroup.into_vec()).unwrap(),
        format!("/system.slice/docker-{CONTAINER}.scope")
    );
}

#[tokio::test]
async fn a_docker_that_only_its_service_manager_listens_for_is_not_started() {
    let node = Node::new();
    node.serve(SOCKET, Protocol::Http, |_, _| panic!("was asked"));
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let runtimes = runtimes_in(&inputs);
    assert_eq!(runtimes.len(), 1);
    let trouble = runtimes[0].trouble.as_deref();
    assert_eq!(trouble, Some("it is not running, and asking would start it"));
}
