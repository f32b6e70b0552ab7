//! Where the sockets of container runtimes are, and how to reach one in another root. Speaks to
//! none of them.

use std::{
    io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2},
    io::Errno,
};
use tokio::net::UnixStream;

use super::error::Error;

/// What speaks at a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The container runtime interface of Kubernetes, over gRPC.
    Cri,
    /// Docker's API, over HTTP.
    Docker,
    /// To be found by asking.
    Unknown,
}

/// A place where a socket may be.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// What speaks there.
    pub(super) kind: Kind,
    root: PathBuf,
    path: PathBuf,
    /// A file that is there while the runtime runs. Its service manager holds the socket, and
    /// would start the runtime for whoever connects.
    running: Option<&'static str>,
}

/// The usual places.
const USUAL: [(Kind, &str); 6] = [
    (Kind::Cri, "/run/containerd/containerd.sock"),
    (Kind::Cri, "/run/crio/crio.sock"),
    // Of K3s and RKE2, of k0s, of MicroK8s.
    (Kind::Cri, "/run/k3s/containerd/containerd.sock"),
    (Kind::Cri, "/run/k0s/containerd.sock"),
    (Kind::Cri, "/var/snap/microk8s/common/run/containerd.sock"),
    (Kind::Docker, "/run/docker.sock"),
];

/// The usual places below `root`, each socket once. Where `/var/run` leads elsewhere than `/run`,
/// what is in it counts too.
pub(super) fn usual(root: &Path) -> Vec<Place> {
    let place = |kind, path: String| Place {
        kind,
        root: root.to_owned(),
        path: path.into(),
        running: (kind == Kind::Docker).then_some("/run/docker.pid"),
    };
    let mut places: Vec<_> =
        USUAL.iter().map(|&(kind, path)| place(kind, path.to_owned())).collect();
    let other = USUAL.iter().filter(|(_, path)| path.starts_with("/run/"));
    let other = other.map(|&(kind, path)| place(kind, format!("/var{path}")));
    places.extend(other.filter(|it| it.inode().is_some()));
    let mut seen = Vec::new();
    places.retain(|place| match place.inode() {
        Some(inode) if seen.contains(&inode) => false,
        inode => {
            seen.extend(inode);
            true
        }
    });
    places
}

/// The one place that was named: as truant sees it, or else below `root`.
pub(super) fn named(root: &Path, path: &Path) -> Place {
    let root = if path.exists() { Path::new("/") } else { root };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Place { kind: Kind::Unknown, root: root.to_owned(), path, running: None }
}

impl Place {
    /// The path of the socket in its root, as people know it.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Connects. Waits for nobody: a socket with a full queue is an error.
    pub(super) async fn connect(&self) -> Result<UnixStream, Error> {
        let socket = self.open(&self.path)?;
        let is_absent = |path: &str| matches!(self.open(Path::new(path)), Err(Error::Absent));
        if self.running.is_some_and(is_absent) {
            return Err(Error::Asleep);
        }
        // A path below another root may be longer than the 107 bytes that an address takes, and may
        // hold links that are meant for that root.
        let address = format!("/proc/self/fd/{}", socket.as_raw_fd());
        UnixStream::connect(address).await.map_err(Error::Connect)
    }

    /// Opens what is at `path` in the root, for its address alone.
    fn open(&self, path: &Path) -> Result<OwnedFd, Error> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let root = openat(CWD, &self.root, flags | OFlags::DIRECTORY, Mode::empty());
        let found = root.and_then(|root| {
            let found = openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
            match found {
                // Some filters of system calls know no `openat2`.
                Err(Errno::NOSYS | Errno::PERM) => {
                    let path = path.strip_prefix("/").unwrap_or(path);
                    openat(&root, path, flags, Mode::empty())
                }
                found => found,
            }
        });
        found.map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => Error::Absent,
            errno => Error::Connect(io::Error::from(errno)),
        })
    }

    fn inode(&self) -> Option<(u64, u64)> {
        let stat = rustix::fs::fstat(self.open(&self.path).ok()?).ok()?;
        Some((stat.st_dev, stat.st_ino))
    }
}
