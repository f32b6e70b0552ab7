//! Where things are: the checkout, its builds, and the user's folders. Owns no content of theirs.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let manifest =
        from_env("CARGO_MANIFEST_DIR").unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Where cargo builds: `$CARGO_TARGET_DIR`, else `target` at the root of the checkout.
pub(crate) fn target() -> PathBuf {
    from_env("CARGO_TARGET_DIR").unwrap_or_else(|| root().join("target"))
}

/// Cargo's home: `$CARGO_HOME`, else `~/.cargo`.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    from_env("CARGO_HOME").map_or_else(|| Ok(home()?.join(".cargo")), Ok)
}

/// The user's home.
pub(crate) fn home() -> Result<PathBuf> {
    from_env("HOME").context("HOME is not set")
}

/// The path that an environment variable holds, if it is set and not empty.
pub(crate) fn from_env(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
