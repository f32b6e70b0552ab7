//! The container images that a node brings along, in the form that `docker load`, `podman load` and
//! `ctr images import` all take: a tar of a manifest, a configuration and layers. Owns their names,
//! commands and that form; where the files of the first layer come from is the build's.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::files::MASK;

/// Their names are `truant/` and these, tagged `latest`.
pub(super) const DEFINITION: [Image; 3] = [
    Image { name: "pause", command: &["/bin/sleep", "2147483647"], files: &[], links: &[] },
    Image { name: "busybox", command: &["/bin/sh"], files: &[], links: &[] },
    Image { name: "systemd", command: &["/lib/systemd/systemd"], files: &FILES, links: &LINKS },
];

/// One image.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) name: &'static str,
    command: &'static [&'static str],
    /// Paths in the image, and texts.
    files: &'static [(&'static str, &'static str)],
    /// Links below `/etc/systemd/system`, and where they lead.
    links: &'static [(&'static str, &'static str)],
}

/// The services that hold 200 MiB: the first starts with the container, the second does not.
const FILES: [(&str, &str); 4] = [
    ("etc/systemd/system/leaky.service", HOLDER),
    ("etc/systemd/system/hog.service", HOLDER),
    ("etc/machine-id", "7472756e740000000000000000000002\n"),
    ("etc/fstab", ""),
];

const HOLDER: &str = "[Unit]\nDescription=holds 200 MiB\n\n[Service]\n\
    ExecStart=/usr/bin/stress --vm 1 --vm-bytes 200M --vm-keep --vm-hang 0\n\n\
    [Install]\nWantedBy=multi-user.target\n";

const LINKS: [(&str, &str); 17] = [
    ("multi-user.target.wants/leaky.service", "../leaky.service"),
    ("apt-daily-upgrade.timer", MASK),
    ("apt-daily.timer", MASK),
    ("dev-hugepages.mount", MASK),
    ("dev-mqueue.mount", MASK),
    ("getty.target", MASK),
    ("modprobe@.service", MASK),
    ("sys-fs-fuse-connections.mount", MASK),
    ("sys-kernel-config.mount", MASK),
    ("sys-kernel-debug.mount", MASK),
    ("sys-kernel-tracing.mount", MASK),
    ("systemd-journal-flush.service", MASK),
    ("systemd-logind.service", MASK),
    ("systemd-remount-fs.service", MASK),
    ("systemd-tmpfiles-setup-dev.service", MASK),
    ("systemd-update-utmp.service", MASK),
    ("systemd-user-sessions.service", MASK),
];

/// Folders that a container's root has, whatever fills them.
const FOLDERS: [&str; 12] = [
    "dev",
    "etc",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr",
    "usr/local",
    "var",
    "var/lib",
    "var/log",
];

/// The layer of the small images: busybox, and its applets as links.
pub(super) fn busybox_layer(busybox: &[u8], applets: &[String]) -> Result<Vec<u8>> {
    let mut layer = Layer::with_folders(&FOLDERS)?;
    layer.folder("bin")?;
    layer.file("bin/busybox", 0o755, busybox)?;
    for applet in applets {
        layer.link(&format!("bin/{applet}"), "busybox")?;
    }
    layer.file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n")?;
    layer.file("etc/group", 0o644, b"root:x:0:\n")?;
    layer.end()
}

/// The layer that gives systemd's container the applets for which it has no program of its own:
/// those come first on the path.
pub(super) fn applets_layer(applets: &[String]) -> Result<Vec<u8>> {
    let mut layer = Layer::with_folders(&FOLDERS)?;
    layer.folder(APPLETS)?;
    for applet in applets {
        layer.link(&format!("{APPLETS}/{applet}"), "/bin/busybox")?;
    }
    layer.end()
}

/// The last folder of the path.
const APPLETS: &str = "usr/applets";

impl Image {
    /// Writes the image, with `below` as the layers below its own files.
    pub(super) fn write(&self, below: &[&[u8]], out: impl Write) -> Result<()> {
        let own = self.own_layer()?;
        let layers: Vec<&[u8]> = below.iter().copied().chain(own.as_deref()).collect();
        let digests: Vec<_> = layers.iter().map(|layer| hex(layer)).collect();
        let configuration = self.configuration(&digests).to_string();
        let name = format!("{}.json", hex(configuration.as_bytes()));
        let paths: Vec<_> = digests.iter().map(|digest| format!("{digest}/layer.tar")).collect();
        let manifest = json!([{
            "Config": name,
            "RepoTags": [format!("truant/{}:latest", self.name)],
            "Layers": paths,
        }]);
        let mut archive = Layer { tar: tar::Builder::new(out) };
        archive.file("manifest.json", 0o644, manifest.to_string().as_bytes())?;
        archive.file(&name, 0o644, configuration.as_bytes())?;
        for (path, layer) in paths.iter().zip(layers) {
            archive.file(path, 0o644, layer)?;
        }
        Ok(archive.tar.into_inner()?.flush()?)
    }

    fn own_layer(&self) -> Result<Option<Vec<u8>>> {
        if self.files.is_empty() {
            return Ok(None);
        }
        let mut layer = Layer::with_folders(&["etc", "etc/systemd", "etc/systemd/system"])?;
        for (path, text) in self.files {
            layer.file(path, 0o644, text.as_bytes())?;
        }
        for (path, target) in self.links {
            layer.link(&format!("etc/systemd/system/{path}"), target)?;
        }
        layer.end().map(Some)
    }

    fn configuration(&self, digests: &[String]) -> Value {
        let path =
            format!("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/{APPLETS}");
        let identities: Vec<_> = digests.iter().map(|digest| format!("sha256:{digest}")).collect();
        let history: Vec<_> = digests.iter().map(|_| json!({ "created": EPOCH })).collect();
        json!({
            "architecture": "amd64",
            "os": "linux",
            "created": EPOCH,
            "config": { "Cmd": self.command, "Env": [path, "container=docker"] },
            "rootfs": { "type": "layers", "diff_ids": identities },
            "history": history,
        })
    }
}

const EPOCH: &str = "1970-01-01T00:00:00Z";

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A tar in which all belongs to root.
struct Layer<W: Write> {
    tar: tar::Builder<W>,
}

impl Layer<Vec<u8>> {
    fn with_folders(folders: &[&str]) -> Result<Self> {
        let mut layer = Self { tar: tar::Builder::new(Vec::new()) };
        for folder in folders {
            layer.folder(folder)?;
        }
        Ok(layer)
    }

    fn end(self) -> Result<Vec<u8>> {
        Ok(self.tar.into_inner()?)
    }
}

impl<W: Write> Layer<W> {
    fn folder(&mut self, path: &str) -> Result<()> {
        let mut header = header(tar::EntryType::Directory, 0o755);
        Ok(self.tar.append_data(&mut header, path, std::io::empty())?)
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = header(tar::EntryType::Regular, mode);
        header.set_size(bytes.len() as u64);
        Ok(self.tar.append_data(&mut header, path, bytes)?)
    }

    fn link(&mut self, path: &str, target: &str) -> Result<()> {
        let mut header = header(tar::EntryType::Symlink, 0o777);
        Ok(self.tar.append_link(&mut header, Path::new(path), target)?)
    }
}

fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    fn entries(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(tar);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (path, bytes)
        });
        entries.collect()
    }

    fn check(name: &str, layers: usize) {
        let image = DEFINITION.iter().find(|image| image.name == name).unwrap();
        let mut written = Vec::new();
        let below = busybox_layer(b"ELF", &["sh".to_owned()]).unwrap();
        image.write(&[&below], &mut written).unwrap();
        let entries = entries(&written);
        let manifest: Value = serde_json::from_slice(&entries["manifest.json"]).unwrap();
        let manifest = &manifest[0];
        assert_eq!(manifest["RepoTags"][0], format!("truant/{name}:latest"));
        let configuration = &entries[manifest["Config"].as_str().unwrap()];
        assert_eq!(manifest["Config"], format!("{}.json", hex(configuration)));
        let configuration: Value = serde_json::from_slice(configuration).unwrap();
        let paths = manifest["Layers"].as_array().unwrap();
        let identities = configuration["rootfs"]["diff_ids"].as_array().unwrap();
        assert_eq!((paths.len(), identities.len()), (layers, layers));
        for (path, identity) in paths.iter().zip(identities) {
            let layer = &entries[path.as_str().unwrap()];
            assert_eq!(*identity, format!("sha256:{}", hex(layer)));
        }
    }

    #[test]
    fn an_image_names_its_parts_by_their_digests() {
        check("pause", 1);
        check("busybox", 1);
        check("systemd", 2);
    }

    #[test]
    fn the_small_layer_has_the_applets() {
        let layer = busybox_layer(b"ELF", &["sleep".to_owned()]).unwrap();
        let mut archive = tar::Archive::new(&layer[..]);
        let link = archive
            .entries()
            .unwrap()
            .map(Result::unwrap)
            .find(|entry| entry.path().unwrap() == Path::new("bin/sleep"));
        let link = link.unwrap().link_name().unwrap().unwrap().into_owned();
        assert_eq!(link, Path::new("busybox"));
        assert_eq!(entries(&layer)["bin/busybox"], b"ELF");
    }
}
