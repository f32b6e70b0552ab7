//! What was kept of real nodes, for the tests of whatever reads there. Owns where it is and how it
//! is laid out; what it came from is told beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::host::Host;

/// The files of one node.
pub(crate) struct Capture(PathBuf);

impl Capture {
    /// Docker on v1, with the cgroupfs driver: systemd and its service have left their container.
    pub(crate) fn incident() -> Self {
        Self::of("incident-v1-6.1")
    }

    /// containerd and Docker on v2, with the systemd driver: all are where they belong.
    pub(crate) fn pods() -> Self {
        Self::of("pods-v2-6.12")
    }

    /// The same, after a privileged container of containerd took the fence of all others down.
    pub(crate) fn unfenced() -> Self {
        Self::of("pods-unfenced-v2-6.12")
    }

    fn of(name: &str) -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name))
    }

    /// The readers, on this node.
    pub(crate) fn host(&self) -> Host {
        Host::at(&self.0)
    }

    /// Whether a process has this role.
    pub(crate) fn has(&self, role: &str) -> bool {
        self.0.join(role).exists()
    }

    /// The number of the process that has this role.
    pub(crate) fn pid(&self, role: &str) -> u32 {
        let link = fs::read_link(self.0.join(role)).unwrap();
        link.file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    /// A file; none if there is none of this name.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join(path)).ok()
    }

    /// The paths of all cgroups of the hierarchy that is mounted there, in order.
    pub(crate) fn cgroups(&self, mount: &str) -> Vec<String> {
        let tree = fs::read_to_string(self.0.join("tree")).unwrap();
        let below = tree.lines().filter_map(|line| line.strip_prefix(mount));
        let paths = below.filter(|path| path.is_empty() || path.starts_with('/'));
        paths.map(|path| if path.is_empty() { "/" } else { path }.to_owned()).collect()
    }
}

/// A text with `ID` in place of each container's id, which another capture has anew.
pub(crate) fn without_ids(text: &str) -> String {
    let mut short = String::new();
    for part in text.split_inclusive(|c: char| !matches!(c, '0'..='9' | 'a'..='f')) {
        let end = part.len() - usize::from(!part.ends_with(|c: char| c.is_ascii_hexdigit()));
        let (digits, after) = part.split_at(end);
        short.push_str(if digits.len() == 64 { "ID" } else { digits });
        short.push_str(after);
    }
    short
}
