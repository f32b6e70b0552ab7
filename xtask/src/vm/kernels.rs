//! Which kernels `--kernel` names, and the image of each, from the cache or fetched into it. Owns
//! the table, what of a package is kept, and how long a choice stands; which of a suite's packages
//! is chosen and how packages are listed and downloaded is decided elsewhere.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::packages::{choose, modules_package, series_of, version_of};
use crate::{cache, debian};

/// How long a cached kernel is used before the index is asked for a newer one.
const FRESH: Duration = Duration::from_hours(7 * 24);

/// The kernels that have names: the name, the suite whose own kernel it is, and how versions of
/// that series start. The empty series is the suite's newest.
const KERNELS: [Kernel<'static>; 4] = [
    Kernel { name: "5.10", suite: "bullseye", series: "5.10." },
    Kernel { name: "6.1", suite: "bookworm", series: "6.1." },
    Kernel { name: "6.12", suite: "trixie", series: "6.12." },
    Kernel { name: "newest", suite: BACKPORTS, series: "" },
];

/// The suite that is asked for a series that is not in the table.
const BACKPORTS: &str = "trixie-backports";

/// What carries the command's output, in the order in which it is loaded. Kernels have either all
/// of a driver's modules or the driver built in.
const MODULES: [&str; 6] = [
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "drivers/char/virtio_console",
];

/// What a node takes beyond that, for its disk and for container engines; ext4 is in all kernels.
const NODE_MODULES: [&str; 2] = ["drivers/block/virtio_blk", "fs/overlayfs/overlay"];

/// A kernel in the cache.
pub(super) struct Image {
    /// The folder of its package, in which what is derived from it may be kept.
    pub(super) home: PathBuf,
    /// The bootable image.
    pub(super) vmlinuz: PathBuf,
    /// The modules that a guest has to load, in order; empty where all is built in.
    pub(super) modules: Vec<PathBuf>,
    /// Those that a node loads after them.
    pub(super) node_modules: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Kernel<'a> {
    name: &'a str,
    suite: &'a str,
    series: &'a str,
}

/// The names of the kernels that are looked after.
pub(crate) fn names() -> [&'static str; KERNELS.len()] {
    KERNELS.map(|kernel| kernel.name)
}

impl Image {
    /// `6.12.118+deb13` and the like.
    pub(super) fn version(&self) -> Option<&str> {
        version_of(self.home.file_name()?.to_str()?)
    }
}

/// The kernel of that name: cached and young enough, or fetched now. If nothing
/// can be fetched, an older cached one is used and that is said on stderr.
pub(super) fn image(name: &str) -> Result<Image> {
    let folder = cache::folder("kernels")?;
    let _lock = cache::lock(&folder.join(format!("{}.lock", checked(name)?)))?;
    let cached = cached_home(&folder, name);
    let is_fresh = is_fresh(&current_file(&folder, name));
    let home = match (cached, is_fresh) {
        (Some(home), true) => home,
        (Some(home), false) => fetch(&folder, name).or_else(|error| {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "vm: cannot refresh ({error:#}), using {}", home.display())?;
            Ok::<_, anyhow::Error>(home)
        })?,
        (None, _) => fetch(&folder, name).with_context(|| format!("no kernel {name}"))?,
    };
    let modules = cached_modules(&home, &MODULES);
    let node_modules = cached_modules(&home, &NODE_MODULES);
    Ok(Image { vmlinuz: home.join("vmlinuz"), modules, node_modules, home })
}

/// Makes the next `image` of this name ask the index again. What is cached stays.
pub(super) fn refresh(name: &str) -> Result<()> {
    let current = current_file(&cache::folder("kernels")?, checked(name)?);
    match std::fs::File::options().write(true).open(&current) {
        Ok(file) => Ok(file.set_modified(std::time::UNIX_EPOCH)?),
        Err(_) => Ok(()),
    }
}

/// The name goes into file names, so it has to look like one.
fn checked(name: &str) -> Result<&str> {
    let is_series = name.split('.').count() == 2
        && name.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if is_series || KERNELS.iter().any(|kernel| kernel.name == name) {
        return Ok(name);
    }
    bail!("no kernel {name:?}: there are {}, and series of {BACKPORTS}", names().join(", "))
}

fn current_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.current"))
}

/// The folder of the package that the name stands for, if it is whole.
fn cached_home(folder: &Path, name: &str) -> Option<PathBuf> {
    let package = std::fs::read_to_string(current_file(folder, name)).ok()?;
    Some(folder.join(package)).filter(|home| is_whole(home))
}

/// The image is put there last, and overlays are a module in every kernel.
fn is_whole(home: &Path) -> bool {
    home.join("vmlinuz").is_file() && home.join("overlay.ko").is_file()
}

/// Where a module of the table is kept, and what it is called there.
fn module_file(home: &Path, module: &str) -> PathBuf {
    home.join(format!("{}.ko", module.rsplit('/').next().unwrap_or(module)))
}

fn cached_modules(home: &Path, table: &[&str]) -> Vec<PathBuf> {
    table.iter().map(|module| module_file(home, module)).filter(|file| file.is_file()).collect()
}

fn is_fresh(current: &Path) -> bool {
    let modified = std::fs::metadata(current).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age < FRESH))
}

/// Refreshes the index, and downloads the series' newest package unless it is there already.
fn fetch(folder: &Path, name: &str) -> Result<PathBuf> {
    let series = format!("{name}.");
    let other = Kernel { name, suite: BACKPORTS, series: &series };
    let kernel = KERNELS.into_iter().find(|kernel| kernel.name == name).unwrap_or(other);
    let suite = debian::Suite::refreshed(kernel.suite)?;
    let packages = suite.package_names("linux-")?;
    let Some(package) = choose(packages.iter().map(String::as_str), kernel.series) else {
        bail!("{} has {}", kernel.suite, series_of(&packages).join(", "));
    };
    let home = folder.join(package);
    if !is_whole(&home) {
        let mut unpacked = vec![suite.unpacked(package, folder)?];
        if let Some(modules) = modules_package(package) {
            unpacked.push(suite.unpacked(&modules, folder)?);
        }
        keep(&unpacked.iter().map(TempDir::path).collect::<Vec<_>>(), &home)?;
    }
    cache::write_whole(&current_file(folder, name), package)?;
    Ok(home)
}

/// Copies what a guest needs of the packages, each file under a temporary name first, so that it
/// is whole or not there.
fn keep(packages: &[&Path], home: &Path) -> Result<()> {
    std::fs::create_dir_all(home)?;
    let trees = packages.iter().flat_map(|package| {
        entries(package.join("lib/modules")).chain(entries(package.join("usr/lib/modules")))
    });
    for tree in trees {
        for module in MODULES.iter().chain(&NODE_MODULES) {
            let file = tree.join(format!("kernel/{module}.ko"));
            let packed = file.with_extension("ko.xz");
            if packed.is_file() {
                cache::write_whole(&module_file(home, module), debian::unpacked_xz(&packed)?)?;
            } else if file.is_file() {
                install(&file, &module_file(home, module))?;
            }
        }
    }
    let image = packages.iter().find_map(|package| find_image(package));
    install(&image.context("the package has no kernel image")?, &home.join("vmlinuz"))
}

fn install(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    cache::write_whole(to, bytes)
}

fn entries(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// `boot/vmlinuz-*`, or from 7.x `usr/lib/modules/*/vmlinuz`.
fn find_image(unpacked: &Path) -> Option<PathBuf> {
    let boot = entries(unpacked.join("boot")).filter(|path| {
        path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"vmlinuz-"))
    });
    let modules = entries(unpacked.join("usr/lib/modules")).map(|tree| tree.join("vmlinuz"));
    boot.chain(modules).find(|path| path.is_file() && !path.is_symlink())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_kernel_is_refused_with_those_that_are() {
        for name in ["", "6", "6.x", "../6.1", "6.1.0", "latest"] {
            let error = checked(name).unwrap_err().to_string();
            assert!(error.contains("5.10, 6.1, 6.12, newest"), "{name}: {error}");
        }
        for name in ["5.10", "newest", "7.2"] {
            assert_eq!(checked(name).unwrap(), name);
        }
    }
}
