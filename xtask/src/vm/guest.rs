//! One run of one guest, from the plan to the command's status: what other verbs call. Owns the
//! order of a run and where the command's output goes; each step is another module's.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use anyhow::Result;

use super::initramfs::{self, Cgroup, Contents, System};
use super::ports::Port;
use super::process::Qemu;
use super::qemu::{self, Accel, Machine, Root};
use super::{accel, kernels, node};

/// A folder of the guest that is on its PATH.
pub(crate) const GUEST_BIN: &str = "/usr/local/bin";

/// How long a trial boot under KVM may take; a host whose KVM works needs a tenth of it.
const TRIAL: Duration = Duration::from_secs(10);

/// What to boot and what to run in it.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// As `--kernel` names it: `6.12`, `newest`.
    pub(crate) kernel: String,
    /// What is mounted below `/sys/fs/cgroup`.
    pub(crate) cgroup: Cgroup,
    /// The Debian release, with systemd and container engines, that is booted; `None` is the bare
    /// guest, which has busybox alone.
    pub(crate) node: Option<node::Release>,
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
            node: None,
            icount: false,
            smp: 2,
            mem: "2G".to_owned(),
            files: Vec::new(),
            command: command.iter().cloned().map(Into::into).collect(),
            timeout: Duration::from_mins(5),
        }
    }

    /// The same on a node of that release, with 3 GiB and ten minutes.
    pub(crate) fn on_node(
        release: node::Release,
        kernel: &str,
        cgroup: Cgroup,
        command: &[impl Into<OsString> + Clone],
    ) -> Self {
        Self {
            node: Some(release),
            mem: "3G".to_owned(),
            timeout: Duration::from_mins(10),
            ..Self::new(kernel, cgroup, command)
        }
    }

    /// Runs the command and keeps what it wrote. An error is a guest that could not be booted,
    /// panicked, or ran out of time, with the console's last words.
    pub(crate) fn run_captured(&self) -> Result<Output> {
        Ok(self.boot(self.accel()?, Vec::new(), Vec::new())?.into())
    }

    /// Runs the command on a node whose disk this is, and which it may change.
    pub(super) fn run_writing(&self, disk: &Path) -> Result<Output> {
        Ok(self.boot_from(Some(disk), self.accel()?, Vec::new(), Vec::new())?.into())
    }

    /// Runs the command with its stdout in a file, as it comes, and its stderr forgotten. Gives the
    /// command's status; errors as with [`Self::run_captured`], and the file has what was said.
    pub(crate) fn run_to(&self, stdout: File) -> Result<u8> {
        Ok(self.boot(self.accel()?, stdout, std::io::sink())?.status)
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

    /// Writes the initramfs, and sees to it that the node's disk is there, unless it is given.
    fn root(
        &self,
        image: &kernels::Image,
        initramfs: PathBuf,
        disk: Option<&Path>,
    ) -> Result<Root> {
        let mut modules = image.modules.clone();
        let mut system = System::Bare(self.cgroup);
        if self.node.is_some() {
            modules.extend(image.node_modules.iter().cloned());
            system = System::Node;
        }
        let (command, files) = (&self.command, &self.files);
        initramfs::write(&Contents { system, command, modules: &modules, files }, &initramfs)?;
        let (image, is_kept) = match (self.node, disk) {
            (None, _) => return Ok(Root::Initramfs(initramfs)),
            (Some(_), Some(disk)) => (disk.to_owned(), true),
            (Some(release), None) => (node::image(release)?, false),
        };
        Ok(Root::Disk { initramfs, image, is_kept, cgroup: self.cgroup })
    }

    fn boot<O, E>(&self, accel: Accel, stdout: O, stderr: E) -> Result<Ended<O, E>>
    where
        O: Write + Send + 'static,
        E: Write + Send + 'static,
    {
        self.boot_from(None, accel, stdout, stderr)
    }

    fn boot_from<O, E>(
        &self,
        disk: Option<&Path>,
        accel: Accel,
        stdout: O,
        stderr: E,
    ) -> Result<Ended<O, E>>
    where
        O: Write + Send + 'static,
        E: Write + Send + 'static,
    {
        let image = kernels::image(&self.kernel)?;
        let folder = tempfile::Builder::new().prefix("truant-vm-").tempdir()?;
        let root = self.root(&image, folder.path().join("initramfs"), disk)?;
        let (kernel, smp, mem) = (image.vmlinuz, self.smp, self.mem.clone());
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

impl From<Ended<Vec<u8>, Vec<u8>>> for Output {
    fn from(ended: Ended<Vec<u8>, Vec<u8>>) -> Self {
        let Ended { status, stdout, stderr, console } = ended;
        Self { status, stdout, stderr, console }
    }
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
