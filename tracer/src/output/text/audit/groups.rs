//! The processes that sit together: those out in one cgroup, worst first.

use std::{cmp::Reverse, collections::BTreeMap};

use truant_core::{
    ids::BootTime,
    report::{Finding, Place},
};

use super::{
    super::{
        COLUMNS,
        line::{Line, palette, width},
        shorten, size,
    },
    paragraph::INDENT,
};
use crate::output::clock::Clock;

/// Processes of a cgroup that are named.
const NAMED: usize = 8;

/// What a hierarchy's name may take.
const HIERARCHY_ROOM: usize = 24;

/// What the name of a process may take.
const COMM_ROOM: usize = 20;

/// The processes in one cgroup, or in cgroups of one path in several hierarchies.
pub(super) struct Group<'a> {
    /// Where they are.
    place: &'a Place,
    /// In which hierarchies that is so.
    hierarchies: Vec<&'a str>,
    /// What the memory cgroup of that path holds.
    held: Option<u64>,
    /// One of each process, most resident memory first.
    processes: Vec<&'a Finding>,
}

/// `findings` by the path where they are, the cgroup that holds most first.
pub(super) fn of<'a>(findings: &'a [Finding], held: &[(Place, Option<u64>)]) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<_, Group<'a>> = BTreeMap::new();
    for finding in findings {
        let path = finding.to.path.as_deref();
        let nameless = if path.is_none() { finding.to.key } else { None };
        let group = groups.entry((path, nameless)).or_insert_with(|| Group::at(&finding.to));
        group.add(finding);
        // What the root holds is everybody's.
        let here = |(place, _): &&(Place, _)| {
            place.key == finding.to.key && place.key.is_some() && !is_root(place)
        };
        group.held = group.held.or_else(|| held.iter().find(here)?.1);
    }
    let mut groups: Vec<Group<'a>> = groups.into_values().collect();
    for group in &mut groups {
        group.processes.sort_by_key(|it| (Reverse(it.resident), it.task.tgid));
    }
    groups.sort_by_key(|group| Reverse((group.held, group.resident())));
    groups
}

/// Whether it is a hierarchy's root, which has no limit and holds the memory of the whole node.
pub(super) fn is_root(place: &Place) -> bool {
    place.path.as_deref() == Some(b"/")
}

impl<'a> Group<'a> {
    fn at(place: &'a Place) -> Self {
        Self { place, hierarchies: Vec::new(), held: None, processes: Vec::new() }
    }

    fn add(&mut self, finding: &'a Finding) {
        if !self.hierarchies.contains(&finding.hierarchy.as_str()) {
            self.hierarchies.push(&finding.hierarchy);
        }
        if self.processes.iter().all(|it| it.task.tgid != finding.task.tgid) {
            self.processes.push(finding);
        }
    }

    /// One finding of each process.
    pub(super) fn processes(&self) -> &[&'a Finding] {
        &self.processes
    }

    /// Whether they are in the root cgroup.
    pub(super) fn is_in_root(&self) -> bool {
        is_root(self.place)
    }

    /// The sum of what is known to be resident.
    pub(super) fn resident(&self) -> Option<u64> {
        resident(&self.processes)
    }

    /// The lines for the cgroup and its processes, with times as they look at `now`.
    pub(super) fn lines(&self, clock: &Clock, now: BootTime) -> Vec<Line> {
        let (shown, hidden) = self.processes.split_at(NAMED.min(self.processes.len()));
        let mut lines = vec![self.title(clock, now)];
        lines.extend(table(shown, clock, now));
        lines.extend(others(hidden));
        lines
    }

    fn title(&self, clock: &Clock, now: BootTime) -> Line {
        let names: Vec<String> = self
            .hierarchies
            .iter()
            .map(|name| shorten::name(name.as_bytes(), HIERARCHY_ROOM))
            .collect();
        let hierarchies = format!(" ({})", super::paragraph::list(&names, 3));
        let held = self.held.map(|held| format!(", which holds {}", size::bytes(held)));
        let held = held.unwrap_or_default();
        let root = if is_root(self.place) { ", the root cgroup" } else { "" };
        let starts = self.processes.iter().map(|finding| finding.task.start);
        let since = starts.min().map(|start| clock.since(start, now)).unwrap_or_default();
        let rest = format!("{hierarchies}{root}{held}, since {since} at the earliest:");
        let taken = INDENT + "in ".len() + width(&rest);
        let place = shorten::place(self.place, COLUMNS.saturating_sub(taken));
        let mut line = Line::new();
        line.push(palette::PLAIN, format!("{}in ", " ".repeat(INDENT)))
            .push(palette::BAD, place)
            .push(palette::PLAIN, rest);
        line
    }
}

fn table(processes: &[&Finding], clock: &Clock, now: BootTime) -> Vec<Line> {
    let names: Vec<String> = processes.iter().map(|finding| name(finding)).collect();
    let column = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let row = |(finding, name): (&&Finding, &String)| {
        let pad = " ".repeat(column - width(name));
        let resident = match finding.resident {
            Some(bytes) => format!("{:>8} resident", size::bytes(bytes)),
            None => format!("{:>17}", "size not known"),
        };
        let mut line = Line::new();
        line.push(palette::STRONG, format!("{}{name}{pad}", " ".repeat(INDENT + 2)))
            .push(palette::PLAIN, format!("  {resident}"))
            .push(palette::FAINT, format!(", started {}", clock.since(finding.task.start, now)));
        line
    };
    processes.iter().zip(&names).map(row).collect()
}

/// A process by its number and its name.
pub(super) fn name(finding: &Finding) -> String {
    let task = finding.task;
    let thread = if finding.whole_process { String::new() } else { format!("/{}", task.tid) };
    let comm = match task.comm.as_bytes() {
        [] => String::new(),
        comm => format!(" {}", shorten::name(comm, COMM_ROOM)),
    };
    format!("{}{thread}{comm}", task.tgid)
}

fn others(hidden: &[&Finding]) -> Option<Line> {
    let resident = resident(hidden).map(|bytes| format!(", {} resident", size::bytes(bytes)));
    let text = format!("and {} more{}", hidden.len(), resident.unwrap_or_default());
    let mut line = Line::new();
    line.push(palette::FAINT, format!("{}{text}", " ".repeat(INDENT + 2)));
    (!hidden.is_empty()).then_some(line)
}

fn resident(findings: &[&Finding]) -> Option<u64> {
    findings.iter().filter_map(|finding| finding.resident).reduce(u64::saturating_add)
}
