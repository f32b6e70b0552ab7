//! Builds what is measured: release, and statically linked, as it is shipped.

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::Binaries;
use crate::{paths, sh};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds truant, the load and the busy node.
pub(super) fn binaries() -> Result<Binaries> {
    let sh = sh::at_root()?;
    let cargo = sh::cargo();
    let target_dir = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| paths::root().join("target"), |dir| paths::root().join(dir));
    let packages = ["-ptruant", "-ptruant-tests"];
    let bins = ["--bin=truant", "--bin=truant-bench-load", "--bin=truant-bench-node"];
    cmd!(sh, "{cargo} build --quiet --locked --release --target {TARGET} {packages...} {bins...}")
        .arg("--target-dir")
        .arg(&target_dir)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .quiet()
        .run()
        .context("cannot build what is to be measured")?;
    let release = target_dir.join(TARGET).join("release");
    Ok(Binaries {
        truant: release.join("truant"),
        load: release.join("truant-bench-load"),
        node: release.join("truant-bench-node"),
    })
}
