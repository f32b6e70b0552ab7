//! A finding in one line: when, what, whose, in which hierarchy, from where to where, by whom.
//!
//! Owns which of these gives way when the line gets too long: paths first, then names.

use anstyle::Style;

use truant_core::{
    ids::Actor,
    report::{Finding, FindingKind, Place},
};

use super::{
    COLUMNS,
    line::{Line, palette, width},
    shorten,
};
use crate::output::{clock::Clock, names::Named as _};

/// The arrow between two cgroups.
const ARROW: &str = " → ";

/// Room for each name, and room that each path is content with then, in order of preference. Paths
/// get it for the beginnings of a pod's and a container's id: eight digits, then six.
const ROOMS: [(usize, usize); 5] = [(18, 25), (13, 25), (18, 21), (13, 21), (8, 12)];

/// Room for each name where nothing else is left.
const LEAST_NAME_ROOM: usize = 4;

/// The line for `finding`.
pub(super) fn line(finding: &Finding, clock: &Clock) -> Line {
    let words = words(finding, clock);
    let (from, to) = paths(&finding.from, &finding.to, words.room_left());
    let mut line = Line::new();
    line.push(palette::FAINT, format!("{} ", words.time))
        .push(style(finding.kind), words.kind)
        .push(palette::STRONG, words.task)
        .push(palette::PLAIN, words.hierarchy)
        .push(palette::PLAIN, from)
        .push(palette::FAINT, ARROW)
        .push(style(finding.kind), to)
        .push(palette::PLAIN, words.mover);
    let lost = lost(finding);
    if line.width() + width(&lost) <= COLUMNS {
        line.push(palette::WARN, lost);
    }
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
        let wanted = |place| width(&shorten::place(place, usize::MAX)).min(each);
        wanted(&finding.from) + wanted(&finding.to) + width(ARROW)
    };
    ROOMS
        .into_iter()
        .map(|(name_room, path_room)| (Words::new(finding, clock, name_room), room(path_room)))
        .find_map(|(words, wanted)| (words.room_left() >= wanted).then_some(words))
        .unwrap_or_else(|| Words::new(finding, clock, LEAST_NAME_ROOM))
}

fn paths(from: &Place, to: &Place, room: usize) -> (String, String) {
    let room = room.saturating_sub(width(ARROW));
    let half = room / 2;
    // The one that takes less than half leaves the rest to the other.
    let rest = |taken: &str| room.saturating_sub(width(taken));
    let short_to = shorten::place(to, rest(&shorten::place(from, half)));
    let short_from = shorten::place(from, rest(&short_to));
    if short_from == short_to && from != to {
        return (shorten::place_and_id(from, half), shorten::place_and_id(to, half));
    }
    (short_from, short_to)
}

/// What is lost, where the name of the hierarchy does not say it already.
fn lost(finding: &Finding) -> String {
    let lost = finding.lost_controllers.join(",");
    if lost.is_empty() || lost == finding.hierarchy {
        return String::new();
    }
    format!(", lost {}", shorten::name(lost.as_bytes(), COLUMNS))
}

fn style(kind: FindingKind) -> Style {
    match kind {
        FindingKind::Left | FindingKind::BornOutside | FindingKind::AlreadyOut => palette::BAD,
        FindingKind::Moved | FindingKind::Exposed => palette::WARN,
        FindingKind::CameBack => palette::GOOD,
    }
}
