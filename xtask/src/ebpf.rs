//! `ebpf`: builds the eBPF programs, and installs or checks the committed object. Owns the flags
//! that decide its bytes; not what the programs do.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSection as _};
use xshell::{Cmd, Shell, cmd};

use crate::{
    paths,
    setup::{self, Need, rust_src, tools},
    sh,
};

/// Builds the eBPF object from its source, and installs it where the userspace embeds it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install nothing; fail if the committed object is not, byte for byte, what the source gives
    #[arg(long, conflicts_with = "out")]
    check: bool,
    /// Write the object to FILE instead
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The committed object, from the root of the checkout.
const COMMITTED: &str = "tracer/ebpf/truant.bpf.o";
const TARGET: &str = "bpfel-unknown-none";

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<()> {
    let built = build()?;
    let committed = paths::root().join(COMMITTED);
    if args.check {
        return compare(&built, &committed);
    }
    let out = args.out.as_ref().unwrap_or(&committed);
    let bytes = fs::read(&built)?;
    if fs::read(out).is_ok_and(|now| now == bytes) {
        println!("ebpf: {} is up to date", out.display());
        return Ok(());
    }
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
    println!("ebpf: {} ({} bytes)", out.display(), bytes.len());
    Ok(())
}

/// Proves that the committed object comes from the source, byte for byte.
///
/// # Errors
/// Which parts differ.
pub(crate) fn check() -> Result<()> {
    compare(&build()?, &paths::root().join(COMMITTED))
}

/// Builds the object and returns its path, below `target/`.
pub(crate) fn build() -> Result<PathBuf> {
    let sh = sh::at_root()?;
    cargo(&sh, "build")?.arg("--bin=truant-ebpf").run().context("cannot build the programs")?;
    let built = target_dir().join(TARGET).join("ebpf/truant-ebpf");
    let object = target_dir().join("truant.bpf.o");
    // The kernel reads BTF; DWARF was only its raw material.
    let strip = tools::llvm_prefix().join("bin/llvm-strip");
    cmd!(sh, "{strip} --strip-debug -o {object} {built}").quiet().run()?;
    Ok(object)
}

/// Runs clippy on the programs, as they are built.
pub(crate) fn clippy(sh: &Shell) -> Result<()> {
    cargo(sh, "clippy")?.args(["--bin=truant-ebpf", "--", "-D", "warnings"]).run()?;
    Ok(())
}

/// A cargo command on the programs, with all that decides the object's bytes.
fn cargo<'a>(sh: &'a Shell, command: &str) -> Result<Cmd<'a>> {
    setup::ensure(&[Need::Ebpf])?;
    let toolchain = rust_src::find(sh)?.context("the sources of core are gone")?;
    let (cargo, target_dir) = (sh::cargo(), target_dir());
    let mut cmd = cmd!(sh, "{cargo} {command} --quiet --locked --package truant-ebpf")
        .args(["--features=probes", "--profile=ebpf", "-Zbuild-std=core", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        // What lets a stable compiler build `core` itself.
        .env("RUSTC_BOOTSTRAP", "1")
        // Cargo keeps what it once learnt of the compiler, and clippy's sysroot even when SYSROOT
        // has changed since.
        .env("CARGO_CACHE_RUSTC_INFO", "0")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&toolchain.sources)?)
        .quiet();
    if let Some(overlay) = toolchain.overlay {
        // The second is what clippy asks.
        cmd = cmd.env("RUSTC", overlay.join("bin/rustc")).env("SYSROOT", overlay);
    }
    Ok(cmd)
}

/// The compiler's flags, as cargo takes them from its environment.
fn flags(sources: &Path) -> Result<OsString> {
    let mut linker = OsString::from("-Clinker=");
    linker.push(tools::BPF_LINKER.path()?);
    let mut flags = vec![
        linker,
        "-Clink-arg=--btf".into(),
        "-Ctarget-cpu=v3".into(),
        "-Cdebuginfo=2".into(),
        "--cfg=bpf_target_arch=\"x86_64\"".into(),
    ];
    for (from, to) in remapped(sources)? {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    }
    Ok(flags.join(&OsString::from("\x1f")))
}

/// The folders whose names differ from machine to machine, and what stands for them in the object.
/// Of two that match, the compiler takes the later.
fn remapped(sources: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let mut map = vec![(paths::root(), "/truant")];
    let cargo_home = paths::cargo_home()?;
    for registry in fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten() {
        map.push((registry?.path(), "/crates"));
    }
    map.push((sources.to_owned(), "/rust"));
    Ok(map)
}

fn target_dir() -> PathBuf {
    paths::root().join("target/ebpf")
}

fn compare(built: &Path, committed: &Path) -> Result<()> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let (new, old) = (read(built)?, read(committed)?);
    if new == old {
        println!("ebpf: {COMMITTED} is what the source gives ({} bytes)", old.len());
        return Ok(());
    }
    bail!(
        "{COMMITTED} is not what the source gives; it differs in {}; the new object is {}, \
         and `cargo xtask ebpf` installs it",
        differing(&old, &new)?.join(", "),
        built.display()
    )
}

/// The names of the sections that are not the same in both objects.
fn differing(old: &[u8], new: &[u8]) -> Result<Vec<String>> {
    let (old, new) = (sections(old)?, sections(new)?);
    let mut names: Vec<_> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| old.get(*name) != new.get(*name));
    if names.is_empty() {
        return Ok(vec!["the headers".to_owned()]);
    }
    Ok(names.into_iter().cloned().collect())
}

fn sections(object: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let file = object::File::parse(object).context("not an object file")?;
    file.sections()
        .map(|section| Ok((section.name()?.to_owned(), section.data()?.to_vec())))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use object::{Object as _, ObjectSection as _};

    use super::differing;

    #[test]
    fn the_section_that_changed_is_named() {
        let program = std::env::current_exe().expect("this test's own program");
        let old = fs::read(program).expect("its bytes");
        let file = object::File::parse(&*old).expect("an object file");
        let text = file.section_by_name(".text").expect("its code");
        let (start, _) = text.file_range().expect("code in the file");

        let mut new = old.clone();
        new[usize::try_from(start).expect("a small offset")] ^= 1;
        assert_eq!(differing(&old, &new).expect("two object files"), [".text"]);
        assert!(differing(&old, b"no object").is_err());
    }
}
