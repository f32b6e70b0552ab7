//! Small trees of files in a temporary directory, for the tests of the readers.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use tempfile::TempDir;

use super::Host;

/// A tree that goes away with the value.
pub(super) struct Tree(TempDir);

impl Tree {
    /// An empty tree.
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With one more file, and the directories it needs.
    #[must_use]
    pub(super) fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        fs::write(self.prepared(path), contents).unwrap();
        self
    }

    /// With one more symbolic link.
    #[must_use]
    pub(super) fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.prepared(path)).unwrap();
        self
    }

    /// With one more directory.
    #[must_use]
    pub(super) fn dir(self, path: &str) -> Self {
        fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    /// A path in the tree.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The readers, on this tree.
    pub(super) fn host(&self) -> Host {
        Host::at(self.0.path())
    }

    fn prepared(&self, path: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}
