//! The load that costs are measured on: one operation, in rounds, timed by the process itself.
//!
//! Owns the operations and the figures of their rounds; who traces meanwhile, and what is compared
//! with what, is the caller's. Prints one line, `OPERATION own=NS least=NS node=NS tracer=NS`, each
//! per operation: CPU time of this process and its children, the mean of the middle half of the
//! rounds, and the least; what a node with one CPU ran in all; and what of that the tracer's own
//! process was.
#![expect(unsafe_code, reason = "fork is what is measured, and has no safe form")]
#![expect(clippy::print_stdout, reason = "the figures go to the caller")]

use std::{
    fs::{self, File},
    hint::black_box,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use memmap2::{Advice, MmapMut};
use rustix::time::{ClockId, clock_gettime};

const PAGE: usize = 4096;

/// Before a round of forks or moves: until the kernel has done what it put off, such as freeing the
/// stacks of ended processes, so that all rounds begin alike.
const PAUSE: Duration = Duration::from_millis(20);

/// Until a tracer that looks every now and then has taken what there is.
const SETTLE: Duration = Duration::from_millis(100);

const USAGE: &str =
    "usage: truant-bench-load pages|forks|moves PARENT-CGROUP COUNT ROUNDS [TRACER-PID]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["inside", cgroup, operation, count, rounds, rest @ ..] => {
            inside(operation, Path::new(cgroup), count, rounds, rest.first().copied())
        }
        [operation, parent, rest @ ..] if rest.len() >= 2 => {
            outside(operation, Path::new(parent), rest)
        }
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

/// Makes the cgroups and runs the load in a child, so that they are empty at the end and go.
fn outside(operation: &str, parent: &Path, rest: &[&str]) -> Result<()> {
    let top = Cgroup::new(parent.join(format!("truant-bench-{}", std::process::id())))?;
    // A pod's cgroups have controllers. Where v1 is mounted, they have them as they are.
    let controllers = fs::read_to_string(top.0.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        fs::write(top.0.join("cgroup.subtree_control"), format!("+{controller}"))
            .with_context(|| format!("cannot turn {controller} on"))?;
    }
    let homes = [Cgroup::new(top.0.join("a"))?, Cgroup::new(top.0.join("b"))?];
    let me = std::env::current_exe()?;
    let status = Command::new(me).arg("inside").arg(&top.0).arg(operation).args(rest).status()?;
    drop(homes);
    if !status.success() {
        bail!("the load ended with {status}");
    }
    Ok(())
}

fn inside(
    operation: &str,
    top: &Path,
    count: &str,
    rounds: &str,
    tracer: Option<&str>,
) -> Result<()> {
    let (count, rounds) = (count.parse()?, rounds.parse()?);
    finish_what_you_began()?;
    let mut doors = [door(&top.join("a"))?, door(&top.join("b"))?];
    enter(&mut doors[1])?;
    let figures = match operation {
        "pages" => measure(count, rounds, Duration::ZERO, tracer, || touch(count))?,
        "forks" => measure(count, rounds, PAUSE, tracer, || fork(count))?,
        "moves" => {
            let mut turn = 0;
            measure(count, rounds, PAUSE, tracer, || shuttle(&mut doors, &mut turn, count))?
        }
        _ => bail!(USAGE),
    };
    println!("{operation} {figures}");
    Ok(())
}

/// Makes this process, and the children it will have, one that does not preempt. Else a child runs
/// at once, or when its parent waits for it, as the scheduler's accounts stand, and who runs first
/// copies the pages.
fn finish_what_you_began() -> Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to parameters of this function's own.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) } != 0 {
        return Err(std::io::Error::last_os_error()).context("cannot be a batch process");
    }
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

/// Moves this process `count` times, to and fro. `turn` counts on, so that no move stays in place.
fn shuttle(doors: &mut [File; 2], turn: &mut usize, count: usize) -> Result<()> {
    for _ in 0..count {
        enter(&mut doors[*turn % 2])?;
        *turn += 1;
    }
    Ok(())
}

/// A cgroup's `cgroup.procs`, open.
fn door(cgroup: &Path) -> Result<File> {
    let path = cgroup.join("cgroup.procs");
    let open = File::options().write(true).open(&path);
    open.with_context(|| format!("cannot open {}", path.display()))
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
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What is left of it is empty, and visible to whoever looks.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Nanoseconds per operation.
struct Figures {
    own: f64,
    least: f64,
    node: f64,
    tracer: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { own, least, node, tracer } = self;
        write!(f, "own={own:.1} least={least:.1} node={node:.1} tracer={tracer:.1}")
    }
}

/// Runs `rounds` rounds of `count` operations each twice: with pauses, for what each takes of this
/// process's CPU time; and without, for what the node runs.
#[expect(clippy::cast_precision_loss, reason = "figures of far less than 52 bits")]
fn measure(
    count: usize,
    rounds: usize,
    pause: Duration,
    tracer: Option<&str>,
    mut round: impl FnMut() -> Result<()>,
) -> Result<Figures> {
    round()?;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        sleep(pause);
        let start = own()?;
        round()?;
        times.push(own()? - start);
    }
    sleep(SETTLE);
    let start = (node()?, ran(tracer)?);
    (0..rounds).try_for_each(|_| round())?;
    sleep(SETTLE);
    let (node, tracer) = (node()? - start.0, ran(tracer)? - start.1);
    let all = (count * rounds) as f64;
    Ok(Figures {
        own: middle(&mut times).with_context(|| USAGE)? / count as f64,
        least: times[0] as f64 / count as f64,
        node: node as f64 / all,
        tracer: tracer as f64 / all,
    })
}

/// The mean of the middle half: what another's interrupt makes long is out, and rounds that differ
/// by how full the allocator's lists are count alike.
#[expect(clippy::cast_precision_loss, reason = "figures of far less than 52 bits")]
fn middle(times: &mut [i64]) -> Option<f64> {
    times.sort_unstable();
    let half = &times[times.len() / 4..times.len() - times.len() / 4];
    (!half.is_empty()).then(|| half.iter().sum::<i64>() as f64 / half.len() as f64)
}

/// CPU time of this process and of its children that have ended, in nanoseconds.
fn own() -> Result<i64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a `rusage` of this function's own.
    if unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) } != 0 {
        return Err(std::io::Error::last_os_error()).context("cannot ask for the CPU time");
    }
    // SAFETY: all zeroes is a `rusage`, and the call has filled it.
    let usage = unsafe { usage.assume_init() };
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    Ok(now(ClockId::ProcessCPUTime) + (micros(usage.ru_utime) + micros(usage.ru_stime)) * 1000)
}

/// What all tasks of the node's first CPU have run so far, in nanoseconds: processes and kernel
/// threads, with the interrupts that hit them. Zero where the kernel does not say.
fn node() -> Result<i64> {
    let Ok(text) = fs::read_to_string("/proc/schedstat") else { return Ok(0) };
    run_time(&text).context("no run time in /proc/schedstat")
}

/// The seventh figure of the first CPU's line.
fn run_time(schedstat: &str) -> Option<i64> {
    let line = schedstat.lines().find_map(|line| line.strip_prefix("cpu0 "))?;
    line.split_whitespace().nth(6)?.parse().ok()
}

/// CPU time of another process's first thread, in nanoseconds.
fn ran(tracer: Option<&str>) -> Result<i64> {
    let Some(pid) = tracer else { return Ok(0) };
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).context("no such tracer")?;
    text.split_whitespace().next().and_then(|word| word.parse().ok()).context("no CPU time")
}

fn now(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
