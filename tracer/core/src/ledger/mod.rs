//! Who charged what to which memory cgroup. It takes no decision on what is too much.
//!
//! A row's sums are the cgroup's own; the net of its subtree is kept along with them: whatever
//! changes a row changes all above it. So the net of a subtree is always that of its own sums
//! and of the subtrees right below.

mod payers;
mod processes;
mod recount;
mod rows;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    ids::{CgroupKey, HierarchyId},
    input::{ChargeDelta, Usage},
    report::Sums,
    tree::Tree,
};
pub(crate) use payers::{Payers, Share, pod_of};
use processes::Processes;
use recount::Recount;
pub(crate) use rows::Context;

/// 20,000 cgroups and all the removed ones that may be kept, and then some.
const MAX_ROWS: usize = 1 << 17;

/// The memory of all cgroups.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// The memory controller's.
    hierarchy: HierarchyId,
    rows: BTreeMap<u64, Row>,
    processes: Processes,
    recount: Recount,
    /// The rows that changed in this interval, each once.
    touched: Vec<u64>,
    /// Charged before their path was known, in this interval and in the one before it.
    unnamed: Vec<u64>,
    unnamed_before: Vec<u64>,
}

#[derive(Debug, Default)]
struct Row {
    interval: Sums,
    total: Sums,
    subtree_net: i64,
    touched: bool,
    /// Whether it had figures of its own, and not only some below it.
    own: bool,
    /// The first and the last reading of its file, where it is polled.
    readings: Option<(u64, u64)>,
}

impl Book {
    /// Says which hierarchy the ids are of.
    pub(crate) fn set_hierarchy(&mut self, hierarchy: HierarchyId) {
        self.hierarchy = hierarchy;
    }

    /// Which hierarchy the ids are of.
    pub(crate) fn hierarchy(&self) -> HierarchyId {
        self.hierarchy
    }

    /// Adds to a cgroup, or to a process in it; whether there was room.
    pub(crate) fn charge(&mut self, tree: &Tree, delta: &ChargeDelta) -> bool {
        let sums = Sums::of(delta);
        if sums == Sums::default() {
            return true;
        }
        if !self.open(tree, delta.cgroup) {
            return false;
        }
        if let Some(pid) = delta.pid {
            self.processes.charge(delta.cgroup, pid, sums);
        } else if let Some(row) = self.rows.get_mut(&delta.cgroup) {
            row.interval.add(sums);
            row.total.add(sums);
        }
        let net = if delta.pid.is_none() { sums.net() } else { 0 };
        self.add_upwards(tree, Some(self.key(delta.cgroup)), net);
        true
    }

    /// Notes what a cgroup's file says; whether there was room.
    pub(crate) fn read(&mut self, tree: &Tree, usage: &Usage) -> bool {
        if !self.open(tree, usage.cgroup) {
            return false;
        }
        let Some(row) = self.rows.get_mut(&usage.cgroup) else { return false };
        let (first, last) = row.readings.unwrap_or((usage.bytes, usage.bytes));
        row.readings = Some((first, usage.bytes));
        row.subtree_net = usage.bytes.wrapping_sub(first).cast_signed();
        if usage.bytes != last {
            let change = Sums {
                charged: usage.bytes.saturating_sub(last),
                uncharged: last.saturating_sub(usage.bytes),
                ..Sums::default()
            };
            row.interval.add(change);
            row.total.add(change);
            self.touch(usage.cgroup);
        }
        true
    }

    /// A cgroup has become known, and so have its ancestors.
    pub(crate) fn attach(&mut self, tree: &Tree, key: CgroupKey) {
        if key.hierarchy != self.hierarchy {
            return;
        }
        let Some(row) = self.rows.get(&key.id).filter(|row| row.readings.is_none()) else {
            return;
        };
        if row.subtree_net != 0 || row.touched {
            self.add_upwards(tree, tree.parent(key), row.subtree_net);
        }
    }

    /// Closes the row of a cgroup that is about to be forgotten.
    ///
    /// What it still holds goes to its parent. The kernel does the same: what outlives a cgroup
    /// is uncharged from the cgroup above, where it would otherwise be missing for ever.
    pub(crate) fn fold(&mut self, tree: &Tree, key: CgroupKey) {
        if key.hierarchy != self.hierarchy {
            return;
        }
        self.recount.forget(key.id);
        let Some(row) = self.rows.remove(&key.id) else { return };
        self.processes.forget_cgroup(key.id);
        let net = row.total.net();
        let Some(parent) = tree.parent(key).filter(|_| row.readings.is_none() && net != 0) else {
            return;
        };
        let heir = self.rows.entry(parent.id).or_default();
        let side = if net > 0 { &mut heir.total.charged } else { &mut heir.total.uncharged };
        *side = side.wrapping_add(net.unsigned_abs());
    }

    /// The cgroups whose limits refused charges in this interval.
    pub(crate) fn refused(&self) -> BTreeSet<u64> {
        let rows = self.touched.iter().filter_map(|id| Some((*id, self.rows.get(id)?)));
        rows.filter(|(_, row)| row.interval.limit_hits > 0).map(|(id, _)| id).collect()
    }

    /// Whether a cgroup has figures.
    pub(crate) fn has(&self, key: CgroupKey) -> bool {
        key.hierarchy == self.hierarchy && self.rows.contains_key(&key.id)
    }

    /// How many rows and process rows there are.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.rows.len(), self.processes.len())
    }

    fn key(&self, id: u64) -> CgroupKey {
        CgroupKey { hierarchy: self.hierarchy, id }
    }

    /// Makes sure that a cgroup has a row of its own.
    fn open(&mut self, tree: &Tree, id: u64) -> bool {
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&id) {
            return false;
        }
        let row = self.rows.entry(id).or_default();
        if !row.own {
            row.own = true;
            if tree.path(self.key(id)).is_none() {
                self.unnamed.push(id);
            }
        }
        true
    }

    /// Adds to the subtrees of a cgroup and of all above it.
    fn add_upwards(&mut self, tree: &Tree, from: Option<CgroupKey>, net: i64) {
        let mut at = from;
        while let Some(key) = at {
            let row = self.rows.entry(key.id).or_default();
            row.subtree_net = row.subtree_net.wrapping_add(net);
            self.touch(key.id);
            at = tree.parent(key);
        }
    }

    fn touch(&mut self, id: u64) {
        if let Some(row) = self.rows.get_mut(&id)
            && !row.touched
        {
            row.touched = true;
            self.touched.push(id);
        }
    }
}
