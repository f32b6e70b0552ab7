//! Which kernels `--kernel` names, and the image of each, from the cache or fetched into it. Owns
//! the table, the choice among a suite's packages, and how long a choice stands; how packages are
//! listed and downloaded is apt's matter, elsewhere.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{cache, debian};

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

#[derive(Clone, Copy, Debug, PartialEq)]
struct Kernel<'a> {
    name: &'a str,
    suite: &'a str,
    series: &'a str,
}

/// The path of a bootable image for `name`: cached and young enough, or fetched now. If nothing
/// can be fetched, an older cached one is used and that is said on stderr.
pub(super) fn image(name: &str) -> Result<PathBuf> {
    let folder = cache::folder("kernels")?;
    let _lock = cache::lock(&folder.join(format!("{}.lock", checked(name)?)))?;
    let cached = cached_image(&folder, name);
    if let Some(image) = cached.as_ref().filter(|_| is_fresh(&current_file(&folder, name))) {
        return Ok(image.clone());
    }
    match (fetch(&folder, name), cached) {
        (Err(error), Some(image)) => {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "vm: cannot refresh ({error:#}), using {}", image.display())?;
            Ok(image)
        }
        (fetched, _) => fetched.with_context(|| format!("no kernel {name}")),
    }
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
    let names: Vec<_> = KERNELS.iter().map(|kernel| kernel.name).collect();
    bail!("no kernel {name:?}: there are {}, and series of {BACKPORTS}", names.join(", "))
}

fn current_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.current"))
}

fn cached_image(folder: &Path, name: &str) -> Option<PathBuf> {
    let package = std::fs::read_to_string(current_file(folder, name)).ok()?;
    Some(folder.join(package).join("vmlinuz")).filter(|image| image.is_file())
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
        bail!("{} has {}", kernel.suite, series_of(packages.iter().map(String::as_str)).join(", "));
    };
    let home = folder.join(package);
    if !home.join("vmlinuz").is_file() {
        let unpacked = suite.unpacked(package, folder)?;
        install(&find_image(unpacked.path())?, &home)?;
    }
    cache::write_whole(&current_file(folder, name), package)?;
    Ok(home.join("vmlinuz"))
}

/// Puts the image at its place under a temporary name first, so that it is whole or not there.
fn install(image: &Path, home: &Path) -> Result<()> {
    std::fs::create_dir_all(home)?;
    let temporary = tempfile::NamedTempFile::new_in(home)?;
    std::fs::copy(image, temporary.path())
        .with_context(|| format!("copying {}", image.display()))?;
    temporary.persist(home.join("vmlinuz"))?;
    Ok(())
}

/// `boot/vmlinuz-*`, or from 7.x `usr/lib/modules/*/vmlinuz`.
fn find_image(unpacked: &Path) -> Result<PathBuf> {
    let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let boot = entries(unpacked.join("boot"))
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz-"))
        .map(|entry| entry.path());
    let modules =
        entries(unpacked.join("usr/lib/modules")).map(|entry| entry.path().join("vmlinuz"));
    boot.chain(modules)
        .find(|path| path.is_file() && !path.is_symlink())
        .context("the package has no kernel image")
}

/// The newest package with an image of that series. `linux-binary-*` wins over `linux-image-*` of
/// the same version: where both exist, the image is in the first.
fn choose<'a>(packages: impl Iterator<Item = &'a str>, series: &str) -> Option<&'a str> {
    packages
        .filter_map(|package| Some((version_of(package)?, package)))
        .filter(|(version, _)| version.starts_with(series))
        .max_by_key(|(version, package)| {
            (version_key(version), package.starts_with("linux-binary-"))
        })
        .map(|(_, package)| package)
}

/// `6.12.118+deb13` of `linux-image-6.12.118+deb13-cloud-amd64`; `None` for debug symbols,
/// unsigned images, metapackages and other flavours.
fn version_of(package: &str) -> Option<&str> {
    let rest =
        package.strip_prefix("linux-image-").or_else(|| package.strip_prefix("linux-binary-"))?;
    let version = rest.strip_suffix("-cloud-amd64")?;
    let is_full = version.split('.').count() >= 3 && version.starts_with(|c: char| c.is_digit(10));
    is_full.then_some(version)
}

/// The numbers in a version, in order: what two versions of one suite's kernels differ by.
fn version_key(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

fn series_of(packages: &[String]) -> Vec<String> {
    let mut series: Vec<_> =
        packages.filter_map(version_of).map(|version| version_key(version)[..2].to_vec()).collect();
    series.sort_unstable();
    series.dedup();
    series.iter().map(|pair| format!("{}.{}", pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(packages: &[&str], series: &str, expected: Option<&str>) {
        assert_eq!(choose(packages.iter().copied(), series), expected);
    }

    #[test]
    fn the_newest_of_a_series_is_chosen_by_number() {
        let packages = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-57-amd64",
            "linux-image-6.1.0-58-cloud-amd64-dbg",
            "linux-image-6.1.0-59-cloud-amd64-unsigned",
            "linux-image-6.1-cloud-amd64",
            "linux-image-6.12.117+deb12-cloud-amd64",
            "linux-image-cloud-amd64",
        ];
        check(&packages, "6.1.", Some("linux-image-6.1.0-56-cloud-amd64"));
        check(&packages, "5.10.", None);
    }

    #[test]
    fn a_rebuild_is_newer_than_the_build() {
        let packages = [
            "linux-image-6.12.115+deb13.1-cloud-amd64",
            "linux-image-6.12.115+deb13-cloud-amd64",
            "linux-image-6.12.90+deb13.1-cloud-amd64",
        ];
        check(&packages, "6.12.", Some(packages[0]));
    }

    #[test]
    fn the_image_is_in_linux_binary_where_there_is_one() {
        let packages = [
            "linux-image-7.3.4+deb13-cloud-amd64",
            "linux-binary-7.3.4+deb13-cloud-amd64",
            "linux-binary-unsigned-7.3.4+deb13-cloud-amd64",
            "linux-image-7.2.12+deb13-cloud-amd64",
            "linux-image-6.16.12+deb13-cloud-amd64",
        ];
        check(&packages, "", Some(packages[1]));
        check(&packages, "6.16.", Some(packages[4]));
        assert_eq!(series_of(packages.into_iter()), ["6.16", "7.2", "7.3"]);
    }

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
