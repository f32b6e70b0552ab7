//! Lines for people: at most 100 columns, one a finding and a second where its pod is known (more
//! where somebody was killed), worst in the strongest colour.
//!
//! Owns the writing and the memory of the header; what each kind of line says has a file each.

mod audit;
mod finding;
mod header;
mod held;
mod home;
mod kill;
mod ledger;
mod limits;
mod line;
mod pods;
mod shorten;
mod size;
mod summary;
mod update;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use jiff::tz::TimeZone;

use truant_core::report::{FindingKind, Report};

use self::line::Line;
use super::{Sink, clock::Clock};

/// The widest that a line may be, in terminal columns.
pub(crate) const COLUMNS: usize = 100;

/// How to write for people.
#[derive(Clone, Debug)]
pub(crate) struct TextOptions {
    /// Whether to colour: the caller knows of terminals and of `NO_COLOR`.
    pub(crate) color: bool,
    /// The time zone of the times of day.
    pub(crate) zone: TimeZone,
}

/// Writes reports as lines for people.
#[derive(Debug)]
pub(crate) struct TextSink<W> {
    out: W,
    color: bool,
    clock: Clock,
}

impl<W: Write> TextSink<W> {
    /// A sink that writes to `out`.
    pub(crate) fn new(out: W, options: TextOptions) -> Self {
        Self { out, color: options.color, clock: Clock::new(options.zone) }
    }
}

impl<W: Write> Sink for TextSink<W> {
    fn show(&mut self, report: &Report) -> io::Result<()> {
        if let Report::Header(facts) = report {
            self.clock.set(facts);
        }
        let mut text = String::new();
        for line in lines(report, &self.clock) {
            line.write(&mut text, self.color);
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

fn lines(report: &Report, clock: &Clock) -> Vec<Line> {
    match report {
        Report::Header(facts) => header::lines(facts),
        Report::Finding(it) if it.kind == FindingKind::Oom => kill::lines(it, clock),
        Report::Finding(finding) => finding::lines(finding, clock),
        Report::Update(it) => update::lines(it, clock),
        Report::Charges(ledger) => ledger::lines(ledger, clock),
        Report::Audit(audit) => audit::lines(audit, clock),
        Report::Loss { at, cause, count } => vec![summary::loss(*at, *cause, *count, clock)],
        Report::Summary(summary) => summary::lines(summary, clock),
    }
}
