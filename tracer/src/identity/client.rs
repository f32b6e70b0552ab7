//! One runtime to ask, whatever it speaks.

use std::time::Duration;

use tokio::time::Instant;
use truant_core::input::{ContainerFacts, RuntimeFacts};

use super::{
    bounds::Listed,
    cri::Cri,
    docker::Docker,
    error::Error,
    http::within,
    sockets::{Kind, Place},
};

/// How long connecting takes at most.
const CONNECT: Duration = Duration::from_secs(2);

/// A runtime that answered.
pub(super) enum Client {
    /// By the container runtime interface.
    Cri(Cri),
    /// By Docker's API.
    Docker(Docker),
}

impl Client {
    /// Asks who is at a place, until `by` at most.
    pub(super) async fn ask(place: &Place, by: Instant) -> Result<(Self, RuntimeFacts), Error> {
        let (client, facts) = match place.kind {
            Kind::Cri => cri(place, by).await,
            Kind::Docker => docker(place, by).await,
            Kind::Unknown => {
                let now = Instant::now();
                let half = now + by.saturating_duration_since(now) / 2;
                match cri(place, half).await {
                    Err(error @ (Error::Absent | Error::Connect(_))) => Err(error),
                    Err(error) => docker(place, by).await.map_err(|_neither| error),
                    found => found,
                }
            }
        }?;
        Ok((client, RuntimeFacts { socket: place.shown(), ..facts }))
    }

    /// The cgroup driver, if it is told.
    pub(super) async fn driver(&mut self, by: Instant) -> Option<String> {
        match self {
            Self::Cri(cri) => cri.driver(by).await,
            Self::Docker(docker) => docker.driver(by).await,
        }
    }

    /// All containers and sandboxes.
    pub(super) async fn list(&mut self, by: Instant) -> Result<Vec<Listed>, Error> {
        match self {
            Self::Cri(cri) => cri.list(by).await,
            Self::Docker(docker) => docker.list(by).await,
        }
    }

    /// What more there is to know of one that runs.
    pub(super) async fn inspect(
        &mut self,
        listed: &Listed,
        by: Instant,
    ) -> Result<ContainerFacts, Error> {
        match self {
            Self::Cri(cri) => cri.inspect(listed, by).await,
            Self::Docker(docker) => docker.inspect(listed, by).await,
        }
    }
}

async fn cri(place: &Place, by: Instant) -> Result<(Client, RuntimeFacts), Error> {
    let connected = by.min(Instant::now() + CONNECT);
    let socket = within(connected, "connecting", place.connect()).await?;
    let (cri, facts) = Cri::ask(socket, by).await?;
    Ok((Client::Cri(cri), facts))
}

async fn docker(place: &Place, by: Instant) -> Result<(Client, RuntimeFacts), Error> {
    let (docker, facts) = Docker::ask(place, by).await?;
    Ok((Client::Docker(docker), facts))
}
