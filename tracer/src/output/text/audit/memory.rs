//! Where the node's memory is: what the dead hold, and the books.

use truant_core::report::{Books, Dead};

use super::{
    super::{
        COLUMNS,
        line::{Line, palette},
        shorten, size,
    },
    paragraph::{INDENT, paragraph},
};

/// Removed cgroups that are told.
const DEAD: usize = 4;

/// The lines for what removed cgroups hold.
pub(super) fn dead(dead: &[Dead]) -> Vec<Line> {
    let (shown, hidden) = dead.split_at(DEAD.min(dead.len()));
    let mut lines: Vec<Line> = shown.iter().map(dead_line).collect();
    if !hidden.is_empty() {
        let bytes = hidden.iter().fold(0_u64, |sum, it| sum.saturating_add(it.bytes));
        let text =
            format!("{} still held at or below {} more cgroups", size::bytes(bytes), hidden.len());
        lines.extend(paragraph(palette::WARN, "DEAD  ", &text));
    }
    lines
}

fn dead_line(dead: &Dead) -> Line {
    let cgroups = match dead.count {
        None => "removed cgroups".to_owned(),
        Some(1) => "1 removed cgroup".to_owned(),
        Some(count) => format!("{} removed cgroups", size::count(count)),
    };
    let text = format!("{} still held by {cgroups} at or below ", size::bytes(dead.bytes));
    let mut line = Line::new();
    line.push(palette::WARN, "DEAD  ").push(palette::PLAIN, text);
    let room = COLUMNS.saturating_sub(line.width());
    line.push(palette::PLAIN, shorten::place(&dead.place, room));
    line
}

/// The lines for where the node's memory is.
pub(super) fn books(books: Option<&Books>) -> Vec<Line> {
    let Some(books) = books else { return vec![] };
    let (used, total) = (size::bytes(books.used), size::bytes(books.total));
    let mut title = Line::new();
    title
        .push(palette::STRONG, "BOOKS  ")
        .push(palette::PLAIN, format!("the node uses {used} of {total}:"));
    let style = if books.outside > 0 { palette::BAD } else { palette::PLAIN };
    let rows = [
        (palette::PLAIN, books.guarded, "in the pods' own cgroups: what their figures show"),
        (style, books.outside, "charged outside by tasks of pods: what no pod's figures show"),
        (palette::PLAIN, books.rest(), "the rest, which is the node's own"),
    ];
    let row = |(style, bytes, words)| {
        let mut line = Line::new();
        line.push(style, format!("{}{:>9}", " ".repeat(INDENT), size::bytes(bytes)))
            .push(palette::PLAIN, format!("  {words}"));
        line
    };
    std::iter::once(title).chain(rows.map(row)).collect()
}
