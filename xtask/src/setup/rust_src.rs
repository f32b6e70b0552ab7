//! The sources of `core`, from which it is built for the eBPF target: the toolchain's own, or
//! Debian's laid over it. Never changes a toolchain, except by asking rustup for the component.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use super::{packages, say};
use crate::{cache, debian::Suite, sh};

/// The suite that has the sources of every recent release.
const SUITE: &str = "trixie-backports";
/// Where a sysroot has the sources.
const SOURCES: &str = "lib/rustlib/src/rust";

/// The toolchain, with where the sources of `core` are.
pub(crate) struct WithSources {
    /// The sysroot to use in place of the toolchain's own, if it is not that.
    pub(crate) overlay: Option<PathBuf>,
    /// The folder that holds the sources, as the compiler names it.
    pub(crate) sources: PathBuf,
}

/// The toolchain, if the sources are there.
///
/// # Errors
/// The toolchain does not run, or the overlay cannot be written.
pub(crate) fn find(sh: &Shell) -> Result<Option<WithSources>> {
    let toolchain = Toolchain::current(sh)?;
    let sources = toolchain.sysroot.join(SOURCES);
    if has_sources(&sources) {
        return Ok(Some(WithSources { overlay: None, sources }));
    }
    let overlay = toolchain.overlay()?;
    let sources = overlay.join(SOURCES);
    if !has_sources(&sources) {
        return Ok(None);
    }
    lay(&overlay, &toolchain)?;
    Ok(Some(WithSources { overlay: Some(overlay), sources }))
}

/// Gets the sources if they are not there.
pub(super) fn ensure(sh: &Shell) -> Result<()> {
    if find(sh)?.is_some() {
        return Ok(());
    }
    let _lock = cache::lock(&cache::root()?.join("rust-src.lock"))?;
    if find(sh)?.is_some() || (by_rustup(sh) && find(sh)?.is_some()) {
        return Ok(());
    }
    let toolchain = Toolchain::current(sh)?;
    from_debian(sh, &toolchain).with_context(|| {
        format!(
            "no sources of core for rustc {}: install them with `rustup component add rust-src`",
            toolchain.release
        )
    })?;
    match find(sh)? {
        Some(_) => Ok(()),
        None => bail!("Debian's rust-src does not hold the sources where they were looked for"),
    }
}

struct Toolchain {
    sysroot: PathBuf,
    release: String,
}

impl Toolchain {
    fn current(sh: &Shell) -> Result<Self> {
        let sysroot = cmd!(sh, "rustc --print sysroot").quiet().read()?.into();
        let version = cmd!(sh, "rustc --version").quiet().read()?;
        let release = version.split(' ').nth(1).context("rustc names no release")?.to_owned();
        Ok(Self { sysroot, release })
    }

    /// The sysroot that is this one with Debian's sources added. It lies outside the checkout: the
    /// compiler is told to rename the paths below both, and mixes up one inside the other.
    fn overlay(&self) -> Result<PathBuf> {
        Ok(cache::root()?.join(format!("sysroot-{}", self.release)))
    }
}

/// Whether the standard library's sources are in `folder`, as far as a build of `core` needs them.
fn has_sources(folder: &Path) -> bool {
    ["library/Cargo.lock", "library/core/src/lib.rs"].iter().all(|file| folder.join(file).is_file())
}

/// Asks rustup for the component; where it may not fetch, it says so at once.
fn by_rustup(sh: &Shell) -> bool {
    say("asking rustup for the sources of core");
    sh::which("rustup").is_some()
        && cmd!(sh, "rustup component add rust-src")
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run()
            .is_ok()
}

fn from_debian(sh: &Shell, toolchain: &Toolchain) -> Result<()> {
    let (release, sources) = (&toolchain.release, toolchain.overlay()?.join(SOURCES));
    say(&format!("fetching the sources of core {release} from Debian's {SUITE}"));
    packages::ensure(sh, &[packages::keyring()])?;
    let partial = sources.with_extension("partial");
    sh.remove_path(&partial)?;
    sh.create_dir(&partial)?;
    let folder = tempfile::tempdir_in(cache::root()?)?;
    // Debian's own revision follows the release.
    let package = format!("rust-src={release}*");
    let deb = Suite::refreshed(SUITE)?.downloaded(&package, folder.path())?;
    let unpack = "dpkg-deb --fsys-tarfile \"$1\" | tar -x -C \"$2\" --strip-components=4 \"$3\"";
    let library = format!("./usr/src/rustc-{release}/library");
    cmd!(sh, "sh -c {unpack} sh {deb} {partial} {library}").quiet().run()?;
    sh.remove_path(&sources)?;
    fs::rename(&partial, &sources).with_context(|| format!("cannot make {}", sources.display()))
}

/// Lays the rest of the overlay: links to the toolchain's libraries, and a compiler that takes the
/// overlay for its sysroot. Done each time, which takes no time and cannot be out of date.
fn lay(overlay: &Path, toolchain: &Toolchain) -> Result<()> {
    for entry in fs::read_dir(toolchain.sysroot.join("lib/rustlib"))? {
        let entry = entry?;
        if entry.path().join("lib").is_dir() {
            link(&entry.path(), &overlay.join("lib/rustlib").join(entry.file_name()))?;
        }
    }
    let rustc = overlay.join("bin/rustc");
    let real = toolchain.sysroot.join("bin/rustc");
    let script =
        format!("#!/bin/sh\nexec '{}' --sysroot '{}' \"$@\"\n", real.display(), overlay.display());
    fs::create_dir_all(overlay.join("bin"))?;
    write_program(&rustc, &script)
}

fn link(target: &Path, at: &Path) -> Result<()> {
    if fs::read_link(at).is_ok_and(|now| now == target) {
        return Ok(());
    }
    if at.is_symlink() {
        fs::remove_file(at)?;
    }
    symlink(target, at).with_context(|| format!("cannot link {}", at.display()))
}

/// Writes an executable file, unless it is there: a change of its time would rebuild everything.
fn write_program(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|now| now == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
