//! truant beside the story: started, shown line by line, ended, and asked again. Owns the process
//! and its recording; what should be in it is not known here.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{interrupt::Interrupt, say};

/// How long truant may take to attach, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A truant that watches and records.
pub(super) struct Tracer {
    program: PathBuf,
    child: Child,
    folder: TempDir,
    shown: Option<JoinHandle<()>>,
}

impl Tracer {
    /// Starts truant and waits until it is attached.
    pub(super) fn start(program: &Path, guard: &str, interrupt: &Interrupt) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("truant-demo-").tempdir()?;
        let recording = folder.path().join("recording");
        say(&format!("truant record {} --guard {guard}", recording.display()))?;
        let mut child = Command::new(program)
            .arg("record")
            .arg(&recording)
            .args(["--guard", guard])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let speaks = Arc::new(AtomicBool::new(false));
        let shown = child.stdout.take().map(|out| show(out, Arc::clone(&speaks)));
        let mut tracer = Self { program: program.to_owned(), child, folder, shown };
        // The first line comes when all is attached.
        let is_attached = interrupt
            .wait_for(PATIENCE, || speaks.load(Ordering::Relaxed) || !tracer.is_running())?;
        if !is_attached || !tracer.is_running() {
            bail!("truant did not start: `truant doctor` says what it misses here");
        }
        Ok(tracer)
    }

    /// The file.
    pub(super) fn recording(&self) -> PathBuf {
        self.folder.path().join("recording")
    }

    /// Ends truant, and gives its exit status and the recording as JSON lines.
    pub(super) fn end(&mut self, interrupt: &Interrupt) -> Result<(i32, String)> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("truant has no process id")?, Signal::TERM)?;
        if !interrupt.wait_for(PATIENCE, || !self.is_running())? {
            bail!("truant did not end");
        }
        let status = self.child.wait()?.code().context("truant was killed")?;
        if let Some(shown) = self.shown.take() {
            let _ = shown.join();
        }
        let replay = Command::new(&self.program)
            .arg("replay")
            .arg(self.recording())
            .args(["watch", "--output", "json"])
            .output()?;
        if replay.status.code() != Some(status) {
            bail!("truant ended with {status}, its replay with {}", replay.status);
        }
        Ok((status, String::from_utf8(replay.stdout)?))
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes lines on as they come, and says when the first has come.
fn show(out: impl Read + Send + 'static, speaks: Arc<AtomicBool>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            // A closed stdout is found out by the story.
            let _ = writeln!(std::io::stdout(), "{line}");
            speaks.store(true, Ordering::Relaxed);
        }
    })
}
