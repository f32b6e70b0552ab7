//! Processes that do as a test tells them: the test binary itself, reading lines from its input.
//!
//! Owns the test's end of the conversation; what the process does is the other end's. Every line
//! is answered, with `ok …` or `error …`.

mod obey;

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::workload::{Job, Place};

pub(crate) use self::obey::obey;

/// Tells the binary that it is such a process.
const IS_CHILD: &str = "TRUANT_TEST_CHILD";

/// A process that does as told, and is killed in the end.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Child {
    /// Starts one. It has one thread and waits.
    pub fn start() -> Self {
        let exe = std::env::current_exe().expect("the binary has a path");
        let mut process = Command::new(exe)
            .env(IS_CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary can start itself");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut child = Self { process, answers };
        child.ask("hello");
        child
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its name, as the kernel has it.
    pub fn comm(&self) -> String {
        comm_of(&self.pid().to_string())
    }

    /// Starts more threads, which wait; their ids.
    pub fn threads(&mut self, count: usize) -> Vec<u32> {
        let answer = self.ask(&format!("threads {count}"));
        answer.split_whitespace().map(|tid| tid.parse().expect("a number")).collect()
    }

    /// Touches this many bytes of fresh anonymous memory, and keeps them.
    pub fn touch(&mut self, bytes: usize) {
        self.ask(&format!("touch {bytes}"));
    }

    /// Writes a file of this many bytes, which stays in the page cache.
    pub fn write(&mut self, file: &Path, bytes: usize) {
        self.ask(&format!("write {bytes} {}", file.display()));
    }

    /// Takes another name.
    pub fn rename(&mut self, name: &[u8]) {
        let name: Vec<String> = name.iter().map(u8::to_string).collect();
        self.ask(&format!("name {}", name.join(" ")));
    }

    /// Becomes the program at `path`, which is another name of the test binary.
    pub fn exec(&mut self, path: &Path) {
        self.tell(&format!("exec {}", path.display()));
        self.answer();
        self.ask("hello");
    }

    /// Forks a process that touches this many bytes and waits; its id. It is born in the cgroup
    /// with this directory, if one is given.
    pub fn fork(&mut self, into: Option<&Path>, bytes: usize) -> u32 {
        self.forked("wait", into, bytes)
    }

    /// As [`Child::fork`], but the new process ends at once, and is gone when this returns.
    pub fn fork_and_wait(&mut self, into: Option<&Path>, bytes: usize) -> u32 {
        self.forked("end", into, bytes)
    }

    /// Joins a cgroup and works there; holds what it has then. See [`crate::workload`].
    ///
    /// # Errors
    /// If the process fails, or is killed at it.
    pub fn work(&mut self, job: Job, seed: u64, place: &Place) -> io::Result<()> {
        self.start_work(job, seed, place);
        self.end_work()
    }

    /// As [`Child::work`], but does not wait: [`Child::end_work`] does.
    pub fn start_work(&mut self, job: Job, seed: u64, place: &Place) {
        self.tell(&format!("work {}", job.to_line(seed, place)));
    }

    /// Waits until the work is done.
    ///
    /// # Errors
    /// If the process fails, or is killed at it.
    pub fn end_work(&mut self) -> io::Result<()> {
        self.try_answer().map(drop)
    }

    /// Ends of its own will.
    pub fn quit(mut self) {
        self.tell("quit");
        let _ = self.process.wait();
    }

    /// Sends a line, and does not wait for its answer.
    pub fn tell(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().expect("a pipe");
        writeln!(input, "{line}").expect("the process reads");
    }

    /// Waits until the process is gone, which it is if it was killed; whether it is.
    pub fn is_gone(&mut self) -> bool {
        for _ in 0..1000 {
            if self.process.try_wait().expect("it can be waited for").is_some() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Sends a line; what the answer says after `ok`.
    fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.answer()
    }

    fn answer(&mut self) -> String {
        self.try_answer().expect("the process does as told")
    }

    fn try_answer(&mut self) -> io::Result<String> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        match answer.trim_end().strip_prefix("ok") {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => Err(io::Error::other(format!("the process answered {answer:?}"))),
        }
    }

    fn forked(&mut self, then: &str, into: Option<&Path>, bytes: usize) -> u32 {
        let into = into.map_or(String::new(), |dir| dir.display().to_string());
        let pid = self.ask(&format!("fork {then} {bytes} {into}"));
        pid.parse().expect("a number")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The name of the thread that asks: what findings call the mover.
pub fn own_comm() -> String {
    comm_of("thread-self")
}

fn comm_of(process: &str) -> String {
    let comm = fs::read(format!("/proc/{process}/comm")).expect("the process is there");
    String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned()
}

/// Whether this process was started to do as told.
pub(crate) fn is_one() -> bool {
    std::env::var_os(IS_CHILD).is_some()
}
