//! A run of truant: started, ready, and ended in good order.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::lines::Lines;

/// A slow guest parses its kernel's types for seconds.
const LONGEST_START: Duration = Duration::from_mins(2);

/// What truant logs once everything is attached and the node is scanned.
const READY: &str = "watching";

/// truant, with no argument yet: `$TRUANT`, or else the one on `PATH`.
pub fn truant() -> Command {
    Command::new(std::env::var_os("TRUANT").unwrap_or_else(|| "truant".into()))
}

/// The way of hooking that the whole run of tests is about.
pub fn hooks() -> String {
    std::env::var("TRUANT_HOOKS").unwrap_or_else(|_| "auto".to_owned())
}

/// A run that goes on.
#[derive(Debug)]
pub struct Watch {
    process: Child,
    lines: Arc<Mutex<Vec<Value>>>,
    stdout: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
}

impl Watch {
    /// `truant watch` with these arguments besides, when it is ready.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_verb(&["watch"], arguments)
    }

    /// A live verb with these arguments besides, when it is ready.
    pub fn start_verb(verb: &[&str], arguments: &[&str]) -> Self {
        let mut command = truant();
        command.args(["--log", "info"]).args(verb);
        command.args(["--output", "json", "--hooks", &hooks()]).args(arguments);
        Self::run(&mut command)
    }

    /// Runs a whole command, until it is ready.
    pub fn run(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("truant starts");
        let lines = Arc::default();
        let stdout = read_lines(process.stdout.take().expect("a pipe"), &lines);
        let (stderr, ready) = read_log(process.stderr.take().expect("a pipe"));
        let mut watch = Self { process, lines, stdout: Some(stdout), stderr: Some(stderr) };
        if ready.recv_timeout(LONGEST_START).is_err() {
            let lines = watch.kill();
            panic!("truant did not get ready: {}", lines.stderr);
        }
        watch
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The lines so far.
    pub fn so_far(&self) -> Vec<Value> {
        self.lines.lock().expect("no reader panics").clone()
    }

    /// Waits until a line is as wanted, at most three minutes, as all may be emulated; whether it
    /// came.
    pub fn wait_for(&self, is_wanted: impl Fn(&Value) -> bool) -> bool {
        let mut seen = 0;
        for _ in 0..3600 {
            {
                let lines = self.lines.lock().expect("no reader panics");
                if lines[seen..].iter().any(&is_wanted) {
                    return true;
                }
                seen = lines.len();
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// The way chosen for a need, which is met as [`Lines::assert_traced`] says.
    pub fn traced(&self, need: &str) -> String {
        assert!(self.wait_for(|line| line["type"] == "header"), "truant says how it traces");
        let lines = Lines { lines: self.so_far(), status: None, stderr: String::new() };
        lines.assert_traced(need);
        lines.way(need).expect("it is met").to_owned()
    }

    /// Whether usage is polled, as charges cannot be traced here.
    pub fn polls(&self) -> bool {
        self.traced("charges") == "polled"
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a pid");
        kill_process(pid, signal).expect("truant is there");
    }

    /// Ends it as a person would; all that it said.
    pub fn stop(self) -> Lines {
        self.signal(Signal::INT);
        self.wait()
    }

    /// Ends it without a warning; all that it had said.
    pub fn kill(&mut self) -> Lines {
        let _ = self.process.kill();
        self.collect()
    }

    /// Waits until it ends; all that it said.
    pub fn wait(mut self) -> Lines {
        self.collect()
    }

    fn collect(&mut self) -> Lines {
        let status = self.process.wait().expect("it can be waited for").code();
        if let Some(reader) = self.stdout.take() {
            reader.join().expect("every line is JSON");
        }
        let stderr = self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        Lines { lines: self.so_far(), status, stderr }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs truant with these arguments until it ends of itself; all that it said.
pub fn output<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Lines {
    finished(truant().args(arguments))
}

/// Runs a whole command until it ends of itself; all that it said.
pub fn finished(command: &mut Command) -> Lines {
    let output = command.stdin(Stdio::null()).output().expect("truant starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let lines = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Lines { lines, status: output.status.code(), stderr }
}

fn read_lines(from: impl Read + Send + 'static, to: &Arc<Mutex<Vec<Value>>>) -> JoinHandle<()> {
    let to = Arc::clone(to);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let line = serde_json::from_str(&line).expect("every line is JSON");
            to.lock().expect("no reader panics").push(line);
        }
    })
}

fn read_log(from: impl Read + Send + 'static) -> (JoinHandle<String>, Receiver<()>) {
    let (tell, ready) = channel();
    let reader = thread::spawn(move || {
        let mut all = String::new();
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if line.contains(READY) {
                let _ = tell.send(());
            }
            all.push_str(&line);
            all.push('\n');
        }
        all
    });
    (reader, ready)
}
