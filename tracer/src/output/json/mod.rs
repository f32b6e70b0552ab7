//! One JSON object a line, for programs. The lines are documented in `schema/truant.schema.json`.
//!
//! Owns the writing; the shapes of the lines are in `wire`, how they are made from reports in
//! `convert`.

mod convert;
mod wire;

#[cfg(test)]
pub(super) mod tests;

use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde::Serialize;

use truant_core::report::Report;

use super::{Sink, clock::Clock};

/// Writes reports as JSON lines.
#[derive(Debug)]
pub(crate) struct JsonSink<W> {
    out: W,
    clock: Clock,
}

impl<W: Write> JsonSink<W> {
    /// A sink that writes to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self { out, clock: Clock::new(TimeZone::UTC) }
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        // One write a line, so that lines of two writers to one file do not mix.
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.out.write_all(&bytes)
    }
}

impl<W: Write> Sink for JsonSink<W> {
    fn show(&mut self, report: &Report) -> io::Result<()> {
        if let Report::Header(facts) = report {
            self.clock.set(facts);
        }
        for line in convert::lines(report, &self.clock) {
            self.line(&line)?;
        }
        self.out.flush()
    }
}
