//! A finding in one line: when, what, whose, in which hierarchy, from where to where, by whom. A
//! place at home is called by the names of its pod and container. What more is known of it, and
//! what is lost, comes after that or in a second line.
//!
//! Owns which of these gives way when the line gets too long: paths first, then names.

use anstyle::Style;

use truant_core::{
    ids::Actor,
    report::{Finding, FindingKind, Home, Place},
};

use super::{
    COLUMNS, home, limits,
    line::{Line, clip, palette, tame, width},
    shorten, size,
};
use crate::output::{clock::Clock, names::Named as _};

/// The arrow between two cgroups.
const ARROW: &str = " → ";

/// Room for each name, and room that each path is content with then, in order of preference. Paths
/// get it for the beginnings of a pod's and a container's id: eight digits, then six.
const ROOMS: [(usize, usize); 5] = [(18, 25), (13, 25), (18, 21), (13, 21), (8, 12)];

/// Room for each name of a home that is mentioned.
const HOME_ROOM: usize = 20;

/// Room for each name where nothing else is left.
const LEAST_NAME_ROOM: usize = 4;

/// The line for `finding`, a second one where its home is known and not all of that fits, and one
/// more where it is about more than one hierarchy, thread or birth.
pub(super) fn lines(finding: &Finding, clock: &Clock) -> Vec<Line> {
    let words = words(finding, clock);
    let (from, to) = paths(finding, words.room_left());
    let indent = width(&words.time) + 1;
    let named = is_named(finding, &[&from, &to]);
    let mut line = Line::new();
    line.push(palette::FAINT, format!("{} ", words.time))
        .push(style(finding.kind), words.kind)
        .push(palette::STRONG, words.task)
        .push(palette::PLAIN, words.hierarchy)
        .push(palette::PLAIN, from)
        .push(palette::FAINT, ARROW)
        .push(style(finding.kind), to)
        .push(palette::PLAIN, words.mover);
    let more = details(finding, named);
    let room = COLUMNS.saturating_sub(line.width() + ", ".len());
    let mut second = None;
    if !more.is_empty() && width(&more) <= room {
        line.push(palette::WARN, format!(", {more}"));
    } else if !more.is_empty() && finding.home.is_some() {
        second = Some(indented(indent, &more));
    }
    let also = also(finding, COLUMNS.saturating_sub(indent)).map(|also| indented(indent, &also));
    std::iter::once(line).chain(second).chain(also).collect()
}

/// What else the same finding is about, in at most `room` columns.
pub(super) fn also(finding: &Finding, room: usize) -> Option<String> {
    let times = finding.times;
    let times = (times > 1).then(|| match finding.kind {
        FindingKind::BornOutside => format!("{} children were born there", size::count(times)),
        _ => format!("{} threads, one by one", size::count(times)),
    });
    let hierarchies = finding.also.iter().map(|also| tame(also.hierarchy.as_bytes()));
    let hierarchies = hierarchies.collect::<Vec<_>>().join(", ");
    let hierarchies = (!hierarchies.is_empty()).then(|| format!("also in {hierarchies}"));
    let parts: Vec<_> = times.into_iter().chain(hierarchies).collect();
    (!parts.is_empty()).then(|| clip(&parts.join("; "), room))
}

pub(super) fn indented(indent: usize, text: &str) -> Line {
    let mut line = Line::new();
    line.push(palette::WARN, format!("{}{text}", " ".repeat(indent)));
    line
}

/// Everything but the paths.
struct Words {
    time: String,
    kind: String,
    task: String,
    hierarchy: String,
    mover: String,
}

impl Words {
    fn new(finding: &Finding, clock: &Clock, room: usize) -> Self {
        let Finding { task, mover, .. } = finding;
        let thread = if finding.whole_process { String::new() } else { format!("/{}", task.tid) };
        let comm = shorten::name(task.comm.as_bytes(), room);
        let hierarchy = shorten::name(finding.hierarchy.as_bytes(), room);
        let by = |mover: &Actor| {
            format!(" by {} {}", mover.pid, shorten::name(mover.comm.as_bytes(), room))
        };
        Self {
            time: clock.short(finding.at),
            kind: format!("{} ", finding.kind.words()),
            task: format!("{}{thread} {comm} ", task.tgid),
            hierarchy: format!("{hierarchy}:"),
            mover: mover.as_ref().map(by).unwrap_or_default(),
        }
    }

    fn room_left(&self) -> usize {
        let texts = [&self.kind, &self.task, &self.hierarchy, &self.mover];
        let taken: usize = texts.map(|text| width(text)).iter().sum();
        COLUMNS.saturating_sub(taken + width(&self.time) + 1)
    }
}

/// The words that leave the paths the room they want, or else the room they need.
fn words(finding: &Finding, clock: &Clock) -> Words {
    let room = |each: usize| {
        let wanted = |place| width(&place_of(finding, place, usize::MAX)).min(each);
        wanted(&finding.from) + wanted(&finding.to) + width(ARROW)
    };
    ROOMS
        .into_iter()
        .map(|(name_room, path_room)| (Words::new(finding, clock, name_room), room(path_room)))
        .find_map(|(words, wanted)| (words.room_left() >= wanted).then_some(words))
        .unwrap_or_else(|| Words::new(finding, clock, LEAST_NAME_ROOM))
}

fn paths(finding: &Finding, room: usize) -> (String, String) {
    let Finding { from, to, .. } = finding;
    let room = room.saturating_sub(width(ARROW));
    let half = room / 2;
    // The one that takes less than half leaves the rest to the other.
    let rest = |taken: &str| room.saturating_sub(width(taken));
    let short_to = place_of(finding, to, rest(&place_of(finding, from, half)));
    let short_from = place_of(finding, from, rest(&short_to));
    if short_from == short_to && from != to {
        return (shorten::place_and_id(from, half), shorten::place_and_id(to, half));
    }
    (short_from, short_to)
}

/// A place by its home's names, if it is at home, or else by its path.
fn place_of(finding: &Finding, place: &Place, room: usize) -> String {
    home::of_place(finding.home.as_deref(), place, room)
        .unwrap_or_else(|| shorten::place(place, room))
}

/// Whether one of the texts that the places became says whose task it is.
fn is_named(finding: &Finding, texts: &[&String; 2]) -> bool {
    let Some(home) = finding.home.as_deref() else { return false };
    let says = |(place, text): (&Place, &String)| match home.names {
        Some(_) => home::of_place(Some(home), place, width(text)).as_ref() == Some(text),
        None => place.container.as_ref().is_some_and(|it| home::is_at(&home.container, it)),
    };
    [&finding.from, &finding.to].into_iter().zip(texts.iter().copied()).any(says)
}

/// What else there is to say: whose it is if that was not said, whose the mover is, what is lost.
fn details(finding: &Finding, is_named: bool) -> String {
    let home = finding.home.as_deref().filter(|_| !is_named);
    let home = home.map(|home| format!("of {}", home::short(home, HOME_ROOM)));
    let is_own =
        |mover: &Home| finding.home.as_ref().is_some_and(|it| it.container == mover.container);
    let whose = |mover: &Home| {
        if is_own(mover) { "its own pod".to_owned() } else { home::short(mover, HOME_ROOM) }
    };
    let mover = finding.mover_home.as_deref();
    let mover = mover.map(|mover| format!("the mover is of {}", whose(mover)));
    let parts: Vec<String> = home.into_iter().chain(mover).chain(lost(finding)).collect();
    parts.join(", ")
}

/// What is lost: the limits, or the controllers where the hierarchy's name does not say them.
fn lost(finding: &Finding) -> Option<String> {
    let limits = finding.limits.as_ref().map(limits::changed).unwrap_or_default();
    if !limits.is_empty() {
        return Some(limits.join(", "));
    }
    let lost = finding.lost_controllers.join(",");
    let is_new = !lost.is_empty() && lost != finding.hierarchy;
    is_new.then(|| format!("lost {}", shorten::name(lost.as_bytes(), COLUMNS)))
}

pub(super) fn style(kind: FindingKind) -> Style {
    match kind {
        FindingKind::Left
        | FindingKind::BornOutside
        | FindingKind::AlreadyOut
        | FindingKind::Oom => palette::BAD,
        FindingKind::Moved | FindingKind::Exposed => palette::WARN,
        FindingKind::CameBack => palette::GOOD,
    }
}
