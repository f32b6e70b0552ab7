//! Who is out: pod by pod, where its processes sit, what they hold there, which limits are gone,
//! how that is known, how it could come to it, and what to do.

use truant_core::report::{Audit, Exposure, Finding, LimitChange, Strays, Witness};

use super::{
    super::{
        COLUMNS, home, limits,
        line::{Line, palette, width},
        shorten, size,
    },
    exposed,
    groups::{self, Group, is_root},
    paragraph::{INDENT, labelled, list, many, paragraph},
};
use crate::output::{clock::Clock, count};

/// Pods that are told in full.
const PODS: usize = 16;

/// Cgroups of one pod that are told in full.
const GROUPS: usize = 8;

/// Processes of which it is not sure whose they are that are told.
const UNSURE: usize = 8;

/// The lines for every pod that is out, in the audit's order.
pub(super) fn pods(audit: &Audit, clock: &Clock) -> Vec<Line> {
    let (shown, hidden) = audit.pods.split_at(PODS.min(audit.pods.len()));
    let mut lines: Vec<Line> = shown.iter().flat_map(|pod| lines(pod, audit, clock)).collect();
    if !hidden.is_empty() {
        let processes = hidden.iter().map(|pod| count(&pod.processes)).sum();
        let pods = many(hidden.len(), "more pod is", "more pods are");
        let text = format!("{pods} out, with {}", many(processes, "process", "processes"));
        lines.extend(paragraph(palette::BAD, "OUT  ", &text));
    }
    if !shown.is_empty() {
        lines.extend(labelled("what to do", DO));
    }
    lines
}

/// The lines for the processes of which it is not sure whose they are.
pub(super) fn unsure(audit: &Audit) -> Vec<Line> {
    let (shown, hidden) = audit.unsure.split_at(UNSURE.min(audit.unsure.len()));
    let mut lines: Vec<Line> = shown.iter().flat_map(unsure_lines).collect();
    if !hidden.is_empty() {
        let more = many(hidden.len(), "more process", "more processes");
        lines.extend(paragraph(palette::WARN, "UNSURE  ", &format!("{more} outside")));
    }
    lines
}

fn unsure_lines(finding: &Finding) -> Vec<Line> {
    let hierarchy = shorten::name(finding.hierarchy.as_bytes(), 20);
    let place = shorten::place(&finding.to, 60);
    let home = finding.home.as_deref();
    let whose = home.map(|it| format!(", maybe of {}", home::long(it, 60))).unwrap_or_default();
    let why = home.map(|it| told_by(&it.witnesses)).filter(|why| !why.is_empty());
    let why = why.map(|why| format!("; told by {why}")).unwrap_or_default();
    let name = groups::name(finding);
    let text = format!("{name} in {place} ({hierarchy}){whose}{why}");
    paragraph(palette::WARN, "UNSURE  ", &text)
}

fn lines(pod: &Strays, audit: &Audit, clock: &Clock) -> Vec<Line> {
    let groups = groups::of(&pod.processes, &pod.cgroups);
    let mut lines = vec![heading(pod, &groups)];
    let (shown, hidden) = groups.split_at(GROUPS.min(groups.len()));
    for group in shown {
        lines.extend(group.lines(clock, audit.at));
    }
    if !hidden.is_empty() {
        let processes = hidden.iter().map(|group| group.processes().len()).sum();
        let more = many(processes, "process", "processes");
        let cgroups = many(hidden.len(), "more cgroup", "more cgroups");
        lines.extend(labelled("elsewhere", &format!("{more} in {cgroups}")));
    }
    lines.extend(limit_lines(pod));
    lines.extend(witnesses(pod));
    lines.extend(inside(pod));
    lines.extend(how(pod, audit));
    lines
}

/// What to do where somebody is out. The cause goes first: a pod that is only restarted is out
/// again at once.
const DO: &str = "keep the host's /sys/fs/cgroup out of the container, or lay pods out by the \
    systemd cgroup driver, or give them cgroup v2 with nsdelegate and a cgroup namespace of their \
    own; then restart the pod. Until then the lost limits hold nobody.";

fn heading(pod: &Strays, groups: &[Group<'_>]) -> Line {
    let whole = home::whole(&pod.home);
    let processes = count(&pod.processes);
    let run = many(processes, "process runs outside of its", "processes run outside of their");
    let text = format!(": {run} {whole}{}", there(pod, groups));
    let room = COLUMNS.saturating_sub(INDENT + width(&text));
    let mut line = Line::new();
    line.push(palette::BAD, "OUT  ")
        .push(palette::STRONG, home::long(&pod.home, room))
        .push(palette::PLAIN, text);
    line
}

/// What they hold there: by the cgroups' figures, and what is resident of those in the root, whose
/// figure is everybody's; else by what is resident.
fn there(pod: &Strays, groups: &[Group<'_>]) -> String {
    let cgroups = pod.cgroups.iter().filter(|(place, _)| !is_root(place));
    let held: Vec<Option<u64>> = cgroups.map(|(_, held)| *held).collect();
    let sum = |figures: &mut dyn Iterator<Item = u64>| figures.reduce(u64::saturating_add);
    let in_root = sum(&mut groups.iter().filter(|it| it.is_in_root()).filter_map(Group::resident));
    if let Some(charged) = sum(&mut held.iter().copied().flatten()) {
        let more = if held.contains(&None) { " or more" } else { "" };
        let held = charged.saturating_add(in_root.unwrap_or_default());
        return format!(", {}{more} there", size::bytes(held));
    }
    let resident = sum(&mut groups.iter().filter_map(Group::resident));
    resident.map_or_else(String::new, |bytes| format!(", {} resident", size::bytes(bytes)))
}

/// The limits of all its processes; said for each set of limits where they differ.
fn limit_lines(pod: &Strays) -> Vec<Line> {
    let mut changes: Vec<&LimitChange> = Vec::new();
    for change in pod.processes.iter().filter_map(|finding| finding.limits.as_ref()) {
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    let texts = changes.into_iter().map(|change| limits::all(change).join("; "));
    let mut texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.dedup();
    let text = match texts.as_slice() {
        [] => "not known".to_owned(),
        [text] => text.clone(),
        [text, rest @ ..] => format!("{text}; for others {}", list(rest, 1)),
    };
    let lost = pod.processes.iter().filter_map(|finding| finding.limits.as_ref());
    let lost = lost.flat_map(limits::changed).next().is_some();
    let style = if lost { palette::BAD } else { palette::FAINT };
    paragraph(style, &format!("{}limits: ", " ".repeat(INDENT)), &text)
}

fn witnesses(pod: &Strays) -> Vec<Line> {
    let text = told_by(&pod.home.witnesses);
    let doubt = if pod.home.is_sure { "" } else { ", which do not agree" };
    if text.is_empty() { vec![] } else { labelled("told by", &(text + doubt)) }
}

fn told_by(witnesses: &[Witness]) -> String {
    let words: Vec<String> = witnesses.iter().map(|witness| words(*witness).to_owned()).collect();
    list(&words, words.len())
}

fn words(witness: Witness) -> &'static str {
    match witness {
        Witness::Cgroup => "the cgroup it was in",
        Witness::OtherHierarchy => "its cgroups in other hierarchies",
        Witness::Runtime => "the runtime",
        Witness::Parent => "its parent",
        Witness::PidNamespace => "its pid namespace",
        Witness::MountNamespace => "its mount namespace",
        Witness::CgroupNamespace => "its cgroup namespace",
        Witness::NetNamespace => "its network namespace",
        Witness::IpcNamespace => "its IPC namespace",
        Witness::Ancestry => "the processes above it",
    }
}

fn inside(pod: &Strays) -> Vec<Line> {
    let Some(inside) = pod.inside else { return vec![] };
    let whole = home::whole(&pod.home);
    let text =
        format!("{} in the {whole}'s own cgroup: all that its figures show", size::bytes(inside));
    labelled("inside", &text)
}

/// How they can have got out, where their container still has what it takes.
fn how(pod: &Strays, audit: &Audit) -> Vec<Line> {
    let exposure = audit.exposed.iter().find(|it| is_of(it, pod));
    exposure.map_or_else(Vec::new, |it| labelled("how", &format!("it {}", exposed::words(it))))
}

/// Whether it is about a container of the pod that is out.
pub(super) fn is_of(exposure: &Exposure, pod: &Strays) -> bool {
    let of = &exposure.home.container;
    let homes = pod.processes.iter().filter_map(|finding| finding.home.as_deref());
    let mut homes = homes.chain([&pod.home]);
    homes.any(|home| home.container == *of && (of.pod_uid.is_some() || of.container_id.is_some()))
}
