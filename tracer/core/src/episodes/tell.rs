//! Telling findings, and what is added to them: names that a runtime had later, and what was
//! charged outside since.

use alloc::vec::Vec;

use super::{Id, Part};
use crate::{
    engine::Engine,
    homes::Roster,
    ids::{BootTime, CgroupKey, HierarchyId},
    input::ChargeDelta,
    report::{Finding, Home, Report},
};

impl Engine {
    /// Whether a finding waits for what belongs to it: it is told after an
    /// [`Input::Looked`](crate::input::Input::Looked) that comes late enough.
    pub fn is_waiting(&self) -> bool {
        self.episodes.is_waiting()
    }

    /// Takes a finding, to be told when what belongs to it has been seen.
    pub(crate) fn found(
        &mut self,
        finding: Finding,
        hierarchy: HierarchyId,
        out: &mut Vec<Report>,
    ) {
        let judged = self.judged();
        let weight = judged.iter().position(|id| *id == hierarchy).unwrap_or(judged.len());
        let complete = self.episodes.add(Part { finding, hierarchy, weight });
        self.tell(complete, out);
    }

    /// Tells what waits for nothing any more at `now`, or all that waits.
    pub(crate) fn tell_complete(&mut self, now: Option<BootTime>, out: &mut Vec<Report>) {
        if self.episodes.is_waiting() {
            let complete = self.episodes.complete(now);
            self.tell(complete, out);
        }
    }

    /// Adds what the processes that are out charged to cgroups outside.
    pub(crate) fn charged_outside(&mut self, deltas: &[ChargeDelta]) {
        let hierarchy = self.memory_hierarchy();
        for delta in deltas {
            let Some(pid) = delta.pid.filter(|pid| self.episodes.is_member(*pid)) else { continue };
            let path = self.tree.path(CgroupKey { hierarchy, id: delta.cgroup });
            if path.is_some_and(|path| self.guard.root(&path).is_none()) {
                let net = delta.charged.wrapping_sub(delta.uncharged).cast_signed();
                self.episodes.charge(pid, net);
            }
        }
    }

    /// Tells what there is to add at the end of an interval, the last one or not.
    pub(crate) fn tell_updates(&mut self, at: BootTime, last: bool, out: &mut Vec<Report>) {
        let roster = &self.homes.roster;
        let updates = self.episodes.end_interval(at, last, |finding| learn(roster, finding));
        out.extend(updates.into_iter().map(|update| Report::Update(update.into())));
    }

    fn tell(&mut self, complete: Vec<Id>, out: &mut Vec<Report>) {
        let roster = &self.homes.roster;
        for id in complete {
            if let Some(finding) = self.episodes.told(id, |finding| learn(roster, finding)) {
                self.findings.add(finding.kind, 1);
                out.push(Report::Finding(finding.into()));
            }
        }
    }
}

/// Adds the names that a runtime has by now; whether it had any that were not known.
fn learn(roster: &Roster, finding: &mut Finding) -> bool {
    let named = |home: Option<&mut Home>| {
        let Some(home) = home.filter(|home| home.names.is_none()) else { return false };
        home.names = roster.names(&home.container);
        home.names.is_some()
    };
    named(finding.home.as_deref_mut()) | named(finding.mover_home.as_deref_mut())
}
