//! Pods by who pays for what their processes charge: inside and outside together are what a pod
//! uses. Detail, as the processes' own shares are: what could not be told apart is in no row.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{path::Container, report::Sums};

/// Far more than the pods and cgroups of a node: each pod pays in few.
const MAX_ROWS: usize = 1 << 16;

/// Sums by pod and cgroup.
#[derive(Debug, Default)]
pub(crate) struct Payers {
    rows: BTreeMap<(Container, u64), Share>,
    touched: BTreeSet<Container>,
}

/// What a pod's processes charged to one cgroup.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    /// Bytes in this interval.
    pub(crate) interval: Sums,
    /// Bytes since tracing began.
    pub(crate) total: Sums,
}

impl Payers {
    /// Adds what a process of a pod charged to a cgroup.
    pub(crate) fn charge(&mut self, pod: Container, cgroup: u64, sums: Sums) {
        let key = (pod, cgroup);
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&key) {
            return;
        }
        if !self.touched.contains(&key.0) {
            self.touched.insert(key.0.clone());
        }
        let share = self.rows.entry(key).or_default();
        share.interval.add(sums);
        share.total.add(sums);
    }

    /// What the processes of a pod charged, by cgroup.
    pub(crate) fn of(&self, pod: &Container) -> impl Iterator<Item = (u64, Share)> {
        let keys = (pod.clone(), 0)..=(pod.clone(), u64::MAX);
        self.rows.range(keys).map(|((_, cgroup), share)| (*cgroup, *share))
    }

    /// The pods whose processes charged or uncharged something since the last call, each with all
    /// its payers.
    pub(crate) fn end_interval(&mut self) -> Vec<(Container, Vec<(u64, Share)>)> {
        let touched = core::mem::take(&mut self.touched);
        let pods = touched.into_iter().map(|pod| {
            let payers = self.of(&pod).collect();
            let keys = (pod.clone(), 0)..=(pod.clone(), u64::MAX);
            self.rows.range_mut(keys).for_each(|(_, share)| share.interval = Sums::default());
            (pod, payers)
        });
        pods.collect()
    }

    /// A cgroup is forgotten: what it still held goes to its parent, as the kernel has it.
    pub(crate) fn fold(&mut self, cgroup: u64, parent: Option<u64>) {
        let mut kept = BTreeMap::new();
        let rows = self.rows.extract_if(.., |(_, id), _| *id == cgroup);
        for ((pod, _), share) in rows {
            kept.insert(pod, share);
        }
        let Some(parent) = parent else { return };
        for (pod, share) in kept {
            self.rows.entry((pod, parent)).or_default().total.add(share.total);
        }
    }
}

/// The pod of a container; the container itself where there is no pod.
pub(crate) fn pod_of(container: &Container) -> Container {
    let container_id = container.container_id.clone().filter(|_| container.pod_uid.is_none());
    Container { pod_uid: container.pod_uid.clone(), container_id }
}
