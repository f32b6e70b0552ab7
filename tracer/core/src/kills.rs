//! Kills for want of memory: from a victim to whose it was, what ran out, and who held it.
//!
//! The kernel says only who is killed. What ran out is told by the counters: a limit that refused a
//! charge right before is what the victim died of, and where none did it was the node. So a kill is
//! told of when its interval ends, as charges are read then.

use alloc::{boxed::Box, collections::BTreeSet, string::String, vec::Vec};
use core::cmp::Reverse;

use crate::{
    engine::Engine,
    ids::{BootTime, CgroupKey, Task},
    input::{Input, Need, Way},
    ledger::pod_of,
    report::{Finding, FindingKind, Home, Kill, Place, RanOut, Report},
};

/// Kills told of in one interval. A node that kills more is beyond help by the rest.
const MAX_KILLS: usize = 64;

/// The largest holders that are told.
const HOLDERS: usize = 5;

/// The cgroups outside whose memory is read at a kill: those of slices and services.
const HOLDER_DEPTH: usize = 2;

/// What is known of a kill when it happens.
#[derive(Debug)]
struct Victim {
    at: BootTime,
    task: Task,
    place: Place,
    home: Option<Home>,
    kill: Kill,
}

/// The kills of the interval that is not over.
#[derive(Debug, Default)]
pub(crate) struct Kills {
    victims: Vec<Victim>,
    /// The cgroups whose limits refused charges in the interval before.
    refused: BTreeSet<u64>,
}

impl Engine {
    /// The memory cgroups, by id and path, that a kill is told with; none for other inputs.
    pub fn to_hold_for(&self, input: &Input) -> Vec<(u64, Box<[u8]>)> {
        let Input::OomKill { .. } = input else { return Vec::new() };
        let wanted = |path: &[u8]| {
            let depth = path.split(|byte| *byte == b'/').skip(1).count();
            self.guard.root(path).is_some() || (path != b"/" && depth <= HOLDER_DEPTH)
        };
        self.tree.existing(self.memory_hierarchy()).filter(|(_, path)| wanted(path)).collect()
    }

    /// A process was chosen to be killed.
    pub(crate) fn killed(&mut self, at: BootTime, pid: u32) {
        if self.kills.victims.len() >= MAX_KILLS {
            return;
        }
        let mut clues = self.clues_on(pid);
        let task = self.process(pid);
        let home = self.home(pid, &clues).filter(|home| home.is_sure);
        let key = self.memory_cgroup(&task);
        let memory = self.memory_hierarchy();
        let pod = home.as_ref().map(|home| &home.container);
        let inside = pod.and_then(|pod| {
            self.note_unit(&mut clues, memory, pod);
            clues.pod_cgroup(memory, pod)
        });
        let kill = Kill {
            ran_out: None,
            inside: inside.and_then(|key| self.gathered.held_by(key.id)),
            outside: home.as_ref().map_or(0, |home| self.outside(home)),
            holders: self.holders(),
            node: self.gathered.node_memory(),
        };
        let place = key.map_or_else(Place::unknown, |key| self.tree.place(key));
        self.kills.victims.push(Victim { at, task, place, home, kill });
    }

    /// Tells of the kills of the interval that ends, before its sums are gone.
    pub(crate) fn tell_kills(&mut self, out: &mut Vec<Report>) {
        let refused = self.book.refused();
        for victim in core::mem::take(&mut self.kills.victims) {
            let ran_out = self.ran_out(&victim, &refused);
            let Victim { at, task, place, home, kill } = victim;
            self.findings.add(FindingKind::Oom, 1);
            out.push(Report::Finding(Box::new(Finding {
                kind: FindingKind::Oom,
                at,
                task,
                whole_process: true,
                hierarchy: self.hierarchy_name(self.memory_hierarchy()),
                from: place,
                to: Place::unknown(),
                also: Vec::new(),
                times: 1,
                mover: None,
                lost_controllers: Vec::<String>::new(),
                home: home.map(Box::new),
                mover_home: None,
                limits: None,
                resident: None,
                kill: Some(Box::new(Kill { ran_out, ..kill })),
            })));
        }
        self.kills.refused = refused;
    }

    /// The nearest cgroup above the victim whose limit refused a charge; none where refusals are
    /// not seen, or where the victim was is not known.
    fn ran_out(&self, victim: &Victim, refused: &BTreeSet<u64>) -> Option<RanOut> {
        let sees =
            self.way(Need::Charges).is_some_and(|way| matches!(way, Way::Fentry | Way::Kprobe));
        let key = victim.place.key.filter(|_| sees)?;
        let has_refused =
            |key: &CgroupKey| refused.contains(&key.id) || self.kills.refused.contains(&key.id);
        let limit = |key| self.gathered.limits_of(key).and_then(|limits| limits.memory);
        let limiting = self.upwards(key).find(has_refused);
        Some(limiting.map_or(RanOut::Node, |limiting| {
            RanOut::Cgroup(self.tree.place(limiting), limit(limiting))
        }))
    }

    pub(crate) fn memory_cgroup(&self, task: &Task) -> Option<CgroupKey> {
        let memory = self.memory_hierarchy();
        self.spot_place(memory, self.tasks.spot(task, memory)?).key
    }

    fn outside(&self, home: &Home) -> i64 {
        let memory = self.memory_hierarchy();
        let is_outside = |id: u64| {
            let path = self.tree.path(CgroupKey { hierarchy: memory, id });
            path.is_some_and(|path| self.guard.root(&path).is_none())
        };
        let pod = pod_of(&home.container);
        let payers = self.payers.of(&pod);
        let outside = payers.filter(|(id, _)| is_outside(*id));
        outside.map(|(_, share)| share.total.net()).fold(0, i64::wrapping_add)
    }

    fn holders(&self) -> Vec<(Place, u64)> {
        let hierarchy = self.memory_hierarchy();
        let mut held: Vec<_> = self.gathered.all_held().collect();
        let key = |id| CgroupKey { hierarchy, id };
        let above: BTreeSet<_> =
            held.iter().filter_map(|(id, _)| self.tree.parent(key(*id))).collect();
        held.retain(|(id, _)| !above.contains(&key(*id)));
        held.sort_by_key(|(_, bytes)| Reverse(*bytes));
        let is_outside = |(id, _): &(u64, u64)| {
            let path = self.tree.path(key(*id));
            path.is_some_and(|path| self.guard.root(&path).is_none())
        };
        let outside = held.into_iter().filter(is_outside).take(HOLDERS);
        outside.map(|(id, bytes)| (self.tree.place(key(id)), bytes)).collect()
    }

    fn way(&self, need: Need) -> Option<Way> {
        let hooks = &self.facts()?.hooks;
        hooks.iter().find(|hook| hook.need == need)?.way
    }
}
