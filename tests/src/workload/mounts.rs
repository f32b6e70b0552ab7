//! File systems of a test's own to write to. Owns where they are mounted, and that they are taken
//! down.

use std::{io, path::Path};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

/// A mounted file system, empty at first, that is taken down when it is dropped.
#[derive(Debug)]
pub struct Mount(TempDir);

impl Mount {
    /// Mounts a file system that needs no device, such as `tmpfs` or `ramfs`.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn new(kind: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        mount(kind, folder.path(), kind, MountFlags::empty(), None)?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whoever still has a file open keeps it, and nobody sees it any more.
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}
