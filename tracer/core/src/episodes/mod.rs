//! Findings that belong together: what is said once, and what is added to it afterwards.
//!
//! A process that systemd takes out goes through one hierarchy after the other, a thread may follow
//! the other, and a parent may have one child after the other born outside. Each of these is one
//! finding. Whether a step is a finding is not decided here.

mod episode;
mod tell;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    ids::{BootTime, HierarchyId, Task},
    report::{Finding, FindingKind, Update},
    tasks::is_same,
};
pub(crate) use episode::Part;
use episode::{Episode, Id};

/// As many as can be out; who comes later is told of at once and not followed.
const MAX_EPISODES: usize = 1 << 16;

/// As many as processes are remembered.
const MAX_MEMBERS: usize = 1 << 18;

/// Places where parents have children born; those at more are told one by one.
const MAX_BIRTHS: usize = 1 << 12;

/// The findings that are not told yet, and those that are told and followed.
#[derive(Debug, Default)]
pub(crate) struct Episodes {
    all: BTreeMap<Id, Episode>,
    next: Id,
    /// Not told yet: those begun first are told first.
    untold: BTreeSet<Id>,
    /// The latest one of each process that is not told.
    latest: BTreeMap<u32, Id>,
    /// Those about each process that is out, oldest first.
    leads: BTreeMap<u32, Vec<Id>>,
    /// The processes that are out, and those that were born to one that is: since when they run,
    /// and what they belong to.
    members: BTreeMap<u32, (Id, BootTime)>,
    /// By parent and cgroup, what is told of the children that were born there.
    births: BTreeMap<(u32, u64), Id>,
    /// Members that ended in the interval that is not over: their charges are still to come.
    ended: Vec<(u32, BootTime)>,
}

impl Episodes {
    /// Takes a step; what is complete by it is returned, to be told.
    pub(crate) fn add(&mut self, part: Part) -> Vec<Id> {
        let Finding { kind, task, whole_process, .. } = part.finding;
        let hierarchy = part.hierarchy;
        let complete = match self.belongs_to(&part) {
            Some(id) => {
                if kind == FindingKind::BornOutside {
                    self.put_member(&task, id);
                }
                self.all.entry(id).and_modify(|episode| episode.add(part));
                Vec::new()
            }
            None => self.begin(part),
        };
        if kind == FindingKind::CameBack {
            self.back(task.tgid, |at, tid| at == hierarchy && (whole_process || tid == task.tid));
        }
        complete
    }

    /// Those that wait for nothing any more at `now`, or all, to be told.
    pub(crate) fn complete(&self, now: Option<BootTime>) -> Vec<Id> {
        let is_complete = |id: &&Id| {
            let episode = self.all.get(id);
            episode.is_none_or(|it| now.is_none_or(|now| it.is_complete(now)))
        };
        self.untold.iter().take_while(is_complete).copied().collect()
    }

    /// From now on this one is told, as it is returned, after `learn` has completed it.
    pub(crate) fn told(&mut self, id: Id, learn: impl Fn(&mut Finding) -> bool) -> Option<Finding> {
        self.untold.remove(&id);
        let episode = self.all.get_mut(&id)?;
        learn(&mut episode.finding);
        let finding = episode.tell();
        if self.latest.get(&finding.task.tgid) == Some(&id) {
            self.latest.remove(&finding.task.tgid);
        }
        if !episode.is_followed {
            self.all.remove(&id);
        }
        Some(finding)
    }

    /// Whether something waits to be told.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Follows one that was told of by an audit.
    pub(crate) fn found(&mut self, finding: &Finding, out: &[HierarchyId]) {
        let task = finding.task;
        let Some(hierarchy) = out.first().copied() else { return };
        if self.all.len() >= MAX_EPISODES {
            return;
        }
        let mut episode = Episode::of(Part { finding: finding.clone(), hierarchy, weight: 0 });
        episode.hierarchies.extend(out);
        episode.out.extend(out.iter().map(|hierarchy| (*hierarchy, task.tid)));
        let id = self.follow(episode);
        self.told(id, |_| false);
    }

    /// A process was forked: it belongs to what its parent belongs to.
    pub(crate) fn forked(&mut self, parent: u32, task: &Task) {
        let is_gone = |(_, start): &(Id, BootTime)| !is_same(*start, task.start);
        if self.members.get(&task.tgid).is_some_and(is_gone) {
            self.members.remove(&task.tgid);
        }
        if let Some((id, _)) = self.members.get(&parent).copied() {
            self.put_member(task, id);
        }
    }

    /// A process runs another program: its threads but the leader are no more.
    pub(crate) fn exec(&mut self, pid: u32) {
        self.gone(pid, |tid| tid != pid);
    }

    /// A thread is no more, or a process with all its threads.
    pub(crate) fn exited(&mut self, tid: u32, pid: u32) {
        if tid != pid {
            return self.gone(pid, |thread| thread == tid);
        }
        if let Some((_, start)) = self.members.get(&pid) {
            self.ended.push((pid, *start));
        }
        self.births.extract_if((pid, 0)..=(pid, u64::MAX), |_, _| true).for_each(drop);
        // Its number may be another's from now on.
        self.latest.remove(&pid);
        for id in self.of_process(pid) {
            self.all.entry(id).and_modify(|episode| episode.returned = true);
        }
    }

    /// Whether it was told that a task is out in these hierarchies: of itself, or of the process
    /// that it was born to.
    pub(crate) fn tells(&self, task: &Task, out: &[HierarchyId]) -> bool {
        let Some((current, start)) = self.members.get(&task.tgid) else { return false };
        let is_other = task.tid == task.tgid && !is_same(*start, task.start);
        let episodes = self.leads.get(&task.tgid).map_or(core::slice::from_ref(current), |it| it);
        let episodes = || episodes.iter().filter_map(|id| self.all.get(id));
        let is_told = |id: &HierarchyId| episodes().any(|it| it.tells(task, *id));
        !is_other && out.iter().all(is_told)
    }

    /// Whether a process is one that is out, or was born to one.
    pub(crate) fn is_member(&self, pid: u32) -> bool {
        self.members.contains_key(&pid)
    }

    /// Adds what a member charged to a cgroup outside, less what it uncharged there.
    pub(crate) fn charge(&mut self, pid: u32, net: i64) {
        if let Some((id, _)) = self.members.get(&pid)
            && let Some(episode) = self.all.get_mut(id)
        {
            episode.outside = episode.outside.wrapping_add(net);
        }
    }

    /// Ends an interval, the last one or not: what there is to add to what was told, after `learn`
    /// has completed it and said whether it found more.
    pub(crate) fn end_interval(
        &mut self,
        at: BootTime,
        last: bool,
        learn: impl Fn(&mut Finding) -> bool,
    ) -> Vec<Update> {
        for (pid, start) in core::mem::take(&mut self.ended) {
            self.members.extract_if(pid..=pid, |_, (_, since)| *since == start).for_each(drop);
        }
        let mut alive: BTreeSet<Id> = self.members.values().map(|(id, _)| *id).collect();
        alive.extend(self.births.values());
        let mut updates = Vec::new();
        for (id, episode) in self.all.iter_mut().filter(|(_, it)| it.is_told) {
            let pid = episode.finding.task.tgid;
            // What comes next of the same process is told first.
            if self.latest.contains_key(&pid) {
                continue;
            }
            let lead = self.members.get(&pid);
            let is_alive = lead.is_some_and(|(_, start)| *start == episode.start);
            episode.is_over = episode.is_back() || !(is_alive || alive.contains(id));
            episode.is_news |= learn(&mut episode.finding);
            updates.extend(episode.has_news(last).then(|| episode.update(at)));
        }
        self.forget();
        updates
    }

    /// How many findings and processes are followed.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let findings = [self.untold.len(), self.latest.len(), self.leads.len()];
        let processes = [self.members.len(), self.births.len(), self.ended.len()];
        (self.all.len() + findings.iter().sum::<usize>(), processes.iter().sum())
    }

    /// What a step belongs to.
    fn belongs_to(&self, part: &Part) -> Option<Id> {
        let pid = part.finding.task.tgid;
        if part.finding.kind == FindingKind::BornOutside {
            return self.births.get(&birth(&part.finding)?).copied();
        }
        let open = || self.leads.get(&pid)?.last();
        let id = self.latest.get(&pid).or_else(open)?;
        self.all.get(id)?.takes(part).then_some(*id)
    }

    /// Begins a finding; what is complete by that is returned.
    fn begin(&mut self, part: Part) -> Vec<Id> {
        let pid = part.finding.task.tgid;
        let has_room = self.all.len() < MAX_EPISODES;
        let is_out = is_out(part.finding.kind);
        let episode = Episode::of(part);
        let id = if is_out && has_room { self.follow(episode) } else { self.put(episode) };
        self.untold.insert(id);
        let before = self.latest.insert(pid, id);
        before.into_iter().chain((!has_room).then_some(id)).collect()
    }

    fn follow(&mut self, mut episode: Episode) -> Id {
        let Finding { kind, task, .. } = episode.finding;
        let birth = birth(&episode.finding).filter(|_| kind == FindingKind::BornOutside);
        episode.is_followed = true;
        let id = self.put(episode);
        self.put_member(&task, id);
        let start = self.members.get(&task.tgid).map(|(_, start)| *start);
        if let (Some(episode), Some(start)) = (self.all.get_mut(&id), start) {
            episode.start = start;
        }
        self.leads.entry(task.tgid).or_default().push(id);
        if let Some(key) = birth.filter(|_| self.births.len() < MAX_BIRTHS) {
            self.births.insert(key, id);
        }
        id
    }

    fn put(&mut self, episode: Episode) -> Id {
        let id = self.next;
        self.next += 1;
        self.all.insert(id, episode);
        id
    }

    /// A process belongs to this one from now on; one that did before keeps its beginning, as the
    /// task may be any thread of it.
    fn put_member(&mut self, task: &Task, id: Id) {
        if let Some((known, _)) = self.members.get_mut(&task.tgid) {
            *known = id;
        } else if self.members.len() < MAX_MEMBERS {
            self.members.insert(task.tgid, (id, task.start));
        }
    }

    /// All that a process is or belongs to.
    fn of_process(&self, pid: u32) -> Vec<Id> {
        let mut ids = self.leads.get(&pid).cloned().unwrap_or_default();
        ids.extend(self.members.get(&pid).map(|(id, _)| *id).filter(|id| !ids.contains(id)));
        ids
    }

    /// Threads of a process are no more.
    fn gone(&mut self, pid: u32, is_gone: impl Fn(u32) -> bool) {
        for id in self.of_process(pid) {
            self.all.entry(id).and_modify(|it| it.out.retain(|(_, tid)| !is_gone(*tid)));
        }
    }

    /// Some of a process's tasks are inside again.
    fn back(&mut self, pid: u32, is_back: impl Fn(HierarchyId, u32) -> bool) {
        for id in self.of_process(pid) {
            self.all.entry(id).and_modify(|episode| {
                episode.out.retain(|(hierarchy, tid)| !is_back(*hierarchy, *tid));
                episode.returned |= episode.finding.task.tgid == pid;
            });
        }
        // Only the current one may still be charged for.
        let current = self.members.get(&pid).map(|(id, _)| *id);
        let Some(leads) = self.leads.get_mut(&pid) else { return };
        leads.retain(|id| {
            let episode = self.all.get(id);
            let is_done = episode.is_none_or(Episode::is_done) && current != Some(*id);
            if is_done {
                self.all.remove(id);
            }
            !is_done
        });
    }

    /// Forgets what is over, and who belonged to it.
    fn forget(&mut self) {
        let before = self.all.len();
        self.all.retain(|_, episode| !episode.is_over);
        if self.all.len() == before {
            return;
        }
        let Self { all, leads, members, births, .. } = self;
        members.retain(|_, (id, _)| all.contains_key(id));
        births.retain(|_, id| all.contains_key(id));
        leads.retain(|_, ids| {
            ids.retain(|id| all.contains_key(id));
            !ids.is_empty()
        });
    }
}

/// Whether a finding says that somebody is outside, who is followed then.
fn is_out(kind: FindingKind) -> bool {
    matches!(kind, FindingKind::Left | FindingKind::BornOutside)
}

/// Who had a child born, and where.
fn birth(finding: &Finding) -> Option<(u32, u64)> {
    Some((finding.mover.as_ref()?.pid, finding.to.key?.id))
}
