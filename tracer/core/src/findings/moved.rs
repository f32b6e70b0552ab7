//! Moved: a task was moved from one pod, or what stands for a pod, into another.

use super::{Step, unit};

/// From guarded to guarded, out of what holds it together with its like.
///
/// Out of a pod into what it shares with others counts where limits and accounts hang on it: in v1,
/// a host's systemd takes tasks up to the slice in hierarchies that it has no use for.
pub(super) fn applies(step: &Step<'_>) -> bool {
    match (step.from, step.to) {
        ((from, Some(from_root)), (to, Some(to_root))) if !step.born => {
            let is_shared = from.container.is_some() && to.container.is_none();
            (step.counts || !is_shared) && unit::is_another((from, from_root), (to, to_root))
        }
        _ => false,
    }
}
