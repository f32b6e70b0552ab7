//! A tracer that runs on this machine: started, waited for, and ended in good order. Owns the
//! process, which does not outlive what measures it.

use std::{
    fs::File,
    io::Read as _,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::NamedTempFile;

/// How often its output is looked at: the error of a time to start.
const LOOK: Duration = Duration::from_millis(2);

/// After how long it is interrupted once more.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// How long it may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running process.
pub(super) struct Tracer {
    child: Child,
    output: NamedTempFile,
    /// From the start of the process to its word that it is ready.
    pub(super) started_in: Duration,
}

impl Tracer {
    /// Starts `command`, and waits until its output has `word` in it.
    ///
    /// # Errors
    /// What it said, if it ends or takes too long.
    pub(super) fn start(command: &mut Command, word: &str) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let output = NamedTempFile::new()?;
        let (stdout, stderr) = (output.reopen()?, output.reopen()?);
        let start = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        let child = child.with_context(|| format!("cannot start {name}"))?;
        let mut tracer = Self { child, output, started_in: Duration::ZERO };
        while !tracer.said()?.contains(word) {
            if tracer.child.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                bail!("{name} is not ready: {}", tracer.said()?.trim());
            }
            sleep(LOOK);
        }
        tracer.started_in = start.elapsed();
        Ok(tracer)
    }

    /// All that it said so far.
    pub(super) fn said(&self) -> Result<String> {
        let mut bytes = Vec::new();
        File::open(self.output.path())?.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A number of KiB in the process's status file.
    pub(super) fn memory_kib(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("the process has no {name}"))
    }

    /// Interrupts it, waits for its end, and gives all that it said. bpftrace may miss a signal
    /// that comes just before it waits, so there are more.
    ///
    /// # Errors
    /// If it does not end.
    pub(super) fn end(mut self) -> Result<String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
            let asked = Instant::now();
            while asked.elapsed() < ASK_AGAIN {
                if self.child.try_wait()?.is_some() {
                    return self.said();
                }
                sleep(LOOK);
            }
        }
        bail!("it does not end when interrupted; it said: {}", self.said()?.trim())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracer_is_ready_when_it_says_so_and_ends_when_interrupted() {
        let mut command = Command::new("sh");
        command.args(["-c", "trap 'echo bye; exit' INT; echo ready; while :; do sleep 0.01; done"]);
        let tracer = Tracer::start(&mut command, "ready").unwrap();
        assert!(tracer.memory_kib("VmRSS").unwrap() > 0);
        assert_eq!(tracer.end().unwrap(), "ready\nbye\n");
    }

    #[test]
    fn a_tracer_that_misses_an_interrupt_is_interrupted_again() {
        let mut command = Command::new("sh");
        let script = "trap 'trap \"echo bye; exit\" INT' INT; echo ready; \
            while :; do sleep 0.01; done";
        command.args(["-c", script]);
        let tracer = Tracer::start(&mut command, "ready").unwrap();
        assert_eq!(tracer.end().unwrap(), "ready\nbye\n");
    }

    #[test]
    fn a_tracer_that_ends_early_is_quoted() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such probe >&2"]);
        let error = Tracer::start(&mut command, "ready").err().unwrap().to_string();
        assert!(error.ends_with("no such probe"), "{error}");
    }
}
