//! `truant doctor`: what this kernel and node allow, and what will be used.

use anyhow::Result;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<u8> {
    Ok(2)
}
