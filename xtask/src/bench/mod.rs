//! `bench`: what truant costs, each figure beside its baseline of the same run. Owns the verb's
//! arguments and the order of the sections; how each figure is taken is in the files beside this
//! one.

mod bpftrace;
mod build;
mod guest;
mod host;
mod load;
mod scan;
mod script;
mod start;
mod table;
mod tracer;
mod usage;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{
    setup::{self, Need},
    sh,
};

/// Measures what truant costs, and prints the tables of the README in Markdown
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Kernels to boot, as `vm --kernel` names them
    #[arg(long, default_values = ["5.10", "6.1", "6.12", "newest"], value_name = "KERNEL")]
    kernel: Vec<String>,
    /// Take these sections alone
    #[arg(long, value_enum)]
    only: Vec<Section>,
    /// Fewer rounds and a shorter watch: figures to look at, not to publish
    #[arg(long)]
    quick: bool,
}

/// A part of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Section {
    /// Instructions per page, fork and move, in guests.
    Guests,
    /// Time per page on this machine's own kernel.
    Host,
    /// Time to start, memory and size on this machine.
    Start,
    /// Time and memory of the first look at a busy node, made on this machine.
    Scan,
}

/// What is measured, built without the shared libraries that a guest lacks.
struct Binaries {
    truant: PathBuf,
    load: PathBuf,
    node: PathBuf,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Need::Guests, Need::Bench])?;
    if !sh::is_root(&sh::at_root()?) {
        bail!("bench must run as root, as truant must");
    }
    let is_wanted = |section| args.only.is_empty() || args.only.contains(&section);
    let binaries = build::binaries()?;
    let mut missed = Vec::new();
    if is_wanted(Section::Guests) {
        missed.extend(guest::run(&binaries, &args.kernel, args.quick)?);
    }
    if is_wanted(Section::Host) {
        missed.extend(host::run(&binaries, args.quick)?);
    }
    if is_wanted(Section::Start) {
        missed.extend(start::run(&binaries, args.quick)?);
    }
    if is_wanted(Section::Scan) {
        missed.extend(scan::run(&binaries, args.quick)?);
    }
    if !missed.is_empty() {
        bail!("targets missed:\n  {}", missed.join("\n  "));
    }
    Ok(())
}
