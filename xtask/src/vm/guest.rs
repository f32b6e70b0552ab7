//! One run of one guest, from the plan to the command's status. Owns the QEMU process, its
//! temporary folder and its time limit: neither process nor folder outlives a run, whatever ends
//! it.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::initramfs::{self, Cgroup, Contents};
use super::ports::Port;
use super::qemu::{self, Accel, Machine, Root};
use super::{accel, kernels};

/// A folder of the guest that is on its PATH.
pub(crate) const GUEST_BIN: &str = "/usr/local/bin";

/// How long a trial boot under KVM may take; a host whose KVM works needs a tenth of it.
const TRIAL: Duration = Duration::from_secs(10);

/// How often a running guest is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Lines of the console that an error shows after a timeout.
const TAIL: usize = 40;

/// What to boot and what to run in it.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// As `--kernel` names it: `6.12`, `newest`.
    pub(crate) kernel: String,
    /// What is mounted below `/sys/fs/cgroup`.
    pub(crate) cgroup: Cgroup,
    /// A clock that counts instructions; one CPU, whatever `smp` says.
    pub(crate) icount: bool,
    /// Number of CPUs.
    pub(crate) smp: u32,
    /// In QEMU's notation, `2G`. The files take their size of it.
    pub(crate) mem: String,
    /// Pairs of an absolute guest path and a host file, whose permissions are kept.
    pub(crate) files: Vec<(PathBuf, PathBuf)>,
    /// A program and its arguments, run as root in `/root`, with nothing on its stdin.
    pub(crate) command: Vec<OsString>,
    /// The guest is killed after this long.
    pub(crate) timeout: Duration,
}

/// What a command in a guest left.
#[derive(Debug)]
pub(crate) struct Output {
    /// The command's exit status; 128 and the signal if one killed it.
    pub(crate) status: u8,
    /// Its stdout, byte for byte.
    pub(crate) stdout: Vec<u8>,
    /// Its stderr, byte for byte.
    pub(crate) stderr: Vec<u8>,
    /// What the kernel and the guest's init said.
    pub(crate) console: String,
}

impl Guest {
    /// A guest with two CPUs, 2 GiB, five minutes and no files.
    pub(crate) fn new(
        kernel: &str,
        cgroup: Cgroup,
        command: &[impl Into<OsString> + Clone],
    ) -> Self {
        Self {
            kernel: kernel.to_owned(),
            cgroup,
            icount: false,
            smp: 2,
            mem: "2G".to_owned(),
            files: Vec::new(),
            command: command.iter().cloned().map(Into::into).collect(),
            timeout: Duration::from_mins(5),
        }
    }

    /// Runs the command and keeps what it wrote. An error is a guest that could not be booted,
    /// panicked, or ran out of time, with the console's last words.
    pub(crate) fn run_captured(&self) -> Result<Output> {
        let ended = self.boot(self.accel()?, Vec::new(), Vec::new())?;
        let (stdout, stderr) = (ended.stdout, ended.stderr);
        Ok(Output { status: ended.status, stdout, stderr, console: ended.console })
    }

    /// Runs the command with its stdout and stderr on this process's own, as they come. Gives the
    /// command's status; errors as with [`Self::run_captured`].
    pub(crate) fn run_passthrough(&self) -> Result<u8> {
        let ended = self.boot(self.accel()?, std::io::stdout(), std::io::stderr())?;
        Ok(ended.status)
    }

    fn accel(&self) -> Result<Accel> {
        if self.icount {
            return Ok(Accel::Icount);
        }
        let mut trial = Self::new(&self.kernel, self.cgroup, &["true"]);
        trial.timeout = TRIAL;
        let boot = || trial.boot(Accel::Kvm, Vec::new(), Vec::new()).is_ok_and(|e| e.status == 0);
        Ok(if accel::kvm_works(boot)? { Accel::Kvm } else { Accel::Tcg })
    }

    fn boot<O, E>(&self, accel: Accel, stdout: O, stderr: E) -> Result<Ended<O, E>>
    where
        O: Write + Send + 'static,
        E: Write + Send + 'static,
    {
        let kernels::Image { vmlinuz: kernel, modules } = kernels::image(&self.kernel)?;
        let folder = tempfile::Builder::new().prefix("truant-vm-").tempdir()?;
        let archive = folder.path().join("initramfs");
        let (command, files) = (&self.command, &self.files);
        let contents = Contents { cgroup: self.cgroup, command, modules: &modules, files };
        initramfs::write(&contents, &archive)?;
        let (root, smp, mem) = (Root::Initramfs(archive), self.smp, self.mem.clone());
        let machine = Machine { kernel, root, accel, smp, mem };
        let open = |name| Port::open(folder.path(), name);
        let ([console, status], [out, err]) = (qemu::SERIAL.map(open), qemu::VIRTIO.map(open));
        let (console, out, err, status) = (console?, out?, err?, status?);
        let (console_bytes, stdout, stderr) =
            (pour(console.1, Vec::new()), pour(out.1, stdout), pour(err.1, stderr));
        let mut qemu = Qemu::start(&machine, folder.path())?;
        let mut folder = Some(folder);
        let ending = qemu.watch(&status.1, self.timeout, &mut folder);
        let complaint = qemu.end();
        [console.0, out.0, err.0, status.0].into_iter().for_each(Port::close);
        let console = String::from_utf8_lossy(&joined(console_bytes)).into_owned();
        let (stdout, stderr) = (joined(stdout), joined(stderr));
        let status = ending.status(&console, &complaint, self.timeout)?;
        Ok(Ended { status, stdout, stderr, console })
    }
}

struct Ended<O, E> {
    status: u8,
    stdout: O,
    stderr: E,
    console: String,
}

/// Writes what arrives as it arrives. A writer that fails, such as a closed pipe, is left alone
/// from then on: the guest goes on, and its status is still wanted.
fn pour<W: Write + Send + 'static>(bytes: Receiver<Vec<u8>>, mut writer: W) -> JoinHandle<W> {
    spawn(move || {
        let mut is_open = true;
        for chunk in bytes {
            is_open = is_open && writer.write_all(&chunk).and_then(|()| writer.flush()).is_ok();
        }
        writer
    })
}

fn joined<W>(thread: JoinHandle<W>) -> W {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// How the watch over a guest ended.
#[derive(Debug, PartialEq)]
enum Ending {
    Exited(u8),
    /// QEMU ended and no status had come.
    Died,
    TimedOut,
}

impl Ending {
    fn status(&self, console: &str, complaint: &str, timeout: Duration) -> Result<u8> {
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

/// The running process. Killed when this is dropped, and by the kernel when its parent dies.
struct Qemu {
    child: Child,
}

impl Qemu {
    fn start(machine: &Machine, sockets: &Path) -> Result<Self> {
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
    fn watch(
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
    fn end(&mut self) -> String {
        let mut complaint = String::new();
        // One that has ended cannot be killed, and one that says nothing readable says nothing.
        let _ = self.child.kill();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = std::io::Read::read_to_string(&mut stderr, &mut complaint);
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
        let status = Ending::Died.status("", "qemu: no such machine\n", TRIAL);
        assert!(status.unwrap_err().to_string().ends_with("qemu: no such machine"));
    }
}
