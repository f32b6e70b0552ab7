//! Where things are: the checkout, and the cache outside it. Owns no content of theirs.

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

/// The cache that all checkouts of one user share, so that nothing is fetched twice:
/// `$TRUANT_CACHE`, else `$XDG_CACHE_HOME/truant`, else `~/.cache/truant`. It is made if it is not
/// there.
pub(crate) fn shared_cache() -> Result<PathBuf> {
    let dir = match (env_path("TRUANT_CACHE"), env_path("XDG_CACHE_HOME")) {
        (Some(dir), _) => dir,
        (None, Some(base)) => base.join("truant"),
        (None, None) => home()?.join(".cache/truant"),
    };
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
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
