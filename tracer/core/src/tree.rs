//! The cgroups of every hierarchy: ids to paths and paths to ids. No charge and no task is here.
//!
//! Removed cgroups stay until they are released, and then for one whole interval more, because
//! charges are read in bulk and come later than the events of the same moment.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    guard::Guard,
    ids::{CgroupKey, HierarchyId},
    input::Hierarchy,
    path,
    report::Place,
};

/// The kernel hands out no longer path than this (`PATH_MAX`), in bytes.
const MAX_PATH: usize = 4096;

/// Deeper than any path can be that the kernel hands out.
const MAX_DEPTH: usize = MAX_PATH / 2;

/// So many removed cgroups are kept; without releases the oldest go first.
const MAX_REMOVED: usize = 1 << 16;

/// A system has a dozen hierarchies; mounting over and over makes new numbers.
const MAX_HIERARCHIES: usize = 1 << 10;

/// The controllers whose limits and accounts count, and in whose hierarchies all runtimes place a
/// container: the first is what a stray is told by where it is out in several.
const JUDGED: [&str; 6] = ["memory", "pids", "cpu", "cpuacct", "io", "blkio"];

/// All hierarchies, each a forest as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    hierarchies: BTreeMap<HierarchyId, Hierarchy>,
    judged: Vec<HierarchyId>,
    nodes: BTreeMap<CgroupKey, Node>,
    /// The cgroups that can be found by name: those whose directories exist.
    names: BTreeMap<CgroupKey, BTreeMap<Box<[u8]>, u64>>,
    /// Parent and child, removed ones included.
    below: BTreeSet<(CgroupKey, u64)>,
    roots: BTreeMap<HierarchyId, u64>,
    /// The removed cgroups by the order of their removal.
    removed: BTreeSet<(u64, CgroupKey)>,
    removals: u64,
    released: Vec<CgroupKey>,
    released_before: Vec<CgroupKey>,
    /// In each hierarchy, the path that was found last: tasks of one cgroup are seen in a row.
    found: BTreeMap<HierarchyId, (Box<[u8]>, u64)>,
}

#[derive(Debug)]
struct Node {
    /// None for the root.
    parent: Option<u64>,
    name: Box<[u8]>,
    /// The number of its removal.
    removed: Option<u64>,
}

/// What a cgroup that was made means to the tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Made {
    /// It was not known: it has ancestors now.
    New,
    /// It was known, and what was known is at least as new.
    Known,
    /// Its name is no name, or it would be its own ancestor.
    Refused,
}

impl Tree {
    /// Adds a hierarchy, or says more of a known one.
    pub(crate) fn hierarchy(&mut self, hierarchy: Hierarchy) {
        if self.hierarchies.len() < MAX_HIERARCHIES || self.hierarchies.contains_key(&hierarchy.id)
        {
            self.hierarchies.insert(hierarchy.id, hierarchy);
            let mut judged = Vec::new();
            for id in JUDGED.into_iter().filter_map(|controller| self.hierarchy_with(controller)) {
                if !judged.contains(&id) {
                    judged.push(id);
                }
            }
            self.judged = judged;
        }
    }

    /// Whether a hierarchy's root is known, and so what is below it.
    pub(crate) fn has_root(&self, id: HierarchyId) -> bool {
        self.roots.contains_key(&id)
    }

    /// What is known of a hierarchy.
    pub(crate) fn hierarchy_of(&self, id: HierarchyId) -> Option<&Hierarchy> {
        self.hierarchies.get(&id)
    }

    /// The hierarchies that are known.
    pub(crate) fn hierarchies(&self) -> impl Iterator<Item = HierarchyId> {
        self.hierarchies.keys().copied()
    }

    /// The hierarchy of a controller.
    pub(crate) fn hierarchy_with(&self, controller: &str) -> Option<HierarchyId> {
        let has = |it: &&Hierarchy| it.controllers.iter().any(|name| name == controller);
        self.hierarchies.values().find(has).map(|it| it.id)
    }

    /// The hierarchies that count, the weightiest first.
    pub(crate) fn judged(&self) -> &[HierarchyId] {
        &self.judged
    }

    /// Adds a cgroup, unless it is known.
    pub(crate) fn made(&mut self, key: CgroupKey, parent: Option<u64>, name: Box<[u8]>) -> Made {
        if self.nodes.contains_key(&key) {
            return Made::Known;
        }
        if parent.is_some() != is_name(&name) || parent.is_some_and(|id| !self.fits(key, id)) {
            return Made::Refused;
        }
        self.found.clear();
        match parent {
            Some(id) => {
                let parent = CgroupKey { id, ..key };
                self.names.entry(parent).or_default().insert(name.clone(), key.id);
                self.below.insert((parent, key.id));
            }
            None => drop(self.roots.insert(key.hierarchy, key.id)),
        }
        self.nodes.insert(key, Node { parent, name, removed: None });
        Made::New
    }

    /// Gives a known cgroup another name; whether that is a name.
    pub(crate) fn renamed(&mut self, key: CgroupKey, name: Box<[u8]>) -> bool {
        self.found.clear();
        let Some(node) = self.nodes.get_mut(&key) else { return is_name(&name) };
        let Some(id) = node.parent.filter(|_| is_name(&name)) else { return false };
        let old = core::mem::replace(&mut node.name, name.clone());
        if node.removed.is_none() {
            self.unname(CgroupKey { id, ..key }, &old, key.id);
            self.names.entry(CgroupKey { id, ..key }).or_default().insert(name, key.id);
        }
        true
    }

    /// Notes that a cgroup's directory is gone.
    pub(crate) fn removed(&mut self, key: CgroupKey) {
        let Some(node) = self.nodes.get_mut(&key).filter(|node| node.removed.is_none()) else {
            return;
        };
        self.found.clear();
        self.removals += 1;
        node.removed = Some(self.removals);
        self.removed.insert((self.removals, key));
        if let Some(id) = node.parent {
            let name = node.name.clone();
            self.unname(CgroupKey { id, ..key }, &name, key.id);
        }
    }

    /// Notes that nothing refers to a cgroup any more.
    pub(crate) fn released(&mut self, key: CgroupKey) {
        self.removed(key);
        self.released.push(key);
    }

    /// The cgroups to be forgotten now that an interval is over: those released before it began.
    /// They are still in the tree.
    pub(crate) fn expired(&mut self) -> Vec<CgroupKey> {
        let fresh = core::mem::take(&mut self.released);
        core::mem::replace(&mut self.released_before, fresh)
    }

    /// The removed cgroup to be forgotten before its time because there are too many.
    pub(crate) fn surplus(&self) -> Option<CgroupKey> {
        if self.removed.len() <= MAX_REMOVED {
            return None;
        }
        self.removed.iter().map(|(_, key)| *key).find(|key| !self.has_children(*key))
    }

    /// Whether cgroups right below are known, removed ones included.
    pub(crate) fn has_children(&self, key: CgroupKey) -> bool {
        self.below.range((key, 0)..=(key, u64::MAX)).next().is_some()
    }

    /// Puts off what [`Self::expired`] asked for.
    pub(crate) fn postpone(&mut self, key: CgroupKey) {
        self.released.push(key);
    }

    /// Forgets a cgroup that has no children.
    pub(crate) fn forget(&mut self, key: CgroupKey) {
        let Some(node) = self.nodes.remove(&key) else { return };
        if let Some(number) = node.removed {
            self.removed.remove(&(number, key));
        }
        if let Some(id) = node.parent {
            self.below.remove(&(CgroupKey { id, ..key }, key.id));
        }
    }

    /// The id of a cgroup's parent, if it has one and it is known.
    pub(crate) fn parent(&self, key: CgroupKey) -> Option<CgroupKey> {
        self.nodes.get(&key)?.parent.map(|id| CgroupKey { id, ..key })
    }

    /// Whether a cgroup's directory is known to be gone.
    pub(crate) fn is_removed(&self, key: CgroupKey) -> bool {
        self.nodes.get(&key).is_some_and(|node| node.removed.is_some())
    }

    /// A cgroup's path from the hierarchy's root; none if it, or an ancestor, is not known.
    pub(crate) fn path(&self, key: CgroupKey) -> Option<Box<[u8]>> {
        let (mut names, mut length, mut at) = (Vec::new(), 0, key);
        loop {
            let node = self.nodes.get(&at)?;
            let Some(id) = node.parent else { break };
            length += 1 + node.name.len();
            if length > MAX_PATH {
                return None;
            }
            names.push(&node.name);
            at.id = id;
        }
        if names.is_empty() {
            return Some(Box::from(*b"/"));
        }
        let mut path = Vec::with_capacity(length);
        for name in names.into_iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        Some(path.into())
    }

    /// The cgroup that has this path now.
    pub(crate) fn find(&self, hierarchy: HierarchyId, path: &[u8]) -> Option<CgroupKey> {
        let mut at = CgroupKey { hierarchy, id: *self.roots.get(&hierarchy)? };
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            at.id = *self.names.get(&at)?.get(name)?;
        }
        Some(at)
    }

    /// The id of the cgroup that has this path now, or the path.
    pub(crate) fn id_of(
        &mut self,
        hierarchy: HierarchyId,
        path: Box<[u8]>,
    ) -> Result<u64, Box<[u8]>> {
        if let Some((known, id)) = self.found.get(&hierarchy)
            && *known == path
        {
            return Ok(*id);
        }
        let Some(key) = self.find(hierarchy, &path) else { return Err(path) };
        self.found.insert(hierarchy, (path, key.id));
        Ok(key.id)
    }

    /// A cgroup with what its path says.
    pub(crate) fn place(&self, key: CgroupKey) -> Place {
        let path = self.path(key);
        let container = path.as_deref().and_then(path::container);
        Place { key: Some(key), path, container }
    }

    /// What a path says, with the cgroup that has it now. A path that does not begin at the
    /// hierarchy's root says nothing.
    pub(crate) fn place_at(&self, hierarchy: HierarchyId, path: &[u8]) -> Place {
        let above = path == b"/.." || path.starts_with(b"/../");
        let below_root = path.starts_with(b"/") && !above;
        let path = below_root.then(|| Box::from(path));
        let container = path.as_deref().and_then(path::container);
        Place { key: path.as_deref().and_then(|path| self.find(hierarchy, path)), path, container }
    }

    /// The paths of the existing cgroups that are roots of `guard`.
    pub(crate) fn roots_of(&self, guard: &Guard) -> BTreeSet<Box<[u8]>> {
        self.paths().filter(|path| guard.is_root(path)).collect()
    }

    /// The paths of the existing cgroups right below a hierarchy's root.
    pub(crate) fn top(&self) -> BTreeSet<Box<[u8]>> {
        let roots = self.roots.iter().map(|(hierarchy, id)| (*hierarchy, *id));
        let keys = roots.map(|(hierarchy, id)| CgroupKey { hierarchy, id });
        let names = keys.filter_map(|key| self.names.get(&key)).flat_map(BTreeMap::keys);
        names.map(|name| [b"/", &**name].concat().into()).collect()
    }

    /// The cgroups of a hierarchy whose directories exist, with their paths.
    pub(crate) fn existing(
        &self,
        hierarchy: HierarchyId,
    ) -> impl Iterator<Item = (u64, Box<[u8]>)> {
        let keys = CgroupKey { hierarchy, id: 0 }..=CgroupKey { hierarchy, id: u64::MAX };
        let live = self.nodes.range(keys).filter(|(_, node)| node.removed.is_none());
        live.filter_map(|(key, _)| Some((key.id, self.path(*key)?)))
    }

    /// The existing cgroups of a hierarchy with such a name, and their paths.
    pub(crate) fn with_name(
        &self,
        hierarchy: HierarchyId,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) -> impl Iterator<Item = (u64, Box<[u8]>)> {
        let keys = CgroupKey { hierarchy, id: 0 }..=CgroupKey { hierarchy, id: u64::MAX };
        let live = self.nodes.range(keys).filter(|(_, node)| node.removed.is_none());
        let wanted = live.filter(move |(_, node)| is_wanted(&node.name));
        wanted.filter_map(|(key, _)| Some((key.id, self.path(*key)?)))
    }

    /// Calls `each` with all cgroups that [`Self::existing`] gives, parents first, and at less
    /// cost: no path is put together anew.
    pub(crate) fn walk(&self, hierarchy: HierarchyId, mut each: impl FnMut(u64, &[u8])) {
        let Some(root) = self.roots.get(&hierarchy) else { return };
        let mut path = Vec::new();
        // With the length of the path to the parent.
        let mut pending = Vec::from([(*root, 0)]);
        while let Some((id, length)) = pending.pop() {
            let key = CgroupKey { hierarchy, id };
            let Some(node) = self.nodes.get(&key) else { continue };
            path.truncate(length);
            if node.parent.is_some() {
                path.push(b'/');
                path.extend_from_slice(&node.name);
            }
            if path.len() > MAX_PATH {
                continue;
            }
            if node.removed.is_none() {
                each(id, if path.is_empty() { b"/" } else { &path });
            }
            let below = self.below.range((key, 0)..=(key, u64::MAX)).rev();
            pending.extend(below.map(|(_, child)| (*child, path.len())));
        }
    }

    /// How many cgroups, names and removed cgroups there are.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        let names = self.names.values().map(BTreeMap::len).sum();
        (self.nodes.len(), names, self.removed.len())
    }

    fn paths(&self) -> impl Iterator<Item = Box<[u8]>> {
        let live = self.nodes.iter().filter(|(_, node)| node.removed.is_none());
        live.filter_map(|(key, _)| self.path(*key))
    }

    /// Whether `key` can be a child of `parent`: not its own ancestor, and not too deep.
    fn fits(&self, key: CgroupKey, parent: u64) -> bool {
        let mut at = Some(CgroupKey { id: parent, ..key });
        for _ in 0..MAX_DEPTH {
            match at {
                Some(ancestor) if ancestor == key => return false,
                Some(ancestor) => at = self.parent(ancestor),
                None => return true,
            }
        }
        false
    }

    fn unname(&mut self, parent: CgroupKey, name: &[u8], id: u64) {
        let Some(names) = self.names.get_mut(&parent) else { return };
        if names.get(name) == Some(&id) {
            names.remove(name);
        }
        if names.is_empty() {
            self.names.remove(&parent);
        }
    }
}

/// Whether these bytes can be a cgroup directory's name.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}
