//! What the node's own files say: `/proc`, `/sys`, the cgroup file systems, and the clock.
//!
//! Owns reading and parsing, with a root that tests can replace. Facts only, and `None` is "not
//! known", never "no". What follows from a fact is decided elsewhere; nothing here writes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

pub(crate) mod cgroupfs;
pub(crate) mod clock;
mod enter;
mod fsutil;
pub(crate) mod heap;
pub(crate) mod hierarchies;
mod holdings;
#[cfg(test)]
mod judged;
pub(crate) mod kconfig;
mod limits;
mod membership;
mod memory;
mod monitors;
pub(crate) mod mountinfo;
pub(crate) mod namespaces;
mod pair;
pub(crate) mod preflight;
mod private_mount;
mod stat;
mod tasks;
#[cfg(test)]
mod testing;
pub(crate) mod tree;
pub(crate) mod usage;
mod view;
mod visible;

pub(crate) use self::{cgroupfs::CgroupRoot, hierarchies::Hierarchies};

/// Where the node's files are.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// A procfs, of the initial pid namespace if all tasks are to be seen.
    pub(crate) proc: PathBuf,
    /// A sysfs.
    pub(crate) sys: PathBuf,
    /// The directory of the kernel's configuration, usually `/boot`.
    pub(crate) boot: PathBuf,
}

impl Host {
    /// The running node.
    pub(crate) fn live() -> Self {
        Self::at(Path::new("/"))
    }

    /// A tree with `proc`, `sys` and `boot` below `root`.
    pub(crate) fn at(root: &Path) -> Self {
        Self { proc: root.join("proc"), sys: root.join("sys"), boot: root.join("boot") }
    }
}

/// A file that could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// It could not be opened or read.
    #[error("could not read {path:?}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was read, but says nothing that makes sense.
    #[error("{path:?} has no {missing}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What should have been there.
        missing: &'static str,
    },
}

impl ReadError {
    /// Whether it says that what was to be read is gone, as a process that ended meanwhile.
    pub(crate) fn is_gone(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        source.raw_os_error().is_some_and(|code| fsutil::is_gone(Errno::from_raw_os_error(code)))
    }

    fn io(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_owned(), source: source.into() }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    fs::read(path).map_err(|source| ReadError::io(path, source))
}

/// The first line of a file, without white space around it; none where it cannot be read.
fn read_word(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).trim().to_owned())
}
