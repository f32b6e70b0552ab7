//! The cache folder that all checkouts of this user share, and the locks on what lies in it.
//! Owns where it is and how two runs keep out of each other's way; not what is kept there.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// `$XDG_CACHE_HOME/truant/NAME`, or the same below `~/.cache`; made if it is not there.
pub(super) fn folder(name: &str) -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME")?)
            .join(".cache"),
    };
    let folder = base.join("truant").join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Waits until no other run holds `path`; held until the file is dropped, or its process ends.
pub(super) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("opening {}", path.display()))?;
    file.lock().with_context(|| format!("locking {}", path.display()))?;
    Ok(file)
}

/// Writes a small file so that readers see either the old or the whole new text.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().context("a cache file has no folder")?;
    let temporary = tempfile::NamedTempFile::new_in(parent)?;
    std::fs::write(temporary.path(), text)?;
    temporary.persist(path).with_context(|| format!("writing {}", path.display()))?;
    Ok(())
}
