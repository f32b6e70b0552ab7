//! The cache that all checkouts of one user share, so that nothing is fetched or built twice. Owns
//! where it is and how two runs keep out of each other's way; not what is kept there.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::paths;

/// `$TRUANT_CACHE`, else `$XDG_CACHE_HOME/truant`, else `~/.cache/truant`; made if it is not there.
pub(crate) fn root() -> Result<PathBuf> {
    let folder = match (paths::from_env("TRUANT_CACHE"), paths::from_env("XDG_CACHE_HOME")) {
        (Some(folder), _) => folder,
        (None, Some(base)) => base.join("truant"),
        (None, None) => paths::home()?.join(".cache/truant"),
    };
    made(folder)
}

/// The entry `name` of the cache, made if it is not there.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    made(root()?.join(name))
}

/// Waits until no other run holds `path`; held until the file is dropped, or its process ends.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Writes a file so that readers see either the old or the whole new content.
pub(crate) fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let parent = path.parent().context("a cache file has no folder")?;
    let temporary = tempfile::NamedTempFile::new_in(parent)?;
    fs::write(temporary.path(), content)?;
    temporary.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
