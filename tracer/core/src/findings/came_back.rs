//! Came back: a task that had left, or was born outside, is inside again.

use super::Step;

/// To guarded, by a task that was found outside in the same hierarchy. Any other task that gets
/// inside is only a container that starts.
pub(super) fn applies(step: &Step<'_>) -> bool {
    !step.born && step.was_out && step.to.1.is_some()
}
