//! The programs that guests run: static, since a guest has no libraries.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::{paths, sh};

/// The target whose C library can be linked statically here.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The profile of what guests run.
const PROFILE: &str = "guest";

/// The test binaries, by the names of their files in `tests/tests`.
pub(super) const TESTS: [&str; 8] =
    ["attach", "charge", "exec", "exit", "fork", "lifecycle", "oom", "robust"];

/// The test binary for nodes, likewise.
const NODE: &str = "node";

/// What was built.
pub(super) struct Files {
    /// truant.
    pub(super) truant: PathBuf,
    /// The test binaries, each with its name.
    pub(super) tests: Vec<(&'static str, PathBuf)>,
    /// The test binary for nodes.
    pub(super) node: PathBuf,
}

/// Builds truant and the test binaries.
pub(super) fn all() -> Result<Files> {
    let sh = sh::at_root()?;
    let cargo = sh::cargo();
    println!("test: building for the guests");
    let _flags = sh.push_env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    let common = ["--quiet", "--locked", "--profile", PROFILE, "--target", TARGET];
    cmd!(sh, "{cargo} build {common...} --package truant").quiet().run()?;
    let build = cmd!(
        sh,
        "{cargo} test {common...} --package truant-tests --tests --no-run --message-format=json"
    );
    let messages = build.quiet().read()?;
    let tests = TESTS.iter().map(|name| Ok((*name, executable(&messages, name)?)));
    let truant = paths::root().join("target").join(TARGET).join(PROFILE).join("truant");
    let tests = tests.collect::<Result<_>>()?;
    Ok(Files { truant, tests, node: executable(&messages, NODE)? })
}

/// The path that cargo's messages give for the test binary `name`.
fn executable(messages: &str, name: &str) -> Result<PathBuf> {
    let key = "\"executable\":\"";
    let part = format!("/{name}-");
    let mut paths = messages.lines().filter_map(|line| {
        let rest = line.split_once(key)?.1;
        Some(rest.split_once('"')?.0)
    });
    let found = paths.rfind(|path| path.contains(&part));
    found.map(PathBuf::from).with_context(|| format!("cargo built no test binary {name}"))
}
