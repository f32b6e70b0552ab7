//! The share of each process in each cgroup: detail that may be dropped, as the cgroup's own
//! sums stand without it. What no row explains is the share of those that cannot be told apart.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    report::{ProcessRow, Sums},
    tasks::Tasks,
};

/// Processes kept apart in one cgroup.
const MAX_IN_CGROUP: usize = 256;

/// Processes kept apart in all cgroups: about 12 MiB.
const MAX_ROWS: usize = 1 << 16;

/// Sums by cgroup and process.
#[derive(Debug, Default)]
pub(super) struct Processes {
    rows: BTreeMap<(u64, u32), Share>,
    /// The same keys, process first.
    cgroups: BTreeSet<(u32, u64)>,
    in_cgroup: BTreeMap<u64, usize>,
    touched: Vec<(u64, u32)>,
}

#[derive(Debug, Default)]
struct Share {
    interval: Sums,
    total: Sums,
}

impl Processes {
    /// Adds to a process's share, if there is room to keep it apart.
    pub(super) fn charge(&mut self, cgroup: u64, pid: u32, sums: Sums) {
        let key = (cgroup, pid);
        if !self.rows.contains_key(&key) && !self.make_room(cgroup) {
            return;
        }
        let share = self.rows.entry(key).or_insert_with(|| {
            self.cgroups.insert((pid, cgroup));
            *self.in_cgroup.entry(cgroup).or_default() += 1;
            Share::default()
        });
        if share.interval == Sums::default() {
            self.touched.push(key);
        }
        share.interval.add(sums);
        share.total.add(sums);
    }

    /// The shares of the interval in a cgroup with these sums of its own, most charged first;
    /// the unexplained rest is last among equals.
    pub(super) fn by(
        &self,
        cgroup: u64,
        interval: Sums,
        total: Sums,
        tasks: &Tasks,
    ) -> Vec<ProcessRow> {
        let (mut rest, mut rest_total) = (interval, total);
        let mut rows = Vec::new();
        for ((_, pid), share) in self.rows.range((cgroup, 0)..=(cgroup, u32::MAX)) {
            rest.take_away(share.interval);
            rest_total.take_away(share.total);
            if share.interval != Sums::default() {
                let comm = tasks.comm(*pid).unwrap_or_default();
                let Share { interval, total } = *share;
                rows.push(ProcessRow { pid: Some(*pid), comm, interval, total });
            }
        }
        // Hits of the cgroup's own limit are no process's.
        rest.limit_hits = 0;
        if rest != Sums::default() {
            let comm = crate::ids::Comm::default();
            rows.push(ProcessRow { pid: None, comm, interval: rest, total: rest_total });
        }
        rows.sort_by_key(|row| core::cmp::Reverse((row.interval.charged, row.interval.uncharged)));
        rows
    }

    /// Begins another interval, without the processes that are gone.
    pub(super) fn end_interval(&mut self, tasks: &mut Tasks) {
        for (cgroup, pid) in core::mem::take(&mut self.touched) {
            if !tasks.is_alive(pid) {
                self.forget(cgroup, pid);
            } else if let Some(share) = self.rows.get_mut(&(cgroup, pid)) {
                share.interval = Sums::default();
            }
        }
        for pid in tasks.take_exited() {
            let cgroups: Vec<_> = self.cgroups.range((pid, 0)..=(pid, u64::MAX)).copied().collect();
            for (pid, cgroup) in cgroups {
                self.forget(cgroup, pid);
            }
        }
    }

    /// Forgets all shares in a cgroup.
    pub(super) fn forget_cgroup(&mut self, cgroup: u64) {
        let pids: Vec<_> =
            self.rows.range((cgroup, 0)..=(cgroup, u32::MAX)).map(|(k, _)| k.1).collect();
        for pid in pids {
            self.forget(cgroup, pid);
        }
    }

    /// How many rows there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Makes room for one more in a cgroup, at the cost of one that did nothing in this interval.
    fn make_room(&mut self, cgroup: u64) -> bool {
        let here = self.in_cgroup.get(&cgroup).copied().unwrap_or_default();
        if here < MAX_IN_CGROUP && self.rows.len() < MAX_ROWS {
            return true;
        }
        let mut shares = self.rows.range((cgroup, 0)..=(cgroup, u32::MAX));
        let idle = shares.find(|(_, share)| share.interval == Sums::default());
        let Some(pid) = idle.map(|((_, pid), _)| *pid) else { return false };
        self.forget(cgroup, pid);
        true
    }

    fn forget(&mut self, cgroup: u64, pid: u32) {
        if self.rows.remove(&(cgroup, pid)).is_none() {
            return;
        }
        self.cgroups.remove(&(pid, cgroup));
        if let Some(count) = self.in_cgroup.get_mut(&cgroup) {
            *count -= 1;
            if *count == 0 {
                self.in_cgroup.remove(&cgroup);
            }
        }
    }
}
