//! The pods that charged memory outside: what they hold inside and outside, and who pays.

use std::cmp::Reverse;

use truant_core::report::{Ledger, Payer, Place, PodRow, Sums};

use super::{
    COLUMNS, held, home,
    line::{Line, palette},
    size,
};

/// Pods shown at most.
const PODS: usize = 4;

/// Room for a pod's name.
const POD_ROOM: usize = 32;

/// The lines for the pods of `ledger` that charged something outside, if there are any.
pub(super) fn lines(ledger: &Ledger) -> Vec<Line> {
    // What a process frees, another one may have charged before: less than nothing says nothing.
    let holds = |pod: &&PodRow| pod.net(false) > 0 && !outside(pod).is_empty();
    let pods: Vec<&PodRow> = ledger.pods.iter().filter(holds).collect();
    let (shown, hidden) = pods.split_at(PODS.min(pods.len()));
    let plain = |text: String| {
        let mut line = Line::new();
        line.push(palette::PLAIN, text);
        line
    };
    let title = "  pods that charged outside, charged less uncharged since tracing began:";
    let title = (!shown.is_empty()).then(|| plain(title.to_owned()));
    let more = (!hidden.is_empty()).then(|| plain(format!("    and {} more", hidden.len())));
    title.into_iter().chain(shown.iter().map(|row| line(row))).chain(more).collect()
}

fn line(row: &PodRow) -> Line {
    let (inside, outside_net) = (size::signed(row.net(true)), size::signed(row.net(false)));
    let mut line = Line::new();
    line.push(palette::STRONG, format!("    {}", home::of_pod(&row.home, POD_ROOM)))
        .push(palette::PLAIN, format!(": {inside} inside, "))
        .push(palette::BAD, format!("{outside_net} outside"))
        .push(palette::PLAIN, ": ");
    let room = COLUMNS.saturating_sub(line.width());
    line.push(palette::PLAIN, held::list(&outside(row), room));
    line
}

/// Who pays outside, most first.
fn outside(row: &PodRow) -> Vec<(&Place, String)> {
    let is_out = |payer: &&Payer| !payer.guarded && payer.total != Sums::default();
    let mut payers: Vec<&Payer> = row.payers.iter().filter(is_out).collect();
    payers.sort_by_key(|payer| Reverse(payer.total.net()));
    payers.into_iter().map(|payer| (&payer.place, size::signed(payer.total.net()))).collect()
}
