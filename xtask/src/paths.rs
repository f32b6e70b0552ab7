//! Where things are: the checkout, and the two caches. Owns no content of theirs.
//!
//! What is expensive to fetch and the same for every checkout lies in the shared cache; what
//! belongs to one checkout lies in its own `.cache/`.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// This checkout's cache: `$TRUANT_CACHE`, else `.cache/`. It is made if it is not there.
pub(crate) fn cache() -> Result<PathBuf> {
    made(env_path("TRUANT_CACHE").unwrap_or_else(|| root().join(".cache")))
}

/// The cache that all checkouts of one user share: `$XDG_CACHE_HOME/truant`, else
/// `~/.cache/truant`.
pub(crate) fn shared_cache() -> Result<PathBuf> {
    let base = match env_path("XDG_CACHE_HOME") {
        Some(base) => base,
        None => home()?.join(".cache"),
    };
    made(base.join("truant"))
}

/// Cargo's home: `$CARGO_HOME`, else `~/.cargo`.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    env_path("CARGO_HOME").map_or_else(|| Ok(home()?.join(".cargo")), Ok)
}

/// Holds the lock of the shared cache's entry `name` until the returned file is dropped, so that
/// two checkouts that fill it at the same time do so one after the other.
pub(crate) fn lock(name: &str) -> Result<File> {
    let path = shared_cache()?.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn home() -> Result<PathBuf> {
    env_path("HOME").context("HOME is not set")
}

fn env_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn made(dir: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}
