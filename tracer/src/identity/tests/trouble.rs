//! Runtimes that are slow, gone, or answer nonsense: nothing waits for them, and all is bounded.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::io::AsyncWriteExt as _;
use truant_core::input::{ContainerFacts, Input};

use super::{
    CONTAINER, containers_in,
    cri::{self, Fake},
    docker,
    fake::{Answer, Node, Protocol},
    runtimes_in, settled, soon,
};
use crate::identity::{Runtimes, bounds};

const CRI: &str = "/run/containerd/containerd.sock";
const DOCKER: &str = "/run/docker.sock";

/// What comes of a runtime that answers `bad` to every call whose name ends in `call`: its trouble,
/// and the pids of the containers that are named.
async fn outcome(
    docker: bool,
    call: &'static str,
    bad: fn() -> Answer,
) -> (Option<String>, Vec<(String, Option<u32>)>) {
    let node = Node::new().with_docker_pid();
    let is_bad = move |path: &str| path.ends_with(call);
    if docker {
        node.serve(
            DOCKER,
            Protocol::Http,
            move |path, _| {
                if is_bad(path) { bad() } else { docker::answer(path) }
            },
        );
    } else {
        node.serve(CRI, Protocol::Grpc, move |path, body| {
            if is_bad(path) { bad() } else { Fake::new().answer(path, body) }
        });
    }
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let trouble = runtimes_in(&inputs).into_iter().find_map(|it| it.trouble.clone());
    let named = |it: &&ContainerFacts| it.name.is_some();
    let pids = containers_in(&inputs).into_iter().filter(named);
    (trouble, pids.map(|it| (it.id.clone(), it.pid)).collect())
}

/// What a runtime can do wrong, and its name.
type Bad = (&'static str, fn() -> Answer);

/// All of it.
const BAD: [Bad; 5] = [
    ("hangs", || Answer::Hang),
    ("noise", || Answer::Noise),
    ("half", || Answer::Half),
    ("endless", || Answer::Endless),
    ("refuses", || Answer::Status(13)),
];

#[tokio::test]
async fn without_a_version_or_a_list_there_is_trouble_in_time() {
    for call in ["/Version", "/ListPodSandbox", "/ListContainers"] {
        for (what, bad) in BAD {
            let (trouble, named) = outcome(false, call, bad).await;
            let trouble = trouble.unwrap_or_else(|| panic!("{call} {what}: no trouble"));
            assert!(trouble.contains(call.trim_start_matches('/')), "{call} {what}: {trouble}");
            assert_eq!(named, [], "{call} {what}");
        }
    }
    for call in ["/version", "/containers/json"] {
        for (what, bad) in BAD {
            let (trouble, named) = outcome(true, call, bad).await;
            let trouble = trouble.unwrap_or_else(|| panic!("{call} {what}: no trouble"));
            assert!(trouble.contains(call), "{call} {what}: {trouble}");
            assert_eq!(named, [], "{call} {what}");
        }
    }
}

#[tokio::test]
async fn without_details_there_are_names_still() {
    let without_pid = [(CONTAINER.to_owned(), None)];
    for (what, bad) in BAD {
        let (trouble, named) = outcome(false, "/ContainerStatus", bad).await;
        assert_eq!((trouble, named), (None, without_pid.to_vec()), "{what}");
        let (trouble, named) = outcome(true, "39/json", bad).await;
        let named: Vec<_> = named.into_iter().filter(|(id, _)| id == CONTAINER).collect();
        assert_eq!((trouble, named), (None, without_pid.to_vec()), "{what}");
    }
}

#[tokio::test]
async fn without_a_driver_there_are_names_and_details_still() {
    for (what, bad) in BAD {
        if what == "hangs" || what == "endless" {
            continue;
        }
        for call in ["/Status", "/RuntimeConfig"] {
            let (trouble, named) = outcome(false, call, bad).await;
            assert_eq!((trouble, named), (None, vec![(CONTAINER.to_owned(), Some(2301))]));
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_are_trouble_in_time() {
    for noise in [&b"\x00\xff\x13 no http \n\n"[..], b"", b"HTTP/1.1 200 OK\r\n\r\n", &[0; 9999]] {
        for place in [CRI, DOCKER] {
            let node = Node::new().with_docker_pid();
            let listener = node.listen(place);
            let work = tokio::spawn(async move {
                while let Ok((mut socket, _)) = listener.accept().await {
                    // Who is gone needs no noise.
                    drop(socket.write_all(noise).await);
                }
            });
            let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
            assert_eq!(inputs.len(), 1, "{place}");
            assert!(runtimes_in(&inputs)[0].trouble.is_some(), "{place}");
            work.abort();
        }
    }
}

#[tokio::test]
async fn a_socket_that_nobody_accepts_from_is_trouble_in_time() {
    for place in [CRI, DOCKER] {
        let node = Node::new().with_docker_pid();
        let listener = node.listen(place);
        let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
        assert!(runtimes_in(&inputs)[0].trouble.as_deref().unwrap().ends_with("in time"));
        drop(listener);
        let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
        let trouble = runtimes_in(&inputs)[0].trouble.clone().unwrap();
        assert!(trouble.starts_with("cannot connect: Connection refused"), "{trouble}");
    }
}

#[tokio::test]
async fn one_that_hangs_delays_no_other() {
    let node = Node::new().with_docker_pid();
    node.serve(CRI, Protocol::Grpc, |_, _| Answer::Hang);
    node.serve(DOCKER, Protocol::Http, |path, _| docker::answer(path));
    let mut runtimes = Runtimes::find(node.root(), None);
    let start = Instant::now();
    let first = soon(&mut runtimes, 1).await;
    assert!(matches!(first, Some(Input::Runtime(facts)) if facts.name == "docker"));
    assert!(start.elapsed() < Duration::from_millis(900));
    let inputs = settled(&mut runtimes).await;
    assert_eq!(containers_in(&inputs).len(), 3);
}

#[tokio::test]
async fn a_containerd_without_cri_is_no_trouble_beside_docker() {
    let node = Node::new().with_docker_pid();
    node.serve(CRI, Protocol::Grpc, |_, _| Answer::Status(12));
    node.serve(DOCKER, Protocol::Http, |path, _| docker::answer(path));
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    assert_eq!(runtimes_in(&inputs).len(), 1);
    let node = Node::new();
    node.serve(CRI, Protocol::Grpc, |_, _| Answer::Status(12));
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let trouble = runtimes_in(&inputs)[0].trouble.as_deref();
    assert_eq!(trouble, Some("it serves no CRI"));
}

#[tokio::test]
async fn trouble_is_said_once_and_so_is_its_end() {
    let is_well = Arc::new(AtomicBool::new(false));
    let node = Node::new();
    let of_fake = Arc::clone(&is_well);
    node.serve(CRI, Protocol::Grpc, move |path, body| {
        if of_fake.load(Ordering::Relaxed) {
            Fake::new().answer(path, body)
        } else {
            Answer::Status(14)
        }
    });
    let mut runtimes = Runtimes::find(node.root(), None);
    assert_eq!(settled(&mut runtimes).await.len(), 1);
    // It is tried again after 2 s, and after 4 s more.
    assert_eq!(soon(&mut runtimes, 3).await, None);
    is_well.store(true, Ordering::Relaxed);
    let Some(Input::Runtime(facts)) = soon(&mut runtimes, 6).await else { panic!("not again") };
    assert_eq!((facts.name.as_str(), facts.trouble), ("containerd", None));
    assert!(matches!(soon(&mut runtimes, 2).await, Some(Input::Container(_))));
}

#[tokio::test]
async fn thousands_of_containers_are_named_in_time_and_bounded() {
    let node = Node::new();
    let fake = Fake { containers: cri::many(6000), ..Fake::new() };
    let list = fake.answer("/runtime.v1.RuntimeService/ListContainers", b"");
    let Answer::Grpc(list) = list else { panic!("no list") };
    node.serve(CRI, Protocol::Grpc, move |path, body| {
        let is_list = path.ends_with("ListContainers");
        if is_list { Answer::Grpc(list.clone()) } else { fake.answer(path, body) }
    });
    let mut runtimes = Runtimes::find(node.root(), None);
    let inputs = settled(&mut runtimes).await;
    let mut ids: Vec<_> = containers_in(&inputs).into_iter().map(|it| it.id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), bounds::CONTAINERS);
    let trouble = runtimes_in(&inputs).into_iter().find_map(|it| it.trouble.as_deref());
    assert_eq!(trouble, Some("it has more than 4096 containers; no more are named"));
}

#[tokio::test]
async fn a_listener_that_will_not_wait_is_not_kept() {
    let node = Node::new();
    node.serve(CRI, Protocol::Grpc, |_, _| Answer::Hang);
    let start = Instant::now();
    let mut runtimes = Runtimes::find(node.root(), None);
    let at_most = Duration::from_millis(100);
    let is_settled = runtimes.settle(at_most, |_| Ok::<_, ()>(())).await.unwrap();
    assert!(!is_settled && start.elapsed() < Duration::from_secs(1));
    drop(runtimes);
    assert!(start.elapsed() < Duration::from_secs(1), "nor by its end");
}

#[tokio::test]
async fn what_was_not_told_is_asked_for_again() {
    let is_well = Arc::new(AtomicBool::new(false));
    let node = Node::new();
    let of_fake = Arc::clone(&is_well);
    node.serve(CRI, Protocol::Grpc, move |path, body| {
        let is_refused = path.ends_with("Status") && !of_fake.load(Ordering::Relaxed);
        if is_refused { Answer::Status(14) } else { Fake::new().answer(path, body) }
    });
    let mut runtimes = Runtimes::find(node.root(), None);
    let inputs = settled(&mut runtimes).await;
    assert_eq!(runtimes_in(&inputs)[0].cgroup_driver, None);
    assert!(containers_in(&inputs).iter().all(|it| it.pid.is_none()));
    is_well.store(true, Ordering::Relaxed);
    let mut again = Vec::new();
    for _ in 0..3 {
        again.extend(soon(&mut runtimes, 6).await);
    }
    assert_eq!(runtimes_in(&again)[0].cgroup_driver.as_deref(), Some("systemd"));
    let mut pids: Vec<_> = containers_in(&again).iter().filter_map(|it| it.pid).collect();
    pids.sort_unstable();
    assert_eq!(pids, [2210, 2301]);
}
