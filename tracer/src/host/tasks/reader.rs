//! One process's files: who it is, where it is, and what it watches over.
//!
//! Owns the order of reading, and buffers that are used again. All is read relative to the
//! process's one open directory, so that a number that is given to a new process meanwhile cannot
//! mix the two. Which processes are read is decided elsewhere.

use std::{fmt::Write, mem::swap, os::fd::OwnedFd};

use rustix::{io::Errno, param::clock_ticks_per_second};
use truant_core::{
    ids::{BootTime, HierarchyId, Task},
    input::Namespaces,
};

use crate::host::{
    fsutil::{entry_buffer, for_each_entry, is_gone, number32, open_dir, read_at, read_start_at},
    membership, monitors, namespaces,
    stat::{self, Stat},
};

/// How many bytes of a process's arguments are looked at. Anyone can have megabytes of them.
const ARGUMENTS: usize = 4096;

/// As many as most nodes have.
const HIERARCHIES: usize = 16;

/// A task's cgroup in each hierarchy.
pub(super) type Places = Vec<(HierarchyId, Box<[u8]>)>;

/// Why there is nothing to say of a task.
#[derive(Clone, Copy, Debug)]
pub(super) enum Missed {
    /// It is gone, or on its way out.
    Ended,
    /// Its files could not be read, or made no sense.
    Unread(Errno),
}

/// A file that was read, and has not the form it should have.
const NONSENSE: Missed = Missed::Unread(Errno::INVAL);

impl From<Errno> for Missed {
    fn from(errno: Errno) -> Self {
        if is_gone(errno) { Self::Ended } else { Self::Unread(errno) }
    }
}

/// A process that is there.
pub(super) struct Process {
    /// Its leader, which may be dead.
    pub(super) leader: Stat,
    /// The thread that speaks for a dead leader.
    deputy: Option<u32>,
}

impl Process {
    /// None of a thread of the kernel, which is in none of its own.
    pub(super) fn namespaces(&self, dir: &OwnedFd) -> Option<Namespaces> {
        if self.leader.kernel {
            return None;
        }
        match self.deputy {
            None => namespaces::of_process(dir),
            Some(tid) => namespaces::of_process(open_dir(dir, format!("task/{tid}")).ok()?),
        }
    }
}

/// Reads processes one after the other; what is kept of one is there until the next is read.
pub(super) struct Reader {
    tick_ns: u64,
    entries: Vec<u8>,
    name: String,
    cgroup: Vec<u8>,
    other: Vec<u8>,
    stat: Vec<u8>,
    tids: Vec<u32>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            tick_ns: 1_000_000_000 / clock_ticks_per_second().max(1),
            entries: entry_buffer(),
            name: String::new(),
            cgroup: Vec::with_capacity(4096),
            other: Vec::with_capacity(4096),
            stat: Vec::with_capacity(1024),
            tids: Vec::new(),
        }
    }

    /// The directories of a procfs that are processes.
    pub(super) fn list(&mut self, proc: &OwnedFd) -> Result<Vec<u32>, Errno> {
        let mut pids = Vec::with_capacity(4096);
        list_numbers(proc, &mut self.entries, &mut pids)?;
        Ok(pids)
    }

    /// Opens the directory of a process.
    pub(super) fn open(&mut self, proc: &OwnedFd, pid: u32) -> Result<OwnedFd, Missed> {
        self.name.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.name, "{pid}");
        Ok(open_dir(proc, &*self.name)?)
    }

    /// Reads a process, and keeps its cgroups.
    pub(super) fn process(&mut self, dir: &OwnedFd, pid: u32) -> Result<Process, Missed> {
        read_at(dir, "cgroup", &mut self.cgroup)?;
        let leader = self.stat(dir, "stat")?;
        let mut deputy = None;
        if leader.exiting {
            // A leader can be dead while its process lives on in other threads.
            self.threads(dir, &leader, pid)?;
            deputy = Some(self.living_thread(dir)?);
        }
        Ok(Process { leader, deputy })
    }

    /// The kept cgroups. An empty file, or a line that has not the form, is no place at all.
    pub(super) fn places(&self) -> Result<Places, Missed> {
        places(&self.cgroup)
    }

    /// The task's names and its start.
    pub(super) fn task(&self, stat: &Stat, tid: u32, tgid: u32) -> Task {
        let start = BootTime(stat.start_ticks.saturating_mul(self.tick_ns));
        Task { tid, tgid, start, comm: stat.comm }
    }

    /// The id of what the process watches over, by its name and its arguments.
    pub(super) fn monitors(&mut self, dir: &OwnedFd, process: &Process) -> Option<String> {
        let options = monitors::id_options(&process.leader.comm)?;
        read_start_at(dir, "cmdline", ARGUMENTS, &mut self.other).ok()?;
        monitors::parse(&self.other, options)
    }

    /// The threads of a process, without its leader.
    pub(super) fn threads(
        &mut self,
        dir: &OwnedFd,
        leader: &Stat,
        pid: u32,
    ) -> Result<&[u32], Errno> {
        self.tids.clear();
        if leader.threads > 1 {
            let task = open_dir(dir, "task")?;
            list_numbers(&task, &mut self.entries, &mut self.tids)?;
            self.tids.retain(|tid| *tid != pid);
        }
        Ok(&self.tids)
    }

    /// A thread and its places; none if they are the kept ones.
    pub(super) fn astray(
        &mut self,
        dir: &OwnedFd,
        tid: u32,
    ) -> Result<Option<(Stat, Places)>, Missed> {
        self.read_thread(dir, tid)?;
        if self.other == self.cgroup {
            return Ok(None);
        }
        let thread = self.stat(dir, &format!("task/{tid}/stat"))?;
        if thread.exiting {
            return Err(Missed::Ended);
        }
        Ok(Some((thread, places(&self.other)?)))
    }

    /// Finds the first thread that is not ending, and keeps its cgroups.
    fn living_thread(&mut self, dir: &OwnedFd) -> Result<u32, Missed> {
        for index in 0..self.tids.len() {
            let tid = self.tids[index];
            let path = format!("task/{tid}/stat");
            if self.read_thread(dir, tid).is_ok()
                && self.stat(dir, &path).is_ok_and(|thread| !thread.exiting)
            {
                swap(&mut self.cgroup, &mut self.other);
                return Ok(tid);
            }
        }
        Err(Missed::Ended)
    }

    fn read_thread(&mut self, dir: &OwnedFd, tid: u32) -> Result<(), Errno> {
        self.name.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.name, "task/{tid}/cgroup");
        read_at(dir, &*self.name, &mut self.other)
    }

    /// To be called after the cgroups were read: a task that is not ending now was not then.
    fn stat(&mut self, dir: &OwnedFd, path: &str) -> Result<Stat, Missed> {
        read_at(dir, path, &mut self.stat)?;
        stat::parse(&self.stat).ok_or(NONSENSE)
    }
}

fn places(cgroup: &[u8]) -> Result<Places, Missed> {
    let mut places = Vec::with_capacity(HIERARCHIES);
    for line in membership::parse(cgroup) {
        let line = line.ok_or(NONSENSE)?;
        places.push((line.hierarchy, line.path.into()));
    }
    if places.is_empty() { Err(NONSENSE) } else { Ok(places) }
}

fn list_numbers(dir: &OwnedFd, buffer: &mut Vec<u8>, list: &mut Vec<u32>) -> Result<(), Errno> {
    for_each_entry(dir, buffer, |entry| list.extend(number32(entry.file_name().to_bytes())))
}
