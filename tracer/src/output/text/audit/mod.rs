//! An audit as an answer, for somebody in the middle of an incident: what it comes to, then who is
//! out, who could get out, where the memory is, and what was not seen.
//!
//! Owns the order. No heading is repeated by a finding's line: an audit is all in here.

mod exposed;
mod groups;
mod memory;
mod out;
mod paragraph;

#[cfg(test)]
mod tests;

use truant_core::{
    input::{RuntimeFacts, Unseen},
    report::Audit,
};

use self::paragraph::{labelled, many, paragraph, said};
use super::{
    home,
    line::{Line, clip, palette, tame},
    shorten, size,
};
use crate::output::{clock::Clock, count};

/// What could not be seen that is told.
const UNSEEN: usize = 12;

/// What a name takes that a runtime gives itself.
const NAME_ROOM: usize = 30;

/// The lines for `audit`.
pub(super) fn lines(audit: &Audit, clock: &Clock) -> Vec<Line> {
    let mut lines = headline(audit, clock);
    lines.extend(runtimes(&audit.runtimes));
    lines.extend(out::pods(audit, clock));
    lines.extend(out::unsure(audit));
    lines.extend(exposed::lines(audit));
    lines.extend(exposed::fence(audit));
    lines.extend(exposed::mismatch(audit.mismatch.as_ref()));
    lines.extend(memory::dead(&audit.dead));
    lines.extend(memory::books(audit.books.as_ref()));
    lines.extend(unseen(&audit.unseen));
    lines
}

/// What it comes to, in a line.
fn headline(audit: &Audit, clock: &Clock) -> Vec<Line> {
    let processes = audit.pods.iter().map(|pod| count(&pod.processes)).sum();
    let (style, who) = if audit.pods.is_empty() {
        let doubt = !audit.unsure.is_empty() || !audit.unseen.is_empty();
        let style = if doubt { palette::WARN } else { palette::GOOD };
        (style, "nobody is out of any pod".to_owned())
    } else {
        let in_pods = audit.pods.iter().any(|pod| home::whole(&pod.home) == "pod");
        let (one, more) =
            if in_pods { ("pod is", "pods are") } else { ("container is", "containers are") };
        let pods = many(audit.pods.len(), one, more);
        let processes = many(processes, "process", "processes");
        (palette::BAD, format!("{pods} out, with {processes}"))
    };
    let others = exposed::others(audit).len();
    let more = if audit.exposed.len() > others { "more " } else { "" };
    let containers = if others == 1 { "container" } else { "containers" };
    let unsure = count(&audit.unsure);
    let too = if audit.pods.is_empty() { "" } else { " too" };
    let parts = [
        (unsure, format!("{} may be{too}", many(unsure, "process", "processes"))),
        (others, format!("{} {more}{containers} could get out", size::count(others as u64))),
        (audit.unseen.len(), "not all could be seen".to_owned()),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, part)| part);
    let text = parts.fold(who, |text, part| text + "; " + &part);
    paragraph(style, &format!("{} audit: ", clock.short(audit.at)), &text)
}

/// Who gave the names, and who did not.
fn runtimes(runtimes: &[RuntimeFacts]) -> Vec<Line> {
    let (silent, named): (Vec<_>, Vec<_>) =
        runtimes.iter().partition(|it| it.name.is_empty() || it.trouble.is_some());
    let word = |text: &str| shorten::name(text.as_bytes(), NAME_ROOM);
    let names = |it: &&RuntimeFacts| {
        let driver = it.cgroup_driver.as_deref().map(|it| format!(", {} cgroup driver", word(it)));
        format!("{} {}{}", word(&it.name), word(&it.version), driver.unwrap_or_default())
    };
    let trouble = |it: &&RuntimeFacts| {
        let why = it.trouble.as_deref().map_or_else(|| "no answer".to_owned(), said);
        match it.socket.as_str() {
            "" => why,
            socket => format!("{}: {why}", clip(&tame(socket.as_bytes()), 2 * NAME_ROOM)),
        }
    };
    let lines = |style, head: &str, text: String| paragraph(style, head, &text);
    let mut all: Vec<Line> =
        named.iter().flat_map(|it| lines(palette::FAINT, "  names from ", names(it))).collect();
    let says = |it: &&&RuntimeFacts| !it.socket.is_empty() || it.trouble.is_some();
    let head = |it: &RuntimeFacts| match it.socket.as_str() {
        "" => "  ids instead of names: ",
        _ => "  no names from ",
    };
    let silent: Vec<_> = silent.iter().filter(says).collect();
    all.extend(silent.iter().flat_map(|it| lines(palette::WARN, head(it), trouble(it))));
    if named.is_empty() && silent.iter().all(|it| !it.socket.is_empty()) {
        all.extend(lines(palette::WARN, "  ", "no runtime gives names: ids instead".to_owned()));
    }
    all
}

fn unseen(unseen: &[Unseen]) -> Vec<Line> {
    let (shown, hidden) = unseen.split_at(UNSEEN.min(unseen.len()));
    let mut lines = Vec::new();
    for it in shown {
        let words =
            |text: &str, else_: &str| if text.is_empty() { else_.to_owned() } else { said(text) };
        let (what, why) = (words(&it.what, "something"), words(&it.why, "it is not said why"));
        let text = format!("{what}: {why}");
        lines.extend(paragraph(palette::BAD, "NOT SEEN  ", &text));
        lines.extend(it.mend.iter().flat_map(|mend| labelled("what to do", &said(mend))));
    }
    if !hidden.is_empty() {
        lines.extend(paragraph(palette::BAD, "NOT SEEN  ", &format!("{} more", hidden.len())));
    }
    lines
}
