//! The rows of an interval that ended.

use alloc::vec::Vec;

use super::{Book, Row};
use crate::{
    guard::Guard,
    ids::{BootTime, CgroupKey},
    input::LossCause,
    losses::Losses,
    report::{Ledger, LedgerRow, Sums},
    tasks::Tasks,
    tree::Tree,
};

/// What a ledger says besides sums.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// Paths.
    pub(crate) tree: &'a Tree,
    /// What is guarded.
    pub(crate) guard: &'a Guard,
    /// Names of processes.
    pub(crate) tasks: &'a mut Tasks,
    /// Where cgroups without a path are counted.
    pub(crate) losses: &'a mut Losses,
    /// Whether every cgroup that exists is known: the hierarchy was scanned, and is followed.
    pub(crate) all_known: bool,
}

impl Book {
    /// The ledger of the interval that ended; another one begins.
    pub(crate) fn end_interval(&mut self, at: BootTime, context: Context<'_>) -> Ledger {
        let Context { tree, guard, tasks, losses, all_known } = context;
        let mut rows = Vec::with_capacity(self.touched.len());
        for id in core::mem::take(&mut self.touched) {
            if let Some(row) = self.rows.get(&id) {
                rows.push(self.row(id, row, all_known, tree, guard, tasks));
            }
            if let Some(row) = self.rows.get_mut(&id) {
                row.interval = Sums::default();
                row.touched = false;
            }
        }
        rows.sort_by(|a, b| order(a).cmp(&order(b)));
        self.processes.end_interval(tasks);
        self.count_unnamed(tree, losses, all_known);
        Ledger { at, rows, pods: Vec::new() }
    }

    /// Counts the cgroups that have no path a whole interval after they were first charged. Their
    /// making is an event, and charges are read in bulk: either may come first. Where all that
    /// exist are known, one without a path was removed before tracing began: nobody is in it,
    /// and nothing is lost but its name.
    pub(crate) fn count_unnamed(&mut self, tree: &Tree, losses: &mut Losses, all_known: bool) {
        let fresh = core::mem::take(&mut self.unnamed);
        let old = core::mem::replace(&mut self.unnamed_before, fresh);
        let lost = old.into_iter().filter(|id| tree.path(self.key(*id)).is_none()).count();
        if !all_known {
            losses.count(LossCause::PathUnknown, lost as u64);
        }
    }

    fn row(
        &self,
        id: u64,
        row: &Row,
        all_known: bool,
        tree: &Tree,
        guard: &Guard,
        tasks: &Tasks,
    ) -> LedgerRow {
        let place = tree.place(self.key(id));
        let polled = row.readings.is_some();
        let by =
            if polled { Vec::new() } else { self.processes.by(id, row.interval, row.total, tasks) };
        LedgerRow {
            guarded: place.path.as_deref().is_some_and(|path| guard.root(path).is_some()),
            removed: tree.is_removed(self.key(id)) || (all_known && place.path.is_none()),
            polled,
            interval: row.interval,
            total: row.total,
            subtree_net: row.subtree_net,
            by,
            place,
        }
    }
}

/// By path; those without one come last.
fn order(row: &LedgerRow) -> (bool, Option<&[u8]>, Option<CgroupKey>) {
    let path = row.place.path.as_deref();
    (path.is_none(), path, row.place.key)
}
