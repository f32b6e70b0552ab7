//! The first look at the node: every cgroup and every task there is, and the open directories that
//! later looks go through.
//!
//! Comes after the programs are attached. What the look misses, events tell.

use std::time::Instant;

use anyhow::{Context as _, Result};
use truant_core::{
    ids::{CgroupKey, HierarchyId},
    input::{CgroupLimits, Hierarchy, Input, LossCause, Unseen},
};

use crate::{
    host::{CgroupRoot, Hierarchies, Host, tree::walk_all},
    route::{Route, Stop},
};

/// The hierarchies of the node, and the root directories of those that can be had.
pub(super) struct Node {
    hierarchies: Hierarchies,
    roots: Vec<CgroupRoot>,
    /// The hierarchies that cannot be looked into, and why.
    closed: Vec<(String, String)>,
    /// Whether cgroup paths of tasks begin at the hierarchies' roots.
    says_where: bool,
}

impl Node {
    /// Opens the hierarchies. One that is mounted nowhere is mounted for this process alone.
    pub(super) fn open(host: &Host, hierarchies: Hierarchies) -> Self {
        let (mut roots, mut closed) = (Vec::new(), Vec::new());
        for hierarchy in &hierarchies.list {
            let root = host.locate(hierarchy).or_else(|_| host.mount_privately(hierarchy));
            match root {
                Ok(root) => roots.push(root),
                Err(error) => {
                    let why = format!("{:#}", anyhow::anyhow!(error));
                    log::warn!("{why}: its cgroups are known from events alone");
                    closed.push((hierarchy.name.clone(), why));
                }
            }
        }
        // In another cgroup namespace, a path says nothing of where it begins.
        let says_where = host.namespaces().cgroup_initial != Some(false);
        Self { hierarchies, roots, closed, says_where }
    }

    /// The hierarchies there are.
    pub(super) fn hierarchies(&self) -> &[Hierarchy] {
        &self.hierarchies.list
    }

    /// The hierarchies, and which of them has the memory controller.
    pub(super) fn layout(&self) -> &Hierarchies {
        &self.hierarchies
    }

    /// The root of the memory controller's hierarchy.
    pub(super) fn memory(&self) -> Option<&CgroupRoot> {
        self.root(self.hierarchies.memory?)
    }

    /// The limits of these cgroups, of whatever hierarchies.
    pub(super) fn limits(&self, wanted: &[(CgroupKey, Box<[u8]>)]) -> Vec<CgroupLimits> {
        let limits = self
            .hierarchies
            .list
            .iter()
            .filter_map(|hierarchy| Some(self.root(hierarchy.id)?.limits(hierarchy, wanted)));
        limits.flatten().collect()
    }

    /// What an audit cannot see for want of a hierarchy or of a view.
    pub(super) fn unseen(&self) -> Vec<Unseen> {
        let closed = self.closed.iter().map(|(name, why)| Unseen {
            what: format!("the cgroups of hierarchy {}", if name.is_empty() { "v2" } else { name }),
            why: why.clone(),
            mend: Some("mount it, or run truant privileged with hostPID: true".to_owned()),
        });
        let elsewhere = (!self.says_where).then(|| Unseen {
            what: "where the running tasks are".to_owned(),
            why: "truant is in a cgroup namespace of its own".to_owned(),
            mend: Some("run it privileged with the host's pid namespace".to_owned()),
        });
        closed.chain(elsewhere).collect()
    }

    /// Tells `route` what there is. What could not be read is a loss.
    ///
    /// # Errors
    /// If `/proc` cannot be read at all, or `route` wants no more.
    pub(super) fn take(&self, host: &Host, route: &mut Route) -> Result<()> {
        let mut fed = Ok(());
        let (mut unread, mut nowhere) = (0, 0);
        {
            let mut feed = |mut input: Input| {
                if let Input::TaskSeen { places, .. } = &mut input
                    && !self.says_where
                {
                    places.clear();
                    nowhere += 1;
                }
                if fed.is_ok() {
                    fed = route.feed(input);
                }
            };
            let start = Instant::now();
            let tree = walk_all(&self.roots, &mut feed)?;
            let (cgroups, start) = (start.elapsed(), Instant::now());
            let tasks = host.scan_tasks(&mut feed).context("cannot scan the tasks")?;
            unread += tree.unread + tasks.unread;
            log::debug!(
                "looked at {} cgroups in {} ms, at {} processes in {} ms",
                tree.cgroups,
                cgroups.as_millis(),
                tasks.processes,
                start.elapsed().as_millis()
            );
        }
        unread += nowhere;
        fed?;
        if unread > 0 {
            lost(route, unread)?;
        }
        Ok(())
    }

    fn root(&self, hierarchy: HierarchyId) -> Option<&CgroupRoot> {
        self.roots.iter().find(|root| root.hierarchy == hierarchy)
    }
}

fn lost(route: &mut Route, unread: usize) -> Result<(), Stop> {
    route.feed(Input::Lost { cause: LossCause::Unreadable, count: unread as u64 })
}
