//! `test`: everything, with all it needs set up by itself. Owns the order and the closing line;
//! what a step does is in its own file or verb.

mod build;
mod cells;

use anyhow::Result;
use xshell::cmd;

use crate::{
    ebpf, kernels, lint,
    setup::{self, Need},
    sh,
};

use self::cells::{CELLS, Cell};

/// Runs every check and every test: lint, unit tests, the object, kernels in guests, this kernel
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run the cells of this kernel alone, and nothing but cells.
    #[arg(long)]
    kernel: Option<String>,
}

/// What became of the tests, by number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Need::Ebpf, Need::Lint, Need::Guests])?;
    if args.kernel.is_none() {
        before_kernels()?;
    }
    let files = build::all()?;
    let mut counts = Counts::default();
    let chosen = |cell: &&Cell| args.kernel.as_deref().is_none_or(|name| cell.kernel == name);
    for cell in CELLS.iter().filter(chosen) {
        for way in cell.ways {
            counts.add(cells::in_guest(cell, way, &files)?);
        }
    }
    if args.kernel.is_none() {
        counts.add(cells::on_host(&files)?);
    }
    let Counts { passed, failed, skipped } = counts;
    println!("tests on kernels:");
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    anyhow::ensure!(failed == 0, "{failed} tests on kernels failed");
    Ok(())
}

/// All that needs no kernel of its own.
fn before_kernels() -> Result<()> {
    let sh = sh::at_root()?;
    let cargo = sh::cargo();
    lint::check()?;
    println!("test: unit and property tests");
    cmd!(sh, "{cargo} test --quiet --locked --workspace").quiet().run()?;
    println!("test: the committed object");
    ebpf::check()?;
    kernels::check()
}
