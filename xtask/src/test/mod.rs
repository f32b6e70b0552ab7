//! `test`: everything, with all it needs set up by itself. Owns the order and the closing line;
//! what a step does is in its own file or verb.

mod build;
mod cells;
mod matrix;
mod nodes;

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
    vm::Release,
};

use self::{
    build::Files,
    matrix::{CELLS, Cell},
    nodes::{NODES, Node},
};

/// Guests that run side by side. Cases wait now and then, which leaves a CPU to the other guest.
const GUESTS_AT_ONCE: usize = 2;

/// Runs every check and every test: lint, unit tests, the object, kernels and nodes in guests, this
/// kernel
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run the cells of this kernel alone, or of `all`, and nothing but cells
    #[arg(long)]
    kernel: Option<String>,
    /// Run the tests on nodes of this Debian release alone, and nothing but those
    #[arg(long, value_enum)]
    node: Option<Release>,
}

impl Args {
    fn is_whole(&self) -> bool {
        self.kernel.is_none() && self.node.is_none()
    }

    fn wants_cell(&self, cell: &Cell) -> bool {
        let named = |name: &String| name == "all" || cell.kernel == name;
        self.is_whole() || self.kernel.as_ref().is_some_and(named)
    }

    fn wants_node(&self, node: &Node) -> bool {
        self.is_whole() || self.node == Some(node.release)
    }
}

/// What a guest is for.
enum Job {
    Kernel(&'static Cell),
    Node(&'static Node),
}

impl Job {
    fn run(&self, files: &Files) -> Result<Counts> {
        match self {
            Self::Kernel(cell) => cells::in_guest(cell, files),
            Self::Node(node) => nodes::on_node(node, files),
        }
    }
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
    setup::ensure(&[Need::Ebpf, Need::Lint, Need::Guests, Need::Nodes])?;
    if args.is_whole() {
        before_kernels()?;
    }
    let files = build::all()?;
    let nodes = NODES.iter().filter(|node| args.wants_node(node)).map(Job::Node);
    let cells = CELLS.iter().filter(|cell| args.wants_cell(cell)).map(Job::Kernel);
    let jobs: Vec<_> = nodes.chain(cells).collect();
    anyhow::ensure!(!jobs.is_empty(), "no cell has this kernel");
    let mut counts = in_guests(&jobs, &files)?;
    if args.is_whole() {
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

/// Runs the guests, a few at a time.
fn in_guests(jobs: &[Job], files: &Files) -> Result<Counts> {
    let jobs = Mutex::new(jobs.iter());
    let next = || jobs.lock().ok().and_then(|mut jobs| jobs.next());
    let run = || -> Result<Counts> {
        let mut counts = Counts::default();
        while let Some(job) = next() {
            counts.add(job.run(files)?);
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
