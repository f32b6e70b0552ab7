//! Moves and births: from the kernel's numbers to two places, and from those to a finding. What
//! makes a finding is not decided here.

use alloc::{boxed::Box, format, string::String, vec::Vec};

use crate::{
    engine::Engine,
    findings::Step,
    homes::Clues,
    ids::{Actor, BootTime, CgroupKey, HierarchyId, Task},
    input::LossCause,
    places::Spot,
    report::{Finding, FindingKind, Home, Place, Report, Witness},
};

/// How many moves there were.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    moves: u64,
    unmoved: u64,
}

/// A task between two cgroups of a hierarchy.
#[derive(Debug)]
struct Transit {
    at: BootTime,
    task: Task,
    whole_process: bool,
    hierarchy: HierarchyId,
    from: Place,
    to: Place,
    mover: Actor,
    born: bool,
}

impl Moves {
    /// Counts moves that changed nothing.
    pub(crate) fn add_unmoved(&mut self, count: u64) {
        self.unmoved = self.unmoved.saturating_add(count);
    }

    /// The moves, and those that changed nothing.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.moves, self.unmoved)
    }
}

impl Engine {
    /// A task, or its whole process, was moved.
    pub(crate) fn moved(
        &mut self,
        at: BootTime,
        task: Task,
        whole_process: bool,
        (from, to): (Option<u64>, CgroupKey),
        mover: Actor,
        out: &mut Vec<Report>,
    ) {
        let hierarchy = to.hierarchy;
        let from = match from.map(Spot::Id).or_else(|| self.tasks.spot(&task, hierarchy).cloned()) {
            Some(spot) => self.spot_place(hierarchy, &spot),
            None => Place::unknown(),
        };
        let to = self.tree.place(to);
        let transit = Transit { at, task, whole_process, hierarchy, from, to, mover, born: false };
        let threads = if whole_process { self.threads_back(&transit) } else { Vec::new() };
        if let Some(key) = transit.to.key {
            self.tasks.moved(&task, whole_process, hierarchy, key.id);
        }
        let inside = transit.to.path.as_deref().and_then(|path| self.guarded_container(path));
        if let Some(container) = inside {
            self.homes.entered(task.tgid, &container);
        }
        let back = if is_same(&transit) {
            self.moves.add_unmoved(1);
            false
        } else {
            self.moves.moves += 1;
            self.judge(transit, out) == Some(FindingKind::CameBack)
        };
        for thread in threads {
            if back {
                self.findings.thread_in(task.tgid, thread.task.tid, hierarchy);
            } else {
                self.judge(thread, out);
            }
        }
    }

    /// A process was born in another cgroup of the v2 hierarchy than its parent's.
    pub(crate) fn born(
        &mut self,
        at: BootTime,
        task: Task,
        (from, to): (u64, u64),
        parent: Actor,
        out: &mut Vec<Report>,
    ) {
        let hierarchy = HierarchyId::V2;
        let place = |id| self.tree.place(CgroupKey { hierarchy, id });
        let transit = Transit {
            at,
            task,
            whole_process: task.tid == task.tgid,
            hierarchy,
            from: place(from),
            to: place(to),
            mover: parent,
            born: true,
        };
        if !is_same(&transit) {
            self.judge(transit, out);
        }
    }

    /// The threads that were found outside by themselves and are taken along inside.
    fn threads_back(&self, transit: &Transit) -> Vec<Transit> {
        let Transit { at, task, hierarchy, mover, .. } = *transit;
        if transit.to.path.as_deref().is_none_or(|path| self.guard.root(path).is_none()) {
            return Vec::new();
        }
        let threads = self.findings.threads_out(task.tgid, hierarchy).into_iter();
        let back = |(tid, start)| {
            let task = Task { tid, start, ..task };
            let from = self.spot_place(hierarchy, self.tasks.spot(&task, hierarchy)?);
            let to = transit.to.clone();
            let (whole_process, born) = (false, false);
            Some(Transit { at, task, whole_process, hierarchy, from, to, mover, born })
        };
        threads.filter_map(back).collect()
    }

    fn judge(&mut self, transit: Transit, out: &mut Vec<Report>) -> Option<FindingKind> {
        if self.is_own(&transit.task) {
            return None;
        }
        let (Some(from), Some(to)) = (&transit.from.path, &transit.to.path) else {
            self.losses.count(LossCause::PathUnknown, 1);
            return None;
        };
        let Transit { task, hierarchy, born, .. } = transit;
        let step = Step {
            born,
            counts: self.judged().contains(&hierarchy),
            was_out: self.findings.is_out(&task, hierarchy),
            from: (&transit.from, self.guard.root(from)),
            to: (&transit.to, self.guard.root(to)),
        };
        let known = self.tree.hierarchy_of(hierarchy);
        let controllers = known.map_or(&[][..], |known| &known.controllers);
        let (kind, lost_controllers) = self.findings.judge(&task, hierarchy, &step, controllers)?;
        let finding = self.finding(kind, lost_controllers, transit);
        self.found(finding, hierarchy, out);
        Some(kind)
    }

    fn finding(
        &self,
        kind: FindingKind,
        lost_controllers: Vec<String>,
        transit: Transit,
    ) -> Finding {
        let home = self.home_before(&transit);
        let mover_home = self.home(transit.mover.pid, &Clues::default());
        let Transit { at, task, whole_process, hierarchy, from, to, mover, .. } = transit;
        Finding {
            kind,
            at,
            task,
            whole_process,
            limits: self.limits_between(hierarchy, from.key, to.key),
            hierarchy: self.hierarchy_name(hierarchy),
            from,
            to,
            also: Vec::new(),
            times: 1,
            mover: Some(mover),
            lost_controllers,
            home: home.map(Box::new),
            mover_home: mover_home.map(Box::new),
            resident: None,
            kill: None,
        }
    }

    /// Whose a task is that got from one place to another: whose it was there, if that is a pod's.
    fn home_before(&self, transit: &Transit) -> Option<Home> {
        let from = transit.from.path.as_deref().and_then(|path| self.guarded_container(path));
        let Some(container) = from else {
            return self.home(transit.task.tgid, &Clues::default());
        };
        let witness = if transit.born { Witness::Parent } else { Witness::Cgroup };
        Some(Home { witnesses: Vec::from([witness]), ..self.home_of(&container) })
    }

    /// A cgroup by what is known of it.
    pub(crate) fn spot_place(&self, hierarchy: HierarchyId, spot: &Spot) -> Place {
        match spot {
            Spot::Id(id) => self.tree.place(CgroupKey { hierarchy, id: *id }),
            Spot::Path(path) => self.tree.place_at(hierarchy, path),
        }
    }

    /// `v2`, the controllers, or `name=…`; a number where the hierarchy was never told of.
    pub(crate) fn hierarchy_name(&self, id: HierarchyId) -> String {
        match self.tree.hierarchy_of(id) {
            Some(known) if !known.name.is_empty() => known.name.clone(),
            None if id != HierarchyId::V2 => format!("id={}", id.0),
            _ => String::from("v2"),
        }
    }
}

/// Whether nothing changed: by number if both are known, otherwise by path.
fn is_same(transit: &Transit) -> bool {
    let (from, to) = (&transit.from, &transit.to);
    match from.key.zip(to.key) {
        Some((from, to)) => from == to,
        None => from.path.is_some() && from.path == to.path,
    }
}
