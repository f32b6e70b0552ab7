//! The distribution's packages: what each need takes, what of it is missing, and apt to install it.
//! Owns no other way of installing.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use super::{Need, say, tools};
use crate::{debian, sh};

/// One package, by Debian's name, and what shows that it, or another distribution's, is there.
pub(super) struct Package {
    name: &'static str,
    witness: Witness,
    optional: bool,
}

/// What shows that a package is installed, whoever packaged it.
enum Witness {
    /// A program on the path.
    Command(&'static str),
    /// A program on the path that takes no shared libraries, so that it runs alone in a guest.
    StaticCommand(&'static str),
    File(PathBuf),
}

impl Witness {
    fn is_there(&self) -> bool {
        match self {
            Self::Command(name) => sh::which(name).is_some(),
            Self::StaticCommand(name) => sh::which(name).is_some_and(|file| is_static(&file)),
            Self::File(path) => path.exists(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Command(name) => format!("the command {name}"),
            Self::StaticCommand(name) => format!("the command {name}, statically linked"),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// The packages that `needs` take on this machine.
pub(super) fn of(sh: &Shell, needs: &[Need]) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for need in needs {
        match need {
            Need::Ebpf => packages.extend(ebpf(tools::BPF_LINKER.is_there(sh)?)),
            Need::Guests => packages.extend(guests()),
            Need::Nodes => packages.extend(nodes()),
            Need::Lint => packages.push(command("gcc", "cc")),
            Need::Bench => {
                packages.push(Package { optional: true, ..command("bpftrace", "bpftrace") });
            }
        }
    }
    Ok(packages)
}

/// Installs those of `packages` that are missing.
///
/// # Errors
/// The list of what is missing, and the command that installs it, where this is not Debian or
/// Ubuntu, or the user is not root.
pub(super) fn ensure(sh: &Shell, packages: &[Package]) -> Result<()> {
    let is_missing = |package: &&Package| !package.witness.is_there();
    let (optional, required): (Vec<_>, Vec<_>) =
        packages.iter().filter(is_missing).partition(|package| package.optional);
    let can_install = sh::which("apt-get").is_some() && sh::is_root(sh);
    if !required.is_empty() {
        if !can_install {
            bail!(by_hand(&required));
        }
        install(sh, &required)?;
        let still: Vec<_> = required.into_iter().filter(is_missing).collect();
        if !still.is_empty() {
            bail!("apt-get succeeded, and yet: {}", by_hand(&still));
        }
    }
    for package in optional {
        if !can_install || install(sh, &[package]).is_err() {
            eprintln!("setup: without {}, which is optional", package.name);
        }
    }
    Ok(())
}

fn ebpf(linker_is_there: bool) -> Vec<Package> {
    let llvm = tools::llvm_prefix();
    let mut packages = vec![file("llvm-22", llvm.join("bin/llvm-strip"))];
    if !linker_is_there {
        packages.extend([
            file("llvm-22-dev", llvm.join("include/llvm-c/Core.h")),
            file("libpolly-22-dev", llvm.join("lib/libPolly.a")),
            file("zlib1g-dev", "/usr/include/zlib.h"),
            file("libzstd-dev", "/usr/include/zstd.h"),
            command("g++", "c++"),
        ]);
    }
    packages
}

fn guests() -> Vec<Package> {
    vec![
        command("qemu-system-x86", "qemu-system-x86_64"),
        Package {
            name: "busybox-static",
            witness: Witness::StaticCommand("busybox"),
            optional: false,
        },
        command("xz-utils", "xz"),
        keyring(),
    ]
}

fn nodes() -> Vec<Package> {
    vec![command("mmdebstrap", "mmdebstrap"), command("e2fsprogs", "mke2fs"), keyring()]
}

/// What shows that a package of Debian's is Debian's.
pub(super) fn keyring() -> Package {
    file("debian-archive-keyring", debian::KEYRING)
}

fn command(name: &'static str, command: &'static str) -> Package {
    Package { name, witness: Witness::Command(command), optional: false }
}

fn file(name: &'static str, path: impl Into<PathBuf>) -> Package {
    Package { name, witness: Witness::File(path.into()), optional: false }
}

/// Updates apt's lists, and installs. A list that cannot be updated is no failure by itself: the
/// package may come from another.
fn install(sh: &Shell, packages: &[&Package]) -> Result<()> {
    let names: Vec<_> = packages.iter().map(|package| package.name).collect();
    say(&format!("installing {}", names.join(" ")));
    update_lists(sh);
    let _env = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    // Another installation that is going on is waited for.
    let wait = "DPkg::Lock::Timeout=600";
    cmd!(sh, "apt-get -qq -y -o {wait} --no-install-recommends install {names...}")
        .quiet()
        .ignore_stdout()
        .run()?;
    Ok(())
}

/// Brings the machine's own lists of packages up to date, as far as that goes.
fn update_lists(sh: &Shell) {
    let update = cmd!(sh, "apt-get -qq -o DPkg::Lock::Timeout=600 update");
    if let Err(error) = update.quiet().ignore_stdout().run() {
        eprintln!("setup: the lists of packages may be old: {error}");
    }
}

fn by_hand(missing: &[&Package]) -> String {
    let mut text = String::from("not installed, and needed:\n");
    let mut names = String::new();
    for Package { name, witness, .. } in missing {
        let _ = writeln!(text, "  {} (package {name} of Debian and Ubuntu)", witness.describe());
        let _ = write!(names, " {name}");
    }
    let _ = write!(
        text,
        "on Debian or Ubuntu, root installs them with `cargo xtask setup` or\n  \
         apt-get install --no-install-recommends{names}\n\
         elsewhere, install what your distribution has for them (LLVM_PREFIX says where LLVM 22 is)"
    );
    text
}

/// Whether a program names no dynamic loader.
fn is_static(file: &Path) -> bool {
    let loader = b"/ld-linux";
    fs::read(file).is_ok_and(|bytes| !bytes.windows(loader.len()).any(|window| window == loader))
}

#[cfg(test)]
mod tests {
    use super::{Package, Witness, by_hand, file, is_static};

    #[test]
    fn a_refusal_names_each_thing_and_the_command() {
        let qemu = Package { name: "cpio", witness: Witness::Command("cpio"), optional: false };
        let zlib = file("zlib1g-dev", "/usr/include/zlib.h");
        let text = by_hand(&[&qemu, &zlib]);
        assert!(text.contains("the command cpio (package cpio"), "{text}");
        assert!(text.contains("/usr/include/zlib.h (package zlib1g-dev"), "{text}");
        assert!(text.contains("--no-install-recommends cpio zlib1g-dev\n"), "{text}");
    }

    #[test]
    fn a_program_with_a_loader_is_not_static() {
        assert!(!is_static(&std::env::current_exe().expect("this test's own program")));
    }

    #[test]
    fn a_file_that_is_missing_is_no_witness() {
        let missing = file("x", "/nonexistent/of/truant");
        assert!(!missing.witness.is_there());
    }
}
