//! Processes that do as a test tells them: the test binary itself, reading lines from its input.
//!
//! Owns both ends of the conversation. Every line is answered, with `ok …` or `error …`.

use std::{
    ffi::CString,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _, stdin, stdout},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::clone;

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
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the process writes");
        match answer.trim_end().strip_prefix("ok") {
            Some(rest) => rest.trim_start().to_owned(),
            None => panic!("the process answered {answer:?}"),
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

/// Does as told until the input ends.
pub(crate) fn obey() -> ExitCode {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let mut kept = Vec::new();
    // Unbuffered, so that nothing is lost when another program takes over.
    while let Some(line) = read_line() {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        if verb == "quit" {
            break;
        }
        let answer = match act(verb, rest, &mut kept) {
            Ok(answer) => format!("ok {answer}\n"),
            Err(error) => format!("error {error}\n"),
        };
        if stdout().write_all(answer.as_bytes()).and_then(|()| stdout().flush()).is_err() {
            break;
        }
        if verb == "exec" {
            let _ = Command::new(rest).exec();
        }
    }
    ExitCode::SUCCESS
}

fn read_line() -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while rustix::io::read(stdin(), &mut byte).ok()? == 1 {
        if byte == *b"\n" {
            return String::from_utf8(line).ok();
        }
        line.push(byte[0]);
    }
    None
}

fn act(verb: &str, rest: &str, kept: &mut Vec<Vec<u8>>) -> std::io::Result<String> {
    let number = |text: &str| text.parse().unwrap_or_default();
    match verb {
        "threads" => return Ok(start_threads(number(rest))),
        "touch" => kept.push(touched(number(rest))),
        "write" => {
            let (bytes, file) = rest.split_once(' ').unwrap_or_default();
            fs::write(file, vec![1; number(bytes)])?;
        }
        "name" => {
            let name: Vec<u8> = rest.split(' ').filter_map(|byte| byte.parse().ok()).collect();
            rustix::thread::set_name(&CString::new(name)?)?;
        }
        "fork" => return start_process(rest),
        _ => {}
    }
    Ok(String::new())
}

/// Memory that is really there, page by page.
fn touched(bytes: usize) -> Vec<u8> {
    let mut memory = vec![0; bytes];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(memory)
}

fn start_threads(count: usize) -> String {
    let (tell, told) = mpsc::channel();
    for _ in 0..count {
        let tell = tell.clone();
        thread::spawn(move || {
            let _ = tell.send(rustix::thread::gettid().as_raw_nonzero().to_string());
            drop(tell);
            wait();
        });
    }
    drop(tell);
    told.iter().collect::<Vec<_>>().join(" ")
}

fn start_process(rest: &str) -> std::io::Result<String> {
    let mut words = rest.splitn(3, ' ');
    let then = words.next().unwrap_or_default();
    let bytes = words.next().and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
    let into = words.next().filter(|dir| !dir.is_empty());
    let into = into.map(File::open).transpose()?;
    let pid = clone::fork(into.as_ref(), || {
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        let _memory = touched(bytes);
        if then == "wait" {
            wait();
        }
    })?;
    if then == "end" {
        let raw = rustix::process::Pid::from_raw(pid.cast_signed());
        rustix::process::waitpid(raw, rustix::process::WaitOptions::empty())?;
    }
    Ok(pid.to_string())
}

fn wait() {
    loop {
        thread::sleep(Duration::from_hours(1));
    }
}
