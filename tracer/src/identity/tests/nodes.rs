//! What runtimes of real nodes answered, byte for byte on the wire, except for the layout of JSON.

use truant_core::input::ContainerFacts;

use super::{
    containers_in,
    fake::{Answer, Node, Protocol},
    runtimes_in, settled,
};
use crate::{
    captures::{Capture, without_ids},
    identity::{Runtimes, cri::proto},
};

/// What the kept runtimes say: each runtime, and each container as its name, its pod and its
/// labels, its image, its memory limit in MiB, the role of its process, and its cgroup.
async fn check(capture: fn() -> Capture, roles: &[&str], runtimes: &[&str], containers: &[&str]) {
    let node = Node::new().with_docker_pid();
    if capture().read("cri/Version").is_some() {
        let socket = "/run/containerd/containerd.sock";
        let kept = capture();
        node.serve(socket, Protocol::Grpc, move |path, question| cri(&kept, path, question));
    }
    let kept = capture();
    node.serve("/run/docker.sock", Protocol::Http, move |path, _| docker(&kept, path));
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let runtime = |it: &&truant_core::input::RuntimeFacts| {
        format!("{} {} {:?} {:?}", it.name, it.version, it.cgroup_driver, it.trouble)
    };
    let mut said: Vec<_> = runtimes_in(&inputs).iter().map(runtime).collect();
    said.sort();
    assert_eq!(said, runtimes);
    let kept = capture();
    let mut said: Vec<_> =
        containers_in(&inputs).into_iter().map(|it| line(&kept, roles, it)).collect();
    said.sort();
    assert_eq!(said, containers);
}

fn line(capture: &Capture, roles: &[&str], facts: &ContainerFacts) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let role = roles.iter().find(|role| facts.pid == Some(capture.pid(role)));
    let labels: Vec<_> =
        facts.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let limit = facts.memory_limit.map_or("-".to_owned(), |limit| (limit >> 20).to_string());
    let cgroup = facts.cgroup.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    format!(
        "{} {} {}/{} {} [{}] {} {limit} {} {}",
        facts.runtime,
        or(&facts.name),
        or(&facts.namespace),
        or(&facts.pod),
        or(&facts.pod_uid),
        labels.join(" "),
        or(&facts.image),
        role.unwrap_or(&"-"),
        without_ids(&cgroup),
    )
}

/// A call that was not answered is one that the runtime does not know.
fn cri(capture: &Capture, path: &str, question: &[u8]) -> Answer {
    use prost::Message as _;
    let Some(call) = path.strip_prefix("/runtime.v1.RuntimeService/") else {
        return Answer::Status(12);
    };
    let id = match call {
        "PodSandboxStatus" => {
            let question = proto::PodSandboxStatusRequest::decode(question).unwrap();
            format!("-{}", question.pod_sandbox_id)
        }
        "ContainerStatus" => {
            let question = proto::ContainerStatusRequest::decode(question).unwrap();
            format!("-{}", question.container_id)
        }
        _ => String::new(),
    };
    capture.read(&format!("cri/{call}{id}")).map_or(Answer::Status(12), Answer::Grpc)
}

fn docker(capture: &Capture, path: &str) -> Answer {
    let name = match path {
        "/version" => "version",
        "/info" => "info",
        "/containers/json" => "containers",
        path if path.starts_with("/containers/") && path.ends_with("/json") => "container",
        other => panic!("not asked for on the node: {other}"),
    };
    let text = String::from_utf8(capture.read(&format!("docker/{name}.json")).unwrap()).unwrap();
    Answer::Json(text)
}

#[tokio::test]
async fn docker_of_bookworm() {
    check(
        Capture::incident,
        &["init"],
        &["docker 20.10.24+dfsg1 Some(\"cgroupfs\") None"],
        &["docker workspace -/- - [] truant/systemd:latest 512 init \
           /kubepods/burstable/pod5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7/ID"],
    )
    .await;
}

#[tokio::test]
async fn containerd_and_docker_of_trixie() {
    let uid = "5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7";
    let pod = "/kubepods.slice/kubepods-burstable.slice/\
        kubepods-burstable-pod5f3a9c1e_0b7d_4c55_9a42_d3e8f1b2c6a7.slice";
    let scope = format!("{pod}/cri-containerd-ID.scope");
    check(
        Capture::pods,
        &["init", "builder"],
        &[
            "containerd 1.7.24~ds1 Some(\"systemd\") None",
            "docker 26.1.5+dfsg1 Some(\"systemd\") None",
        ],
        &[
            &format!("containerd - team-a/web {uid} [app=web] - - - {scope}"),
            &format!(
                "containerd app team-a/web {uid} [app=web tier=app] \
                 docker.io/truant/busybox:latest 256 init {scope}"
            ),
            "docker builder -/- - [] truant/busybox:latest 1024 builder \
             /system.slice/docker-ID.scope",
        ],
    )
    .await;
}
