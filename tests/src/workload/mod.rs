//! Load on memory cgroups, drawn from a seed, made by processes of their own. Owns the workers and
//! what they do; not what is expected of it.
//!
//! A worker is the test's own executable, started again with [`FLAG`]: it joins a cgroup, works,
//! says that it is done, and sleeps with what it holds until it is let go.

mod churn;
mod holdings;
mod mounts;
mod raw;
mod steps;

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, ExitStatus, Stdio},
};

use fastrand::Rng;

use holdings::Holdings;

pub use mounts::Mount;

/// The first argument of a worker.
const FLAG: &str = "--truant-worker";

/// What a worker says when it has worked.
const DONE: &str = "done";

/// What a worker does.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// So many steps of all kinds: anonymous memory, files, kernel memory, forks, threads.
    Mixed(u64),
    /// So many cgroups made, used and removed one after the other, beside the worker's own.
    Churn(u64),
    /// So many processes that live for a few pages, one after the other.
    Swarm(u64),
    /// So many anonymous pages, touched and kept.
    Hold(u64),
    /// A file of so many pages on a tmpfs.
    File(u64),
}

impl Job {
    fn to_arguments(self) -> [String; 2] {
        let (name, count) = match self {
            Self::Mixed(count) => ("mixed", count),
            Self::Churn(count) => ("churn", count),
            Self::Swarm(count) => ("swarm", count),
            Self::Hold(count) => ("hold", count),
            Self::File(count) => ("file", count),
        };
        [name.to_owned(), count.to_string()]
    }

    fn parse(name: &str, count: &str) -> Option<Self> {
        let count = count.parse().ok()?;
        Some(match name {
            "mixed" => Self::Mixed(count),
            "churn" => Self::Churn(count),
            "swarm" => Self::Swarm(count),
            "hold" => Self::Hold(count),
            "file" => Self::File(count),
            _ => return None,
        })
    }
}

/// Where a worker works.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory of its cgroup. [`Job::Churn`] makes its cgroups in `churn` beside it.
    pub cgroup: PathBuf,
    /// A folder on a tmpfs.
    pub tmpfs: PathBuf,
    /// A folder on a ramfs, whose pages are page cache and not shared memory.
    pub ramfs: PathBuf,
}

/// A process that works; it is killed when it is dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a worker on `job`. The caller's `main` must call [`main`] first.
    ///
    /// # Errors
    /// If no process can be started.
    pub fn start(job: Job, seed: u64, place: &Place) -> io::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg(FLAG)
            .args(job.to_arguments())
            .arg(seed.to_string())
            .args([&place.cgroup, &place.tmpfs, &place.ramfs])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the work is done; the worker sleeps from then on.
    ///
    /// # Errors
    /// If the worker ended before, with how.
    pub fn wait_until_done(&mut self) -> io::Result<()> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        if line.trim_end() == DONE {
            return Ok(());
        }
        let status = self.child.wait()?;
        Err(io::Error::other(format!("a worker ended early: {status}")))
    }

    /// Lets the worker go with all that it holds, and waits for its end.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn end(mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.child.wait()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail for a process that has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moves a process, or the caller for 0, into a cgroup.
///
/// # Errors
/// What the kernel answers.
pub fn join(cgroup: &Path, pid: u32) -> io::Result<()> {
    fs::write(cgroup.join("cgroup.procs"), pid.to_string())
}

/// Is the worker if this process was started as one, and gives its exit status; none otherwise.
pub fn main() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, job, count, seed, cgroup, tmpfs, ramfs] = arguments.as_slice() else { return None };
    if flag != FLAG {
        return None;
    }
    let place = Place { cgroup: cgroup.into(), tmpfs: tmpfs.into(), ramfs: ramfs.into() };
    let plan = Job::parse(job, count).zip(seed.parse().ok());
    let worked = plan.ok_or_else(|| io::Error::other("no such job")).and_then(|(job, seed)| {
        join(&place.cgroup, 0)?;
        work(job, Rng::with_seed(seed), &place)
    });
    Some(match worked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{job} {count}: {error}"));
            ExitCode::FAILURE
        }
    })
}

fn work(job: Job, mut rng: Rng, place: &Place) -> io::Result<()> {
    let mut holdings = Holdings::new(place);
    match job {
        Job::Mixed(steps) => steps::run(steps, &mut rng, &mut holdings)?,
        Job::Churn(cgroups) => churn::run(cgroups, &mut rng, place, &mut holdings)?,
        Job::Swarm(processes) => steps::swarm(processes)?,
        Job::Hold(pages) => holdings.touch(pages)?,
        Job::File(pages) => holdings.write_on_tmpfs(pages)?,
    }
    say(DONE)?;
    // Returns when the other end is closed.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    use io::Write as _;
    let mut stdout = io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn complain(line: &str) {
    use io::Write as _;
    // A worker whose stderr is closed still says by its status that it failed.
    let _ = writeln!(io::stderr(), "worker: {line}");
}
