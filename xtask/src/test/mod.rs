//! `test`: everything, with all it needs set up by itself. Owns the order and the closing line;
//! what a step does is in its own file or verb.

mod build;
mod cells;
mod matrix;

use std::{
    sync::Mutex,
    thread::{self, ScopedJoinHandle},
};

use anyhow::Result;
use xshell::cmd;

use crate::{
    demo, ebpf, kernels, lint,
    setup::{self, Need},
    sh,
};

use self::{
    build::Files,
    matrix::{CELLS, Cell},
};

/// Guests that run side by side. Cases wait now and then, which leaves a CPU to the other guest.
const GUESTS_AT_ONCE: usize = 2;

/// Runs every check and every test: lint, unit tests, the object, kernels in guests, this kernel
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run the cells of this kernel alone, or of `all`, and nothing but cells
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
    let chosen = |cell: &&Cell| {
        args.kernel.as_deref().is_none_or(|name| name == "all" || cell.kernel == name)
    };
    let cells: Vec<_> = CELLS.iter().filter(chosen).collect();
    anyhow::ensure!(!cells.is_empty(), "no cell has this kernel");
    let mut counts = in_guests(&cells, &files)?;
    if args.kernel.is_none() {
        counts.add(cells::on_host(&files)?);
        println!("test: the demo");
        demo::run(&demo::Args::with(files.truant))?;
    }
    let Counts { passed, failed, skipped } = counts;
    println!("tests on kernels:");
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    anyhow::ensure!(failed == 0, "{failed} tests on kernels failed");
    Ok(())
}

/// Runs the cells, a few at a time.
fn in_guests(cells: &[&Cell], files: &Files) -> Result<Counts> {
    let cells = Mutex::new(cells.iter());
    let next = || cells.lock().ok().and_then(|mut cells| cells.next());
    let run = || -> Result<Counts> {
        let mut counts = Counts::default();
        while let Some(cell) = next() {
            counts.add(cells::in_guest(cell, files)?);
        }
        Ok(counts)
    };
    let ran: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..GUESTS_AT_ONCE).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(ScopedJoinHandle::join).collect()
    });
    let mut counts = Counts::default();
    for one in ran {
        counts.add(one.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
    }
    Ok(counts)
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
