//! Losses, and the last lines: what was found, what was missed, and what that comes to.

use std::collections::BTreeMap;

use truant_core::{
    ids::BootTime,
    input::LossCause,
    report::{FindingKind, Summary, Verdict},
};

use super::{
    line::{Line, palette},
    size,
};
use crate::output::{clock::Clock, names::Named};

/// The line for a loss.
pub(super) fn loss(at: BootTime, cause: LossCause, count: u64, clock: &Clock) -> Line {
    let mut line = Line::new();
    line.push(palette::FAINT, format!("{} ", clock.short(at)))
        .push(palette::BAD, format!("LOST {} ", size::count(count)))
        .push(palette::WARN, format!("{}: {}", cause.words(), meaning(cause)));
    line
}

/// The lines for `summary`; the last one is the verdict.
pub(super) fn lines(summary: &Summary, clock: &Clock) -> Vec<Line> {
    let mut lines = vec![seen(summary, clock)];
    lines.extend(summary.lost.iter().map(|(cause, count)| lost(*cause, *count)));
    lines.extend((!summary.blind.is_empty()).then(|| blind(summary)));
    lines.push(verdict(summary));
    lines
}

fn seen(summary: &Summary, clock: &Clock) -> Line {
    let mut line = Line::new();
    line.push(palette::FAINT, format!("{} ", clock.short(summary.at))).push(
        palette::STRONG,
        format!(
            "end: {} moves seen, {} that changed nothing",
            size::count(summary.moves),
            size::count(summary.unmoved)
        ),
    );
    line
}

fn lost(cause: LossCause, count: u64) -> Line {
    let mut line = Line::new();
    line.push(palette::BAD, format!("  LOST {} ", size::count(count)))
        .push(palette::WARN, format!("{}: {}", cause.words(), meaning(cause)));
    line
}

fn blind(summary: &Summary) -> Line {
    let needs: Vec<String> = summary.blind.iter().map(|need| need.words()).collect();
    let mut line = Line::new();
    line.push(palette::BAD, "  NOT SEEN ").push(palette::WARN, needs.join(", "));
    line
}

fn verdict(summary: &Summary) -> Line {
    let found = found(&summary.findings);
    let mut line = Line::new();
    match summary.verdict {
        Verdict::Clean => line
            .push(palette::GOOD, "clean")
            .push(palette::PLAIN, ": nobody left, and nothing was missed")
            .push(palette::PLAIN, exposed(summary)),
        Verdict::Found => {
            line.push(palette::BAD, "found").push(palette::PLAIN, format!(": {found}"))
        }
        Verdict::Inconclusive => line
            .push(palette::WARN, "inconclusive")
            .push(palette::PLAIN, format!(": {found}, but not all was seen, so there may be more")),
    };
    line
}

/// Who could get out, where that alone changes no verdict.
fn exposed(summary: &Summary) -> String {
    let count = summary.findings.get(&FindingKind::Exposed).copied().unwrap_or_default();
    let word = if count == 1 { "container" } else { "containers" };
    let text = format!("; {} exposed {word} could let somebody out", size::count(count));
    if count == 0 { String::new() } else { text }
}

fn found<T: Named>(findings: &BTreeMap<T, u64>) -> String {
    let part = |(kind, count): (&T, &u64)| format!("{} {}", size::count(*count), kind.words());
    let parts: Vec<String> = findings.iter().filter(|(_, n)| **n > 0).map(part).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// What a loss means for the rest of the output, in few words.
fn meaning(cause: LossCause) -> &'static str {
    match cause {
        LossCause::RingFull => "events came faster than they were read; findings may be missing",
        LossCause::TotalsFull => "charges of some cgroups are missing from the ledger",
        LossCause::ProcessesFull => "totals are exact, but not split by process",
        LossCause::InFlightFull => "moves or charges may be missing",
        LossCause::Recursion => "the kernel skipped probes; moves or charges may be missing",
        LossCause::Unreadable => "kernel memory could not be read; details are missing",
        LossCause::Malformed => "records or files without the form they should have",
        LossCause::PathUnknown => "cgroups without a path; who was guarded there is not known",
    }
}
