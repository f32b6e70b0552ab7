//! A kill for want of memory: whom it hit and what ran out; then where it was and what its pod
//! held; then, unless a cgroup's own limit ran out, the node's memory and who held most of it
//! outside of any pod.

use truant_core::{
    input::{Limit, NodeMemory},
    report::{Finding, Home, Kill, Place, RanOut},
};

use super::{
    COLUMNS, held, home,
    line::{Line, palette, width},
    shorten, size,
};
use crate::output::clock::Clock;

/// Room for the victim's name.
const NAME_ROOM: usize = 18;

/// Room for whose it was.
const WHOSE_ROOM: usize = 40;

/// Room that a path must have beside the victim.
const PATH_ROOM: usize = 21;

/// The lines for the kill that `finding` is.
pub(super) fn lines(finding: &Finding, clock: &Clock) -> Vec<Line> {
    let unknown = Kill::default();
    let kill = finding.kill.as_deref().unwrap_or(&unknown);
    let time = clock.short(finding.at);
    let indent = width(&time) + 1;
    let mut first = victim(finding, &time);
    let beside = COLUMNS.saturating_sub(first.width() + ": ".len());
    let mut rest = Vec::new();
    match ran_out(kill.ran_out.as_ref(), beside, PATH_ROOM) {
        Some(text) => {
            first.push(palette::PLAIN, ": ").push(palette::WARN, text);
        }
        None => rest.extend(ran_out(kill.ran_out.as_ref(), COLUMNS - indent, 0)),
    }
    rest.extend(stray(finding, COLUMNS - indent));
    rest.extend(pod(finding, kill));
    if !matches!(kill.ran_out, Some(RanOut::Cgroup(..))) {
        rest.extend(kill.node.as_ref().map(node));
        rest.extend(holders(kill, COLUMNS - indent));
    }
    let more = |text: String| {
        let mut line = Line::new();
        line.push(palette::PLAIN, " ".repeat(indent)).push(palette::WARN, text);
        line
    };
    std::iter::once(first).chain(rest.into_iter().map(more)).collect()
}

fn victim(finding: &Finding, time: &str) -> Line {
    let task = finding.task;
    let comm = shorten::name(task.comm.as_bytes(), NAME_ROOM);
    let mut line = Line::new();
    line.push(palette::FAINT, format!("{time} "))
        .push(palette::BAD, "OOM killed ")
        .push(palette::STRONG, format!("{} {comm}", task.tgid));
    let whose = |home: &Home| if home.is_sure { " of " } else { " perhaps of " };
    let lead = finding.home.as_deref().map_or(" in ", whose);
    let room = COLUMNS.saturating_sub(line.width() + lead.len()).min(WHOSE_ROOM);
    let text = match finding.home.as_deref() {
        Some(home) => Some(home::short_in(home, room)),
        None => is_known(&finding.from).then(|| shorten::place(&finding.from, room)),
    };
    line.push(palette::PLAIN, text.map(|text| format!("{lead}{text}")).unwrap_or_default());
    line
}

fn is_known(place: &Place) -> bool {
    place.path.is_some() || place.key.is_some()
}

/// What ran out, in at most `room` columns of which a path that does not fit whole gets `least`;
/// none where that is too much.
fn ran_out(what: Option<&RanOut>, room: usize, least: usize) -> Option<String> {
    let limit_of = |place: &Place, limit: Option<Limit>| {
        let limit = match limit {
            Some(Limit::Of(most)) => format!(" ({})", size::bytes(most)),
            Some(Limit::Unlimited) | None => String::new(),
        };
        let text = |path: &str| format!("the memory limit of {path}{limit} ran out");
        let left = room.saturating_sub(width(&text("")));
        let path = shorten::place(place, left.max(least));
        text(&path)
    };
    let text = match what {
        None => "it is not known what ran out".to_owned(),
        Some(RanOut::Node) => "the node ran out of memory".to_owned(),
        Some(RanOut::Cgroup(place, limit)) => limit_of(place, *limit),
    };
    (width(&text) <= room).then_some(text)
}

/// What the victim's pod held.
fn pod(finding: &Finding, kill: &Kill) -> Option<String> {
    let home = finding.home.as_deref()?;
    let whole = home::whole(home);
    let inside = match kill.inside {
        Some(bytes) => format!("its {whole} held {} inside", size::bytes(bytes)),
        None => format!("it is not known what its {whole} held inside"),
    };
    let outside = size::signed(kill.outside);
    Some(format!("{inside}; {outside} net outside since tracing began"))
}

/// Where the victim was, if it had a pod and was not in it.
fn stray(finding: &Finding, room: usize) -> Option<String> {
    let home = finding.home.as_deref()?;
    let container = finding.from.container.as_ref();
    let is_in = container.is_some_and(|it| home::is_at(&home.container, it));
    let lead = "it was outside, in ";
    let place = || shorten::place(&finding.from, room.saturating_sub(lead.len()));
    (is_known(&finding.from) && !is_in).then(|| format!("{lead}{}", place()))
}

fn node(memory: &NodeMemory) -> String {
    let NodeMemory { total, free, available } = *memory;
    let [total, free, available] = [total, free, available].map(size::bytes);
    format!("of the node's {total}, {free} were free and {available} available")
}

fn holders(kill: &Kill, room: usize) -> Option<String> {
    let lead = "most outside of pods: ";
    let holders = kill.holders.iter().map(|(place, bytes)| (place, size::bytes(*bytes)));
    let holders: Vec<(&Place, String)> = holders.collect();
    let list = || held::list(&holders, room.saturating_sub(lead.len()));
    (!holders.is_empty()).then(|| format!("{lead}{}", list()))
}
