//! `vm`: boots a real kernel in QEMU and runs one command in it, as root, with the wanted cgroup
//! layout. Owns the verb's arguments; which kernels there are, how they are fetched, what the
//! guest contains and how QEMU is run are the submodules'. What a guest takes is installed before,
//! where that can be.

mod accel;
mod btf;
mod guest;
mod initramfs;
mod kernels;
mod node;
mod packages;
mod ports;
mod process;
mod qemu;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{
    paths,
    setup::{self, Need},
};

pub(crate) use btf::{Btf, btf};
pub(crate) use guest::{GUEST_BIN, Guest};
pub(crate) use initramfs::Cgroup;
pub(crate) use kernels::names;
pub(crate) use node::Release;

/// The verb's own failures; outside what `truant` and most commands end with.
const COULD_NOT_RUN: u8 = 125;

/// Where the static release build is, below the target folder.
const RELEASE: &str = "x86_64-unknown-linux-gnu/release/truant";

/// Boots a kernel in QEMU, runs CMD as root, and ends with CMD's exit status
#[derive(clap::Args)]
pub(crate) struct Args {
    /// 5.10, 6.1, 6.12, newest, or another series that trixie-backports has, such as 7.3
    #[arg(long)]
    kernel: String,
    /// What is mounted below /sys/fs/cgroup
    #[arg(long, value_enum, default_value = "v2")]
    cgroup: Cgroup,
    /// A Debian release with systemd and container engines, instead of the bare guest
    #[arg(long, value_enum)]
    node: Option<Release>,
    /// The guest's clock counts instructions: repeatable figures, one CPU, no KVM
    #[arg(long)]
    icount: bool,
    /// CPUs of the guest
    #[arg(long, default_value_t = 2, conflicts_with = "icount")]
    smp: u32,
    /// Memory of the guest, in QEMU's notation; 2G, and 3G of a node, if not given
    #[arg(long)]
    mem: Option<String>,
    /// A file to put on the guest's PATH; FILE=NAME gives it another name
    #[arg(long, value_name = "FILE")]
    share: Vec<String>,
    /// Seconds after which a guest that has not ended is killed; 300, and 600 of a node
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Ask the package index for a newer kernel now, not only once a week
    #[arg(long)]
    refresh: bool,
    /// Write the kernel's BTF to FILE instead of running a command
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    btf: Option<PathBuf>,
    /// The command and its arguments; no shell is put around it
    #[arg(last = true, required_unless_present = "btf", value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs the verb. The status is the command's; 125 if there is none, with the reason on stderr.
pub(crate) fn run(args: &Args) -> ExitCode {
    let needs =
        if args.node.is_some() { &[Need::Guests, Need::Nodes][..] } else { &[Need::Guests] };
    let ran = setup::ensure(needs).and_then(|()| match &args.btf {
        Some(file) => save_btf(&args.kernel, file),
        None => plan(args)?.run_passthrough(),
    });
    let status = ran.unwrap_or_else(|error| {
        // A closed stderr leaves nobody to tell.
        let _ = writeln!(std::io::stderr(), "vm: {error:#}");
        COULD_NOT_RUN
    });
    ExitCode::from(status)
}

fn save_btf(kernel: &str, file: &Path) -> Result<u8> {
    let types = btf(kernel)?.bytes;
    std::fs::write(file, types).with_context(|| format!("writing {}", file.display()))?;
    Ok(0)
}

fn plan(args: &Args) -> Result<Guest> {
    if args.refresh {
        kernels::refresh(&args.kernel)?;
    }
    let mut guest = match args.node {
        None => Guest::new(&args.kernel, args.cgroup, &args.command),
        Some(release) => Guest::on_node(release, &args.kernel, args.cgroup, &args.command),
    };
    guest.icount = args.icount;
    guest.smp = args.smp;
    guest.mem = args.mem.clone().unwrap_or(guest.mem);
    guest.timeout = args.timeout.map_or(guest.timeout, Duration::from_secs);
    guest.files.extend(release_build().as_deref().map(|path| on_path("truant", path)));
    for share in &args.share {
        let (file, name) = match share.split_once('=') {
            Some((file, name)) => (Path::new(file), name.into()),
            None => (Path::new(share), base_name(share)),
        };
        guest.files.push(on_path(&name, file));
    }
    Ok(guest)
}

/// The static build for guests, if one was made.
fn release_build() -> Option<PathBuf> {
    Some(paths::target().join(RELEASE)).filter(|path| path.is_file())
}

fn base_name(path: &str) -> String {
    Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn on_path(name: &str, host: &Path) -> (PathBuf, PathBuf) {
    (Path::new(GUEST_BIN).join(name), host.to_owned())
}
