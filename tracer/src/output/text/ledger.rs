//! The table of an interval: the cgroups of which most was charged and uncharged, and by whom.
//!
//! A row shows the cgroup's own figures, not those of what is below it: so no byte is shown twice.
//! Polled figures are the exception, for the files they come from hold sums.

use std::cmp::Reverse;

use truant_core::{
    ids::Comm,
    report::{Ledger, LedgerRow, ProcessRow, Sums},
};

use super::{
    COLUMNS,
    line::{Line, palette, width},
    pods, shorten, size,
};
use crate::output::clock::Clock;

/// Rows shown at most.
const ROWS: usize = 8;

/// Processes named at most in a row.
const PROCESSES: usize = 2;

/// The titles of the columns between the cgroup and the processes.
const TITLES: [&str; 5] = ["", "held", "charged", "uncharged", "fail"];

/// Room kept for the processes, unless the path gets too little then.
const WHO_ROOM: usize = 26;

/// Room kept for the path in any case.
const CGROUP_ROOM: usize = 30;

/// The lines for `ledger`: none where no cgroup changed.
pub(super) fn lines(ledger: &Ledger, clock: &Clock) -> Vec<Line> {
    let mut rows: Vec<&LedgerRow> = ledger.rows.iter().filter(|row| changed(row)).collect();
    // By path among equals, which is the order they come in.
    rows.sort_by_key(|row| Reverse(turnover(row.interval)));
    let Some((shown, hidden)) = rows.split_at_checked(ROWS.min(rows.len())) else { return vec![] };
    if shown.is_empty() {
        return vec![];
    }
    let figures: Vec<[String; 5]> = shown.iter().map(|row| figures(row)).collect();
    let columns = columns(&figures);
    let names = names(shown, cgroup_room(&columns));
    let cgroup = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let table = Table { cgroup: cgroup.max("00:00:00 cgroup".len()), columns };
    let mut lines = vec![table.titles(&clock.short(ledger.at))];
    let cells = names.iter().zip(&figures);
    lines.extend(shown.iter().zip(cells).map(|(row, (name, cells))| table.row(row, name, cells)));
    lines.extend(others(hidden));
    lines.extend(pods::lines(ledger));
    lines
}

fn changed(row: &LedgerRow) -> bool {
    row.interval != Sums::default()
}

fn turnover(sums: Sums) -> u128 {
    u128::from(sums.charged) + u128::from(sums.uncharged)
}

fn figures(row: &LedgerRow) -> [String; 5] {
    let marks = [
        (!row.guarded && row.place.path.is_some(), "out"),
        (row.removed, "gone"),
        (row.polled, "polled"),
    ];
    let marks: Vec<&str> = marks.iter().filter_map(|(is, mark)| is.then_some(*mark)).collect();
    let held = if row.polled { row.subtree_net } else { row.total.net() };
    [
        marks.join(" "),
        size::signed(held),
        or_blank(row.interval.charged, |bytes| format!("+{}", size::bytes(bytes))),
        or_blank(row.interval.uncharged, |bytes| format!("−{}", size::bytes(bytes))),
        or_blank(row.interval.failures, size::count),
    ]
}

fn or_blank(figure: u64, show: impl Fn(u64) -> String) -> String {
    if figure == 0 { String::new() } else { show(figure) }
}

/// The paths in at most `room` columns. Where two became the same, ids tell them apart.
fn names(rows: &[&LedgerRow], room: usize) -> Vec<String> {
    let short: Vec<String> = rows.iter().map(|row| shorten::place(&row.place, room)).collect();
    let name = |(row, name): (&&LedgerRow, &String)| {
        let alike = short.iter().filter(|other| *other == name).count();
        if alike > 1 { shorten::place_and_id(&row.place, room) } else { name.clone() }
    };
    rows.iter().zip(&short).map(name).collect()
}

fn columns(figures: &[[String; 5]]) -> [usize; 5] {
    let mut columns = TITLES.map(width);
    for row in figures {
        for (column, figure) in columns.iter_mut().zip(row) {
            *column = (*column).max(width(figure));
        }
    }
    columns
}

fn cgroup_room(columns: &[usize; 5]) -> usize {
    let taken: usize = columns.iter().map(|column| column + 1).sum();
    COLUMNS.saturating_sub(taken + 2 + 1 + WHO_ROOM).max(CGROUP_ROOM)
}

/// The widths of the columns.
struct Table {
    cgroup: usize,
    columns: [usize; 5],
}

impl Table {
    fn titles(&self, time: &str) -> Line {
        let [marks, rest @ ..] = TITLES;
        let mut text = pad_end(&format!("{time} cgroup"), self.cgroup + 2);
        text.push_str(&self.cells(marks, &rest));
        let mut line = Line::new();
        line.push(palette::STRONG, text + " who");
        line
    }

    fn row(&self, row: &LedgerRow, name: &str, figures: &[String; 5]) -> Line {
        let [marks, rest @ ..] = figures;
        let rest = rest.each_ref().map(String::as_str);
        let style = if row.interval.failures > 0 { palette::WARN } else { palette::PLAIN };
        let mut line = Line::new();
        line.push(style, format!("  {}", pad_end(name, self.cgroup)));
        let cells = self.cells(marks, &rest);
        let who = who(&row.by, COLUMNS.saturating_sub(line.width() + width(&cells) + 1));
        if who.is_empty() {
            line.push(palette::PLAIN, cells.trim_end());
        } else {
            line.push(palette::PLAIN, cells).push(palette::FAINT, format!(" {who}"));
        }
        line
    }

    fn cells(&self, marks: &str, figures: &[&str; 4]) -> String {
        let [first, columns @ ..] = self.columns;
        let mut text = format!(" {}", pad_end(marks, first));
        for (column, figure) in columns.iter().zip(figures) {
            text.push(' ');
            text.extend(std::iter::repeat_n(' ', column.saturating_sub(width(figure))));
            text.push_str(figure);
        }
        text
    }
}

fn pad_end(text: &str, columns: usize) -> String {
    let mut text = text.to_owned();
    text.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&text))));
    text
}

/// As many of the processes as fit, with what they charged where there is room for that too.
fn who(by: &[ProcessRow], room: usize) -> String {
    let charging = || by.iter().filter(|row| row.interval.charged > 0).take(PROCESSES);
    let with_sizes: Vec<String> = charging()
        .map(|row| format!("{} {}", process(row, 20), size::bytes(row.interval.charged)))
        .collect();
    let names: Vec<String> = charging().map(|row| process(row, 20)).collect();
    let first = charging().next().map(|row| process(row, room.saturating_sub(11)));
    [with_sizes.join(", "), names.join(", ")]
        .into_iter()
        .chain(with_sizes.first().cloned())
        .chain(names.first().cloned())
        .find(|text| width(text) <= room)
        .or(first)
        .unwrap_or_default()
}

fn process(row: &ProcessRow, room: usize) -> String {
    match row.pid {
        None => "others".to_owned(),
        Some(pid) if row.comm == Comm::default() => pid.to_string(),
        Some(pid) => format!("{pid} {}", shorten::name(row.comm.as_bytes(), room)),
    }
}

fn others(hidden: &[&LedgerRow]) -> Option<Line> {
    let sum = |of: fn(&LedgerRow) -> u64| {
        size::bytes(hidden.iter().fold(0, |sum, row| sum.saturating_add(of(row))))
    };
    let charged = sum(|row| row.interval.charged);
    let uncharged = sum(|row| row.interval.uncharged);
    let mut line = Line::new();
    line.push(
        palette::FAINT,
        format!("  and {} more cgroups: +{charged} −{uncharged}", hidden.len()),
    );
    (!hidden.is_empty()).then_some(line)
}
