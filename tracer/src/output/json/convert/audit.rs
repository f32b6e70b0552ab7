//! An audit as lines: a finding for each process that is out and for each container that could
//! get out, then the audit itself.

use truant_core::{
    ids::BootTime,
    input::{CgroupMount, Limit, RuntimeFacts, Unseen},
    report::{
        Audit, Books, Dead, Exposure, FindingKind, Home, LimitChange, Limits, Mismatch, Place,
        Strays,
    },
};

use super::super::wire::{self, Line};
use crate::output::{clock::Clock, count, escape::escape, names::Named as _};

/// The lines that say `audit`.
pub(super) fn lines<'a>(audit: &'a Audit, clock: &Clock) -> Vec<Line<'a>> {
    let out = audit.pods.iter().flat_map(|pod| &pod.processes).chain(&audit.unsure);
    let findings = out.map(|it| super::finding(it, clock));
    let exposed = audit.exposed.iter().map(|it| exposed(it, audit.at, clock));
    let boxed = |finding| Line::Finding(Box::new(finding));
    let mut lines: Vec<Line<'_>> = findings.chain(exposed).map(boxed).collect();
    lines.push(Line::Audit(whole(audit, clock)));
    lines
}

/// Whose a task is, as every line has it.
pub(super) fn home(home: &Home) -> wire::Home {
    let names = home.names.clone().unwrap_or_default();
    let label = |(key, value): &(String, String)| (text(key), text(value));
    wire::Home {
        pod_uid: home.container.pod_uid.as_deref().map(text),
        container_id: home.container.container_id.as_deref().map(text),
        pod: names.pod.as_deref().map(text),
        namespace: names.namespace.as_deref().map(text),
        container: names.container.as_deref().map(text),
        image: names.image.as_deref().map(text),
        labels: home.names.as_ref().map(|names| names.labels.iter().map(label).collect()),
        witnesses: home.witnesses.iter().map(|witness| witness.name()).collect(),
        sure: home.is_sure,
    }
}

/// The limits before and after.
pub(super) fn limit_change(change: &LimitChange) -> wire::LimitChange {
    wire::LimitChange { before: limits(change.before), after: limits(change.after) }
}

fn limits(limits: Limits) -> wire::Limits {
    wire::Limits {
        memory_bytes: limits.memory.map(limit),
        pids: limits.pids.map(limit),
        cpu_millis: limits.cpu.map(limit),
    }
}

/// A limit.
pub(super) fn limit(limit: Limit) -> wire::Limit {
    match limit {
        Limit::Unlimited => wire::Limit::Unlimited,
        Limit::Of(most) => wire::Limit::Of(most),
    }
}

fn exposed(it: &Exposure, at: BootTime, clock: &Clock) -> wire::Finding<'static> {
    wire::Finding {
        at_ns: at.0,
        time: clock.rfc3339(at),
        kind: FindingKind::Exposed.name(),
        pid: it.task.tgid,
        tid: it.task.tid,
        comm: escape(it.task.comm.as_bytes()),
        started_ns: it.task.start.0,
        whole_process: true,
        hierarchy: None,
        from: None,
        from_id: None,
        from_container: None,
        to: None,
        to_id: None,
        to_container: None,
        also: Vec::new(),
        times: 1,
        mover: None,
        mover_home: None,
        lost_controllers: &[],
        home: Some(home(&it.home)),
        limits: None,
        resident_bytes: None,
        exposure: Some(wire::Exposure {
            mounts: it.mounts.iter().map(mount).collect(),
            host_cgroups: it.host_cgroups,
            may_mount: it.may_mount,
            runs_systemd: it.runs_systemd,
            lacks_nsdelegate: it.lacks_nsdelegate(),
        }),
        kill: None,
    }
}

fn mount((hierarchy, mount): &(String, CgroupMount)) -> wire::Mount {
    wire::Mount {
        hierarchy: text(hierarchy),
        root: escape(&mount.root),
        at: escape(&mount.at),
        writable: mount.writable,
    }
}

fn whole(audit: &Audit, clock: &Clock) -> wire::Audit {
    wire::Audit {
        at_ns: audit.at.0,
        time: clock.rfc3339(audit.at),
        runtimes: audit.runtimes.iter().map(runtime).collect(),
        books: audit.books.as_ref().map(books),
        pods: audit.pods.iter().map(pod).collect(),
        unsure: audit.unsure.len(),
        exposed: audit.exposed.len(),
        mismatch: audit.mismatch.as_ref().map(mismatch),
        dead: audit.dead.iter().map(dead).collect(),
        unseen: audit.unseen.iter().map(unseen).collect(),
    }
}

fn runtime(it: &RuntimeFacts) -> wire::Runtime {
    let known = |said: &str| (!said.is_empty()).then(|| text(said));
    wire::Runtime {
        name: known(&it.name),
        version: known(&it.version),
        socket: text(&it.socket),
        cgroup_driver: it.cgroup_driver.as_deref().map(text),
        trouble: it.trouble.as_deref().map(text),
    }
}

fn books(books: &Books) -> wire::Books {
    wire::Books {
        used_bytes: books.used,
        total_bytes: books.total,
        guarded_bytes: books.guarded,
        outside_bytes: books.outside,
        rest_bytes: books.rest(),
    }
}

fn pod(pod: &Strays) -> wire::Pod {
    let held = |(place, bytes): &(Place, Option<u64>)| wire::Cgroup {
        path: super::path(place),
        id: place.key.map(|key| key.id),
        held_bytes: *bytes,
    };
    wire::Pod {
        home: home(&pod.home),
        processes: count(&pod.processes),
        cgroups: pod.cgroups.iter().map(held).collect(),
        inside_bytes: pod.inside,
    }
}

fn mismatch(it: &Mismatch) -> wire::Mismatch {
    wire::Mismatch {
        root: escape(&it.root),
        runtime: it.runtime.as_deref().map(text),
        systemd: it.systemd.iter().map(home).collect(),
    }
}

fn dead(it: &Dead) -> wire::Dead {
    wire::Dead {
        path: super::path(&it.place),
        id: it.place.key.map(|key| key.id),
        held_bytes: it.bytes,
        count: it.count,
    }
}

fn unseen(it: &Unseen) -> wire::Unseen {
    wire::Unseen { what: text(&it.what), why: text(&it.why), mend: it.mend.as_deref().map(text) }
}

fn text(text: &str) -> String {
    escape(text.as_bytes())
}
