//! The shell that the verbs run commands in, and small questions to it. Owns no verb's steps.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::{Shell, cmd};

/// A shell at the root of the checkout.
pub(crate) fn at_root() -> Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(crate::paths::root());
    Ok(sh)
}

/// The cargo that runs this program, so that its toolchain is the one used throughout.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The file that `name` means on `PATH`, if any; system folders that a user's `PATH` may lack
/// count.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Whether `program --version` runs: it is there, and so are the libraries it was linked to.
pub(crate) fn runs(sh: &Shell, program: &Path) -> bool {
    program.is_file()
        && cmd!(sh, "{program} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// Whether the effective user is root.
pub(crate) fn is_root(sh: &Shell) -> bool {
    cmd!(sh, "id -u").quiet().read().is_ok_and(|uid| uid == "0")
}
