//! Moved: a task was moved from one pod, or what stands for a pod, into another.

use super::{Step, unit};

/// From guarded to guarded, out of what holds it together with its like.
pub(super) fn applies(step: &Step<'_>) -> bool {
    match (step.from, step.to) {
        ((from, Some(from_root)), (to, Some(to_root))) if !step.born => {
            unit::is_another((from, from_root), (to, to_root))
        }
        _ => false,
    }
}
