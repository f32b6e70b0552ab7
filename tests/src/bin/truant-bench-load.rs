//! The load that costs are measured on: one operation, in rounds, timed by the process itself.
//!
//! Owns the operations and the figures of their rounds; who traces meanwhile, and what is compared
//! with what, is the caller's. Prints one line: `OPERATION median=NS mean=NS min=NS`, per operation.
#![expect(unsafe_code, reason = "fork is what is measured, and has no safe form")]
#![expect(clippy::print_stdout, reason = "the figures go to the caller")]

use std::{
    fs::{self, File},
    hint::black_box,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use memmap2::{Advice, MmapMut};
use rustix::time::{ClockId, clock_gettime};

const PAGE: usize = 4096;

const USAGE: &str = "usage: truant-bench-load pages|forks|moves PARENT-CGROUP COUNT ROUNDS";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["inside", operation, cgroup, count, rounds] => {
            inside(operation, Path::new(cgroup), count, rounds)
        }
        [operation, parent, count, rounds] => outside(operation, Path::new(parent), count, rounds),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the cgroup and runs the load in a child, so that the cgroup is empty at the end and goes.
fn outside(operation: &str, parent: &Path, count: &str, rounds: &str) -> Result<()> {
    let cgroup = Cgroup::new(parent.join(format!("truant-bench-{}", std::process::id())))?;
    let me = std::env::current_exe()?;
    let arguments = ["inside", operation];
    let status = Command::new(me).args(arguments).arg(&cgroup.0).args([count, rounds]).status()?;
    if !status.success() {
        bail!("the load ended with {status}");
    }
    Ok(())
}

fn inside(operation: &str, cgroup: &Path, count: &str, rounds: &str) -> Result<()> {
    let (count, rounds) = (count.parse()?, rounds.parse()?);
    enter(&mut File::options().write(true).open(cgroup.join("cgroup.procs"))?)?;
    let figures = match operation {
        "pages" => measure(ClockId::Monotonic, count, rounds, || touch(count))?,
        "forks" => measure(ClockId::Monotonic, count, rounds, || fork(count))?,
        "moves" => {
            let homes = [Cgroup::new(cgroup.join("a"))?, Cgroup::new(cgroup.join("b"))?];
            let mut doors = [homes[0].door()?, homes[1].door()?];
            // The mover also waits for the kernel's other users of the same lock; only what it
            // runs counts.
            let figures =
                measure(ClockId::ProcessCPUTime, count, rounds, || shuttle(&mut doors, count));
            enter(&mut File::options().write(true).open(cgroup.join("cgroup.procs"))?)?;
            figures?
        }
        _ => bail!(USAGE),
    };
    println!("{operation} {figures}");
    Ok(())
}

/// Maps `count` pages of anonymous memory, touches each, and unmaps them.
fn touch(count: usize) -> Result<()> {
    let mut memory = MmapMut::map_anon(count * PAGE).context("cannot map memory")?;
    memory.advise(Advice::NoHugePage).context("cannot turn huge pages off")?;
    for page in memory.chunks_mut(PAGE) {
        page[0] = 1;
    }
    black_box(&memory);
    Ok(())
}

/// Makes `count` processes, one after the other, that do nothing.
fn fork(count: usize) -> Result<()> {
    for _ in 0..count {
        // SAFETY: this process has one thread, and its child calls nothing but `_exit`.
        match unsafe { libc::fork() } {
            -1 => return Err(std::io::Error::last_os_error()).context("cannot fork"),
            // SAFETY: `_exit` ends the child at once, and runs nothing of this program.
            0 => unsafe { libc::_exit(0) },
            _ => rustix::process::wait(rustix::process::WaitOptions::empty())
                .context("cannot wait for the child")?,
        };
    }
    Ok(())
}

/// Moves this process `count` times, to and fro.
fn shuttle(doors: &mut [File; 2], count: usize) -> Result<()> {
    for turn in 0..count {
        enter(&mut doors[turn % 2])?;
    }
    Ok(())
}

/// Moves this process by a cgroup's open `cgroup.procs`.
fn enter(door: &mut File) -> Result<()> {
    door.write_all(b"0").context("cannot move into the cgroup")
}

/// A cgroup that goes when it is dropped; it has to be empty by then.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    fn door(&self) -> Result<File> {
        Ok(File::options().write(true).open(self.0.join("cgroup.procs"))?)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What is left of it is empty, and visible to whoever looks.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Nanoseconds per operation over the rounds.
struct Figures {
    median: f64,
    mean: f64,
    min: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "median={:.1} mean={:.1} min={:.1}", self.median, self.mean, self.min)
    }
}

/// Times `rounds` rounds of `count` operations each, after one that is not counted.
#[expect(clippy::cast_precision_loss, reason = "figures of far less than 52 bits")]
fn measure(
    clock: ClockId,
    count: usize,
    rounds: usize,
    mut round: impl FnMut() -> Result<()>,
) -> Result<Figures> {
    round()?;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = now(clock);
        round()?;
        times.push((now(clock) - start) as f64 / count as f64);
    }
    times.sort_unstable_by(f64::total_cmp);
    let [min, .., _] = times.as_slice() else { bail!("{USAGE}, with two rounds or more") };
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    Ok(Figures { median: times[times.len() / 2], mean, min: *min })
}

fn now(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
