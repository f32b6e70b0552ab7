//! The tasks: names, and where each is in every hierarchy. Which pod a task belongs to is not
//! known here.
//!
//! A thread has a row of its own only while it is elsewhere than its leader. Threads that stay
//! behind when their leader alone is moved are thought to be with it until they are moved.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

use crate::{
    ids::{BootTime, Comm, HierarchyId, Task},
    places::{self, Places, Pool, Spot},
};

/// More than 20,000 by far, and about 20 MiB. Who comes later is not remembered: a move of it
/// that does not bring its source along is then counted as one with an unknown path.
const MAX_TASKS: usize = 1 << 18;

/// Names kept of the processes that ended in the running interval.
const MAX_EXITED: usize = 1 << 16;

/// `/proc` tells start times in ticks of this many nanoseconds, rounded down.
const TICK: u64 = 10_000_000;

/// Every task that is known.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    processes: BTreeMap<u32, Process>,
    threads: BTreeMap<(u32, u32), Thread>,
    pool: Pool,
    /// Ended in the interval that is not over: their charges are still to come.
    exited: BTreeMap<u32, Comm>,
}

#[derive(Debug)]
struct Process {
    start: BootTime,
    comm: Comm,
    places: Places,
}

#[derive(Debug)]
struct Thread {
    start: BootTime,
    places: Places,
}

impl Tasks {
    /// A task found by a scan. Of a task that events told of, it only adds what they left open.
    pub(crate) fn seen(&mut self, task: &Task, mut places: Vec<(HierarchyId, Spot)>) {
        if let Some(known) = self.own_places(task) {
            let open = |(id, _): &(HierarchyId, Spot)| places::get(known, *id).is_none();
            places.retain(open);
            places.extend(known.iter().cloned());
        }
        let places = self.pool.take(places);
        self.put(task, places);
    }

    /// The places of a task read again: they count, whatever was known.
    pub(crate) fn placed(&mut self, task: &Task, places: Vec<(HierarchyId, Spot)>) {
        if self.own_places(task).is_some() {
            let places = self.pool.take(places);
            self.put(task, places);
        }
    }

    /// Every process, and every thread that is elsewhere than its leader, with their places.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Task, &Places)> {
        let processes = self.processes.iter().map(|(pid, it)| {
            (Task { tid: *pid, tgid: *pid, start: it.start, comm: it.comm }, &it.places)
        });
        let threads = self.threads.iter().map(|((tgid, tid), it)| {
            let comm = self.comm(*tgid).unwrap_or_default();
            (Task { tid: *tid, tgid: *tgid, start: it.start, comm }, &it.places)
        });
        processes.chain(threads)
    }

    /// Where a process is in every hierarchy.
    pub(crate) fn places_of_process(&self, pid: u32) -> Option<&Places> {
        self.processes.get(&pid).map(|process| &process.places)
    }

    /// When a process was started.
    pub(crate) fn start(&self, pid: u32) -> Option<BootTime> {
        self.processes.get(&pid).map(|process| process.start)
    }

    /// A new task, where its creator is but for `v2`, the id of another cgroup there.
    pub(crate) fn forked(&mut self, parent: (u32, u32), task: &Task, v2: Option<u64>) {
        if self.own_places(task).is_some() {
            return;
        }
        let places = self.places_of(parent).cloned();
        let places = places.unwrap_or_else(|| self.pool.take(Vec::new()));
        match v2 {
            Some(id) => self.put_moved(task, places, HierarchyId::V2, id),
            None => self.put(task, places),
        }
    }

    /// Where a task is in a hierarchy, if that is known.
    pub(crate) fn spot(&self, task: &Task, hierarchy: HierarchyId) -> Option<&Spot> {
        places::get(self.places(task)?, hierarchy)
    }

    /// Puts a task, or its whole process, into another cgroup.
    pub(crate) fn moved(&mut self, task: &Task, whole: bool, hierarchy: HierarchyId, to: u64) {
        let places = self.places(task).cloned();
        let places = places.unwrap_or_else(|| self.pool.take(Vec::new()));
        self.put_moved(task, places, hierarchy, to);
        if whole {
            for (task, places) in self.threads_of(task.tgid) {
                self.put_moved(&task, places, hierarchy, to);
            }
        }
    }

    /// A process runs another program: its other threads are gone.
    pub(crate) fn exec(&mut self, pid: u32, comm: Comm) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.comm = comm;
        }
        self.drop_threads(pid);
    }

    /// A process or a thread ended.
    pub(crate) fn exited(&mut self, tid: u32, tgid: u32) {
        if tid != tgid {
            return self.drop_thread((tgid, tid));
        }
        self.drop_threads(tgid);
        if let Some(process) = self.processes.remove(&tgid) {
            self.pool.give(process.places);
            if self.exited.len() < MAX_EXITED {
                self.exited.insert(tgid, process.comm);
            }
        }
    }

    /// The name of a process that lives or ended in this interval.
    pub(crate) fn comm(&self, pid: u32) -> Option<Comm> {
        let alive = self.processes.get(&pid).map(|process| process.comm);
        alive.or_else(|| self.exited.get(&pid).copied())
    }

    /// Whether a process is known to live.
    pub(crate) fn is_alive(&self, pid: u32) -> bool {
        self.processes.contains_key(&pid)
    }

    /// The processes that ended since the last call.
    pub(crate) fn take_exited(&mut self) -> impl Iterator<Item = u32> + use<> {
        core::mem::take(&mut self.exited).into_keys()
    }

    /// How many processes, threads of their own and distinct sets of places there are.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        (self.processes.len(), self.threads.len(), self.pool.len())
    }

    /// A task's places, or its leader's.
    fn places(&self, task: &Task) -> Option<&Places> {
        let leader = || self.processes.get(&task.tgid).map(|process| &process.places);
        let own = self.own_places(task);
        if task.tid == task.tgid { own } else { own.or_else(leader) }
    }

    /// The places in a task's own row, unless its number belonged to another task.
    fn own_places(&self, task: &Task) -> Option<&Places> {
        let (start, places) = if task.tid == task.tgid {
            self.processes.get(&task.tgid).map(|process| (process.start, &process.places))?
        } else {
            let thread = self.threads.get(&(task.tgid, task.tid));
            thread.map(|thread| (thread.start, &thread.places))?
        };
        is_same(start, task.start).then_some(places)
    }

    fn places_of(&self, (tgid, tid): (u32, u32)) -> Option<&Places> {
        let thread = self.threads.get(&(tgid, tid)).map(|thread| &thread.places);
        thread.or_else(|| self.processes.get(&tgid).map(|process| &process.places))
    }

    fn threads_of(&self, tgid: u32) -> Vec<(Task, Places)> {
        let threads = self.threads.range((tgid, 0)..=(tgid, u32::MAX));
        let task = |tid, start| Task { tid, tgid, start, comm: Comm::default() };
        threads.map(|((_, tid), at)| (task(*tid, at.start), Arc::clone(&at.places))).collect()
    }

    /// Takes the places by value: the row's own must be the last when it is replaced.
    fn put_moved(&mut self, task: &Task, from: Places, hierarchy: HierarchyId, to: u64) {
        let places = self.pool.with(&from, hierarchy, Spot::Id(to));
        self.pool.give(from);
        self.put(task, places);
    }

    fn put(&mut self, task: &Task, places: Places) {
        if task.tid == task.tgid {
            self.put_process(task, places);
        } else {
            self.put_thread(task, places);
        }
    }

    fn put_process(&mut self, task: &Task, places: Places) {
        let known = self.processes.get(&task.tgid).map(|process| process.start);
        if known.is_some_and(|start| !is_same(start, task.start)) {
            self.drop_threads(task.tgid);
        }
        if known.is_none() && self.processes.len() >= MAX_TASKS {
            return self.pool.give(places);
        }
        let process = Process { start: task.start, comm: task.comm, places };
        if let Some(old) = self.processes.insert(task.tgid, process) {
            self.pool.give(old.places);
        }
    }

    fn put_thread(&mut self, task: &Task, places: Places) {
        let key = (task.tgid, task.tid);
        self.drop_thread(key);
        let leader = self.processes.get(&task.tgid);
        let with_leader = leader.is_some_and(|process| process.places == places);
        if with_leader || self.threads.len() >= MAX_TASKS {
            return self.pool.give(places);
        }
        self.threads.insert(key, Thread { start: task.start, places });
    }

    fn drop_thread(&mut self, key: (u32, u32)) {
        if let Some(thread) = self.threads.remove(&key) {
            self.pool.give(thread.places);
        }
    }

    fn drop_threads(&mut self, tgid: u32) {
        for (task, places) in self.threads_of(tgid) {
            self.threads.remove(&(tgid, task.tid));
            self.pool.give(places);
        }
    }
}

/// Whether two start times can be those of one task, one of them told in ticks.
pub(crate) fn is_same(one: BootTime, other: BootTime) -> bool {
    one.0 / TICK == other.0 / TICK
}
