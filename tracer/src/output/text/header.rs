//! The first lines: the node, what is guarded, how each need is seen, and what is not.

use std::collections::BTreeMap;

use truant_core::input::{Facts, Hook, Mode, Need, Way};

use super::{
    COLUMNS,
    line::{Line, clip, palette, tame},
};
use crate::output::names::Named;

/// The lines for `facts`.
pub(super) fn lines(facts: &Facts) -> Vec<Line> {
    let mut lines = vec![node(facts)];
    lines.extend((!facts.hooks.is_empty()).then(|| ways(facts)));
    lines.extend(facts.hooks.iter().filter_map(blind));
    lines.extend(refused(facts));
    lines.extend(facts.hooks.iter().filter_map(note));
    lines
}

fn node(facts: &Facts) -> Line {
    let guard = match facts.guard.as_slice() {
        [] => "any kubepods root".to_owned(),
        guard => guard.iter().map(|path| tame(path.as_bytes())).collect::<Vec<_>>().join(", "),
    };
    let version = clip(&tame(facts.version.as_bytes()), 14);
    let kernel = clip(&tame(facts.kernel.as_bytes()), 30);
    let mode = match facts.mode {
        Mode::V1 | Mode::V2 => facts.mode.name(),
        Mode::Hybrid => "v1 and v2 (hybrid)",
    };
    let mut line = Line::new();
    line.push(palette::STRONG, format!("truant {version}"))
        .push(palette::PLAIN, format!(", kernel {kernel}, cgroup {mode}, guarding {guard}"));
    line
}

fn ways(facts: &Facts) -> Line {
    let mut by_way: BTreeMap<Way, Vec<Need>> = BTreeMap::new();
    for hook in &facts.hooks {
        if let Some(way) = hook.way {
            by_way.entry(way).or_default().push(hook.need);
        }
    }
    let part = |(way, needs): (&Way, &Vec<Need>)| format!("{} by {}", list(needs), way.name());
    let parts: Vec<String> = by_way.iter().map(part).collect();
    let mut line = Line::new();
    line.push(palette::PLAIN, format!("  sees {}", parts.join("; ")));
    line
}

fn blind(hook: &Hook) -> Option<Line> {
    if hook.way.is_some() {
        return None;
    }
    let why = hook.refused.last().map_or("no way is left", |refusal| &refusal.why);
    let mut line = Line::new();
    line.push(palette::BAD, format!("  does not see {}: ", hook.need.name()))
        .push(palette::PLAIN, tame(why.as_bytes()));
    Some(line)
}

/// One line for each better way and reason, however many needs it was refused for.
fn refused(facts: &Facts) -> Vec<Line> {
    let mut by_reason: BTreeMap<(Way, &str), Vec<Need>> = BTreeMap::new();
    for hook in facts.hooks.iter().filter(|hook| hook.way.is_some()) {
        for refusal in &hook.refused {
            by_reason.entry((refusal.way, &refusal.why)).or_default().push(hook.need);
        }
    }
    let line = |((way, why), needs): (&(Way, &str), &Vec<Need>)| {
        let mut line = Line::new();
        line.push(palette::WARN, format!("  {} refused for {}: ", way.name(), list(needs)))
            .push(palette::PLAIN, tame(why.as_bytes()));
        line
    };
    by_reason.iter().map(line).collect()
}

fn note(hook: &Hook) -> Option<Line> {
    let note = tame(hook.note.as_deref()?.as_bytes());
    let mut line = Line::new();
    line.push(palette::FAINT, clip(&format!("  {}: {note}", hook.need.name()), COLUMNS));
    Some(line)
}

fn list<T: Named>(items: &[T]) -> String {
    items.iter().map(|item| item.words()).collect::<Vec<_>>().join(", ")
}
