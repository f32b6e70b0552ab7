//! What leaves the program: one sink for people, one for programs.
//!
//! A sink takes the core's reports and writes them. It decides nothing: the verdict, the kinds
//! and the figures are the core's. Whether there is a terminal to colour is the caller's to know.

pub(crate) mod clock;
pub(crate) mod escape;
pub(crate) mod json;
pub(crate) mod names;
pub(crate) mod text;

#[cfg(test)]
mod forged;
#[cfg(test)]
mod samples;

use std::{collections::BTreeSet, io};

use truant_core::report::{Finding, Report, Verdict};

pub(crate) use self::{json::JsonSink, text::TextSink};

/// Where reports go.
pub(crate) trait Sink {
    /// Writes `report` and flushes.
    ///
    /// A reader that went away surfaces as [`io::ErrorKind::BrokenPipe`], which ends a run
    /// quietly.
    fn show(&mut self, report: &Report) -> io::Result<()>;
}

/// Of a run, the audit alone, between its header and its summary.
pub(crate) struct AuditOnly(pub(crate) Box<dyn Sink>);

impl Sink for AuditOnly {
    fn show(&mut self, report: &Report) -> io::Result<()> {
        match report {
            Report::Finding(_) | Report::Update(_) | Report::Charges(_) => Ok(()),
            Report::Header(_) | Report::Audit(_) | Report::Loss { .. } | Report::Summary(_) => {
                self.0.show(report)
            }
        }
    }
}

/// The exit status that says `verdict`: 0 nothing found, 1 somebody is out, 3 inconclusive.
pub(crate) fn exit_status(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Clean => 0,
        Verdict::Found => 1,
        Verdict::Inconclusive => 3,
    }
}

/// How many processes `findings` are about: one may be out in several hierarchies.
fn count(findings: &[Finding]) -> usize {
    findings.iter().map(|finding| finding.task.tgid).collect::<BTreeSet<_>>().len()
}
