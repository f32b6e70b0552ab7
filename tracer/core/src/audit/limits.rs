//! Limit not enforced: the smallest limit on the way up, at home and where a task is.

use super::strays::Stray;
use crate::{
    engine::Engine,
    homes::Clues,
    ids::{CgroupKey, HierarchyId},
    node::{CgroupLimits, Limit},
    report::{LimitChange, Limits},
};

/// The controllers whose limits are told.
const LIMITED: [&str; 3] = ["memory", "pids", "cpu"];

/// Which limit of a cgroup is meant.
type Pick = fn(&CgroupLimits) -> Option<Limit>;

/// In the order of [`LIMITED`].
const PICKS: [Pick; 3] = [|limits| limits.memory, |limits| limits.pids, |limits| limits.cpu];

impl Engine {
    /// For each controller whose limits are told, the cgroup at home and the one that a task is in.
    pub(super) fn limited(
        &self,
        stray: &Stray,
        clues: &Clues,
    ) -> [(Option<CgroupKey>, Option<CgroupKey>); 3] {
        LIMITED.map(|controller| {
            let Some(hierarchy) = self.tree.hierarchy_with(controller) else {
                return (None, None);
            };
            let home = self.home_place(&stray.task, hierarchy, &stray.home, clues).key;
            let spot = self.tasks.spot(&stray.task, hierarchy);
            (home, spot.and_then(|spot| self.spot_place(hierarchy, spot).key))
        })
    }

    /// The limits that should hold for a task, and those that do.
    pub(super) fn limit_change(&self, stray: &Stray, clues: &Clues) -> LimitChange {
        let [memory, pids, cpu] = self.limited(stray, clues);
        let limits = |cgroups: [Option<CgroupKey>; 3]| {
            let [memory, pids, cpu] =
                [0, 1, 2].map(|index: usize| self.effective(cgroups[index]?, PICKS[index]));
            Limits { memory, pids, cpu }
        };
        LimitChange {
            before: limits([memory.0, pids.0, cpu.0]),
            after: limits([memory.1, pids.1, cpu.1]),
        }
    }

    /// The limits of one hierarchy in two places; none where nothing is known of them.
    pub(crate) fn limits_between(
        &self,
        hierarchy: HierarchyId,
        from: Option<CgroupKey>,
        to: Option<CgroupKey>,
    ) -> Option<LimitChange> {
        let limits = |key: Option<CgroupKey>| {
            let [memory, pids, cpu] = [0, 1, 2].map(|index: usize| {
                let is_here = self.tree.hierarchy_with(LIMITED[index]) == Some(hierarchy);
                key.filter(|_| is_here).and_then(|key| self.effective(key, PICKS[index]))
            });
            Limits { memory, pids, cpu }
        };
        let change = LimitChange { before: limits(from), after: limits(to) };
        (change != LimitChange::default()).then_some(change)
    }

    /// The smallest limit from a cgroup upwards; none if one of them is not known. A root has none.
    fn effective(&self, key: CgroupKey, pick: Pick) -> Option<Limit> {
        let mut least = Limit::Unlimited;
        for key in self.upwards(key) {
            if self.tree.parent(key).is_none() {
                break;
            }
            let limit = pick(self.gathered.limits.get(&key)?)?;
            least = match (least, limit) {
                (Limit::Of(one), Limit::Of(other)) => Limit::Of(one.min(other)),
                (Limit::Unlimited, limit) | (limit, Limit::Unlimited) => limit,
            };
        }
        Some(least)
    }
}
