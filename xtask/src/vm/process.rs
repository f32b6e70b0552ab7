//! The QEMU process of one run: started, watched and ended. Owns that no process outlives its run,
//! whatever ends that, and how a run's end is told from what the guest's init said, or did not.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::qemu::{self, Machine};

/// How often a running guest is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Lines of the console that an error shows after a timeout.
const TAIL: usize = 40;

/// The running process. Killed when this is dropped, and by the kernel when its parent dies.
pub(super) struct Qemu {
    child: Child,
}

impl Qemu {
    /// Starts QEMU; it connects to the ports' sockets, which have to be listening.
    pub(super) fn start(machine: &Machine, sockets: &Path) -> Result<Self> {
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", qemu::PROGRAM])
            .args(qemu::arguments(machine, sockets))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting setpriv and qemu")?;
        Ok(Self { child })
    }

    /// Waits for the status, the end of QEMU or of the time. The folder goes as soon as the guest
    /// runs: by then QEMU has read and connected all that is in it.
    pub(super) fn watch(
        &mut self,
        status: &Receiver<Vec<u8>>,
        limit: Duration,
        folder: &mut Option<TempDir>,
    ) -> Ending {
        let start = Instant::now();
        let mut heard = Vec::new();
        loop {
            match status.recv_timeout(TICK) {
                Ok(bytes) => {
                    heard.extend(bytes);
                    folder.take();
                }
                Err(RecvTimeoutError::Disconnected) => return Ending::Died,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(status) = status_in(&heard) {
                return Ending::Exited(status);
            }
            if start.elapsed() > limit {
                return Ending::TimedOut;
            }
            if folder.is_some() && !matches!(self.child.try_wait(), Ok(None)) {
                return Ending::Died;
            }
        }
    }

    /// Ends the process, if it has not ended, and gives what it said on its stderr.
    pub(super) fn end(&mut self) -> String {
        let mut complaint = String::new();
        // One that has ended cannot be killed, and one that says nothing readable says nothing.
        let _ = self.child.kill();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut complaint);
        }
        let _ = self.child.wait();
        complaint
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.end();
    }
}

/// How the watch over a guest ended.
#[derive(Debug, PartialEq)]
pub(super) enum Ending {
    Exited(u8),
    /// QEMU ended and no status had come.
    Died,
    TimedOut,
}

impl Ending {
    /// The command's status, or an error that says what the guest's last words were.
    pub(super) fn status(&self, console: &str, complaint: &str, timeout: Duration) -> Result<u8> {
        match self {
            Self::Exited(status) => Ok(*status),
            Self::Died if console.is_empty() => {
                bail!("the guest ended without a word: {}", complaint.trim())
            }
            Self::Died => bail!("the guest died; {complaint}its console:\n{console}"),
            Self::TimedOut => {
                let lines: Vec<_> = console.lines().collect();
                let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
                bail!("the guest had not ended after {timeout:?}; its console's end:\n{tail}")
            }
        }
    }
}

/// The status in what the guest's init has said so far: a line `exit N`.
fn status_in(heard: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(heard).ok()?;
    let whole = &text[..=text.rfind('\n')?];
    whole.lines().find_map(|line| line.strip_prefix("exit ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_when_its_line_is_whole() {
        assert_eq!(status_in(b"ready\n"), None);
        assert_eq!(status_in(b"ready\nexit 12"), None);
        assert_eq!(status_in(b"ready\nexit 124\n"), Some(124));
    }

    #[test]
    fn a_timeout_shows_the_end_of_the_console() {
        let lines: Vec<_> = (0..100).map(|n| format!("line {n}")).collect();
        let console = lines.join("\n");
        let status = Ending::TimedOut.status(&console, "", Duration::from_secs(5));
        let text = status.unwrap_err().to_string();
        assert!(text.contains("after 5s") && text.ends_with("line 99"), "{text}");
        assert!(text.contains("line 60") && !text.contains("line 59"), "{text}");
    }

    #[test]
    fn a_qemu_that_did_not_start_a_guest_is_quoted() {
        let status = Ending::Died.status("", "qemu: no such machine\n", Duration::ZERO);
        assert!(status.unwrap_err().to_string().ends_with("qemu: no such machine"));
    }
}
