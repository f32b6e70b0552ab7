//! The client of the container runtime interface: containerd, CRI-O and whoever else serves it.
//! Owns which calls are made, and what of the answers is taken.

mod info;
pub(super) mod proto;

use std::collections::BTreeMap;

use http::{Uri, uri::PathAndQuery};
use prost::Message;
use tokio::{net::UnixStream, time::Instant};
use tonic::{Code, Request, Status, client::Grpc};
use tonic_prost::ProstCodec;
use truant_core::input::{ContainerFacts, RuntimeFacts};

use super::{
    bounds::{self, Listed},
    error::Error,
    http::{Http2, within},
};

/// The names of the service, the newer first. Their messages are the same. containerd 1.4 and 1.5
/// have the second alone, containerd 2 the first alone.
const SERVICES: [&str; 2] = ["runtime.v1.RuntimeService", "runtime.v1alpha2.RuntimeService"];

/// A runtime that serves the interface.
pub(super) struct Cri {
    connection: Http2,
    service: &'static str,
    name: String,
}

impl Cri {
    /// Asks who is there.
    ///
    /// # Errors
    /// [`Error::NoCri`] from one that speaks gRPC or plain HTTP and knows no such interface.
    pub(super) async fn ask(
        socket: UnixStream,
        by: Instant,
    ) -> Result<(Self, RuntimeFacts), Error> {
        let no_http2 = |error| Error::Failed { call: "Version", why: words(&error) };
        let connection =
            within(by, "Version", async { Http2::over(socket).await.map_err(no_http2) }).await?;
        let mut cri = Self { connection, service: SERVICES[0], name: String::new() };
        let version = match cri.version(by).await {
            Err(Error::NoCri) => {
                cri.service = SERVICES[1];
                cri.version(by).await?
            }
            version => version?,
        };
        cri.name = bounds::text(version.runtime_name);
        let facts = RuntimeFacts {
            name: cri.name.clone(),
            version: bounds::text(version.runtime_version),
            cgroup_driver: cri.driver(by).await,
            ..RuntimeFacts::default()
        };
        Ok((cri, facts))
    }

    /// The cgroup driver. Newer runtimes say it; containerd also shows its configuration.
    pub(super) async fn driver(&self, by: Instant) -> Option<String> {
        let config: Result<proto::RuntimeConfigResponse, _> =
            self.call("RuntimeConfig", proto::RuntimeConfigRequest {}, by).await;
        if let Some(linux) = config.ok().and_then(|config| config.linux) {
            let names = ["systemd", "cgroupfs"];
            let index = usize::try_from(linux.cgroup_driver).ok()?;
            return names.get(index).map(|&name| name.to_owned());
        }
        let request = proto::StatusRequest { verbose: true };
        let status: Result<proto::StatusResponse, _> = self.call("Status", request, by).await;
        info::driver(&status.ok()?.info)
    }

    /// All pods' sandboxes and containers.
    pub(super) async fn list(&self, by: Instant) -> Result<Vec<Listed>, Error> {
        let sandboxes: proto::ListPodSandboxResponse =
            self.call("ListPodSandbox", proto::ListPodSandboxRequest {}, by).await?;
        let containers: proto::ListContainersResponse =
            self.call("ListContainers", proto::ListContainersRequest {}, by).await?;
        let pods: BTreeMap<_, _> =
            sandboxes.items.iter().map(|pod| (pod.id.as_str(), pod)).collect();
        let of_pods = sandboxes.items.iter().filter_map(|pod| self.sandbox(pod));
        let of_containers = containers.containers.into_iter().filter_map(|container| {
            self.container(&container, pods.get(container.pod_sandbox_id.as_str()).copied())
        });
        Ok(of_pods.chain(of_containers).collect())
    }

    /// What more there is to know of one that runs.
    pub(super) async fn inspect(
        &self,
        listed: &Listed,
        by: Instant,
    ) -> Result<ContainerFacts, Error> {
        let mut facts = listed.facts.clone();
        if listed.is_sandbox {
            let request =
                proto::PodSandboxStatusRequest { pod_sandbox_id: facts.id.clone(), verbose: true };
            let answer: proto::PodSandboxStatusResponse =
                self.call("PodSandboxStatus", request, by).await?;
            info::add(&mut facts, &answer.info);
        } else {
            let request =
                proto::ContainerStatusRequest { container_id: facts.id.clone(), verbose: true };
            let answer: proto::ContainerStatusResponse =
                self.call("ContainerStatus", request, by).await?;
            let image = answer.status.and_then(|status| status.image);
            facts.image = image.as_ref().and_then(asked_for).or(facts.image);
            info::add(&mut facts, &answer.info);
        }
        Ok(facts)
    }

    async fn version(&self, by: Instant) -> Result<proto::VersionResponse, Error> {
        // What a kubelet sends.
        self.call("Version", proto::VersionRequest { version: "0.1.0".to_owned() }, by).await
    }

    fn sandbox(&self, pod: &proto::PodSandbox) -> Option<Listed> {
        let id = bounds::id(&pod.id)?;
        let facts = ContainerFacts {
            sandbox: Some(id.clone()),
            id,
            labels: bounds::labels(&pod.labels, &BTreeMap::new()),
            runtime: self.name.clone(),
            ..in_pod(pod)
        };
        Some(Listed { facts, is_sandbox: true, is_running: pod.state == 0, made: pod.created_at })
    }

    fn container(
        &self,
        container: &proto::Container,
        pod: Option<&proto::PodSandbox>,
    ) -> Option<Listed> {
        let none = BTreeMap::new();
        let facts = ContainerFacts {
            id: bounds::id(&container.id)?,
            sandbox: bounds::id(&container.pod_sandbox_id),
            name: container.metadata.as_ref().and_then(|it| bounds::some(&it.name)),
            image: container.image.as_ref().and_then(asked_for),
            labels: bounds::labels(pod.map_or(&none, |pod| &pod.labels), &container.labels),
            runtime: self.name.clone(),
            ..pod.map(in_pod).unwrap_or_default()
        };
        let is_running = container.state == 1;
        Some(Listed { facts, is_sandbox: false, is_running, made: container.created_at })
    }

    async fn call<Q, A>(&self, call: &'static str, question: Q, by: Instant) -> Result<A, Error>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let failed = |why: String| Error::Failed { call, why };
        let path = PathAndQuery::try_from(format!("/{}/{call}", self.service));
        let path = path.map_err(|error| failed(error.to_string()))?;
        let origin = Uri::from_static("http://localhost");
        let grpc = Grpc::with_origin(self.connection.calls(), origin);
        let mut grpc = grpc.max_decoding_message_size(bounds::ANSWER);
        within(by, call, async {
            grpc.ready().await.map_err(|error| failed(words(&error)))?;
            let answer =
                grpc.unary(Request::new(question), path, ProstCodec::<Q, A>::default()).await;
            answer.map(tonic::Response::into_inner).map_err(|status| refused(call, &status))
        })
        .await
    }
}

/// What a container's or sandbox's pod gives to it.
fn in_pod(pod: &proto::PodSandbox) -> ContainerFacts {
    let Some(metadata) = &pod.metadata else { return ContainerFacts::default() };
    ContainerFacts {
        pod_uid: bounds::some(&metadata.uid),
        pod: bounds::some(&metadata.name),
        namespace: bounds::some(&metadata.namespace),
        ..ContainerFacts::default()
    }
}

/// The image as people write it, not by its digest.
fn asked_for(image: &proto::ImageSpec) -> Option<String> {
    let names = [&image.user_specified_image, &image.image];
    let is_name = |name: &&&String| !name.is_empty() && !name.starts_with("sha256:");
    names.iter().find(is_name).and_then(|name| bounds::some(name.as_str()))
}

fn refused(call: &'static str, status: &Status) -> Error {
    let why = bounds::words(match std::error::Error::source(status) {
        Some(source) => format!("{}: {source}", status.message()),
        None => status.message().to_owned(),
    });
    match status.code() {
        Code::Unimplemented => Error::NoCri,
        Code::NotFound => Error::Gone,
        Code::Internal | Code::OutOfRange => Error::Nonsense { call, why },
        _ => Error::Failed { call, why },
    }
}

fn words(error: &hyper::Error) -> String {
    use std::error::Error as _;
    bounds::words(match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}
