//! What became of a finding, in a line: who, where, and what was charged outside since. What is
//! new besides that comes in a second one.

use truant_core::report::Update;

use super::{
    COLUMNS, finding, home,
    line::{Line, palette, width},
    shorten, size,
};
use crate::output::clock::Clock;

/// Room for the name of the task.
const NAME_ROOM: usize = 16;

/// Room for whose it is.
const HOME_ROOM: usize = 32;

/// The lines for `update`.
pub(super) fn lines(update: &Update, clock: &Clock) -> Vec<Line> {
    let it = &update.finding;
    let time = clock.short(update.at);
    let indent = width(&time) + 1;
    let state = if update.is_over { "was out" } else { "still out" };
    let comm = shorten::name(it.task.comm.as_bytes(), NAME_ROOM);
    let figure =
        format!(": {} charged outside since {}", size::signed(update.outside), clock.short(it.at));
    let mut line = Line::new();
    line.push(palette::FAINT, format!("{time} "))
        .push(finding::style(it.kind), format!("{state} "))
        .push(palette::STRONG, format!("{} {comm} ", it.task.tgid))
        .push(palette::PLAIN, "in ");
    let room = COLUMNS.saturating_sub(line.width() + width(&figure));
    line.push(palette::PLAIN, shorten::place(&it.to, room)).push(palette::BAD, figure);
    let whose = it.home.as_deref().map(|it| format!("of {}", home::short_in(it, HOME_ROOM)));
    let room = COLUMNS.saturating_sub(indent);
    let taken = whose.as_deref().map_or(0, |whose| width(whose) + ", ".len());
    let also = finding::also(it, room.saturating_sub(taken));
    let more: Vec<_> = whose.into_iter().chain(also).collect();
    let second = (!more.is_empty()).then(|| finding::indented(indent, &more.join(", ")));
    std::iter::once(line).chain(second).collect()
}
