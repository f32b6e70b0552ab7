//! Runtimes that serve the container runtime interface.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};

use prost::Message as _;
use truant_core::input::{ContainerFacts, Input};

use super::{
    CONTAINER, SANDBOX, UID, containers_in,
    fake::{Answer, Node, Protocol},
    fixture, owned, runtimes_in, settled, soon,
};
use crate::identity::{Runtimes, cri::proto};

const SOCKET: &str = "/run/containerd/containerd.sock";

/// What a fake says.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) service: &'static str,
    pub(super) version: &'static str,
    pub(super) sandboxes: Vec<proto::PodSandbox>,
    pub(super) containers: Vec<proto::Container>,
    pub(super) sandbox_info: String,
    pub(super) container_info: String,
    pub(super) config: String,
    /// As `RuntimeConfig` has it.
    pub(super) driver: Option<i32>,
}

impl Fake {
    /// containerd 1.7 with one pod, under the systemd driver.
    pub(super) fn new() -> Self {
        Self {
            service: "runtime.v1.RuntimeService",
            version: "1.7.24",
            sandboxes: vec![pod()],
            containers: vec![container()],
            sandbox_info: fixture!("containerd-1.7-sandbox.json"),
            container_info: fixture!("containerd-1.7-container.json"),
            config: fixture!("containerd-1.7-config.json"),
            driver: None,
        }
    }

    /// Its answer to a call.
    pub(super) fn answer(&self, path: &str, question: &[u8]) -> Answer {
        let Some(call) = path
            .strip_prefix('/')
            .and_then(|path| path.strip_prefix(self.service)?.strip_prefix('/'))
        else {
            return Answer::Status(12);
        };
        match call {
            "Version" => Answer::message(&proto::VersionResponse {
                runtime_name: "containerd".to_owned(),
                runtime_version: self.version.to_owned(),
            }),
            "Status" => {
                Answer::message(&proto::StatusResponse { info: info("config", &self.config) })
            }
            "RuntimeConfig" => match self.driver {
                Some(cgroup_driver) => Answer::message(&proto::RuntimeConfigResponse {
                    linux: Some(proto::LinuxRuntimeConfiguration { cgroup_driver }),
                }),
                None => Answer::Status(12),
            },
            "ListPodSandbox" => {
                Answer::message(&proto::ListPodSandboxResponse { items: self.sandboxes.clone() })
            }
            "ListContainers" => Answer::message(&proto::ListContainersResponse {
                containers: self.containers.clone(),
            }),
            "PodSandboxStatus" => self.sandbox_status(question),
            "ContainerStatus" => self.container_status(question),
            _ => Answer::Status(12),
        }
    }

    fn sandbox_status(&self, question: &[u8]) -> Answer {
        let question = proto::PodSandboxStatusRequest::decode(question).unwrap();
        assert!(question.verbose);
        assert!(self.sandboxes.iter().any(|pod| pod.id == question.pod_sandbox_id));
        let info = info("info", &self.sandbox_info);
        Answer::message(&proto::PodSandboxStatusResponse { info })
    }

    fn container_status(&self, question: &[u8]) -> Answer {
        let question = proto::ContainerStatusRequest::decode(question).unwrap();
        assert!(question.verbose);
        if self.containers.iter().all(|it| it.id != question.container_id) {
            return Answer::Status(5);
        }
        let image = Some(image("docker.io/library/cart:2"));
        let status = Some(proto::ContainerStatus { image });
        let info = info("info", &self.container_info);
        Answer::message(&proto::ContainerStatusResponse { status, info })
    }

    /// Serves at the usual place of a node.
    pub(super) fn serve(self, node: &Node) {
        node.serve(SOCKET, Protocol::Grpc, move |path, question| self.answer(path, question));
    }
}

fn info(key: &str, json: &str) -> BTreeMap<String, String> {
    [(key.to_owned(), json.to_owned())].into()
}

fn image(name: &str) -> proto::ImageSpec {
    proto::ImageSpec { image: name.to_owned(), user_specified_image: String::new() }
}

fn pod() -> proto::PodSandbox {
    proto::PodSandbox {
        id: SANDBOX.to_owned(),
        metadata: Some(proto::PodSandboxMetadata {
            name: "cart-7d9".to_owned(),
            uid: UID.to_owned(),
            namespace: "shop".to_owned(),
        }),
        state: 0,
        created_at: 1_700_000_000_000_000_000,
        labels: owned(&[("app", "cart"), ("tier", "back")]).into_iter().collect(),
    }
}

fn container() -> proto::Container {
    proto::Container {
        id: CONTAINER.to_owned(),
        pod_sandbox_id: SANDBOX.to_owned(),
        metadata: Some(proto::ContainerMetadata { name: "app".to_owned() }),
        image: Some(image(
            "sha256:9c7a54a9a43cca047013b82af109fe963fde787f63f9e016fdc3384500c2823d",
        )),
        state: 1,
        created_at: 1_700_000_001_000_000_000,
        labels: owned(&[("io.kubernetes.container.name", "app")]).into_iter().collect(),
    }
}

/// Many containers of one pod.
pub(super) fn many(count: usize) -> Vec<proto::Container> {
    (0..count).map(|it| proto::Container { id: format!("{it:064x}"), ..container() }).collect()
}

fn expected_container(cgroup: &str) -> ContainerFacts {
    ContainerFacts {
        id: CONTAINER.to_owned(),
        sandbox: Some(SANDBOX.to_owned()),
        pod_uid: Some(UID.to_owned()),
        pod: Some("cart-7d9".to_owned()),
        namespace: Some("shop".to_owned()),
        name: Some("app".to_owned()),
        image: Some("docker.io/library/cart:2".to_owned()),
        labels: owned(&[
            ("app", "cart"),
            ("io.kubernetes.container.name", "app"),
            ("tier", "back"),
        ]),
        pid: Some(2301),
        cgroup: Some(cgroup.as_bytes().into()),
        memory_limit: Some(8 << 30),
        runtime: "containerd".to_owned(),
    }
}

fn expected_sandbox(cgroup: &str) -> ContainerFacts {
    ContainerFacts {
        id: SANDBOX.to_owned(),
        name: None,
        image: None,
        labels: owned(&[("app", "cart"), ("tier", "back")]),
        pid: Some(2210),
        memory_limit: None,
        ..expected_container(cgroup)
    }
}

/// The cgroup of a container under the systemd driver.
fn scope(prefix: &str, id: &str) -> String {
    let slice = format!("kubepods-burstable-pod{}.slice", UID.replace('-', "_"));
    format!("/kubepods.slice/kubepods-burstable.slice/{slice}/{prefix}-{id}.scope")
}

#[tokio::test]
async fn a_pod_and_its_container_come_out_with_all_that_is_said_of_them() {
    let node = Node::new();
    Fake::new().serve(&node);
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let runtimes = runtimes_in(&inputs);
    let [runtime] = runtimes[..] else { panic!("{runtimes:?}") };
    assert_eq!((runtime.name.as_str(), runtime.version.as_str()), ("containerd", "1.7.24"));
    assert_eq!((runtime.socket.as_str(), &runtime.trouble), (SOCKET, &None));
    assert_eq!(runtime.cgroup_driver.as_deref(), Some("systemd"));
    assert_eq!(
        containers_in(&inputs),
        [
            &expected_container(&scope("cri-containerd", CONTAINER)),
            &expected_sandbox(&scope("cri-containerd", SANDBOX)),
        ]
    );
    assert!(matches!(inputs[0], Input::Runtime(_)), "the runtime comes first");
}

#[tokio::test]
async fn the_older_interface_and_its_cgroups_are_understood() {
    let node = Node::new();
    let old = Fake {
        service: "runtime.v1alpha2.RuntimeService",
        version: "1.4.13~ds1",
        sandbox_info: fixture!("containerd-1.4-sandbox.json"),
        container_info: fixture!("containerd-1.4-container.json"),
        config: fixture!("containerd-1.4-config.json"),
        ..Fake::new()
    };
    old.serve(&node);
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    let runtime = runtimes_in(&inputs)[0];
    assert_eq!((runtime.version.as_str(), &runtime.cgroup_driver), ("1.4.13~ds1", &None));
    let pod = format!("/kubepods/burstable/pod{UID}");
    assert_eq!(
        containers_in(&inputs),
        [
            &expected_container(&format!("{pod}/{CONTAINER}")),
            &expected_sandbox(&format!("{pod}/{SANDBOX}")),
        ]
    );
}

#[tokio::test]
async fn cri_o_has_the_same_names_for_what_is_read() {
    let node = Node::new();
    let fake = Fake { container_info: fixture!("cri-o-container.json"), ..Fake::new() };
    fake.serve(&node);
    let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
    assert_eq!(containers_in(&inputs)[0], &expected_container(&scope("crio", CONTAINER)));
}

#[tokio::test]
async fn the_cgroup_driver_is_the_one_that_the_runtime_says() {
    let options = |options: &str| {
        format!(
            "{{\"containerd\":{{\"defaultRuntimeName\":\"r\",\"runtimes\":\
             {{\"r\":{{\"options\":{options}}}}}}}}}"
        )
    };
    for (driver, config, expected) in [
        (Some(0), options("null"), Some("systemd")),
        (Some(1), options("null"), Some("cgroupfs")),
        (Some(7), options("null"), None),
        (None, options("null"), Some("cgroupfs")),
        (None, options("{\"SystemdCgroup\":true}"), Some("systemd")),
        (None, options("{\"SystemdCgroup\":false}"), Some("cgroupfs")),
        (None, options("{\"BinaryName\":\"crun\"}"), Some("cgroupfs")),
        (None, options("{}"), None),
        (None, "no form".to_owned(), None),
        (None, "[7]".to_owned(), None),
    ] {
        let node = Node::new();
        Fake { driver, config: config.clone(), ..Fake::new() }.serve(&node);
        let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
        assert_eq!(runtimes_in(&inputs)[0].cgroup_driver.as_deref(), expected, "{config}");
    }
}

#[tokio::test]
async fn what_no_form_fixes_may_have_any() {
    for info in ["", "null", "7", "[]", "{\"pid\":\"x\",\"runtimeSpec\":[]}", "{\"pid\":-1}"] {
        let node = Node::new();
        Fake { container_info: info.to_owned(), ..Fake::new() }.serve(&node);
        let inputs = settled(&mut Runtimes::find(node.root(), None)).await;
        let bare = ContainerFacts {
            pid: None,
            cgroup: None,
            memory_limit: None,
            ..expected_container("")
        };
        assert_eq!(containers_in(&inputs)[0], &bare, "{info}");
    }
}

#[tokio::test]
async fn a_container_that_starts_and_ends_later_is_told_of_each_time() {
    // Not listed, then in each state of the interface.
    const NONE: i32 = -1;
    let state = Arc::new(AtomicI32::new(NONE));
    let calls = Arc::new(Mutex::new(Vec::new()));
    let node = Node::new();
    let (of_fake, seen) = (Arc::clone(&state), Arc::clone(&calls));
    node.serve(SOCKET, Protocol::Grpc, move |path, question| {
        seen.lock().unwrap().push(path.rsplit('/').next().unwrap().to_owned());
        let state = of_fake.load(Ordering::Relaxed);
        let mut fake = Fake { sandboxes: Vec::new(), ..Fake::new() };
        fake.containers.retain(|_| state != NONE);
        fake.containers.iter_mut().for_each(|it| it.state = state);
        fake.answer(path, question)
    });
    let mut runtimes = Runtimes::find(node.root(), None);
    assert!(containers_in(&settled(&mut runtimes).await).is_empty());
    for (now, pid) in [(0, None), (1, Some(2301)), (2, None)] {
        state.store(now, Ordering::Relaxed);
        let start = Instant::now();
        runtimes.hint();
        let Some(Input::Container(facts)) = soon(&mut runtimes, 4).await else { panic!("{now}") };
        assert_eq!((facts.id.as_str(), facts.pid), (CONTAINER, pid), "{now}");
        assert!(start.elapsed() < Duration::from_millis(1500), "a hint makes it quick");
    }
    state.store(NONE, Ordering::Relaxed);
    assert_eq!(
        soon(&mut runtimes, 4).await,
        Some(Input::ContainerGone { id: CONTAINER.to_owned() })
    );
    let calls = calls.lock().unwrap();
    let statuses = calls.iter().filter(|call| *call == "ContainerStatus").count();
    assert_eq!(statuses, 1, "details are asked for once: {calls:?}");
}

#[tokio::test]
async fn hints_without_end_do_not_make_a_storm_of_calls() {
    let lists = Arc::new(AtomicI32::new(0));
    let node = Node::new();
    let seen = Arc::clone(&lists);
    node.serve(SOCKET, Protocol::Grpc, move |path, question| {
        if path.ends_with("ListContainers") {
            seen.fetch_add(1, Ordering::Relaxed);
        }
        Fake::new().answer(path, question)
    });
    let mut runtimes = Runtimes::find(node.root(), None);
    settled(&mut runtimes).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        runtimes.hint();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let lists = lists.load(Ordering::Relaxed);
    assert!((2..=7).contains(&lists), "{lists} in a second");
}
