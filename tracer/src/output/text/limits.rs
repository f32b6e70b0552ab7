//! Limits in words: what held at home, and what holds now.

use truant_core::{
    input::Limit,
    report::{LimitChange, Limits},
};

use super::size;

/// A limit, and how to show its figure.
type Kind = (&'static str, fn(&Limits) -> Option<Limit>, fn(u64) -> String);

const KINDS: [Kind; 3] = [
    ("memory", |limits| limits.memory, size::bytes),
    ("pids", |limits| limits.pids, size::count),
    ("cpu", |limits| limits.cpu, cpus),
];

/// Every limit of which something is known, lost or not.
pub(super) fn all(change: &LimitChange) -> Vec<String> {
    KINDS.iter().filter_map(|kind| part(kind, change)).collect()
}

/// The limits that are known not to be what they were.
pub(super) fn changed(change: &LimitChange) -> Vec<String> {
    let differ = |(_, of, _): &&Kind| {
        let (before, after) = (of(&change.before), of(&change.after));
        before.is_some() && after.is_some() && before != after
    };
    KINDS.iter().filter(differ).filter_map(|kind| part(kind, change)).collect()
}

fn part((name, of, show): &Kind, change: &LimitChange) -> Option<String> {
    let words = |limit| match limit {
        None => "not known".to_owned(),
        Some(Limit::Unlimited) => "none".to_owned(),
        Some(Limit::Of(most)) => show(most),
    };
    match (of(&change.before), of(&change.after)) {
        (None, None) => None,
        (Some(Limit::Unlimited), Some(Limit::Unlimited)) => Some(format!("{name} had none")),
        (before, after) if before == after => Some(format!("{name} {} still holds", words(after))),
        (before, after) => Some(format!("{name} {} → {}", words(before), words(after))),
    }
}

/// Thousandths of a CPU as a decimal number, without zeros at its end.
fn cpus(thousandths: u64) -> String {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    if whole >= 1000 {
        return size::count(whole);
    }
    let text = format!("{whole}.{rest:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::audit;

    #[test]
    fn what_was_lost_and_what_holds_are_told_apart() {
        let change = audit::limits();
        assert_eq!(
            all(&change),
            ["memory 512 MiB → none", "pids 100 → none", "cpu 0.5 still holds"]
        );
        assert_eq!(changed(&change), ["memory 512 MiB → none", "pids 100 → none"]);
    }

    #[test]
    fn what_is_not_known_is_neither() {
        let unknown = Limits::default();
        let none = Limits { memory: Some(Limit::Unlimited), ..unknown };
        let some = Limits { memory: Some(Limit::Of(4096)), ..unknown };
        let cases: [(Limits, Limits, &[&str]); 4] = [
            (unknown, unknown, &[]),
            (none, none, &["memory had none"]),
            (unknown, none, &["memory not known → none"]),
            (some, unknown, &["memory 4.0 KiB → not known"]),
        ];
        for (before, after, expected) in cases {
            let change = LimitChange { before, after };
            assert_eq!(all(&change), expected);
            assert!(changed(&change).is_empty());
        }
    }

    #[test]
    fn parts_of_a_cpu_are_decimal() {
        let cases = [
            (500, "0.5"),
            (2000, "2"),
            (1250, "1.25"),
            (1, "0.001"),
            (10_000, "10"),
            (u64::MAX, "18P"),
        ];
        for (thousandths, text) in cases {
            assert_eq!(cpus(thousandths), text);
        }
    }
}
