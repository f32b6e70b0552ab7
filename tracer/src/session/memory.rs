//! What the files of memory cgroups are read for. Reads nothing.

use truant_core::input::Way;

use crate::host::CgroupRoot;

/// The part that the memory hierarchy's files play.
#[derive(Clone, Copy, Debug)]
pub(super) enum Memory {
    /// None: charges are not exact anyhow, or there are no files.
    Unread,
    /// They are all that is known of charges.
    Polled,
    /// They make good what was skipped.
    Recounted {
        /// Whether every skip is counted.
        counted: bool,
    },
}

impl Memory {
    /// The part they play beside this way of tracing charges.
    pub(super) fn new(root: Option<&CgroupRoot>, way: Option<Way>) -> Self {
        match (way, root) {
            (Some(Way::Polled), Some(_)) => Self::Polled,
            (Some(way @ (Way::Fentry | Way::Kprobe)), Some(root)) if root.is_hierarchical() => {
                Self::Recounted { counted: way == Way::Fentry }
            }
            _ => Self::Unread,
        }
    }

    /// Whether skips are made good.
    pub(super) fn recounts(self) -> bool {
        matches!(self, Self::Recounted { .. })
    }

    /// Whether skips may have happened that nobody counted: before 6.7 those of kprobes.
    pub(super) fn is_never_sure(self) -> bool {
        matches!(self, Self::Recounted { counted: false })
    }
}
