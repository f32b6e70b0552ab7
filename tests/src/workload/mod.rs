//! Load on memory cgroups, drawn from a seed. Owns what is done and held; not who does it, nor what
//! is expected of it.

mod churn;
mod holdings;
mod raw;
mod steps;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use fastrand::Rng;

pub(crate) use holdings::anonymous;

use holdings::Holdings;

pub(crate) use holdings::Held;

/// What a process does.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// So many steps of all kinds: anonymous memory, files, kernel memory, forks, threads.
    Mixed(u64),
    /// So many cgroups made, used and removed one after the other, beside the process's own.
    Churn(u64),
    /// So many processes that live for a few pages, one after the other.
    Swarm(u64),
    /// So many anonymous pages, touched and kept.
    Hold(u64),
    /// A file of so many pages on a tmpfs.
    File(u64),
}

impl Job {
    /// As [`work`] reads it.
    pub(crate) fn to_line(self, seed: u64, place: &Place) -> String {
        let (name, count) = match self {
            Self::Mixed(count) => ("mixed", count),
            Self::Churn(count) => ("churn", count),
            Self::Swarm(count) => ("swarm", count),
            Self::Hold(count) => ("hold", count),
            Self::File(count) => ("file", count),
        };
        let Place { cgroup, tmpfs, ramfs } = place;
        let folders = [cgroup, tmpfs, ramfs].map(|folder| folder.display().to_string());
        format!("{name} {count} {seed} {}", folders.join(" "))
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

/// Where a process works. No path has a space.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory of its cgroup. [`Job::Churn`] makes its cgroups in `churn` beside it.
    pub cgroup: PathBuf,
    /// A folder on a tmpfs.
    pub tmpfs: PathBuf,
    /// A folder on a ramfs, whose pages are page cache and not shared memory.
    pub ramfs: PathBuf,
}

/// Does what a line says, in this process, which has one thread; what it holds then.
///
/// # Errors
/// What the kernel answers.
pub(crate) fn work(line: &str) -> io::Result<Vec<Held>> {
    let words: Vec<_> = line.split(' ').collect();
    let [job, count, seed, cgroup, tmpfs, ramfs] = words[..] else {
        return Err(io::Error::other("no such work"));
    };
    let plan = Job::parse(job, count).zip(seed.parse().ok());
    let (job, seed) = plan.ok_or_else(|| io::Error::other("no such job"))?;
    let place = Place { cgroup: cgroup.into(), tmpfs: tmpfs.into(), ramfs: ramfs.into() };
    join(&place.cgroup)?;
    let mut rng = Rng::with_seed(seed);
    let mut holdings = Holdings::new(&place);
    match job {
        Job::Mixed(steps) => steps::run(steps, &mut rng, &mut holdings)?,
        Job::Churn(cgroups) => churn::run(cgroups, &mut rng, &place, &mut holdings)?,
        Job::Swarm(processes) => steps::swarm(processes)?,
        Job::Hold(pages) => holdings.touch(pages)?,
        Job::File(pages) => holdings.write_on_tmpfs(pages)?,
    }
    Ok(holdings.held)
}

/// Moves this process into a cgroup.
fn join(cgroup: &Path) -> io::Result<()> {
    fs::write(cgroup.join("cgroup.procs"), "0")
}
