//! `truant record`: watch, and keep all of it.

use std::path::PathBuf;

use anyhow::Result;

use crate::record::Writer;

use super::{
    args::{LiveArgs, OutputArgs},
    watch::run_live,
};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to make; `truant replay` reads it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Watches and records.
///
/// # Errors
/// If it cannot watch, or the recording is not whole. What was written of it can be replayed.
pub(crate) fn run(args: Args, probe_log: bool) -> Result<u8> {
    let recorder = Writer::create(&args.file, args.force)?;
    run_live(&args.live.settings(probe_log), args.output.output, Some(recorder))
}
