//! From the core's reports to the lines: the one place where both are named.

mod audit;
mod memory;

use truant_core::{
    ids::BootTime,
    input::{Facts, Hook, LossCause, Refusal},
    path::Container,
    report::{Also, Finding, Ledger, LedgerRow, Place, ProcessRow, Report, Summary, Sums, Update},
};

use super::wire::{self, Line};
use crate::output::{clock::Clock, escape::escape, exit_status, names::Named};

/// The lines that say `report`: one, or one for each row of a ledger (cgroups, then pods) or
/// finding of an audit.
pub(super) fn lines<'a>(report: &'a Report, clock: &Clock) -> Vec<Line<'a>> {
    match report {
        Report::Header(facts) => vec![Line::Header(header(facts, clock))],
        Report::Finding(it) => vec![Line::Finding(Box::new(finding(it, clock)))],
        Report::Update(it) => vec![Line::Update(update(it, clock))],
        Report::Charges(ledger) => {
            let pods = memory::pods(ledger, clock).map(Line::PodRow);
            charges(ledger, clock).map(Line::Charges).chain(pods).collect()
        }
        Report::Audit(it) => audit::lines(it, clock),
        Report::Loss { at, cause, count } => vec![Line::Loss(loss(*at, *cause, *count, clock))],
        Report::Summary(it) => vec![Line::Summary(summary(it, clock))],
    }
}

fn header<'a>(facts: &'a Facts, clock: &Clock) -> wire::Header<'a> {
    wire::Header {
        at_ns: facts.at.0,
        time: clock.rfc3339(facts.at),
        version: &facts.version,
        kernel: &facts.kernel,
        boot_time: clock.rfc3339(BootTime(0)),
        interval_ns: facts.interval_ns,
        mode: facts.mode.name(),
        hierarchies: facts.hierarchies.iter().map(hierarchy).collect(),
        memory_hierarchy: facts.memory.map(|id| id.0),
        hooks: facts.hooks.iter().map(hook).collect(),
        guard: &facts.guard,
        own_pid: facts.own_pid,
    }
}

fn hierarchy(it: &truant_core::input::Hierarchy) -> wire::Hierarchy {
    let name = if it.name.is_empty() { "v2" } else { &it.name };
    wire::Hierarchy {
        id: it.id.0,
        name: escape(name.as_bytes()),
        controllers: it.controllers.iter().map(|name| escape(name.as_bytes())).collect(),
    }
}

fn hook(hook: &Hook) -> wire::Hook<'_> {
    wire::Hook {
        need: hook.need.name(),
        way: hook.way.map(Named::name),
        note: hook.note.as_deref(),
        refused: hook.refused.iter().map(refusal).collect(),
    }
}

fn refusal(refusal: &Refusal) -> wire::Refusal<'_> {
    wire::Refusal { way: refusal.way.name(), why: &refusal.why, mend: refusal.mend.as_deref() }
}

fn finding<'a>(finding: &'a Finding, clock: &Clock) -> wire::Finding<'a> {
    let Finding { task, from, to, mover, .. } = finding;
    wire::Finding {
        at_ns: finding.at.0,
        time: clock.rfc3339(finding.at),
        kind: finding.kind.name(),
        pid: task.tgid,
        tid: task.tid,
        comm: escape(task.comm.as_bytes()),
        started_ns: task.start.0,
        whole_process: finding.whole_process,
        hierarchy: Some(escape(finding.hierarchy.as_bytes())),
        from: path(from),
        from_id: from.key.map(|key| key.id),
        from_container: container(from.container.as_ref()),
        to: path(to),
        to_id: to.key.map(|key| key.id),
        to_container: container(to.container.as_ref()),
        also: finding.also.iter().map(also).collect(),
        times: finding.times,
        mover: mover.map(|it| wire::Mover { pid: it.pid, comm: escape(it.comm.as_bytes()) }),
        mover_home: finding.mover_home.as_deref().map(audit::home),
        lost_controllers: &finding.lost_controllers,
        home: finding.home.as_deref().map(audit::home),
        limits: finding.limits.as_ref().map(audit::limit_change),
        resident_bytes: finding.resident,
        exposure: None,
        kill: finding.kill.as_deref().map(memory::kill),
    }
}

fn also(also: &Also) -> wire::Also {
    wire::Also {
        hierarchy: escape(also.hierarchy.as_bytes()),
        from: path(&also.from),
        from_id: also.from.key.map(|key| key.id),
        to: path(&also.to),
        to_id: also.to.key.map(|key| key.id),
    }
}

fn update<'a>(update: &'a Update, clock: &Clock) -> wire::Update<'a> {
    wire::Update {
        at_ns: update.at.0,
        time: clock.rfc3339(update.at),
        outside_net_bytes: update.outside,
        over: update.is_over,
        finding: Box::new(Line::Finding(Box::new(finding(&update.finding, clock)))),
    }
}

fn path(place: &Place) -> Option<String> {
    place.path.as_deref().map(escape)
}

fn container(container: Option<&Container>) -> Option<wire::Container<'_>> {
    container.map(|it| wire::Container {
        pod_uid: it.pod_uid.as_deref(),
        container_id: it.container_id.as_deref(),
    })
}

fn charges<'a>(ledger: &'a Ledger, clock: &Clock) -> impl Iterator<Item = wire::Charges<'a>> {
    let time = clock.rfc3339(ledger.at);
    ledger.rows.iter().map(move |row| charges_of(row, ledger.at, time.clone()))
}

fn charges_of(row: &LedgerRow, at: BootTime, time: Option<String>) -> wire::Charges<'_> {
    wire::Charges {
        at_ns: at.0,
        time,
        cgroup: path(&row.place),
        id: row.place.key.map(|key| key.id),
        container: container(row.place.container.as_ref()),
        interval: sums(row.interval),
        net_bytes: row.total.net(),
        subtree_net_bytes: row.subtree_net,
        since_start: sums(row.total),
        by: row.by.iter().map(process).collect(),
        guarded: row.guarded,
        removed: row.removed,
        polled: row.polled,
    }
}

fn process(row: &ProcessRow) -> wire::Process {
    wire::Process {
        pid: row.pid,
        comm: escape(row.comm.as_bytes()),
        interval: sums(row.interval),
        net_bytes: row.total.net(),
        since_start: sums(row.total),
    }
}

fn sums(sums: Sums) -> wire::Sums {
    wire::Sums {
        charged_bytes: sums.charged,
        uncharged_bytes: sums.uncharged,
        failures: sums.failures,
        limit_hits: sums.limit_hits,
    }
}

fn loss(at: BootTime, cause: LossCause, count: u64, clock: &Clock) -> wire::Loss {
    wire::Loss { at_ns: at.0, time: clock.rfc3339(at), cause: cause.name(), count }
}

fn summary(summary: &Summary, clock: &Clock) -> wire::Summary {
    wire::Summary {
        at_ns: summary.at.0,
        time: clock.rfc3339(summary.at),
        findings: summary.findings.iter().map(|(kind, n)| (kind.name(), *n)).collect(),
        lost: summary.lost.iter().map(|(cause, n)| (cause.name(), *n)).collect(),
        moves: summary.moves,
        unmoved: summary.unmoved,
        blind: summary.blind.iter().map(|need| need.name()).collect(),
        status: summary.verdict.name(),
        exit_status: exit_status(summary.verdict),
    }
}
