//! The tools that cargo builds from source, each version in a folder of the shared cache. Owns
//! their versions; does not touch what the user installed in cargo's own folder.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use super::say;
use crate::{cache, sh};

/// Links eBPF programs. Its version and LLVM's decide the bytes of the object.
pub(crate) const BPF_LINKER: Tool = Tool {
    name: "bpf-linker",
    version: "0.13.0",
    options: &["--no-default-features", "--features", "llvm-22"],
};

/// Checks licences, sources and duplicates of the dependencies. Built without optimisation and
/// without the parts that fetch advisories: its work here takes a second, building it should not
/// take many.
pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    options: &["--no-default-features", "--profile", "dev"],
};

/// One such tool.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
    options: &'static [&'static str],
}

impl Tool {
    /// The tool's program, once [`Self::ensure`] has succeeded.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        Ok(self.folder()?.join("bin").join(self.name))
    }

    /// Whether the tool is there and runs.
    pub(super) fn is_there(&self, sh: &Shell) -> Result<bool> {
        Ok(sh::runs(sh, &self.path()?))
    }

    /// Builds and installs the tool if it is not there.
    pub(super) fn ensure(&self, sh: &Shell) -> Result<()> {
        if self.is_there(sh)? {
            return Ok(());
        }
        let _lock = cache::lock(&cache::root()?.join(format!("{}.lock", self.name)))?;
        if self.is_there(sh)? {
            return Ok(());
        }
        self.install(sh)?;
        if !self.is_there(sh)? {
            bail!("{} was installed and does not run", self.path()?.display());
        }
        Ok(())
    }

    fn install(&self, sh: &Shell) -> Result<()> {
        let Self { name, version, options } = self;
        say(&format!("building {name} {version}"));
        let (cargo, folder) = (sh::cargo(), self.folder()?);
        // Another folder than the checkout, whose settings and toolchain are not the tool's.
        let _dir = sh.push_dir(cache::root()?);
        let _llvm = sh.push_env("LLVM_PREFIX", llvm_prefix());
        let _debug = sh.push_env("CARGO_PROFILE_DEV_DEBUG", "0");
        cmd!(sh, "{cargo} install {name} --quiet --locked --force --version {version}")
            .args(*options)
            .arg("--root")
            .arg(folder)
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTFLAGS")
            .quiet()
            .run()
            .with_context(|| format!("cannot build {name}"))
    }

    fn folder(&self) -> Result<PathBuf> {
        Ok(cache::root()?.join("tools").join(format!("{}-{}", self.name, self.version)))
    }
}

/// Where LLVM 22 is: `$LLVM_PREFIX`, else where Debian's packages put it.
pub(crate) fn llvm_prefix() -> PathBuf {
    std::env::var_os("LLVM_PREFIX").map_or_else(|| "/usr/lib/llvm-22".into(), PathBuf::from)
}
