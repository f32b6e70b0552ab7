//! Findings that belong together: what is said once, and what is added to it afterwards.
//!
//! A process that systemd takes out goes through one hierarchy after the other, a thread may follow
//! the other, and a parent may have one child after the other born outside. Each of these is one
//! finding. Whether a step is a finding is not decided here.

mod tell;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    ids::{BootTime, HierarchyId, Task},
    report::{Also, Finding, FindingKind, Place, Update},
    tasks::is_same,
};

/// How long a finding waits for what belongs to it, in nanoseconds.
const TOGETHER: u64 = 100_000_000;

/// As many as can be out; who comes later is told of and not followed.
const MAX_OPEN: usize = 1 << 16;

/// As many as processes are remembered.
const MAX_MEMBERS: usize = 1 << 18;

/// What is charged outside is told again when it has changed by so many bytes at least, and by an
/// eighth.
const WORTH_TELLING: u64 = 1 << 20;

/// The findings that are not told yet, and those that are not over.
#[derive(Debug, Default)]
pub(crate) struct Episodes {
    /// Not told yet, in the order in which they began.
    untold: BTreeMap<u64, Episode>,
    next: u64,
    /// The latest one of each process that is not told.
    latest: BTreeMap<u32, u64>,
    /// Told, and not over; by the process.
    open: BTreeMap<u32, Episode>,
    /// Followed no more, as another one of the same process was told; with something to add.
    replaced: Vec<Episode>,
    /// The processes that were born to one that is out, itself included, with the one that is.
    members: BTreeMap<u32, (u32, BootTime)>,
    /// By parent and cgroup, the first child that was born there.
    births: BTreeMap<(u32, u64), u32>,
    /// Members that ended in the interval that is not over: their charges are still to come.
    ended: Vec<(u32, BootTime)>,
}

/// A finding, and what came after it.
#[derive(Debug)]
struct Episode {
    finding: Finding,
    /// The weight of the finding's main hierarchy.
    weight: usize,
    /// Every hierarchy that it is about.
    hierarchies: BTreeSet<HierarchyId>,
    /// The hierarchies and threads that are out.
    out: BTreeSet<(HierarchyId, u32)>,
    /// Whether any of these came back: whoever leaves after that leaves once more.
    returned: bool,
    /// Net bytes charged outside since, by the process and those that were born to it.
    outside: i64,
    told: i64,
    /// Whether more is known than was told.
    is_news: bool,
    is_over: bool,
}

/// One step of a task in one hierarchy, as a finding of its own.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) finding: Finding,
    pub(crate) hierarchy: HierarchyId,
    /// Less is weightier.
    pub(crate) weight: usize,
}

impl Episode {
    fn of(part: Part) -> Self {
        let Part { finding, hierarchy, weight } = part;
        let out = BTreeSet::from([(hierarchy, finding.task.tid)]);
        let hierarchies = BTreeSet::from([hierarchy]);
        let (returned, is_news, is_over) = (false, false, false);
        let (outside, told) = (0, 0);
        Self { finding, weight, hierarchies, out, returned, outside, told, is_news, is_over }
    }

    /// Whether a step of the same process is more of the same, and not the next thing that happened.
    fn takes(&self, part: &Part) -> bool {
        let (known, new) = (&self.finding, &part.finding);
        let is_other = known.task.tid == new.task.tid && !is_same(known.task.start, new.task.start);
        let is_more = new.whole_process && !known.whole_process;
        let is_again = self.out.contains(&(part.hierarchy, new.task.tid));
        let is_like = self.hierarchies.contains(&part.hierarchy).then(|| self.is_like(new));
        known.kind == new.kind
            && !(self.returned || is_other || is_more || is_again)
            && is_like.unwrap_or(true)
    }

    /// Whether this is between the same cgroups of its hierarchy.
    fn is_like(&self, new: &Finding) -> bool {
        let Finding { hierarchy, from, to, also, .. } = &self.finding;
        let is_same =
            |at: &str, known: [&Place; 2]| at == new.hierarchy && known == [&new.from, &new.to];
        let also = also.iter().any(|also| is_same(&also.hierarchy, [&also.from, &also.to]));
        also || is_same(hierarchy, [from, to])
    }

    fn add(&mut self, part: Part) {
        let Part { finding: new, hierarchy, weight } = part;
        self.out.insert((hierarchy, new.task.tid));
        self.is_news = true;
        if !self.hierarchies.insert(hierarchy) {
            self.finding.times += 1;
            return;
        }
        let known = &mut self.finding;
        let mut also = Also { hierarchy: new.hierarchy, from: new.from, to: new.to };
        if weight < self.weight {
            self.weight = weight;
            core::mem::swap(&mut known.hierarchy, &mut also.hierarchy);
            core::mem::swap(&mut known.from, &mut also.from);
            core::mem::swap(&mut known.to, &mut also.to);
        }
        known.also.push(also);
        for controller in new.lost_controllers {
            if !known.lost_controllers.contains(&controller) {
                known.lost_controllers.push(controller);
            }
        }
        known.limits = match (known.limits, new.limits) {
            (Some(known), Some(new)) => Some(known.or(new)),
            (known, new) => known.or(new),
        };
        known.home = known.home.take().or(new.home);
    }

    fn update(&mut self, at: BootTime) -> Update {
        self.told = self.outside;
        self.is_news = false;
        let finding = self.finding.clone();
        Update { at, finding, outside: self.outside, is_over: self.is_over }
    }

    /// Whether it is worth another line; of one that is over or of the last interval, whether
    /// anything differs from what was said.
    fn has_news(&self, last: bool) -> bool {
        let change = self.outside.abs_diff(self.told);
        let is_much = change >= WORTH_TELLING.max(self.told.unsigned_abs() / 8);
        self.is_news || is_much || ((last || self.is_over) && change > 0)
    }
}

impl Episodes {
    /// Takes a step; what came before it and is complete now is returned, to be told.
    pub(crate) fn add(&mut self, part: Part) -> Option<Finding> {
        let Finding { kind, task, whole_process, .. } = part.finding;
        let hierarchy = part.hierarchy;
        let complete = self.join(part).and_then(|part| self.begin(part));
        if kind == FindingKind::CameBack {
            self.back(task.tgid, |at, tid| at == hierarchy && (whole_process || tid == task.tid));
        }
        complete
    }

    /// Those that wait for nothing any more at `now`, or all.
    pub(crate) fn complete(&mut self, now: Option<BootTime>) -> Vec<Finding> {
        let is_complete = |episode: &Episode| {
            now.is_none_or(|now| episode.finding.at.0.saturating_add(TOGETHER) <= now.0)
        };
        let mut findings = Vec::new();
        while let Some(first) = self.untold.first_entry().filter(|it| is_complete(it.get())) {
            let (at, episode) = first.remove_entry();
            let pid = episode.finding.task.tgid;
            if self.latest.get(&pid) == Some(&at) {
                self.latest.remove(&pid);
            }
            findings.push(self.open(episode));
        }
        findings
    }

    /// Whether something waits to be told.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Follows one that was told of by an audit.
    pub(crate) fn found(&mut self, finding: &Finding, out: &[HierarchyId]) {
        let pid = finding.task.tgid;
        let Some(hierarchy) = out.first().copied() else { return };
        if self.open.len() >= MAX_OPEN || self.open.contains_key(&pid) {
            return;
        }
        self.put_member(pid, pid, finding.task.start);
        let mut episode = Episode::of(Part { finding: finding.clone(), hierarchy, weight: 0 });
        episode.hierarchies.extend(out);
        episode.out.extend(out.iter().map(|hierarchy| (*hierarchy, finding.task.tid)));
        self.open.insert(pid, episode);
    }

    /// A process was forked: it belongs to what its parent belongs to.
    pub(crate) fn forked(&mut self, parent: u32, pid: u32, start: BootTime) {
        if let Some((lead, _)) = self.members.get(&parent).copied() {
            self.put_member(pid, lead, start);
        }
    }

    /// A process ended.
    pub(crate) fn exited(&mut self, pid: u32) {
        if let Some((_, start)) = self.members.get(&pid) {
            self.ended.push((pid, *start));
        }
        // Its number may be another's from now on.
        self.latest.remove(&pid);
        if let Some(episode) = self.open.get_mut(&pid) {
            episode.returned = true;
        }
        self.births.extract_if((pid, 0)..=(pid, u64::MAX), |_, _| true).for_each(drop);
    }

    /// Whether a task's process was told to be out, and is followed since.
    pub(crate) fn is_open(&self, task: &Task) -> bool {
        let open = self.open.get(&task.tgid).map(|episode| &episode.finding.task);
        open.is_some_and(|known| known.tid != known.tgid || is_same(known.start, task.start))
    }

    /// Whether a process is one that is out, or was born to one.
    pub(crate) fn is_member(&self, pid: u32) -> bool {
        self.members.contains_key(&pid)
    }

    /// Adds what a member charged to a cgroup outside, less what it uncharged there.
    pub(crate) fn charge(&mut self, pid: u32, net: i64) {
        let lead = self.members.get(&pid).map(|(lead, _)| *lead);
        if let Some(episode) = lead.and_then(|lead| self.open.get_mut(&lead)) {
            episode.outside = episode.outside.wrapping_add(net);
        }
    }

    /// Lets what was told be completed by `learn`, which says whether it found more.
    pub(crate) fn learn(&mut self, mut learn: impl FnMut(&mut Finding) -> bool) {
        for episode in self.open.values_mut() {
            episode.is_news |= learn(&mut episode.finding);
        }
    }

    /// Ends an interval, the last one or not: what there is to add to what was told.
    pub(crate) fn end_interval(&mut self, at: BootTime, last: bool) -> Vec<Update> {
        for (pid, start) in core::mem::take(&mut self.ended) {
            self.members.extract_if(pid..=pid, |_, (_, since)| *since == start).for_each(drop);
        }
        let members = self.members.values().map(|(lead, _)| lead);
        let alive: BTreeSet<u32> = members.chain(self.births.values()).copied().collect();
        for (lead, episode) in &mut self.open {
            episode.is_over |= !alive.contains(lead);
        }
        let mut replaced = core::mem::take(&mut self.replaced);
        let open = self.open.values_mut().filter(|episode| episode.has_news(last));
        let updates = replaced.iter_mut().chain(open).map(|episode| episode.update(at)).collect();
        self.open.retain(|_, episode| !episode.is_over);
        updates
    }

    /// How many findings and processes are followed.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.untold.len() + self.open.len(), self.members.len() + self.births.len())
    }

    /// Adds a step to the finding that it belongs to; gives it back if there is none.
    fn join(&mut self, part: Part) -> Option<Part> {
        let pid = part.finding.task.tgid;
        let lead = self.lead_of_birth(&part);
        if is_out(part.finding.kind) {
            self.put_member(pid, lead.unwrap_or(pid), part.finding.task.start);
        }
        let episode = match self.latest.get(&lead.unwrap_or(pid)) {
            Some(at) => self.untold.get_mut(at),
            None => self.open.get_mut(&lead.unwrap_or(pid)),
        };
        match episode {
            Some(episode) if lead.is_some() || episode.takes(&part) => {
                episode.add(part);
                None
            }
            _ => Some(part),
        }
    }

    /// Begins a finding, and completes the one before it of the same process.
    fn begin(&mut self, part: Part) -> Option<Finding> {
        let before = self.latest.insert(part.finding.task.tgid, self.next);
        self.untold.insert(self.next, Episode::of(part));
        self.next += 1;
        let before = self.untold.remove(&before?)?;
        Some(self.open(before))
    }

    /// The process that a birth is counted with: the first that the same parent had born there.
    fn lead_of_birth(&mut self, part: &Part) -> Option<u32> {
        let Finding { kind, mover, to, task, .. } = &part.finding;
        if *kind != FindingKind::BornOutside || self.births.len() >= MAX_OPEN {
            return None;
        }
        let key = (mover.as_ref()?.pid, to.key?.id);
        let lead = *self.births.entry(key).or_insert(task.tgid);
        let is_followed = self.latest.contains_key(&lead) || self.open.contains_key(&lead);
        if !is_followed {
            self.births.insert(key, task.tgid);
        }
        is_followed.then_some(lead)
    }

    fn put_member(&mut self, pid: u32, lead: u32, start: BootTime) {
        if self.members.len() < MAX_MEMBERS || self.members.contains_key(&pid) {
            self.members.insert(pid, (lead, start));
        }
    }

    /// Some of a process's tasks are inside again. When all are, it is over.
    fn back(&mut self, pid: u32, is_back: impl Fn(HierarchyId, u32) -> bool) {
        if let Some(episode) = self.open.get_mut(&pid) {
            episode.out.retain(|(hierarchy, tid)| !is_back(*hierarchy, *tid));
            episode.returned = true;
            episode.is_over |= episode.out.is_empty();
        }
    }

    /// From now on it is told; if it is about somebody who is out, it is followed.
    fn open(&mut self, episode: Episode) -> Finding {
        let finding = episode.finding.clone();
        let pid = finding.task.tgid;
        let has_room = self.open.len() < MAX_OPEN || self.open.contains_key(&pid);
        if is_out(finding.kind) && has_room {
            let before = self.open.insert(pid, Episode { is_news: false, ..episode });
            let before = before.map(|episode| Episode { is_over: true, ..episode });
            self.replaced.extend(before.filter(|episode| episode.has_news(false)));
        }
        finding
    }
}

/// Whether a finding says that somebody is outside, who is followed then.
fn is_out(kind: FindingKind) -> bool {
    matches!(kind, FindingKind::Left | FindingKind::BornOutside)
}
