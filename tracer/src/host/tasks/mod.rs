//! All tasks there are, with their place in every hierarchy, and one of them read again.
//!
//! Owns the scan of `/proc`. It is one pass while tasks come and go, so events must be traced
//! before it.

use std::os::fd::OwnedFd;

use rustix::{fs::CWD, io::Errno};
use truant_core::input::Input;

use self::reader::{Missed, Reader};
use super::{Host, ReadError, fsutil::open_dir, pair};

mod reader;

/// Processes that a thread reads in a row: their order is kept over those of other threads.
const IN_A_ROW: usize = 128;

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
        let pids = Reader::new().list(&proc).map_err(failed)?;
        let rows: Vec<_> = pids.chunks(IN_A_ROW).collect();
        let read = |pids: &&[u32], emit: &mut dyn FnMut(Input)| scan(&proc, pids, emit);
        let scans = pair::in_order(&rows, read, emit);
        Ok(scans.into_iter().fold(TaskScan::default(), |sum, scan| TaskScan {
            processes: sum.processes + scan.processes,
            threads: sum.threads + scan.threads,
            ended: sum.ended + scan.ended,
            unread: sum.unread + scan.unread,
        }))
    }

    /// Reads the places of one process again, as [`Self::scan_tasks`] does, to an
    /// [`Input::Placed`]; none where it is gone, or on its way out. That its start is another than
    /// before says that it is another process.
    pub(crate) fn task(&self, pid: u32) -> Result<Option<Input>, ReadError> {
        let proc = open_dir(CWD, &self.proc).map_err(|errno| ReadError::io(&self.proc, errno))?;
        match placed(&proc, pid) {
            Ok(input) => Ok(Some(input)),
            Err(Missed::Ended) => Ok(None),
            Err(Missed::Unread(errno)) => {
                Err(ReadError::io(&self.proc.join(pid.to_string()), errno))
            }
        }
    }
}

fn scan(proc: &OwnedFd, pids: &[u32], emit: &mut dyn FnMut(Input)) -> TaskScan {
    let mut scan = Scan { emit, done: TaskScan::default(), reader: Reader::new() };
    for pid in pids {
        let result = scan.reader.open(proc, *pid);
        if let Err(missed) = result.and_then(|dir| scan.process(&dir, *pid)) {
            scan.count(missed);
        }
    }
    scan.done
}

fn placed(proc: &OwnedFd, pid: u32) -> Result<Input, Missed> {
    let mut reader = Reader::new();
    let dir = reader.open(proc, pid)?;
    let process = reader.process(&dir, pid)?;
    let task = reader.task(&process.leader, pid, pid);
    Ok(Input::Placed { task, places: reader.places()? })
}

struct Scan<'a> {
    emit: &'a mut dyn FnMut(Input),
    done: TaskScan,
    reader: Reader,
}

impl Scan<'_> {
    fn process(&mut self, dir: &OwnedFd, pid: u32) -> Result<(), Missed> {
        let process = self.reader.process(dir, pid)?;
        let leader = &process.leader;
        (self.emit)(Input::TaskSeen {
            task: self.reader.task(leader, pid, pid),
            ppid: leader.ppid,
            places: self.reader.places()?,
            namespaces: process.namespaces(dir),
            monitors: self.reader.monitors(dir, &process),
        });
        self.done.processes += 1;
        if leader.threads > 1 {
            for tid in self.reader.threads(dir, leader, pid)?.to_vec() {
                if let Err(missed) = self.thread(dir, tid, pid) {
                    self.count(missed);
                }
            }
        }
        Ok(())
    }

    /// Says something of a thread only if it is elsewhere than its leader.
    fn thread(&mut self, dir: &OwnedFd, tid: u32, tgid: u32) -> Result<(), Missed> {
        if let Some((thread, places)) = self.reader.astray(dir, tid)? {
            let (task, ppid) = (self.reader.task(&thread, tid, tgid), thread.ppid);
            (self.emit)(Input::TaskSeen { task, ppid, places, namespaces: None, monitors: None });
            self.done.threads += 1;
        }
        Ok(())
    }

    fn count(&mut self, missed: Missed) {
        match missed {
            Missed::Ended => self.done.ended += 1,
            Missed::Unread(_) => self.done.unread += 1,
        }
    }
}

#[cfg(test)]
mod tests;
