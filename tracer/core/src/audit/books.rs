//! The books: where the node's memory is, and what removed cgroups of pods still hold.
//!
//! Figures are the kernel's own, read one after the other on a node that runs on.

use alloc::{collections::BTreeMap, collections::BTreeSet, vec::Vec};
use core::cmp::Reverse;

use super::strays::Stray;
use crate::{
    engine::Engine,
    ids::CgroupKey,
    report::{Books, Dead},
};

/// What a cgroup holds and none of those below it does, and that is too little to tell: the
/// kernel's own structures for the cgroups below are charged to it.
const UNTOLD: u64 = 4 << 20;

impl Engine {
    /// Where the node's memory is.
    pub(super) fn books(&self, strays: &[Stray]) -> Option<Books> {
        let memory = self.gathered.memory?;
        let hierarchy = self.memory_hierarchy();
        let held = |key: &CgroupKey| self.gathered.held.get(&key.id).map_or(0, |held| held.bytes);
        let existing = self.tree.existing(hierarchy);
        let roots = existing.filter(|(_, path)| self.guard.is_root(path));
        let guarded = roots.map(|(id, _)| held(&CgroupKey { hierarchy, id })).sum();
        let ids: BTreeSet<_> = strays.iter().filter_map(|stray| self.charged_at(stray)).collect();
        let keys: Vec<_> = ids.into_iter().map(|id| CgroupKey { hierarchy, id }).collect();
        let is_root = |key: &CgroupKey| self.tree.parent(*key).is_none();
        let outermost = self.outermost(&keys);
        let in_cgroups: u64 = outermost.iter().filter(|key| !is_root(key)).map(held).sum();
        // A root cgroup holds everybody's: of a stray in it, only its own memory is told.
        let in_root = strays.iter().filter(|stray| {
            let id = self.charged_at(stray);
            id.is_some_and(|id| is_root(&CgroupKey { hierarchy, id }))
        });
        let resident = in_root.filter_map(|it| self.gathered.resident.get(&it.task.tgid));
        let used = memory.total.saturating_sub(memory.free);
        let outside = in_cgroups + resident.sum::<u64>();
        Some(Books { used, total: memory.total, guarded, outside })
    }

    /// What cgroups of pods hold that none of the cgroups below them does any more.
    pub(super) fn dead(&self) -> Vec<Dead> {
        let hierarchy = self.memory_hierarchy();
        // None where a cgroup below was not read.
        let mut below: BTreeMap<CgroupKey, Option<u64>> = BTreeMap::new();
        let guarded = |path: &[u8]| self.guard.root(path).is_some();
        let existing = self.tree.existing(hierarchy).filter(|(_, path)| guarded(path));
        let keys: Vec<_> = existing.map(|(id, _)| CgroupKey { hierarchy, id }).collect();
        for key in &keys {
            let held = self.gathered.held.get(&key.id).map(|held| held.bytes);
            if let Some(parent) = self.tree.parent(*key) {
                let sum = below.entry(parent).or_insert(Some(0));
                *sum = sum.zip(held).map(|(sum, held)| sum.saturating_add(held));
            }
        }
        let mut dead: Vec<_> =
            keys.iter().filter_map(|key| self.dead_below(*key, &below)).collect();
        dead.sort_by_key(|dead| Reverse(dead.bytes));
        dead
    }

    /// What nobody that exists holds of what a cgroup does.
    fn dead_below(&self, key: CgroupKey, below: &BTreeMap<CgroupKey, Option<u64>>) -> Option<Dead> {
        let held = self.gathered.held.get(&key.id)?;
        let alive = below.get(&key).copied();
        // Without others below, and without its files' word, all it holds may be its own.
        if held.dying == Some(0) || (alive.is_none() && held.own.is_none()) {
            return None;
        }
        let bytes = held.bytes.saturating_sub(alive.unwrap_or(Some(0))?);
        let bytes = bytes.saturating_sub(held.own.unwrap_or_default());
        (bytes >= UNTOLD).then(|| Dead { place: self.tree.place(key), bytes, count: held.dying })
    }
}
