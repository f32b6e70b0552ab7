//! Charges that the kernel did not let be counted, made good from its own counters. It reads none.
//!
//! A counter holds a cgroup with all below it. It must be what the cgroup held when tracing began,
//! and the net since. Where nothing was charged while it was read, the difference was skipped.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{Book, MAX_ROWS};
use crate::{
    ids::CgroupKey,
    input::{ChargeDelta, Counter},
    report::Sums,
    tree::Tree,
};

/// Intervals in which a counter may be charged whenever it is read.
const PATIENCE: u32 = 10;

/// What is known of the counters.
#[derive(Debug, Default)]
pub(super) struct Recount {
    /// Bytes that each cgroup held when tracing began, where that is known.
    before: BTreeMap<u64, i64>,
    /// The cgroups whose counters agreed since the last skip.
    agreed: BTreeSet<u64>,
    /// Differences seen once. A call that has been counted and not yet carried out looks like
    /// one, so they count when they are seen again.
    seen: BTreeMap<u64, i64>,
    /// Skips since all counters agreed, and for how many intervals.
    skipped: u64,
    waited: u32,
}

impl Recount {
    /// Forgets a cgroup.
    pub(super) fn forget(&mut self, id: u64) {
        self.before.remove(&id);
        self.agreed.remove(&id);
        self.seen.remove(&id);
    }

    /// Bytes that are missing from a cgroup with this net since tracing began.
    fn missing(&mut self, counter: Counter, net: i64) -> i64 {
        let Counter { cgroup, bytes } = counter;
        let Some(held) = bytes.map(u64::cast_signed) else {
            // It counts from nothing if it ever begins to.
            self.before.entry(cgroup).or_insert(0);
            self.agreed.insert(cgroup);
            return 0;
        };
        let Some(before) = self.before.get(&cgroup) else {
            // After a skip, what it held before cannot be told from what was skipped.
            if self.skipped == 0 && self.before.len() < MAX_ROWS {
                self.before.insert(cgroup, held.wrapping_sub(net));
                self.agreed.insert(cgroup);
            }
            return 0;
        };
        let missing = held.wrapping_sub(*before).wrapping_sub(net);
        if missing == 0 {
            self.seen.remove(&cgroup);
            self.agreed.insert(cgroup);
            return 0;
        }
        if self.seen.insert(cgroup, missing) != Some(missing) {
            return 0;
        }
        self.seen.remove(&cgroup);
        self.agreed.insert(cgroup);
        missing
    }
}

impl Book {
    /// A cgroup was made while its charges are traced, so it held nothing before.
    pub(crate) fn made(&mut self, key: CgroupKey) {
        if key.hierarchy == self.hierarchy && self.recount.before.len() < MAX_ROWS {
            self.recount.before.entry(key.id).or_insert(0);
        }
    }

    /// Charges may have been skipped.
    pub(crate) fn skipped(&mut self, count: u64) {
        self.recount.skipped = self.recount.skipped.saturating_add(count);
        self.recount.agreed.clear();
    }

    /// Compares counters with the ledger, those at the bottom first, and makes good what is
    /// missing. Counters that were charged `during` the reading say nothing.
    pub(crate) fn recount(&mut self, tree: &Tree, counters: &[Counter], during: &[ChargeDelta]) {
        let mut busy = BTreeSet::new();
        for delta in during {
            let ids = self.upwards(tree, delta.cgroup);
            busy.extend(ids);
        }
        let quiet = counters.iter().filter(|counter| !busy.contains(&counter.cgroup));
        let mut quiet: Vec<_> =
            quiet.map(|counter| (self.upwards(tree, counter.cgroup).len(), *counter)).collect();
        quiet.sort_by_key(|(depth, _)| core::cmp::Reverse(*depth));
        for (_, counter) in quiet {
            let net = self.rows.get(&counter.cgroup).map_or(0, |row| row.subtree_net);
            let missing = self.recount.missing(counter, net);
            if missing != 0 {
                self.make_good(tree, counter.cgroup, missing);
            }
        }
        if self.to_recount(tree).is_empty() {
            self.recount.skipped = 0;
        }
    }

    /// Whether charges were skipped and are not made good yet.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.recount.skipped > 0
    }

    /// The existing cgroups, by id and path, whose counters have not agreed since the last skip.
    /// A root has no counter of its own.
    pub(crate) fn to_recount(&self, tree: &Tree) -> Vec<(u64, Box<[u8]>)> {
        let existing = tree.existing(self.hierarchy).filter(|(_, path)| **path != *b"/");
        existing.filter(|(id, _)| !self.recount.agreed.contains(id)).collect()
    }

    /// The skips that were not made good in `PATIENCE` intervals, or by the `end`; each once.
    pub(crate) fn given_up(&mut self, end: bool) -> u64 {
        let Recount { skipped, waited, .. } = &mut self.recount;
        *waited = if *skipped == 0 { 0 } else { *waited + 1 };
        if !end && *waited < PATIENCE {
            return 0;
        }
        *waited = 0;
        core::mem::take(skipped)
    }

    fn make_good(&mut self, tree: &Tree, id: u64, missing: i64) {
        if !self.open(tree, id) {
            return;
        }
        let mut sums = Sums::default();
        let side = if missing > 0 { &mut sums.charged } else { &mut sums.uncharged };
        *side = missing.unsigned_abs();
        if let Some(row) = self.rows.get_mut(&id) {
            row.interval.add(sums);
            row.total.add(sums);
        }
        self.add_upwards(tree, Some(self.key(id)), missing);
    }

    /// A cgroup and all above it.
    fn upwards(&self, tree: &Tree, id: u64) -> Vec<u64> {
        let next = |key: &CgroupKey| tree.parent(*key);
        core::iter::successors(Some(self.key(id)), next).map(|key| key.id).collect()
    }
}
