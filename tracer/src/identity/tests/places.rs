//! Where runtimes are found.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::{
    cri, docker,
    fake::{Node, Protocol},
    runtimes_in, settled,
};
use crate::identity::Runtimes;

#[track_caller]
fn sockets(inputs: &[truant_core::input::Input]) -> Vec<&str> {
    let mut sockets: Vec<_> = runtimes_in(inputs)
        .into_iter()
        .map(|runtime| {
            assert_eq!(runtime.trouble, None);
            runtime.socket.as_str()
        })
        .collect();
    sockets.sort_unstable();
    sockets
}

#[tokio::test]
async fn each_usual_place_is_looked_at() {
    for place in [
        "/run/containerd/containerd.sock",
        "/run/crio/crio.sock",
        "/var/run/crio/crio.sock",
        "/run/k3s/containerd/containerd.sock",
        "/run/k0s/containerd.sock",
        "/var/snap/microk8s/common/run/containerd.sock",
    ] {
        let node = Node::new();
        node.serve(place, Protocol::Grpc, |path, body| cri::Fake::new().answer(path, body));
        assert_eq!(sockets(&settled(&mut Runtimes::find(node.root(), None)).await), [place]);
    }
}

#[tokio::test]
async fn two_runtimes_are_both_asked_and_one_by_two_names_once() {
    let node = Node::new().with_docker_pid();
    cri::Fake::new().serve(&node);
    node.serve("/run/docker.sock", Protocol::Http, |path, _| docker::answer(path));
    // Both lead elsewhere outside of the node's root.
    symlink("/run", node.path("/var/run")).unwrap();
    symlink("/run/containerd/containerd.sock", node.path("/run/k3s/containerd/containerd.sock"))
        .unwrap();
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    assert_eq!(sockets(&inputs), ["/run/containerd/containerd.sock", "/run/docker.sock"]);
}

#[tokio::test]
async fn a_root_longer_than_an_address_is_no_obstacle() {
    let node = Node::new();
    let below = format!("/{}", "deep/".repeat(40));
    let socket = format!("{below}run/containerd/containerd.sock");
    node.serve(&socket, Protocol::Grpc, |path, body| cri::Fake::new().answer(path, body));
    let inputs = settled(&mut Runtimes::find(&node.path(&below), None)).await;
    assert_eq!(sockets(&inputs), ["/run/containerd/containerd.sock"]);
}

#[tokio::test]
async fn a_named_socket_is_the_only_one_and_its_kind_is_found() {
    let node = Node::new().with_docker_pid();
    cri::Fake::new().serve(&node);
    node.serve("/odd/cri", Protocol::Grpc, |path, body| cri::Fake::new().answer(path, body));
    node.serve("/odd/docker", Protocol::Http, |path, _| docker::answer(path));
    for (path, name) in [("/odd/cri", "containerd"), ("/odd/docker", "docker")] {
        let inputs = settled(&mut Runtimes::find(node.root(), Some(Path::new(path)))).await;
        assert_eq!(sockets(&inputs), [path], "below the root");
        assert_eq!(runtimes_in(&inputs)[0].name, name);
        let outside = node.path(path);
        let inputs = settled(&mut Runtimes::find(Path::new("/nowhere"), Some(&outside))).await;
        assert_eq!(sockets(&inputs), [outside.to_str().unwrap()], "as it is");
    }
}

#[tokio::test]
async fn no_socket_at_all_is_said_once_with_the_places() {
    let node = Node::new();
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let [runtime] = runtimes_in(&inputs)[..] else { panic!("{inputs:?}") };
    let trouble = runtime.trouble.as_deref().unwrap();
    assert!(trouble.starts_with("no container runtime's socket at /run/containerd/"), "{trouble}");
    assert_eq!(inputs.len(), 1);
    let named = Path::new("/run/none.sock");
    let inputs = settled(&mut Runtimes::find(node.root(), Some(named))).await;
    let trouble = runtimes_in(&inputs)[0].trouble.as_deref();
    assert_eq!(trouble, Some("no container runtime's socket at /run/none.sock"));
}

#[tokio::test]
async fn a_file_in_a_sockets_place_is_trouble() {
    let node = Node::new();
    fs::write(node.path("/run/crio/crio.sock"), "").unwrap();
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let trouble = runtimes_in(&inputs)[0].trouble.as_deref().unwrap();
    assert!(trouble.starts_with("cannot connect: "), "{trouble}");
}
