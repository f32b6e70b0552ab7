//! All tasks there are, with their place in every hierarchy.
//!
//! Owns the scan of `/proc`. It is one pass while tasks come and go, so events must be traced
//! before it. Of a process all that is read is relative to its one open directory, so that a
//! number that is given to a new process meanwhile cannot mix the two.

use std::{fmt::Write, mem::swap, os::fd::OwnedFd};

use rustix::{fs::CWD, io::Errno, param::clock_ticks_per_second};
use truant_core::{
    ids::{BootTime, HierarchyId, Task},
    input::Input,
};

use super::{
    Host, ReadError,
    fsutil::{entry_buffer, for_each_entry, is_gone, number32, open_dir, read_at},
    membership,
    stat::{self, Stat},
};

/// What a scan came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct TaskScan {
    /// Processes found.
    pub(crate) processes: usize,
    /// Threads found outside their leader's cgroups.
    pub(crate) threads: usize,
    /// Tasks that ended during the scan, or were ending: dead ones that wait for their parent too.
    pub(crate) ended: usize,
    /// Tasks whose files could not be read for another reason, or made no sense.
    pub(crate) unread: usize,
}

impl Host {
    /// Calls `emit` with an [`Input::TaskSeen`] for every process, and for every thread that is
    /// in another cgroup than its leader. The places are in the view of this process's cgroup
    /// namespace. Start times are rounded down to a clock tick.
    pub(crate) fn scan_tasks(&self, emit: &mut dyn FnMut(Input)) -> Result<TaskScan, ReadError> {
        let failed = |errno: Errno| ReadError::io(&self.proc, errno);
        let proc = open_dir(CWD, &self.proc).map_err(failed)?;
        let mut scan = Scan::new(emit);
        let mut pids = Vec::with_capacity(4096);
        list_numbers(&proc, &mut scan.entries, &mut pids).map_err(failed)?;
        for pid in pids {
            let result = open_number(&proc, pid, &mut scan.name);
            if let Err(missed) = result.and_then(|dir| scan.process(&dir, pid)) {
                scan.count(missed);
            }
        }
        Ok(scan.done)
    }
}

/// A cgroup's path.
type Path = Box<[u8]>;

/// Why there is nothing to say of a task.
#[derive(Clone, Copy, Debug)]
enum Missed {
    Ended,
    Unread,
}

impl From<Errno> for Missed {
    fn from(errno: Errno) -> Self {
        if is_gone(errno) { Self::Ended } else { Self::Unread }
    }
}

struct Scan<'a> {
    tick_ns: u64,
    emit: &'a mut dyn FnMut(Input),
    done: TaskScan,
    entries: Vec<u8>,
    name: String,
    cgroup: Vec<u8>,
    other: Vec<u8>,
    stat: Vec<u8>,
    tids: Vec<u32>,
}

impl<'a> Scan<'a> {
    fn new(emit: &'a mut dyn FnMut(Input)) -> Self {
        Self {
            tick_ns: 1_000_000_000 / clock_ticks_per_second().max(1),
            emit,
            done: TaskScan::default(),
            entries: entry_buffer(),
            name: String::new(),
            cgroup: Vec::with_capacity(4096),
            other: Vec::with_capacity(4096),
            stat: Vec::with_capacity(1024),
            tids: Vec::new(),
        }
    }

    fn process(&mut self, dir: &OwnedFd, pid: u32) -> Result<(), Missed> {
        read_at(dir, "cgroup", &mut self.cgroup)?;
        let leader = self.stat(dir, "stat")?;
        if leader.exiting {
            // A leader can be dead while its process lives on in other threads.
            self.list_threads(dir, &leader, pid)?;
            self.places_of_a_living_thread(dir)?;
        }
        self.emit(&leader, pid, false)?;
        self.done.processes += 1;
        if leader.threads > 1 {
            self.list_threads(dir, &leader, pid)?;
            for index in 0..self.tids.len() {
                if let Err(missed) = self.thread(dir, self.tids[index], pid) {
                    self.count(missed);
                }
            }
        }
        Ok(())
    }

    /// Says something of a thread only if its cgroups are not those in `self.cgroup`.
    fn thread(&mut self, dir: &OwnedFd, tid: u32, tgid: u32) -> Result<(), Missed> {
        self.read_thread(dir, tid, "cgroup")?;
        if self.other == self.cgroup {
            return Ok(());
        }
        let path = format!("task/{tid}/stat");
        let thread = self.stat(dir, &path)?;
        if thread.exiting {
            return Err(Missed::Ended);
        }
        swap(&mut self.cgroup, &mut self.other);
        let emitted = self.emit(&thread, tgid, true);
        swap(&mut self.cgroup, &mut self.other);
        self.done.threads += usize::from(emitted.is_ok());
        emitted
    }

    /// Puts the cgroups of the first thread that is not ending into `self.cgroup`.
    fn places_of_a_living_thread(&mut self, dir: &OwnedFd) -> Result<(), Missed> {
        for index in 0..self.tids.len() {
            let tid = self.tids[index];
            let path = format!("task/{tid}/stat");
            if self.read_thread(dir, tid, "cgroup").is_ok()
                && self.stat(dir, &path).is_ok_and(|thread| !thread.exiting)
            {
                swap(&mut self.cgroup, &mut self.other);
                return Ok(());
            }
        }
        Err(Missed::Ended)
    }

    fn read_thread(&mut self, dir: &OwnedFd, tid: u32, file: &str) -> Result<(), Errno> {
        self.name.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.name, "task/{tid}/{file}");
        read_at(dir, &self.name, &mut self.other)
    }

    /// To be called after the cgroups were read: a task that is not ending now was not then.
    fn stat(&mut self, dir: &OwnedFd, path: &str) -> Result<Stat, Missed> {
        read_at(dir, path, &mut self.stat)?;
        stat::parse(&self.stat).ok_or(Missed::Unread)
    }

    fn list_threads(&mut self, dir: &OwnedFd, leader: &Stat, pid: u32) -> Result<(), Errno> {
        self.tids.clear();
        if leader.threads > 1 {
            let task = open_dir(dir, "task")?;
            list_numbers(&task, &mut self.entries, &mut self.tids)?;
            self.tids.retain(|tid| *tid != pid);
        }
        Ok(())
    }

    /// Emits a task with the places in `self.cgroup`.
    fn emit(&mut self, stat: &Stat, tgid: u32, is_thread: bool) -> Result<(), Missed> {
        let places = places(&self.cgroup)?;
        let start = BootTime(stat.start_ticks.saturating_mul(self.tick_ns));
        let tid = if is_thread { stat.pid } else { tgid };
        let task = Task { tid, tgid, start, comm: stat.comm };
        (self.emit)(Input::TaskSeen {
            task,
            ppid: stat.ppid,
            places,
            namespaces: None,
            monitors: None,
        });
        Ok(())
    }

    fn count(&mut self, missed: Missed) {
        match missed {
            Missed::Ended => self.done.ended += 1,
            Missed::Unread => self.done.unread += 1,
        }
    }
}

/// An empty file, or a line that has not the form, leaves a task unread as a whole.
fn places(cgroup: &[u8]) -> Result<Vec<(HierarchyId, Path)>, Missed> {
    let places: Option<Vec<_>> = membership::parse(cgroup)
        .map(|line| line.map(|line| (line.hierarchy, line.path.into())))
        .collect();
    places.filter(|places| !places.is_empty()).ok_or(Missed::Unread)
}

fn list_numbers(dir: &OwnedFd, buffer: &mut Vec<u8>, list: &mut Vec<u32>) -> Result<(), Errno> {
    for_each_entry(dir, buffer, |entry| list.extend(number32(entry.file_name().to_bytes())))
}

fn open_number(proc: &OwnedFd, pid: u32, name: &mut String) -> Result<OwnedFd, Missed> {
    name.clear();
    // Writing to a string cannot fail.
    let _ = write!(name, "{pid}");
    Ok(open_dir(proc, &**name)?)
}

#[cfg(test)]
mod tests;
