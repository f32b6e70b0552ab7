//! The container engines of a node: started with the wanted cgroup driver, and asked to run what a
//! test is about. A file for each engine; what they run is the images that a node brings along.

mod containerd;
mod crun;
mod docker;
mod podman;

use std::{ffi::OsStr, process::Command, process::Stdio, thread, time::Duration};

use crate::{Hierarchy, suite::Unmet};

pub use self::{
    containerd::{cgroup_parent, containerd},
    crun::{Bundle, Crun},
    docker::{Container, Docker, TREE_READ_ONLY, TREE_WRITABLE, docker},
    podman::podman,
};

/// The image whose first process is systemd, which starts `leaky.service`: that holds 200 MiB.
pub const SYSTEMD: &str = "truant/systemd:latest";

/// The image with little more than a shell.
pub const BUSYBOX: &str = "truant/busybox:latest";

/// What an emulated guest needs at most for what takes a moment elsewhere.
const LONGEST: Duration = Duration::from_mins(4);

/// Who makes the cgroups of containers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Driver {
    /// The engine itself.
    Cgroupfs,
    /// The node's systemd.
    Systemd,
}

impl Driver {
    /// As engines and audits call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cgroupfs => "cgroupfs",
            Self::Systemd => "systemd",
        }
    }
}

/// How a node's systemd has laid out the controllers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    /// All in hierarchies of their own, and no unified one.
    V1,
    /// The same, and a unified hierarchy with none of them.
    Hybrid,
    /// All in the unified one.
    V2,
}

impl Layout {
    /// How it is here.
    ///
    /// # Errors
    /// If no mounted hierarchy has the memory controller.
    pub fn here() -> Result<Self, Unmet> {
        if Hierarchy::memory()?.is_v2() {
            return Ok(Self::V2);
        }
        let hybrid = Hierarchy::all().iter().any(Hierarchy::is_v2);
        Ok(if hybrid { Self::Hybrid } else { Self::V1 })
    }
}

/// That this is a node of one of these Debian releases, with one of these layouts.
///
/// # Errors
/// If it is none.
pub fn on(releases: &[&str], layouts: &[Layout]) -> Result<(), Unmet> {
    let release = release().ok_or_else(|| Unmet("needs a node with container engines".into()))?;
    let layout = Layout::here()?;
    if releases.contains(&release.as_str()) && layouts.contains(&layout) {
        return Ok(());
    }
    Err(Unmet(format!("needs {} with {layouts:?}", releases.join(" or "))))
}

/// The Debian release of a node that has container engines.
fn release() -> Option<String> {
    std::fs::metadata("/etc/containerd/cgroupfs.toml").ok()?;
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(name.trim_matches('"').to_owned())
}

/// Runs a program; what it wrote to stdout.
///
/// # Panics
/// With what it wrote to stderr, if it fails.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Waits until there is what is looked for.
///
/// # Panics
/// If that takes minutes.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_or(|| what.to_owned(), look)
}

/// The same, where more is to be said of what was waited for once that was in vain.
///
/// # Panics
/// If that takes minutes.
pub fn until_or<T>(what: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LONGEST, "waited in vain: {}", what());
        thread::sleep(Duration::from_millis(200));
    }
}
