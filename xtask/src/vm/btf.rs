//! A kernel's own description of its types, kept beside its image. Owns how it is got out of the
//! kernel; what is in it is the reader's.

use anyhow::{Context, Result, bail};

use super::{Cgroup, Guest, kernels};
use crate::cache;

/// The types of one kernel.
pub(crate) struct Btf {
    /// The kernel's version, `6.12.118+deb13`.
    pub(crate) version: String,
    /// BTF, as the kernel shows it.
    pub(crate) bytes: Vec<u8>,
}

/// The types of the kernel that `--kernel` names so; the first time a guest is booted for them.
pub(crate) fn btf(kernel: &str) -> Result<Btf> {
    let image = kernels::image(kernel)?;
    let version = image.version().context("the kernel's package names no version")?.to_owned();
    let file = image.home.join("btf");
    if let Ok(bytes) = std::fs::read(&file) {
        return Ok(Btf { version, bytes });
    }
    let command = ["cat", "/sys/kernel/btf/vmlinux"];
    let output = Guest::new(kernel, Cgroup::V2, &command).run_captured()?;
    if output.status != 0 {
        bail!("{}{}", String::from_utf8_lossy(&output.stderr), output.console);
    }
    cache::write_whole(&file, &output.stdout)?;
    Ok(Btf { version, bytes: output.stdout })
}
