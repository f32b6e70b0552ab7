//! `truant replay`: the same output from a recording, on any machine.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use crate::{
    output::AuditOnly,
    record::{Reader, Step},
    route::Route,
};

use super::{args::OutputArgs, settle, sink};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recording, as `truant record` made it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

/// What to show of it.
#[derive(Clone, Copy, Debug, Subcommand)]
enum Verb {
    /// What `truant watch` would have shown.
    Watch(OutputArgs),
    /// Of that, who was out already and who could get out.
    Audit(OutputArgs),
}

/// Replays.
///
/// # Errors
/// If the file is no recording, or is damaged, or the output can go nowhere.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let sink = match args.verb {
        Verb::Watch(output) => sink(output.output),
        Verb::Audit(output) => Box::new(AuditOnly(sink(output.output))),
    };
    let mut route = Route::new(sink, None);
    for step in Reader::open(&args.file)? {
        match step? {
            Step::Input(input) => route.feed(input)?,
            Step::EndsEarly(early) => {
                log::warn!("{early}");
                for input in early.inputs() {
                    route.feed(input)?;
                }
            }
        }
    }
    settle(route)
}
