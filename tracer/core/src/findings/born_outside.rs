//! Born outside: a parent inside the guarded subtree had its child made outside of it. Nobody was
//! moved, so nothing that watches moves alone can see it.

use super::Step;

/// From a guarded parent to outside.
pub(super) fn applies(step: &Step<'_>) -> bool {
    step.born && step.from.1.is_some() && step.to.1.is_none()
}
