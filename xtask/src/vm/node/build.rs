//! Makes a node's disk by the recipe: packages into a folder, files and container images beside
//! them, and a file system of that folder. Owns the order of the steps and the tools that are run;
//! not what is on the disk.

use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Release, containers, files, recipe};
use crate::debian;
use crate::vm::{Cgroup, Guest, initramfs};

/// Where a node has its container images.
const IMAGES: &str = "opt/images";

/// Builds the disk at `image`, which is there when it is whole; `folder` is on the same file
/// system, and has room for three times the disk meanwhile.
pub(super) fn build(release: Release, folder: &Path, image: &Path) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("only root can build a disk: run this once as root");
    }
    let prefix = format!("{}-building-", release.suite());
    remove_abandoned(folder, &prefix)?;
    let work = tempfile::Builder::new().prefix(&prefix).tempdir_in(folder)?;
    let (root, base) = (work.path().join("root"), work.path().join("base.tar"));
    install(release, work.path(), &root, &base)?;
    settle(&root).context("writing the node's files")?;
    container_images(&root, &base).context("making the container images")?;
    let file = work.path().join("disk");
    let mut mke2fs = Command::new("mke2fs");
    run(mke2fs.args(recipe::FILE_SYSTEM).arg("-d").args([&root, &file]).arg(recipe::SIZE))?;
    preload(release, &file).context("giving the engines their images")?;
    fs::rename(&file, image).with_context(|| format!("cannot make {}", image.display()))
}

/// Removes what a build that was killed left. The caller's lock says that none is going on.
fn remove_abandoned(folder: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            // Not through what may still be mounted there.
            run(Command::new("rm").args(["-rf", "--one-file-system"]).arg(entry.path()))?;
        }
    }
    Ok(())
}

/// Installs the packages: first those of the container image, of which the base of that image is
/// made, and then, in the same root, the engines.
fn install(release: Release, work: &Path, root: &Path, base: &Path) -> Result<()> {
    let sources = work.join("sources.list");
    fs::write(&sources, debian::sources_of(release.suite())?)?;
    let quoted = |path: &Path| format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"));
    let script = work.join("container.sh");
    fs::write(&script, recipe::CONTAINER)?;
    let to_tar = format!("chroot \"$1\" sh -e -s <{} >{}", quoted(&script), quoted(base));
    // In the root: apt that runs outside of it, for it, would have dpkg install into this machine.
    let engines = format!(
        "env DEBIAN_FRONTEND=noninteractive chroot \"$1\" apt-get --quiet --yes install {}",
        recipe::engines(release).join(" "),
    );
    let hooks = [to_tar, engines].map(|hook| format!("--customize-hook={hook}"));
    let mut command = Command::new("mmdebstrap");
    command.args(recipe::options()).args(hooks).arg(format!("--include={}", recipe::first()));
    run(command.arg(release.suite()).args([root, &sources]))
}

/// Writes the node's own files, and leaves no unit enabled and none of the masked ones in force.
fn settle(root: &Path) -> Result<()> {
    let units = root.join("etc/systemd/system");
    for entry in fs::read_dir(&units)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wants") {
            fs::remove_dir_all(path)?;
        }
    }
    for (path, text) in files::FILES {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        remove(&path)?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    for unit in files::MASKED {
        remove(&units.join(unit))?;
        symlink(files::MASK, units.join(unit))?;
    }
    let default = units.join("default.target");
    remove(&default)?;
    symlink("/lib/systemd/system/multi-user.target", default)?;
    let containerd = root.join("etc/containerd/config.toml");
    remove(&containerd)?;
    Ok(symlink("cgroupfs.toml", containerd)?)
}

/// A link would be followed when it is written to, out of the root.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn container_images(root: &Path, base: &Path) -> Result<()> {
    let folder = root.join(IMAGES);
    fs::create_dir_all(&folder)?;
    let busybox = root.join("bin/busybox");
    let applets = initramfs::applets(&busybox)?;
    let small = containers::busybox_layer(&fs::read(&busybox)?, &applets)?;
    let (base, applets) = (fs::read(base)?, containers::applets_layer(&applets)?);
    let (small, large): ([&[u8]; 1], [&[u8]; 2]) = ([&small], [&base, &applets]);
    for image in &containers::DEFINITION {
        let out = BufWriter::new(File::create(folder.join(format!("{}.tar", image.name)))?);
        image.write(if image.name == "systemd" { &large } else { &small }, out)?;
    }
    Ok(())
}

/// Boots the new disk, and has each engine load the container images, which takes an emulated
/// processor longer than most of what is to be seen on a node.
fn preload(release: Release, disk: &Path) -> Result<()> {
    let command = ["sh", "-c", recipe::PRELOAD];
    let mut guest = Guest::on_node(release, recipe::kernel(release), Cgroup::V2, &command);
    guest.timeout = Duration::from_mins(30);
    let output = guest.run_writing(disk)?;
    if output.status != 0 {
        bail!("{}{}", String::from_utf8_lossy(&output.stderr), output.console);
    }
    check(disk)
}

/// Files that were open when the disk became read-only are put in order.
fn check(disk: &Path) -> Result<()> {
    let output = Command::new("e2fsck").args(["-p", "-f"]).arg(disk).output()?;
    match output.status.code() {
        Some(0 | 1) => Ok(()),
        _ => bail!("e2fsck: {}: {}", output.status, String::from_utf8_lossy(&output.stdout)),
    }
}

/// Runs a program; what it said is in the error if it fails.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program}: {}: {}", output.status, said.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_unit_stays_enabled_and_no_link_is_followed_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let units = root.join("etc/systemd/system");
        fs::create_dir_all(units.join("multi-user.target.wants")).unwrap();
        let outside = folder.path().join("outside");
        fs::write(&outside, "untouched").unwrap();
        symlink(&outside, root.join("etc/resolv.conf")).unwrap();
        symlink("/x", units.join("multi-user.target.wants/docker.service")).unwrap();
        settle(&root).unwrap();
        settle(&root).unwrap();
        assert!(!units.join("multi-user.target.wants").exists());
        assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
        assert_eq!(fs::read_link(units.join("getty.target")).unwrap(), Path::new(files::MASK));
        let driver = fs::read_to_string(root.join("etc/containerd/config.toml")).unwrap();
        assert!(driver.contains("SystemdCgroup = false"), "{driver}");
    }
}
