//! What is wrong, and what is right again. A kind of finding is a file: when it applies, and
//! what it says besides the places.

mod born_outside;
mod came_back;
mod left;
mod moved;
mod unit;

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::ops::RangeInclusive;

use crate::{
    ids::{BootTime, HierarchyId, Task},
    report::{FindingKind, Place},
    tasks,
};

/// More than can be out on any node worth saving. Who is not remembered is not seen to come back.
const MAX_OUT: usize = 1 << 16;

/// A task that got from one known place into another.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// Whether it was born there; otherwise it was moved.
    pub(crate) born: bool,
    /// Whether limits and accounts hang on the hierarchy.
    pub(crate) counts: bool,
    /// Whether it was found outside before.
    pub(crate) was_out: bool,
    /// Where it was, and the length of the guarded root's path.
    pub(crate) from: (&'a Place, Option<usize>),
    /// Where it is, and the length of the guarded root's path.
    pub(crate) to: (&'a Place, Option<usize>),
}

/// A kind of finding: whether it applies, and whether limits are lost by it.
type Check = (FindingKind, fn(&Step<'_>) -> bool, bool);

/// In order: the first that applies counts.
const CHECKS: [Check; 4] = [
    (FindingKind::CameBack, came_back::applies, false),
    (FindingKind::Left, left::applies, true),
    (FindingKind::BornOutside, born_outside::applies, true),
    (FindingKind::Moved, moved::applies, false),
];

/// Who is out, and how often what was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    counts: BTreeMap<FindingKind, u64>,
    out: BTreeMap<(u32, u32, HierarchyId), BootTime>,
}

impl Findings {
    /// What a step amounts to, if anything, and which of the controllers' limits are lost. The
    /// step is remembered.
    pub(crate) fn judge(
        &mut self,
        task: &Task,
        hierarchy: HierarchyId,
        step: &Step<'_>,
        controllers: &[String],
    ) -> Option<(FindingKind, Vec<String>)> {
        let (kind, _, loses) = CHECKS.into_iter().find(|(_, applies, _)| applies(step))?;
        let key = (task.tgid, task.tid, hierarchy);
        if loses && self.out.len() < MAX_OUT {
            self.out.insert(key, task.start);
        } else if kind == FindingKind::CameBack {
            self.out.remove(&key);
        }
        Some((kind, if loses { controllers.to_vec() } else { Vec::new() }))
    }

    /// Notes that a task is outside, though nobody saw it leave.
    pub(crate) fn found(&mut self, task: &Task, hierarchy: HierarchyId) {
        if self.out.len() < MAX_OUT {
            self.out.insert((task.tgid, task.tid, hierarchy), task.start);
        }
    }

    /// Counts findings that are told.
    pub(crate) fn add(&mut self, kind: FindingKind, count: u64) {
        if count > 0 {
            *self.counts.entry(kind).or_default() += count;
        }
    }

    /// Whether this very task was found outside in a hierarchy and is still there.
    pub(crate) fn is_out(&self, task: &Task, hierarchy: HierarchyId) -> bool {
        let since = self.out.get(&(task.tgid, task.tid, hierarchy));
        since.is_some_and(|start| tasks::is_same(*start, task.start))
    }

    /// The threads, but for the leader, that were found outside in a hierarchy by themselves.
    pub(crate) fn threads_out(&self, tgid: u32, hierarchy: HierarchyId) -> Vec<(u32, BootTime)> {
        let rows = self.out.range(all_of(tgid));
        let threads = rows.filter(|((_, tid, at), _)| *tid != tgid && *at == hierarchy);
        threads.map(|((_, tid, _), start)| (*tid, *start)).collect()
    }

    /// A thread is inside again, along with its leader.
    pub(crate) fn thread_in(&mut self, tgid: u32, tid: u32, hierarchy: HierarchyId) {
        self.out.remove(&(tgid, tid, hierarchy));
    }

    /// A thread is no more, or a process with all its threads.
    pub(crate) fn exited(&mut self, tid: u32, tgid: u32) {
        self.forget(tgid, |thread| thread == tid || tid == tgid);
    }

    /// A process runs another program: its threads but the leader are no more.
    pub(crate) fn exec(&mut self, tgid: u32) {
        self.forget(tgid, |thread| thread != tgid);
    }

    /// How often each kind was found.
    pub(crate) fn counts(&self) -> &BTreeMap<FindingKind, u64> {
        &self.counts
    }

    /// How many are out.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    fn forget(&mut self, tgid: u32, is_gone: impl Fn(u32) -> bool) {
        let rows = self.out.range(all_of(tgid)).map(|(key, _)| *key);
        let gone: Vec<_> = rows.filter(|(_, tid, _)| is_gone(*tid)).collect();
        for key in gone {
            self.out.remove(&key);
        }
    }
}

/// The keys of a process and all its threads.
fn all_of(tgid: u32) -> RangeInclusive<(u32, u32, HierarchyId)> {
    (tgid, 0, HierarchyId(0))..=(tgid, u32::MAX, HierarchyId(u32::MAX))
}
