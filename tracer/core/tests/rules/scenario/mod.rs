//! Scenarios as text: inputs in, reports out, a line each. It decides nothing the engine decides.
//!
//! In both texts `$A` and `$B` are two pods' directories (cgroupfs driver), `$a` and `$b` two
//! containers' ids. A cgroup is `HIERARCHY:ID`; a task is `PID` or `PID.TID`.

mod inputs;
mod reports;

pub(crate) use inputs::seen;

use truant_core::{
    Engine,
    ids::{BootTime, HierarchyId},
    input::{Facts, Hierarchy, Input, Mode},
    report::Report,
};

/// What stands for what.
const NAMES: [(&str, &str); 4] = [
    ("$A", "podaaaaaaaa-1111-4222-8333-444444444444"),
    ("$B", "podbbbbbbbb-1111-4222-8333-444444444444"),
    ("$a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("$b", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
];

/// Feeds the lines of `inputs` and compares all reports but the header with those of `expected`.
#[track_caller]
pub(crate) fn check(facts: Facts, inputs: &str, expected: &str) {
    let said = run(facts, inputs);
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect()
    };
    assert_eq!(lines(&said), lines(expected), "\n{said}");
}

/// The reports on the lines of `inputs`, a line each, without the header.
pub(crate) fn run(facts: Facts, inputs: &str) -> String {
    let (mut engine, mut out) = (Engine::new(), Vec::new());
    engine.feed(Input::Started(Box::new(facts)), &mut out);
    assert!(matches!(out.remove(0), Report::Header(_)));
    for input in inputs::parse(&replace(inputs, |(short, long)| (short, long))) {
        engine.feed(input, &mut out);
    }
    engine.feed(Input::Looked { at: BootTime(u64::MAX) }, &mut out);
    let text: String = out.iter().map(reports::line).collect();
    replace(&text, |(short, long)| (long, short))
}

/// A node with only the v2 hierarchy.
pub(crate) fn v2() -> Facts {
    Facts {
        mode: Mode::V2,
        hierarchies: vec![hierarchy(0, "", &["cpu", "memory"])],
        memory: Some(HierarchyId::V2),
        own_pid: 999,
        ..Facts::default()
    }
}

/// A hybrid node: memory is 4, cpu and cpuacct are 7, name=systemd is 1.
pub(crate) fn v1() -> Facts {
    Facts {
        mode: Mode::Hybrid,
        hierarchies: vec![
            hierarchy(0, "", &[]),
            hierarchy(1, "name=systemd", &[]),
            hierarchy(4, "memory", &["memory"]),
            hierarchy(7, "cpu,cpuacct", &["cpu", "cpuacct"]),
        ],
        memory: Some(HierarchyId(4)),
        own_pid: 999,
        ..Facts::default()
    }
}

fn hierarchy(id: u32, name: &str, controllers: &[&str]) -> Hierarchy {
    let controllers = controllers.iter().map(ToString::to_string).collect();
    Hierarchy { id: HierarchyId(id), name: name.into(), controllers }
}

fn replace(
    text: &str,
    pair: fn((&'static str, &'static str)) -> (&'static str, &'static str),
) -> String {
    NAMES.into_iter().map(pair).fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
