//! What the runtimes say of containers and sandboxes. Believes none of it.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    node::{ContainerFacts, RuntimeFacts},
    path::Container,
    report::Names,
};

/// Far more than a node runs. What comes later has no names.
const MAX_CONTAINERS: usize = 1 << 14;

/// Far more than there are on a node.
const MAX_RUNTIMES: usize = 16;

/// The containers by their ids.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    containers: BTreeMap<String, Box<ContainerFacts>>,
    by_pid: BTreeMap<u32, String>,
    /// A container or sandbox of each pod.
    by_pod: BTreeMap<String, String>,
    runtimes: Vec<RuntimeFacts>,
}

impl Roster {
    /// What is said of a runtime; the last word for each socket counts.
    pub(crate) fn runtime(&mut self, facts: RuntimeFacts) {
        self.runtimes.retain(|known| known.socket != facts.socket);
        if self.runtimes.len() < MAX_RUNTIMES {
            self.runtimes.push(facts);
        }
    }

    /// What is said of a container; the last word counts.
    pub(crate) fn container(&mut self, facts: Box<ContainerFacts>) {
        self.gone(&facts.id);
        if self.containers.len() >= MAX_CONTAINERS {
            return;
        }
        if let Some(pid) = facts.pid {
            self.by_pid.insert(pid, facts.id.clone());
        }
        if let Some(pod) = &facts.pod_uid {
            self.by_pod.insert(pod.clone(), facts.id.clone());
        }
        self.containers.insert(facts.id.clone(), facts);
    }

    /// A container that is no more.
    pub(crate) fn gone(&mut self, id: &str) {
        let Some(facts) = self.containers.remove(id) else { return };
        let is_its = |known: &mut String| known == id;
        if let Some(pid) = facts.pid {
            self.by_pid.extract_if(pid..=pid, |_, known| is_its(known)).for_each(drop);
        }
        if let Some(pod) = facts.pod_uid {
            let pods = pod.clone()..=pod;
            self.by_pod.extract_if(pods, |_, known| is_its(known)).for_each(drop);
        }
    }

    /// The runtimes that were asked.
    pub(crate) fn runtimes(&self) -> &[RuntimeFacts] {
        &self.runtimes
    }

    /// The container whose first process this is.
    pub(crate) fn of_pid(&self, pid: u32) -> Option<&ContainerFacts> {
        self.of_id(self.by_pid.get(&pid)?)
    }

    /// The container, or the sandbox, of this id.
    pub(crate) fn of_id(&self, id: &str) -> Option<&ContainerFacts> {
        self.containers.get(id).map(|facts| &**facts)
    }

    /// The names of a container or of a pod.
    pub(crate) fn names(&self, container: &Container) -> Option<Names> {
        let own = container.container_id.as_deref().and_then(|id| self.of_id(id));
        let pods = || self.of_id(self.by_pod.get(container.pod_uid.as_deref()?)?);
        let facts = own.or_else(pods)?;
        let is_sandbox = facts.sandbox.as_deref() == Some(&*facts.id);
        let of_own = |text: &Option<String>| text.clone().filter(|_| own.is_some() && !is_sandbox);
        Some(Names {
            pod: facts.pod.clone(),
            namespace: facts.namespace.clone(),
            container: of_own(&facts.name),
            image: of_own(&facts.image),
            labels: facts.labels.clone(),
        })
    }
}

/// The container that a runtime's words name, as cgroup paths would name it. A sandbox is its pod.
pub(crate) fn named(facts: &ContainerFacts) -> Container {
    let is_sandbox = facts.sandbox.as_deref() == Some(&*facts.id) && facts.pod_uid.is_some();
    let container_id = (!is_sandbox).then(|| facts.id.clone());
    Container { pod_uid: facts.pod_uid.clone(), container_id }
}
