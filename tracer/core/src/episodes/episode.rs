//! One finding, and what came after it: what belongs to it, and when there is something to add.

use alloc::collections::BTreeSet;

use crate::{
    ids::{BootTime, HierarchyId, Task},
    report::{Also, Finding, FindingKind, Place, Update},
    tasks::is_same,
};

/// How long a finding waits for what belongs to it, in nanoseconds.
const TOGETHER: u64 = 100_000_000;

/// After so long without a step, in nanoseconds, the next one is another thing that happened.
const APART: u64 = 10_000_000_000;

/// What is charged outside is told again when it has changed by so many bytes at least, and by an
/// eighth.
const WORTH_TELLING: u64 = 1 << 20;

/// The number of an episode; later ones have greater numbers.
pub(crate) type Id = u64;

/// One step of a task in one hierarchy, as a finding of its own.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) finding: Finding,
    pub(crate) hierarchy: HierarchyId,
    /// Less is weightier.
    pub(crate) weight: usize,
}

/// A finding, and what came after it.
#[derive(Debug)]
pub(super) struct Episode {
    pub(super) finding: Finding,
    /// When the process was started that it is about.
    pub(super) start: BootTime,
    /// The weight of the finding's main hierarchy.
    weight: usize,
    /// Every hierarchy that it is about.
    pub(super) hierarchies: BTreeSet<HierarchyId>,
    /// The hierarchies and threads that are out.
    pub(super) out: BTreeSet<(HierarchyId, u32)>,
    /// When the last step was.
    last: BootTime,
    /// Whether any of these came back, or the process ended: whoever leaves after that leaves anew.
    pub(super) returned: bool,
    /// Net bytes charged outside since, by the process and those that were born to it.
    pub(super) outside: i64,
    told: i64,
    pub(super) is_told: bool,
    /// Whether it is kept after it was told.
    pub(super) is_followed: bool,
    /// Whether more is known than was told.
    pub(super) is_news: bool,
    was_updated: bool,
    pub(super) is_over: bool,
}

impl Episode {
    pub(super) fn of(part: Part) -> Self {
        let Part { finding, hierarchy, weight } = part;
        Self {
            start: finding.task.start,
            weight,
            hierarchies: BTreeSet::from([hierarchy]),
            out: BTreeSet::from([(hierarchy, finding.task.tid)]),
            last: finding.at,
            returned: false,
            outside: 0,
            told: 0,
            is_told: false,
            is_followed: false,
            is_news: false,
            was_updated: false,
            is_over: false,
            finding,
        }
    }

    /// Whether a step of the same process is more of the same, and not what happened next.
    pub(super) fn takes(&self, part: &Part) -> bool {
        let (known, new) = (&self.finding, &part.finding);
        let is_other = known.task.tid == new.task.tid && !is_same(known.task.start, new.task.start);
        let is_apart = new.at.0 > self.last.0.saturating_add(APART);
        let is_more = new.whole_process && !known.whole_process;
        let is_again = self.out.contains(&(part.hierarchy, new.task.tid));
        let mover = |finding: &Finding| finding.mover.map(|mover| mover.pid);
        let is_new = !self.hierarchies.contains(&part.hierarchy);
        known.kind == new.kind
            && mover(known) == mover(new)
            && !(self.returned || is_other || is_apart || is_more || is_again)
            && (is_new || (!known.whole_process && self.is_like(new)))
    }

    /// Adds a step.
    pub(super) fn add(&mut self, part: Part) {
        let Part { finding: new, hierarchy, weight } = part;
        self.out.insert((hierarchy, new.task.tid));
        self.last = self.last.max(new.at);
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

    /// Whether it waits for nothing any more.
    pub(super) fn is_complete(&self, now: BootTime) -> bool {
        self.finding.at.0.saturating_add(TOGETHER) <= now.0
    }

    /// The finding as it is told for the first time.
    pub(super) fn tell(&mut self) -> Finding {
        self.is_told = true;
        self.is_news = false;
        self.finding.clone()
    }

    /// Whether it says that a task is out in a hierarchy: itself, or one that it was born to.
    pub(super) fn tells(&self, task: &Task, hierarchy: HierarchyId) -> bool {
        let is_born = self.finding.whole_process && self.finding.task.tgid != task.tgid;
        let tid = if is_born { None } else { Some(task.tid) };
        self.out.iter().any(|(at, who)| *at == hierarchy && tid.is_none_or(|tid| tid == *who))
    }

    /// Whether nobody whom it is about is out any more; its parent may have more children.
    pub(super) fn is_back(&self) -> bool {
        self.finding.kind != FindingKind::BornOutside && self.out.is_empty()
    }

    /// Whether it is over with nothing to add.
    pub(super) fn is_done(&self) -> bool {
        let is_quiet = !self.is_news && self.outside == self.told && !self.was_updated;
        self.is_told && self.is_back() && is_quiet
    }

    /// Whether there is something to add; of one that is over or of the last interval, whether
    /// anything differs from what was said.
    pub(super) fn has_news(&self, last: bool) -> bool {
        let change = self.outside.abs_diff(self.told);
        let is_much = change >= WORTH_TELLING.max(self.told.unsigned_abs() / 8);
        let is_end = self.is_over && self.was_updated;
        self.is_news || is_much || is_end || ((last || self.is_over) && change > 0)
    }

    /// What there is to add, which is told by that.
    pub(super) fn update(&mut self, at: BootTime) -> Update {
        self.told = self.outside;
        self.is_news = false;
        self.was_updated = true;
        let finding = self.finding.clone();
        Update { at, finding, outside: self.outside, is_over: self.is_over }
    }

    /// Whether a step is between the same cgroups of its hierarchy.
    fn is_like(&self, new: &Finding) -> bool {
        let Finding { hierarchy, from, to, also, .. } = &self.finding;
        let is_same =
            |at: &str, known: [&Place; 2]| at == new.hierarchy && known == [&new.from, &new.to];
        let also = also.iter().any(|also| is_same(&also.hierarchy, [&also.from, &also.to]));
        also || is_same(hierarchy, [from, to])
    }
}
