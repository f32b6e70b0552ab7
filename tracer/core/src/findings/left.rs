//! Left: a task was moved out of the guarded subtree, away from its limits and accounts.

use super::Step;

/// From guarded to outside. A task that is out already and moves on was found before.
pub(super) fn applies(step: &Step<'_>) -> bool {
    !step.born && step.from.1.is_some() && step.to.1.is_none()
}
