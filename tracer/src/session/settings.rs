//! What a run was asked to do.

use std::{path::PathBuf, time::Duration};

use truant_core::input::Way;

/// What a live run was asked to do.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long; until a signal if none.
    pub(crate) duration: Option<Duration>,
    /// The time between two ledgers.
    pub(crate) interval: Duration,
    /// What is looked at, and how it counts.
    pub(crate) scope: Scope,
    /// How to hook into the kernel.
    pub(crate) hooks: Hooks,
}

/// How to hook into the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Hooks {
    /// The only way that may be used.
    pub(crate) forced: Option<Way>,
    /// The file of the kernel's types.
    pub(crate) btf: PathBuf,
    /// Whether the programs log.
    pub(crate) log: bool,
}

/// What is looked at, and how it counts.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The guarded subtrees; any kubepods root if empty.
    pub(crate) guard: Vec<String>,
    /// Whether who could get out counts for the verdict as who is.
    pub(crate) fail_on_exposed: bool,
    /// The only runtime's socket that is asked; the usual ones if none.
    pub(crate) runtime: Option<PathBuf>,
}
