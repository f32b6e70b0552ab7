//! Why a runtime did not answer. Owns the words people read in a runtime's trouble.

use std::io;

/// Why a runtime did not answer, or not usefully.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is no socket.
    #[error("there is no socket")]
    Absent,
    /// There is a socket that its service manager holds, and nobody behind it.
    #[error("it is not running, and asking would start it")]
    Asleep,
    /// The socket cannot be reached.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// A call did not end in time.
    #[error("{call} was not answered in time")]
    Slow {
        /// The call.
        call: &'static str,
    },
    /// The runtime refused a call, or broke off.
    #[error("{call} failed: {why}")]
    Failed {
        /// The call.
        call: &'static str,
        /// Its words.
        why: String,
    },
    /// An answer of another form than it should have.
    #[error("the answer to {call} makes no sense: {why}")]
    Nonsense {
        /// The call.
        call: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The runtime serves no API that is known here.
    #[error("it serves no CRI")]
    NoCri,
    /// What was asked for is not there any more.
    #[error("it is gone")]
    Gone,
    /// Nobody listens to the answers any more.
    #[error("nobody listens")]
    Unheard,
}

impl Error {
    /// Whether it says that there is nothing to ask, which is trouble only if nobody answers.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self, Self::Absent | Self::Asleep | Self::NoCri)
    }
}
