//! What a guest starts with: busybox, the init script, the command and the caller's files, as one
//! cpio archive, which is the bare guest's root and a node's first one. Owns what lies where in it;
//! what happens in the guest is the init script's.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cpio::newc::{Builder, ModeFileType, trailer};

/// PID 1 of the bare guest.
const INIT: &str = include_str!("init.sh");

/// What comes before systemd on a node.
const NODE_INIT: &str = include_str!("node/init.sh");

/// What runs the command there, and the unit that runs this.
const NODE_AGENT: [(&str, &str); 2] = [
    ("vm/agent.sh", include_str!("node/agent.sh")),
    ("vm/truant-guest.service", include_str!("node/truant-guest.service")),
];

/// What becomes part of a node's root.
const NODE_ROOT: &str = "vm/root";

/// Folders that have to exist before anything is mounted.
const FOLDERS: [&str; 13] = [
    "bin",
    "dev",
    "etc",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr",
    "usr/local",
    "usr/local/bin",
    "vm",
    "vm/modules",
];

/// What is mounted below `/sys/fs/cgroup` of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Cgroup {
    /// Every v1 controller the kernel has, and `name=systemd`.
    V1,
    /// The same, and the unified hierarchy without controllers at `unified`.
    Hybrid,
    /// The unified hierarchy alone, all its controllers enabled below the root.
    V2,
}

/// What the archive boots.
#[derive(Clone, Copy, Debug)]
pub(super) enum System {
    /// The bare guest, whose init script lays out the cgroup tree.
    Bare(Cgroup),
    /// A node, whose disk is mounted and whose systemd is started.
    Node,
}

/// What goes into an initramfs.
pub(super) struct Contents<'a> {
    pub(super) system: System,
    pub(super) command: &'a [OsString],
    /// Kernel modules to load, in order.
    pub(super) modules: &'a [PathBuf],
    /// Pairs of an absolute guest path and a host file, whose permissions are kept.
    pub(super) files: &'a [(PathBuf, PathBuf)],
}

/// Writes the archive for `contents` to `path`.
pub(super) fn write(contents: &Contents<'_>, path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let mut archive = Archive { out: BufWriter::new(file), inode: 0, folders: Vec::new() };
    for folder in FOLDERS {
        archive.folder(Path::new(folder))?;
    }
    let busybox = busybox()?;
    archive.host_file(Path::new("bin/busybox"), &busybox)?;
    for applet in applets(&busybox)? {
        archive.link(&Path::new("bin").join(applet), "busybox")?;
    }
    let root = match contents.system {
        System::Bare(cgroup) => {
            archive.text("init", INIT.as_bytes())?;
            archive.text("vm/cgroup", format!("{cgroup:?}\n").to_lowercase().as_bytes())?;
            Path::new("")
        }
        System::Node => {
            archive.text("init", NODE_INIT.as_bytes())?;
            for (path, text) in NODE_AGENT {
                archive.text(path, text.as_bytes())?;
            }
            archive.folder(Path::new(NODE_ROOT))?;
            Path::new(NODE_ROOT)
        }
    };
    archive.text("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")?;
    archive.text("etc/group", b"root:x:0:\n")?;
    archive.text("vm/command", &command_script(contents.command))?;
    for (index, module) in contents.modules.iter().enumerate() {
        archive.host_file(&Path::new("vm/modules").join(format!("{index}.ko")), module)?;
    }
    for (guest, host) in contents.files {
        archive.host_file(&root.join(guest.strip_prefix("/").unwrap_or(guest)), host)?;
    }
    Ok(trailer(archive.out)?.flush()?)
}

/// A shell script that becomes the command, each argument quoted.
fn command_script(command: &[OsString]) -> Vec<u8> {
    let mut script = b"exec".to_vec();
    for argument in command {
        script.extend_from_slice(b" '");
        for byte in argument.as_bytes() {
            match byte {
                b'\'' => script.extend_from_slice(b"'\\''"),
                other => script.push(*other),
            }
        }
        script.push(b'\'');
    }
    script.push(b'\n');
    script
}

/// A statically linked busybox: the guest has no libraries.
fn busybox() -> Result<PathBuf> {
    let path = PathBuf::from("/bin/busybox");
    if !path.exists() {
        bail!("{} is missing: install busybox-static", path.display());
    }
    Ok(path)
}

pub(super) fn applets(busybox: &Path) -> Result<Vec<String>> {
    let output = Command::new(busybox).arg("--list").output().context("starting busybox")?;
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names.lines().filter(|name| *name != "busybox").map(str::to_owned).collect())
}

/// An archive that is being written.
struct Archive {
    out: BufWriter<File>,
    inode: u32,
    folders: Vec<PathBuf>,
}

impl Archive {
    /// Adds a folder after those above it; one that is there already is left alone.
    fn folder(&mut self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() || self.folders.iter().any(|known| known == path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.folder(parent)?;
        }
        self.folders.push(path.to_owned());
        self.entry(path, ModeFileType::Directory, 0o755, b"")
    }

    fn text(&mut self, path: &str, text: &[u8]) -> Result<()> {
        self.entry(Path::new(path), ModeFileType::Regular, 0o755, text)
    }

    fn link(&mut self, path: &Path, target: &str) -> Result<()> {
        self.entry(path, ModeFileType::Symlink, 0o777, target.as_bytes())
    }

    fn host_file(&mut self, path: &Path, host: &Path) -> Result<()> {
        self.folder(path.parent().unwrap_or(Path::new("")))?;
        let reading = || format!("reading {}", host.display());
        let mode = std::fs::metadata(host).with_context(reading)?.permissions().mode();
        let bytes = std::fs::read(host).with_context(reading)?;
        self.entry(path, ModeFileType::Regular, mode & 0o777, &bytes)
    }

    fn entry(&mut self, path: &Path, kind: ModeFileType, mode: u32, bytes: &[u8]) -> Result<()> {
        let name = name_of(path.as_os_str())?;
        let size = u32::try_from(bytes.len())
            .with_context(|| format!("{} is too large for a guest", path.display()))?;
        self.inode += 1;
        let builder = Builder::new(name).ino(self.inode).mode(mode).set_mode_file_type(kind);
        let mut writer = builder.write(&mut self.out, size);
        writer.write_all(bytes)?;
        writer.finish()?;
        Ok(())
    }
}

fn name_of(path: &OsStr) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_survives_the_shell() {
        let arguments = ["a b", "it's", "$HOME", "", "\\n\n", "*"];
        let mut command = vec!["printf".into(), "%s|".into()];
        command.extend(arguments.map(OsString::from));
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), command_script(&command)).unwrap();
        let output = Command::new("sh").arg(script.path()).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), arguments.join("|") + "|");
    }

    #[test]
    fn an_archive_has_the_folders_above_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let out = BufWriter::new(file.reopen().unwrap());
        let mut archive = Archive { out, inode: 0, folders: Vec::new() };
        archive.host_file(Path::new("opt/data/x"), file.path()).unwrap();
        trailer(archive.out).unwrap().flush().unwrap();
        let mut names = Vec::new();
        let mut reader = cpio::NewcReader::new(file.reopen().unwrap()).unwrap();
        while !reader.entry().is_trailer() {
            names.push(reader.entry().name().to_owned());
            reader = cpio::NewcReader::new(reader.finish().unwrap()).unwrap();
        }
        assert_eq!(names, ["opt", "opt/data", "opt/data/x"]);
    }
}
