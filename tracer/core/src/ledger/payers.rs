//! Pods by who pays for what their processes charge: inside and outside together are what a pod
//! uses. Detail, as the processes' own shares are: what could not be told apart is in no row.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use crate::{path::Container, report::Sums};

/// Far more than the pods and cgroups of a node: each pod pays in few.
const MAX_ROWS: usize = 1 << 16;

/// Sums by pod and cgroup.
#[derive(Debug, Default)]
pub(crate) struct Payers {
    rows: BTreeMap<(Arc<Container>, u64), Share>,
    /// The pods that each cgroup has a row of.
    pods: BTreeMap<u64, Vec<Arc<Container>>>,
    touched: BTreeSet<Arc<Container>>,
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
        let key = (Arc::new(pod), cgroup);
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&key) {
            return;
        }
        if !self.touched.contains(&key.0) {
            self.touched.insert(Arc::clone(&key.0));
        }
        let share = self.row(key);
        share.interval.add(sums);
        share.total.add(sums);
    }

    /// What the processes of a pod charged, by cgroup.
    pub(crate) fn of(&self, pod: &Container) -> impl Iterator<Item = (u64, Share)> {
        let pod = Arc::new(pod.clone());
        let keys = (Arc::clone(&pod), 0)..=(pod, u64::MAX);
        self.rows.range(keys).map(|((_, cgroup), share)| (*cgroup, *share))
    }

    /// The pods whose processes charged or uncharged something since the last call, each with all
    /// its payers.
    pub(crate) fn end_interval(&mut self) -> Vec<(Container, Vec<(u64, Share)>)> {
        let touched = core::mem::take(&mut self.touched);
        let pods = touched.into_iter().map(|pod| {
            let payers = self.of(&pod).collect();
            let keys = (Arc::clone(&pod), 0)..=(Arc::clone(&pod), u64::MAX);
            self.rows.range_mut(keys).for_each(|(_, share)| share.interval = Sums::default());
            (Container::clone(&pod), payers)
        });
        pods.collect()
    }

    /// A cgroup is forgotten: what it still held goes to its parent, as the kernel has it.
    pub(crate) fn fold(&mut self, cgroup: u64, parent: Option<u64>) {
        for pod in self.pods.remove(&cgroup).unwrap_or_default() {
            let share = self.rows.remove(&(Arc::clone(&pod), cgroup));
            if let Some((share, parent)) = share.zip(parent) {
                self.row((pod, parent)).total.add(share.total);
            }
        }
    }

    fn row(&mut self, key: (Arc<Container>, u64)) -> &mut Share {
        let Self { rows, pods, .. } = self;
        rows.entry(key).or_insert_with_key(|(pod, cgroup)| {
            pods.entry(*cgroup).or_default().push(Arc::clone(pod));
            Share::default()
        })
    }
}

/// The pod of a container; the container itself where there is no pod.
pub(crate) fn pod_of(container: &Container) -> Container {
    let container_id = container.container_id.clone().filter(|_| container.pod_uid.is_none());
    Container { pod_uid: container.pod_uid.clone(), container_id }
}
