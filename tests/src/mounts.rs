//! File systems that a test mounts. Owns where they are, and that they are taken down.

use std::{ffi::CString, path::Path};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

use crate::suite::Unmet;

/// A mounted file system that is taken down when this is dropped.
#[derive(Debug)]
pub struct Mount(TempDir);

impl Mount {
    /// A file system in memory of this size, as in `64k`, whose pages are shared memory.
    ///
    /// # Errors
    /// If this process may not mount.
    pub fn tmpfs(size: &str) -> Result<Self, Unmet> {
        Self::new("tmpfs", &format!("size={size}"))
    }

    /// A file system in memory, whose pages are page cache.
    ///
    /// # Errors
    /// If this process may not mount.
    pub fn ramfs() -> Result<Self, Unmet> {
        Self::new("ramfs", "")
    }

    /// The v2 hierarchy. Its options are from then on those of all its mounts, if this process is
    /// in the initial cgroup namespace.
    ///
    /// # Errors
    /// If this process may not mount.
    pub fn cgroup2(options: &str) -> Result<Self, Unmet> {
        Self::new("cgroup2", options)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    fn new(kind: &str, options: &str) -> Result<Self, Unmet> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let options = CString::new(options).expect("has no NUL");
        mount("truant-test", folder.path(), kind, MountFlags::empty(), Some(options.as_c_str()))
            .map_err(|error| Unmet(format!("cannot mount a {kind}: {error}")))?;
        Ok(Self(folder))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whoever still has a file open keeps it, and nobody sees it any more.
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}
