//! Already out: tasks whose home is a pod, and who are outside in a hierarchy that counts.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::cmp::Reverse;

use crate::{
    engine::Engine,
    homes::{Clues, Inside},
    ids::{BootTime, CgroupKey, HierarchyId, Task},
    path::Container,
    places::{self, Places},
    report::{Also, Finding, FindingKind, Home, Place, Strays},
};

/// A task that is out.
#[derive(Clone, Debug)]
pub(super) struct Stray {
    pub(super) task: Task,
    pub(super) home: Home,
    /// The hierarchies it is out in, the weightiest first; never empty.
    pub(super) out: Vec<HierarchyId>,
}

impl Engine {
    /// Looks at every task. There is one copy of all equal places, so what they say is found once.
    pub(super) fn find_strays(&self, clues: &Clues) -> Vec<Stray> {
        let mut outs: BTreeMap<usize, Vec<HierarchyId>> = BTreeMap::new();
        let mut insides: BTreeMap<usize, Inside> = BTreeMap::new();
        let mut strays = Vec::new();
        for (task, places) in self.tasks.all() {
            if self.is_own(&task) {
                continue;
            }
            let out = outs.entry(places::copy(places)).or_insert_with(|| self.out_in(places));
            if out.is_empty() {
                continue;
            }
            let of_process = self.tasks.places_of_process(task.tgid);
            let inside = of_process.map(|places| {
                insides.entry(places::copy(places)).or_insert_with(|| self.inside(places)).clone()
            });
            if let Some(home) = self.home_by(inside.unwrap_or_default(), task.tgid, clues) {
                strays.push(Stray { task, home, out: out.clone() });
            }
        }
        strays
    }

    /// The pods whose tasks are out, the one with most memory outside first.
    pub(super) fn pods(&self, at: BootTime, strays: &[Stray], clues: &Clues) -> Vec<Strays> {
        let mut by_pod: BTreeMap<String, Vec<&Stray>> = BTreeMap::new();
        for stray in strays {
            let container = &stray.home.container;
            let id = container.pod_uid.clone().or_else(|| container.container_id.clone());
            by_pod.entry(id.unwrap_or_default()).or_default().push(stray);
        }
        let mut pods: Vec<_> =
            by_pod.into_values().map(|strays| self.pod(at, &strays, clues)).collect();
        let held = |pod: &Strays| pod.cgroups.iter().filter_map(|(_, held)| *held).sum::<u64>();
        pods.sort_by_key(|pod| (Reverse(held(pod)), Reverse(pod.processes.len())));
        pods
    }

    /// The finding for a task that is out.
    pub(super) fn already_out(&self, at: BootTime, stray: &Stray, clues: &Clues) -> Finding {
        let Stray { task, home, out } = stray;
        let main = out.first().copied().unwrap_or_default();
        let spot = self.tasks.spot(task, main);
        let to = spot.map_or_else(Place::unknown, |spot| self.spot_place(main, spot));
        let controllers = out.iter().filter_map(|id| self.tree.hierarchy_of(*id));
        let lost_controllers = controllers.flat_map(|it| it.controllers.clone()).collect();
        Finding {
            kind: FindingKind::AlreadyOut,
            at,
            task: *task,
            whole_process: task.tid == task.tgid,
            hierarchy: self.hierarchy_name(main),
            from: self.home_place(task, main, home, clues),
            to,
            also: out.iter().skip(1).map(|id| self.also(stray, *id, clues)).collect(),
            times: 1,
            mover: None,
            lost_controllers,
            home: Some(home.clone().into()),
            mover_home: None,
            limits: Some(self.limit_change(stray, clues)),
            resident: self.gathered.resident.get(&task.tgid).copied(),
            kill: None,
        }
    }

    fn also(&self, stray: &Stray, hierarchy: HierarchyId, clues: &Clues) -> Also {
        let spot = self.tasks.spot(&stray.task, hierarchy);
        Also {
            hierarchy: self.hierarchy_name(hierarchy),
            from: self.home_place(&stray.task, hierarchy, &stray.home, clues),
            to: spot.map_or_else(Place::unknown, |spot| self.spot_place(hierarchy, spot)),
        }
    }

    /// Where a task should be in a hierarchy: where it is in another one, or else where its
    /// container or pod has its cgroup.
    pub(super) fn home_place(
        &self,
        task: &Task,
        hierarchy: HierarchyId,
        home: &Home,
        clues: &Clues,
    ) -> Place {
        if let Some(key) = clues.cgroup(hierarchy, &home.container) {
            return self.tree.place(key);
        }
        let places = self.tasks.places_of_process(task.tgid).into_iter().flat_map(|it| it.iter());
        let inside = places.filter_map(|(hierarchy, spot)| self.spot_place(*hierarchy, spot).path);
        let path = inside.into_iter().find(|path| self.guard.root(path).is_some());
        path.map_or_else(Place::unknown, |path| self.tree.place_at(hierarchy, &path))
    }

    /// The hierarchies that count, the weightiest first.
    pub(crate) fn judged(&self) -> &[HierarchyId] {
        self.tree.judged()
    }

    fn out_in(&self, places: &Places) -> Vec<HierarchyId> {
        let is_out = |id: &&HierarchyId| {
            let place = places::get(places, **id).map(|spot| self.spot_place(**id, spot));
            let path = place.and_then(|place| place.path);
            path.is_some_and(|path| self.guard.root(&path).is_none())
        };
        self.judged().iter().filter(is_out).copied().collect()
    }

    fn pod(&self, at: BootTime, strays: &[&Stray], clues: &Clues) -> Strays {
        let finding = |stray: &&Stray| self.already_out(at, stray, clues);
        let mut processes: Vec<_> = strays.iter().map(finding).collect();
        let order = |it: &Finding| (it.to.path.clone(), Reverse(it.resident), it.task.tgid);
        processes.sort_by_key(order);
        let memory = self.memory_hierarchy();
        let ids: BTreeSet<_> = strays.iter().filter_map(|stray| self.charged_at(stray)).collect();
        let keys: Vec<_> = ids.into_iter().map(|id| CgroupKey { hierarchy: memory, id }).collect();
        // What the root holds is everybody's.
        let held = |key: &CgroupKey| {
            self.tree.parent(*key)?;
            self.gathered.held.get(&key.id).map(|held| held.bytes)
        };
        let row = |key: &CgroupKey| (self.tree.place(*key), held(key));
        let mut cgroups: Vec<_> = self.outermost(&keys).iter().map(row).collect();
        cgroups.sort_by_key(|(_, held)| Reverse(*held));
        let home = strays.first().map(|stray| stray.home.clone());
        let home = home.unwrap_or_else(|| self.home_of(&Container::default()));
        let inside = clues.pod_cgroup(memory, &home.container).as_ref().and_then(held);
        Strays { home, processes, cgroups, inside }
    }

    /// Without those that lie below another one; the root, below which all lie, is nobody's.
    pub(super) fn outermost(&self, keys: &[CgroupKey]) -> Vec<CgroupKey> {
        let is_below = |key: CgroupKey| {
            let above = self.upwards(key).skip(1).filter(|key| self.tree.parent(*key).is_some());
            above.into_iter().any(|above| keys.contains(&above))
        };
        keys.iter().copied().filter(|key| !is_below(*key)).collect()
    }
}

impl Place {
    /// A place of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self { key: None, path: None, container: None }
    }
}
