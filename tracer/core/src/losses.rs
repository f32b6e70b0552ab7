//! What is missing, counted by cause. It does not judge what the loss means for a verdict.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{ids::BootTime, input::LossCause, report::Report};

/// Sums since the start, and what has not been reported yet.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    total: BTreeMap<LossCause, u64>,
    unreported: BTreeMap<LossCause, u64>,
}

impl Losses {
    /// Counts what the core itself could not use; it is reported at the next flush.
    pub(crate) fn count(&mut self, cause: LossCause, count: u64) {
        if count > 0 {
            add(&mut self.total, cause, count);
            add(&mut self.unreported, cause, count);
        }
    }

    /// Reports all that was counted since the last flush.
    pub(crate) fn flush(&mut self, at: BootTime, out: &mut Vec<Report>) {
        for (cause, count) in core::mem::take(&mut self.unreported) {
            out.push(Report::Loss { at, cause, count });
        }
    }

    /// Sums since the start.
    pub(crate) fn total(&self) -> &BTreeMap<LossCause, u64> {
        &self.total
    }
}

fn add(sums: &mut BTreeMap<LossCause, u64>, cause: LossCause, count: u64) {
    let sum = sums.entry(cause).or_default();
    *sum = sum.saturating_add(count);
}
