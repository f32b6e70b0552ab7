//! Whom to believe: from what each witness says of a process to its home.
//!
//! A cgroup, a runtime and a birth speak for themselves. Namespaces can be entered by anyone with
//! the right to, an engineer's shell for one, so they alone make nobody a pod's. Networks and
//! message queues can be shared with a host's own process, so they only support.

use alloc::{borrow::ToOwned as _, collections::BTreeMap, string::String, vec::Vec};

use super::roster;
use crate::{
    engine::Engine,
    ids::{CgroupKey, HierarchyId},
    node::{ContainerFacts, Namespaces},
    path::{self, Container},
    report::{Home, Witness},
};

/// The kernel's fixed inode numbers of its first namespaces (`include/linux/proc_ns.h`), for nodes
/// that hide those of process 1.
const FIRST: Namespaces = Namespaces {
    pid: Some(0xEFFF_FFFC),
    mount: None,
    cgroup: Some(0xEFFF_FFFB),
    net: None,
    ipc: Some(0xEFFF_FFFF),
};

/// What is put together once for many verdicts: who sits in which namespace, and which cgroup is
/// whose.
#[derive(Debug, Default)]
pub(crate) struct Clues {
    /// None where the tasks of several pods, or of none, share it.
    seats: BTreeMap<(Witness, u32), Option<Container>>,
    /// The guarded cgroups, by the id of the container or by the uid of the pod.
    cgroups: BTreeMap<(HierarchyId, String), CgroupKey>,
    /// The containers that guarded cgroups name, by their ids.
    containers: BTreeMap<String, Container>,
}

impl Clues {
    /// The cgroup of a container, or else of its pod, in a hierarchy.
    pub(crate) fn cgroup(&self, at: HierarchyId, home: &Container) -> Option<CgroupKey> {
        let ids = [&home.container_id, &home.pod_uid].into_iter().flatten();
        ids.filter_map(|id| self.cgroups.get(&(at, id.clone()))).copied().next()
    }

    /// The cgroup of a pod in a hierarchy, or of the container where there is no pod.
    pub(crate) fn pod_cgroup(&self, at: HierarchyId, home: &Container) -> Option<CgroupKey> {
        let id = home.pod_uid.as_ref().or(home.container_id.as_ref())?;
        self.cgroups.get(&(at, id.clone())).copied()
    }

    fn sit(&mut self, namespaces: Namespaces, of_node: Namespaces, container: &Container) {
        let kinds = kinds(namespaces).into_iter().zip(kinds(of_node));
        for ((witness, own), (_, nodes)) in kinds {
            let (Some(own), Some(nodes)) = (own, nodes) else { continue };
            if own != nodes {
                let seat = self.seats.entry((witness, own));
                seat.and_modify(|known| *known = known.as_ref().and_then(|it| both(it, container)))
                    .or_insert_with(|| Some(container.clone()));
            }
        }
    }
}

/// The part of two containers' names that is the same; none if they have not even a pod together.
fn both(one: &Container, other: &Container) -> Option<Container> {
    if one == other {
        return Some(one.clone());
    }
    let pod_uid = one.pod_uid.clone().filter(|_| one.pod_uid == other.pod_uid)?;
    Some(Container { pod_uid: Some(pod_uid), container_id: None })
}

fn kinds(namespaces: Namespaces) -> [(Witness, Option<u32>); 5] {
    [
        (Witness::PidNamespace, namespaces.pid),
        (Witness::MountNamespace, namespaces.mount),
        (Witness::CgroupNamespace, namespaces.cgroup),
        (Witness::NetNamespace, namespaces.net),
        (Witness::IpcNamespace, namespaces.ipc),
    ]
}

impl Engine {
    /// All that many verdicts share. It is true for the moment: numbers of namespaces come again.
    pub(crate) fn clues(&self) -> Clues {
        let mut clues = Clues::default();
        let first = self.homes.namespaces(1);
        let of_node = Namespaces {
            pid: first.pid.or(FIRST.pid),
            cgroup: first.cgroup.or(FIRST.cgroup),
            ipc: first.ipc.or(FIRST.ipc),
            ..first
        };
        for (_, namespaces, container) in self.homes.claims() {
            clues.sit(namespaces, of_node, container);
        }
        for hierarchy in self.tree.hierarchies() {
            for (id, path) in self.tree.existing(hierarchy) {
                let Some(container) = self.guarded_container(&path) else { continue };
                let key = CgroupKey { hierarchy, id };
                let name = container.container_id.as_ref().or(container.pod_uid.as_ref());
                if let Some(name) = name.filter(|name| is_named_last(&path, name)) {
                    clues.cgroups.entry((hierarchy, name.clone())).or_insert(key);
                }
                if let Some(id) = container.container_id.clone() {
                    clues.containers.entry(id).or_insert(container);
                }
            }
        }
        clues
    }

    /// The container that a guarded path names; none of a path outside.
    pub(crate) fn guarded_container(&self, path: &[u8]) -> Option<Container> {
        self.guard.root(path)?;
        path::container(path)
    }

    /// Whose a process is, if any witness says so.
    pub(crate) fn home(&self, pid: u32, clues: &Clues) -> Option<Home> {
        let mut said = self.inside(pid);
        // Where it still is says more than that it was there.
        if let Some(claim) = self.homes.claim(pid)
            && said.iter().all(|(_, container)| *container != *claim.container)
        {
            said.push((claim.witness, (*claim.container).clone()));
        }
        said.extend(self.by_runtime(pid).map(|container| (Witness::Runtime, container)));
        for (witness, number) in kinds(self.homes.namespaces(pid)) {
            let seat = number.and_then(|number| clues.seats.get(&(witness, number)));
            said.extend(seat.cloned().flatten().map(|container| (witness, container)));
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

    /// The containers whose cgroups a process is in, by the witness that each is.
    fn inside(&self, pid: u32) -> Vec<(Witness, Container)> {
        let Some(places) = self.tasks.places_of_process(pid) else { return Vec::new() };
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
            let container = clues.containers.get(id).cloned().or_else(by_runtime)?;
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

/// Whether a path's last component is the one that names this container or pod.
fn is_named_last(path: &[u8], name: &str) -> bool {
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let Some(alone) = path::container(&[b"/kubepods/", last].concat()) else { return false };
    let names = [alone.container_id, alone.pod_uid].map(Option::unwrap_or_default);
    names.contains(&name.to_owned())
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
