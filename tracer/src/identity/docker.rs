//! The client of Docker's API, which Podman serves too. Owns which calls are made, and what of the
//! answers is taken.

use std::collections::BTreeMap;

use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::Instant;
use truant_core::input::{ContainerFacts, RuntimeFacts};

use super::{
    bounds::{self, Listed},
    cgroup_path,
    error::Error,
    http::{Http1, within},
    sockets::Place,
};

/// What the kubelet's Docker shim puts on containers and sandboxes.
mod label {
    pub(super) const KIND: &str = "io.kubernetes.docker.type";
    pub(super) const SANDBOX: &str = "io.kubernetes.sandbox.id";
    pub(super) const POD: &str = "io.kubernetes.pod.name";
    pub(super) const NAMESPACE: &str = "io.kubernetes.pod.namespace";
    pub(super) const UID: &str = "io.kubernetes.pod.uid";
    pub(super) const CONTAINER: &str = "io.kubernetes.container.name";
}

type Labels = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
    #[serde(default)]
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    cgroup_driver: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    names: Option<Vec<String>>,
    image: Option<String>,
    created: Option<i64>,
    state: Option<String>,
    labels: Option<Labels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    state: Option<State>,
    host_config: Option<HostConfig>,
    config: Option<Config>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    pid: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    memory: Option<i64>,
    cgroup_parent: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    image: Option<String>,
}

/// A runtime that serves the API.
pub(super) struct Docker {
    place: Place,
    name: &'static str,
    driver: Option<String>,
    /// Not while a call is under way: what a broken one leaves is of no use.
    connection: Option<Http1>,
}

impl Docker {
    /// Asks who is there.
    pub(super) async fn ask(place: &Place, by: Instant) -> Result<(Self, RuntimeFacts), Error> {
        let mut docker =
            Self { place: place.clone(), name: "docker", driver: None, connection: None };
        let version: Version = docker.get("/version", "GET /version", by).await?;
        let components = version.components.unwrap_or_default();
        if components.iter().any(|component| component.name.starts_with("Podman")) {
            docker.name = "podman";
        }
        let facts = RuntimeFacts {
            name: docker.name.to_owned(),
            version: bounds::text(version.version),
            cgroup_driver: docker.driver(by).await,
            ..RuntimeFacts::default()
        };
        Ok((docker, facts))
    }

    /// The cgroup driver, which also says where containers are.
    pub(super) async fn driver(&mut self, by: Instant) -> Option<String> {
        let info: Result<Info, _> = self.get("/info", "GET /info", by).await;
        self.driver = info.ok().and_then(|info| info.cgroup_driver).and_then(bounds::some);
        self.driver.clone()
    }

    /// All containers.
    pub(super) async fn list(&mut self, by: Instant) -> Result<Vec<Listed>, Error> {
        let path = "/containers/json?all=1";
        let all: Vec<Summary> = self.get(path, "GET /containers/json", by).await?;
        Ok(all.into_iter().filter_map(|container| listed(container, self.name)).collect())
    }

    /// What more there is to know of one that runs.
    pub(super) async fn inspect(
        &mut self,
        listed: &Listed,
        by: Instant,
    ) -> Result<ContainerFacts, Error> {
        let mut facts = listed.facts.clone();
        let path = format!("/containers/{}/json", facts.id);
        let details: Details = self.get(&path, "GET /containers/ID/json", by).await?;
        facts.pid = details.state.and_then(|state| state.pid).and_then(bounds::pid);
        let image = details.config.and_then(|config| config.image);
        facts.image = image.and_then(bounds::some).or(facts.image);
        if let Some(host) = details.host_config {
            facts.memory_limit = host.memory.and_then(bounds::limit);
            facts.cgroup = self.cgroup(&host.cgroup_parent.unwrap_or_default(), &facts.id);
        }
        Ok(facts)
    }

    /// Where Docker's own rules put a container. A parent set for the whole daemon is in no answer
    /// of the API, so that this is a guess where a container names none.
    fn cgroup(&self, parent: &str, id: &str) -> Option<Box<[u8]>> {
        match (self.name, self.driver.as_deref()?) {
            ("docker", "systemd") => cgroup_path::scope(parent, "docker", id),
            ("docker", "cgroupfs") => {
                let parent = if parent.is_empty() { "/docker" } else { parent };
                bounds::path(format!("{}/{id}", parent.trim_end_matches('/')))
            }
            _ => None,
        }
    }

    async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
        call: &'static str,
        by: Instant,
    ) -> Result<T, Error> {
        let (status, body) = within(by, call, self.fetch(path, call)).await?;
        let nonsense = |why: String| Error::Nonsense { call, why: bounds::words(why) };
        match status {
            StatusCode::OK => {
                serde_json::from_slice(&body).map_err(|error| nonsense(error.to_string()))
            }
            StatusCode::NOT_FOUND => Err(Error::Gone),
            status => Err(Error::Failed { call, why: status.to_string() }),
        }
    }

    async fn fetch(
        &mut self,
        path: &str,
        call: &'static str,
    ) -> Result<(StatusCode, hyper::body::Bytes), Error> {
        let failed = |error: &dyn std::error::Error| Error::Failed {
            call,
            why: bounds::words(error.to_string()),
        };
        let mut connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let socket = self.place.connect().await?;
            Http1::over(socket).await.map_err(|error| failed(&error))?
        };
        let answer = connection.get(path).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), bounds::ANSWER).collect().await;
        let body = body.map_err(|error| failed(error.as_ref()))?.to_bytes();
        self.connection = Some(connection);
        Ok((status, body))
    }
}

fn listed(container: Summary, runtime: &str) -> Option<Listed> {
    let id = bounds::id(&container.id)?;
    let labels = container.labels.unwrap_or_default();
    let of = |label: &str| labels.get(label).and_then(bounds::some);
    let is_sandbox = of(label::KIND).is_some_and(|kind| kind == "podsandbox");
    let own_name = || {
        let name = container.names.as_ref()?.first()?;
        bounds::some(name.trim_start_matches('/'))
    };
    let name = of(label::CONTAINER).or_else(own_name).filter(|_| !is_sandbox);
    let sandbox = if is_sandbox { Some(id.clone()) } else { of(label::SANDBOX) };
    let state = container.state.unwrap_or_default();
    let facts = ContainerFacts {
        id,
        sandbox,
        pod_uid: of(label::UID),
        pod: of(label::POD),
        namespace: of(label::NAMESPACE),
        name,
        image: container.image.and_then(bounds::some),
        labels: bounds::labels(&labels, &Labels::new()),
        runtime: runtime.to_owned(),
        ..ContainerFacts::default()
    };
    let is_running = matches!(state.as_str(), "running" | "paused");
    Some(Listed { facts, is_sandbox, is_running, made: container.created.unwrap_or_default() })
}
