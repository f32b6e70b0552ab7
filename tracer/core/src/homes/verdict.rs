//! Whom to believe: from what each witness says of a process to its home.
//!
//! A cgroup, a runtime and a birth speak for themselves. Namespaces can be entered by anyone with
//! the right to, an engineer's shell for one, so they alone make nobody a pod's. Networks and
//! message queues can be shared with a host's own process, so they only support.

use alloc::vec::Vec;

use super::{
    clues::{Clues, kinds},
    roster,
};
use crate::{
    engine::Engine,
    node::ContainerFacts,
    path::{self, Container},
    places::Places,
    report::{Home, Witness},
};

/// The containers whose cgroups a process is in, by the witness that each is.
pub(crate) type Inside = Vec<(Witness, Container)>;

impl Engine {
    /// The container that a guarded path names; none of a path outside.
    pub(crate) fn guarded_container(&self, path: &[u8]) -> Option<Container> {
        self.guard.root(path)?;
        path::container(path)
    }

    /// Whose a process is, if any witness says so.
    pub(crate) fn home(&self, pid: u32, clues: &Clues) -> Option<Home> {
        let inside = self.tasks.places_of_process(pid).map(|places| self.inside(places));
        self.home_by(inside.unwrap_or_default(), pid, clues)
    }

    /// As [`Self::home`], of a process whose places are known to name these containers.
    pub(crate) fn home_by(&self, inside: Inside, pid: u32, clues: &Clues) -> Option<Home> {
        let mut said = inside;
        // Where it still is says more than that it was there.
        if let Some(claim) = self.homes.claim(pid)
            && said.iter().all(|(_, container)| *container != *claim.container)
        {
            said.push((claim.witness, (*claim.container).clone()));
        }
        said.extend(self.by_runtime(pid).map(|container| (Witness::Runtime, container)));
        for (witness, number) in kinds(self.homes.namespaces(pid)) {
            let seat = number.and_then(|number| clues.seat(witness, number));
            said.extend(seat.cloned().map(|container| (witness, container)));
        }
        let above = self.homes.ancestors(pid).find_map(|above| self.of_ancestor(pid, above, clues));
        said.extend(above.map(|container| (Witness::Ancestry, container)));
        said.sort_by_key(|(witness, _)| *witness);
        said.dedup();
        self.weigh(&said)
    }

    /// A container with its names, as one that is known for sure by its cgroup.
    pub(crate) fn home_of(&self, container: &Container) -> Home {
        Home {
            names: self.homes.roster.names(container),
            container: container.clone(),
            witnesses: Vec::from([Witness::Cgroup]),
            is_sure: true,
        }
    }

    /// The containers whose cgroups these places are, by the witness that each is.
    pub(crate) fn inside(&self, places: &Places) -> Inside {
        let memory = self.memory_hierarchy();
        let said = places.iter().filter_map(|(hierarchy, spot)| {
            let place = self.spot_place(*hierarchy, spot);
            let container = self.guarded_container(place.path.as_deref()?)?;
            let is_memory = *hierarchy == memory;
            Some((if is_memory { Witness::Cgroup } else { Witness::OtherHierarchy }, container))
        });
        said.collect()
    }

    fn by_runtime(&self, pid: u32) -> Option<Container> {
        self.guarded_facts(self.homes.roster.of_pid(pid)?)
    }

    /// What a runtime says of a container that is, or was made, inside the guarded subtree.
    fn guarded_facts(&self, facts: &ContainerFacts) -> Option<Container> {
        let by_path = facts.cgroup.as_deref().and_then(|path| self.guarded_container(path));
        // A pod's container is in a kubepods tree whatever its runtime calls the path.
        let is_pods = facts.pod_uid.is_some() && self.guard.is_default();
        by_path.or_else(|| is_pods.then(|| roster::named(facts)))
    }

    fn of_ancestor(&self, pid: u32, above: u32, clues: &Clues) -> Option<Container> {
        let own = || self.homes.claim(above).map(|claim| (*claim.container).clone());
        let watched = || {
            let id = self.homes.monitors(above).filter(|_| self.lives_apart(pid, above))?;
            let by_runtime = || self.guarded_facts(self.homes.roster.of_id(id)?);
            let container = clues.container(id).cloned().or_else(by_runtime)?;
            // A shim watches over all containers of a pod, by the id of the first.
            let container_id = container.container_id.filter(|_| container.pod_uid.is_none());
            Some(Container { container_id, ..container })
        };
        own().or_else(|| self.by_runtime(above)).or_else(watched)
    }

    /// Whether a process sees other processes or files than one above it. A shim starts its
    /// container's first process, and programs of its own for a moment, such as runc.
    fn lives_apart(&self, pid: u32, above: u32) -> bool {
        let (one, other) = (self.homes.namespaces(pid), self.homes.namespaces(above));
        let kinds = [(one.pid, other.pid), (one.mount, other.mount)];
        kinds.into_iter().any(|(one, other)| one.is_some() && other.is_some() && one != other)
    }

    fn weigh(&self, said: &[(Witness, Container)]) -> Option<Home> {
        let strong = |(witness, _): &&(Witness, Container)| !is_support(*witness);
        let (_, first) = said.iter().find(strong)?;
        let mut container = first.clone();
        let mut is_sure = said.iter().any(|(witness, _)| speaks_alone(*witness));
        for (witness, other) in said {
            if is_same_unit(&container, other) {
                container.pod_uid = container.pod_uid.or_else(|| other.pod_uid.clone());
                // What all containers of a pod share names none of them, though the one that was
                // seen in it may be the pod's sandbox alone.
                let id = || other.container_id.clone().filter(|_| !is_support(*witness));
                container.container_id = container.container_id.or_else(id);
            } else if !is_support(*witness) {
                is_sure = false;
            }
        }
        let mut witnesses: Vec<_> = said.iter().map(|(witness, _)| *witness).collect();
        witnesses.dedup();
        let names = self.homes.roster.names(&container);
        Some(Home { container, names, witnesses, is_sure })
    }
}

/// Whether two are of one pod, or are one container where no pod is known.
fn is_same_unit(one: &Container, other: &Container) -> bool {
    match one.pod_uid.as_ref().zip(other.pod_uid.as_ref()) {
        Some((one, other)) => one == other,
        None => one.container_id.is_some() && one.container_id == other.container_id,
    }
}

fn is_support(witness: Witness) -> bool {
    matches!(witness, Witness::NetNamespace | Witness::IpcNamespace)
}

fn speaks_alone(witness: Witness) -> bool {
    use Witness::{Ancestry, Cgroup, OtherHierarchy, Parent, Runtime};
    matches!(witness, Cgroup | OtherHierarchy | Runtime | Parent | Ancestry)
}
