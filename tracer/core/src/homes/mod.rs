//! Whose each process is: what was learnt of it when it was first seen, forked or moved, and what
//! the runtimes say. Where processes are is not kept here; whom to believe is decided elsewhere.

mod clues;
mod roster;
#[cfg(test)]
mod tests;
mod verdict;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};

use crate::{
    ids::{BootTime, Task},
    node::Namespaces,
    path::Container,
    report::{Home, Witness},
    tasks::is_same,
};
pub(crate) use clues::Clues;
pub(crate) use roster::Roster;
pub(crate) use verdict::Inside;

/// As many as processes are remembered.
const MAX_ROWS: usize = 1 << 18;

/// The processes above one that are asked. Deeper trees are a fork bomb's.
const MAX_ANCESTORS: usize = 64;

/// What is known of every process's origin.
#[derive(Debug, Default)]
pub(crate) struct Homes {
    rows: BTreeMap<u32, Row>,
    /// Ended in the interval that is not over: their charges are still to come.
    ended: Vec<(u32, BootTime)>,
    /// One copy of each container that rows name.
    containers: BTreeSet<Arc<Container>>,
    /// What the runtimes say.
    pub(crate) roster: Roster,
}

#[derive(Debug)]
struct Row {
    start: BootTime,
    parent: u32,
    namespaces: Namespaces,
    monitors: Option<Box<str>>,
    claim: Option<Claim>,
}

/// A container that a process was seen in, or was born to.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// Which.
    pub(crate) container: Arc<Container>,
    /// The cgroup it was in, or its parent.
    pub(crate) witness: Witness,
}

impl Homes {
    /// A process found by a scan, and the container it is in then. Of one that events told of, it
    /// only adds what they left open.
    pub(crate) fn seen(
        &mut self,
        task: &Task,
        parent: u32,
        namespaces: Namespaces,
        monitors: Option<String>,
        inside: Option<Container>,
    ) {
        let container = inside.map(|container| self.one_copy(container));
        let seen = container.map(|container| Claim { container, witness: Witness::Cgroup });
        let known = self.row(task).and_then(|row| row.claim.clone());
        let monitors = monitors.map(String::into_boxed_str);
        let claim = known.or(seen);
        self.put(task, Row { start: task.start, parent, namespaces, monitors, claim });
    }

    /// A process was forked: it is whose its parent is.
    pub(crate) fn forked(&mut self, parent: u32, task: &Task) {
        let known = self.rows.get(&parent).and_then(|row| row.claim.as_ref());
        let claim = known.map(|claim| Claim {
            container: Arc::clone(&claim.container),
            witness: Witness::Parent,
        });
        let namespaces = Namespaces::default();
        self.put(task, Row { start: task.start, parent, namespaces, monitors: None, claim });
    }

    /// A process was moved into a container's cgroup. One that has a home in another pod keeps it.
    pub(crate) fn entered(&mut self, pid: u32, container: &Container) {
        let Some(known) = self.rows.get(&pid).map(|row| row.claim.clone()) else { return };
        let is_new = known.is_none_or(|claim| {
            claim.container.pod_uid == container.pod_uid && claim.container.container_id.is_none()
        });
        if is_new {
            let container = self.one_copy(container.clone());
            if let Some(row) = self.rows.get_mut(&pid) {
                row.claim = Some(Claim { container, witness: Witness::Cgroup });
            }
        }
    }

    /// An audit is sure of a process's home: it and those it forks have it from now on.
    pub(crate) fn settle(&mut self, pid: u32, home: &Home) {
        let container = self.one_copy(home.container.clone());
        let witness = home.witnesses.first().copied().unwrap_or(Witness::Ancestry);
        if let Some(row) = self.rows.get_mut(&pid).filter(|row| row.claim.is_none()) {
            row.claim = Some(Claim { container, witness });
        }
    }

    /// A process ended. It is remembered until the interval is over.
    pub(crate) fn exited(&mut self, pid: u32) {
        if let Some(row) = self.rows.get(&pid) {
            self.ended.push((pid, row.start));
        }
    }

    /// Forgets those that ended.
    pub(crate) fn end_interval(&mut self) {
        for (pid, start) in core::mem::take(&mut self.ended) {
            self.rows.extract_if(pid..=pid, |_, row| row.start == start).for_each(drop);
        }
    }

    /// The container that a process was in or born to.
    pub(crate) fn claim(&self, pid: u32) -> Option<&Claim> {
        self.rows.get(&pid)?.claim.as_ref()
    }

    /// A process's namespaces.
    pub(crate) fn namespaces(&self, pid: u32) -> Namespaces {
        self.rows.get(&pid).map_or_else(Namespaces::default, |row| row.namespaces)
    }

    /// The id of the container that a process watches over.
    pub(crate) fn monitors(&self, pid: u32) -> Option<&str> {
        self.rows.get(&pid)?.monitors.as_deref()
    }

    /// The processes above one, nearest first.
    pub(crate) fn ancestors(&self, pid: u32) -> impl Iterator<Item = u32> {
        let parent = |pid: &u32| {
            let parent = self.rows.get(pid)?.parent;
            (parent != 0 && parent != *pid).then_some(parent)
        };
        core::iter::successors(parent(&pid), parent).take(MAX_ANCESTORS)
    }

    /// Every process, its namespaces and its claim.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (u32, Namespaces, &Arc<Container>)> {
        self.rows.iter().filter_map(|(pid, row)| {
            let claim = row.claim.as_ref()?;
            Some((*pid, row.namespaces, &claim.container))
        })
    }

    fn row(&self, task: &Task) -> Option<&Row> {
        self.rows.get(&task.tgid).filter(|row| is_same(row.start, task.start))
    }

    fn put(&mut self, task: &Task, row: Row) {
        let is_process = task.tid == task.tgid;
        if is_process && (self.rows.len() < MAX_ROWS || self.rows.contains_key(&task.tgid)) {
            self.rows.insert(task.tgid, row);
        }
    }

    fn one_copy(&mut self, container: Container) -> Arc<Container> {
        if let Some(known) = self.containers.get(&container) {
            return Arc::clone(known);
        }
        if self.containers.len().is_power_of_two() {
            self.containers.retain(|container| Arc::strong_count(container) > 1);
        }
        let new = Arc::new(container);
        self.containers.insert(Arc::clone(&new));
        new
    }
}
