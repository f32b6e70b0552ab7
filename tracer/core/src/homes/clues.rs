//! What many verdicts share: who sits in which namespace, and which cgroup is whose. It is true for
//! the moment, as numbers of namespaces come again. Judges nobody.

use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    string::String,
    sync::Arc,
    vec::Vec,
};

use crate::{
    engine::Engine,
    ids::{CgroupKey, HierarchyId},
    node::Namespaces,
    path::{self, Container},
    report::Witness,
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

/// Who sits where, and what is whose.
#[derive(Debug, Default)]
pub(crate) struct Clues {
    /// None where the tasks of several pods, or of none, share it.
    seats: BTreeMap<(Witness, u32), Option<Arc<Container>>>,
    /// The guarded cgroups, at most one of each hierarchy, by the id of the container or by the uid
    /// of the pod. Of several, the one with the smallest number.
    cgroups: BTreeMap<String, Vec<CgroupKey>>,
    /// The containers that guarded cgroups name, by their ids.
    containers: BTreeMap<String, (CgroupKey, Container)>,
}

impl Clues {
    /// The cgroup of a container, or else of its pod, in a hierarchy.
    pub(crate) fn cgroup(&self, at: HierarchyId, home: &Container) -> Option<CgroupKey> {
        let mut ids = [&home.container_id, &home.pod_uid].into_iter().flatten();
        ids.find_map(|id| self.cgroup_named(at, id))
    }

    /// The cgroup of a pod in a hierarchy, or of the container where there is no pod.
    pub(crate) fn pod_cgroup(&self, at: HierarchyId, home: &Container) -> Option<CgroupKey> {
        self.cgroup_named(at, unit(home)?)
    }

    /// The container that alone, or whose pod alone, has its tasks in a namespace.
    pub(super) fn seat(&self, kind: Witness, number: u32) -> Option<&Container> {
        self.seats.get(&(kind, number))?.as_deref()
    }

    /// The container of this id, by the cgroups there are.
    pub(super) fn container(&self, id: &str) -> Option<&Container> {
        self.containers.get(id).map(|(_, container)| container)
    }

    fn cgroup_named(&self, at: HierarchyId, name: &str) -> Option<CgroupKey> {
        self.cgroups.get(name)?.iter().find(|key| key.hierarchy == at).copied()
    }

    fn sit(&mut self, namespaces: Namespaces, of_node: Namespaces, container: &Arc<Container>) {
        let kinds = kinds(namespaces).into_iter().zip(kinds(of_node));
        for ((witness, own), (_, nodes)) in kinds {
            let (Some(own), Some(nodes)) = (own, nodes) else { continue };
            if own == nodes {
                continue;
            }
            match self.seats.entry((witness, own)) {
                Entry::Vacant(seat) => {
                    seat.insert(Some(Arc::clone(container)));
                }
                Entry::Occupied(mut seat) => {
                    if let Some(known) = seat.get()
                        && !covers(known, container)
                    {
                        let common = common(known, container).map(Arc::new);
                        seat.insert(common);
                    }
                }
            }
        }
    }

    fn note(&mut self, key: CgroupKey, path: &[u8], container: Container) {
        let named = container.container_id.as_ref().or(container.pod_uid.as_ref());
        if let Some(name) = named.filter(|name| is_named_last(path, name)) {
            if let Some(keys) = self.cgroups.get_mut(name) {
                match keys.iter_mut().find(|known| known.hierarchy == key.hierarchy) {
                    Some(known) => *known = key.min(*known),
                    None => keys.push(key),
                }
            } else {
                self.cgroups.insert(name.clone(), Vec::from([key]));
            }
        }
        let id = container.container_id.as_ref();
        let known = id.and_then(|id| self.containers.get_mut(id));
        match (known, id) {
            (Some(known), _) if known.0 > key => *known = (key, container),
            (None, Some(id)) => drop(self.containers.insert(id.clone(), (key, container))),
            _ => {}
        }
    }
}

impl Engine {
    /// Puts all clues together.
    pub(crate) fn put_clues_together(&self) -> Clues {
        let mut clues = Clues::default();
        let of_node = self.nodes_namespaces();
        for (_, namespaces, container) in self.homes.claims() {
            clues.sit(namespaces, of_node, container);
        }
        for hierarchy in self.tree.hierarchies() {
            self.tree.walk(hierarchy, |id, path| {
                if let Some(container) = self.guarded_container(path) {
                    clues.note(CgroupKey { hierarchy, id }, path, container);
                }
            });
        }
        clues
    }

    /// Of all clues, those that a verdict on one process rests on.
    pub(crate) fn clues_on(&self, pid: u32) -> Clues {
        let mut clues = Clues::default();
        let (of_node, own) = (self.nodes_namespaces(), self.homes.namespaces(pid));
        for (_, namespaces, container) in self.homes.claims() {
            clues.sit(shared(namespaces, own), of_node, container);
        }
        let watched = self.homes.ancestors(pid).filter_map(|above| self.homes.monitors(above));
        for id in watched {
            for hierarchy in self.tree.hierarchies() {
                self.note_named(&mut clues, hierarchy, id);
            }
        }
        clues
    }

    /// Adds the cgroups of a pod to what is known of it.
    pub(crate) fn note_unit(&self, clues: &mut Clues, hierarchy: HierarchyId, of: &Container) {
        if let Some(name) = unit(of) {
            self.note_named(clues, hierarchy, name);
        }
    }

    fn note_named(&self, clues: &mut Clues, hierarchy: HierarchyId, name: &str) {
        for (id, path) in self.tree.with_name(hierarchy, |own| may_name(own, name)) {
            if let Some(container) = self.guarded_container(&path) {
                clues.note(CgroupKey { hierarchy, id }, &path, container);
            }
        }
    }

    /// The namespaces that are nobody's.
    fn nodes_namespaces(&self) -> Namespaces {
        let first = self.homes.namespaces(1);
        Namespaces {
            pid: first.pid.or(FIRST.pid),
            cgroup: first.cgroup.or(FIRST.cgroup),
            ipc: first.ipc.or(FIRST.ipc),
            ..first
        }
    }
}

/// Which witness each namespace is.
pub(super) fn kinds(namespaces: Namespaces) -> [(Witness, Option<u32>); 5] {
    [
        (Witness::PidNamespace, namespaces.pid),
        (Witness::MountNamespace, namespaces.mount),
        (Witness::CgroupNamespace, namespaces.cgroup),
        (Witness::NetNamespace, namespaces.net),
        (Witness::IpcNamespace, namespaces.ipc),
    ]
}

/// Those of the namespaces that are the same in both.
fn shared(one: Namespaces, other: Namespaces) -> Namespaces {
    let same = |one: Option<u32>, other| one.filter(|one| other == Some(*one));
    Namespaces {
        pid: same(one.pid, other.pid),
        mount: same(one.mount, other.mount),
        cgroup: same(one.cgroup, other.cgroup),
        net: same(one.net, other.net),
        ipc: same(one.ipc, other.ipc),
    }
}

/// What names a pod, or the container where there is no pod.
fn unit(home: &Container) -> Option<&str> {
    home.pod_uid.as_deref().or(home.container_id.as_deref())
}

/// Whether what is known names no more than what both have in common.
fn covers(known: &Arc<Container>, other: &Arc<Container>) -> bool {
    let is_their_pod =
        known.container_id.is_none() && known.pod_uid.is_some() && known.pod_uid == other.pod_uid;
    Arc::ptr_eq(known, other) || is_their_pod || known == other
}

/// The part of two containers' names that is the same; none if they have not even a pod together.
fn common(one: &Container, other: &Container) -> Option<Container> {
    let pod_uid = one.pod_uid.clone().filter(|_| one.pod_uid == other.pod_uid)?;
    Some(Container { pod_uid: Some(pod_uid), container_id: None })
}

/// Whether a path's last component is the one that names this container or pod.
fn is_named_last(path: &[u8], name: &str) -> bool {
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let Some(alone) = path::container(last) else { return false };
    [alone.container_id, alone.pod_uid].iter().any(|own| own.as_deref() == Some(name))
}

/// Whether a cgroup's name has a container's or a pod's in it, which systemd's slices write with
/// underscores.
fn may_name(own: &[u8], name: &str) -> bool {
    let dashed = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
    own.windows(name.len().max(1)).any(|part| part.iter().map(dashed).eq(name.bytes()))
}
