//! What is on a node's disk, as data: packages, what is left out of them, and the fingerprint of
//! all of it. Pure. The texts of the files are elsewhere; where packages come from is decided when
//! a disk is built, and so is which versions those are.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Release, containers, files};

/// Changes when a build would make something else of the same data.
const BUILD: u32 = 1;

/// What the container image with systemd has, and the node as well: it is what is installed first.
const FIRST: [&str; 5] = ["busybox-static", "procps", "stress", "systemd", "systemd-sysv"];

/// What the node has beyond that.
const ENGINES: [&str; 11] = [
    "conmon",
    "containerd",
    "crun",
    "dbus",
    "docker.io",
    "iproute2",
    "kmod",
    "podman",
    "runc",
    "strace",
    "util-linux",
];

/// Files of packages that are for people.
const NOT_UNPACKED: [&str; 5] = [
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/share/bash-completion/*",
];

/// Writes the base of the container image, in the root.
pub(super) const CONTAINER: &str = include_str!("container.sh");

/// Fills the engines' stores, on a node.
pub(super) const PRELOAD: &str = include_str!("preload.sh");

/// The packages of the first step.
pub(super) fn first() -> String {
    FIRST.join(",")
}

/// The kernel of the release, on which its disk is finished.
pub(super) fn kernel(release: Release) -> &'static str {
    match release {
        Release::Bullseye => "5.10",
        Release::Bookworm => "6.1",
        Release::Trixie => "6.12",
    }
}

/// The packages of the second step. Docker's client is a package of its own from trixie on.
pub(super) fn engines(release: Release) -> Vec<&'static str> {
    let mut packages = ENGINES.to_vec();
    if release == Release::Trixie {
        packages.push("docker-cli");
    }
    packages
}

/// mmdebstrap's options that shape what is installed.
pub(super) fn options() -> Vec<String> {
    let mut options =
        ["--mode=root", "--variant=minbase", "--format=directory"].map(str::to_owned).to_vec();
    options.push("--dpkgopt=force-unsafe-io".to_owned());
    options.push("--aptopt=APT::Install-Recommends \"false\"".to_owned());
    options.push("--aptopt=Acquire::Languages \"none\"".to_owned());
    options.push("--aptopt=Acquire::Retries \"2\"".to_owned());
    options.extend(NOT_UNPACKED.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
    options
}

/// mke2fs's options. A disk of which nothing outlives its guest needs no journal and no checksums.
pub(super) const FILE_SYSTEM: [&str; 10] = [
    "-q",
    "-t",
    "ext4",
    "-O",
    "^has_journal,^metadata_csum,^resize_inode",
    "-m",
    "0",
    "-N",
    "200000",
    "-F",
];

/// The size of the file system; the file takes what is used of it.
pub(super) const SIZE: &str = "4G";

/// Names the recipe: another one has another name.
pub(super) fn fingerprint(release: Release) -> String {
    let mut whole = format!("{BUILD} {release:?}");
    let _ = writeln!(whole, "{} {:?} {:?}", first(), engines(release), options());
    let _ = writeln!(whole, "{FILE_SYSTEM:?} {SIZE} {CONTAINER} {PRELOAD}");
    let _ = writeln!(whole, "{:?} {:?} {:?}", files::FILES, files::MASKED, containers::DEFINITION);
    let mut name = format!("{:x}", Sha256::digest(whole));
    name.truncate(12);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_has_a_recipe_of_its_own_and_the_same_each_time() {
        let name = fingerprint(Release::Bookworm);
        assert_eq!(name, fingerprint(Release::Bookworm));
        assert_eq!(name.len(), 12);
        assert_ne!(name, fingerprint(Release::Bullseye));
        assert_ne!(name, fingerprint(Release::Trixie));
    }

    #[test]
    fn trixie_has_dockers_client_too() {
        assert!(engines(Release::Trixie).contains(&"docker-cli"));
        assert!(!engines(Release::Bookworm).contains(&"docker-cli"));
    }
}
