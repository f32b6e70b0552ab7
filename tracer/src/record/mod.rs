//! Recordings: the stream of the engine's inputs in a file, so that a replay says exactly what the
//! live run said.
//!
//! A recording is JSON lines in one zstd frame. The first line names the format and its version;
//! every other line is one input. Names and paths are escaped as in every output, so that
//! `zstdcat` shows them safely and nothing of them is lost.
//!
//! The promise: a recording of an older version is read for as long as truant's major version
//! stays. Any change of a line's form raises [`VERSION`], and `compat` lifts older lines.

mod compat;
mod convert;
mod read;
mod schema;
mod write;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    compat::VERSION,
    read::{Reader, Step},
    write::{WriteError, Writer},
};

/// What the first line calls the format.
const FORMAT: &str = "truant-recording";

/// The longest line in bytes. An input with the charges of a hundred thousand processes is shorter.
const MAX_LINE: usize = 16 << 20;

/// The zstd window of recordings as a power of two: the memory that a reader has to offer.
const WINDOW_LOG: u32 = 21;
