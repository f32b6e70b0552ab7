//! `lint`: every check that runs nothing of the product. Owns their order; each tool has its own
//! settings file, and `tidy` its own verb.

use anyhow::Result;
use xshell::cmd;

use crate::{
    ebpf,
    setup::{self, Need, tools},
    sh, tidy,
};

/// Checks the source: formatting, clippy (the eBPF programs too), dependencies, house style
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs the verb.
pub(crate) fn run(_: &Args) -> Result<()> {
    check()
}

/// Runs every check, up to the first that fails.
///
/// # Errors
/// What a check found.
pub(crate) fn check() -> Result<()> {
    setup::ensure(&[Need::Ebpf, Need::Lint])?;
    let sh = sh::at_root()?;
    let cargo = sh::cargo();

    println!("lint: tidy");
    tidy::check()?;
    println!("lint: formatting");
    cmd!(sh, "{cargo} fmt --all --check").quiet().run()?;
    println!("lint: dependencies (their licences, sources and duplicates)");
    let deny = tools::CARGO_DENY.path()?;
    cmd!(sh, "{deny} --locked check --hide-inclusion-graph bans licenses sources").quiet().run()?;
    println!("lint: not run: advisories, whose database is not part of the checkout");
    println!("lint: clippy, the workspace");
    cmd!(sh, "{cargo} clippy --quiet --locked --workspace --all-targets -- -D warnings")
        .quiet()
        .run()?;
    println!("lint: clippy, the eBPF programs");
    ebpf::clippy(&sh)?;
    println!("lint: clean");
    Ok(())
}
