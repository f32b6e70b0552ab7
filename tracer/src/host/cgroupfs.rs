//! The root directory of a cgroup hierarchy, wherever it is mounted.
//!
//! Owns the search, and the proof that what was found is the whole hierarchy and not a part of
//! it, as a container's own mounts are. What is in a hierarchy is read elsewhere.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Stat, fstat},
    io::Errno,
};
use truant_core::{ids::HierarchyId, input::Hierarchy};

use super::{Host, fsutil::open_dir, mountinfo::Mount};

/// The inode number, and so the cgroup id, of every hierarchy's root since Linux 5.5.
const ROOT_ID: u64 = 1;

/// An open root directory of a hierarchy.
#[derive(Debug)]
pub(crate) struct CgroupRoot {
    /// The hierarchy.
    pub(crate) hierarchy: HierarchyId,
    /// The root cgroup's id.
    pub(crate) id: u64,
    dir: OwnedFd,
    point: Option<PathBuf>,
}

/// Why a hierarchy's root directory is not at hand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootError {
    /// Neither this process nor process 1 has it mounted.
    #[error("hierarchy {hierarchy:?} is mounted nowhere")]
    NotMounted {
        /// Its name as in `/proc/PID/cgroup`.
        hierarchy: String,
    },
    /// It is mounted, but only a part of it.
    #[error("{point:?} shows only a part of the hierarchy")]
    Partial {
        /// Where.
        point: PathBuf,
    },
    /// Another file system is mounted over it.
    #[error("{point:?} is covered by another mount")]
    Covered {
        /// Where.
        point: PathBuf,
    },
    /// It is mounted, but could not be opened.
    #[error("could not open {point:?}")]
    Open {
        /// Where.
        point: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A private mount of it begins where this process's cgroup namespace does.
    #[error("a private mount of hierarchy {hierarchy:?} shows only this cgroup namespace")]
    Namespaced {
        /// Its name as in `/proc/PID/cgroup`.
        hierarchy: String,
    },
    /// A private mount of it was refused.
    #[error("could not mount hierarchy {hierarchy:?} privately: {step} failed")]
    Mount {
        /// Its name as in `/proc/PID/cgroup`.
        hierarchy: String,
        /// The system call.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl CgroupRoot {
    /// A mount without a path.
    pub(super) fn private(hierarchy: HierarchyId, dir: OwnedFd, id: u64) -> Self {
        Self { hierarchy, id, dir, point: None }
    }

    /// Whether it is the root of the hierarchy itself, whatever the cgroup namespace.
    pub(super) fn is_whole(&self) -> bool {
        self.id == ROOT_ID
    }

    /// The open directory. Not all of them can be listed: open `.` below it for that.
    pub(crate) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// A path to the directory, which this process can use as long as `self` lives.
    pub(crate) fn path(&self) -> PathBuf {
        let number = self.dir.as_raw_fd();
        self.point.clone().unwrap_or_else(|| PathBuf::from(format!("/proc/self/fd/{number}")))
    }

    /// Opens the directory of a cgroup. One made anew at the path of a removed one has another id,
    /// and is not opened for it.
    pub(super) fn open(&self, id: u64, cgroup: &[u8]) -> Result<(OwnedFd, Stat), Errno> {
        let dir = open_dir(self.dir(), relative(cgroup))?;
        let stat = fstat(&dir)?;
        if stat.st_ino == id { Ok((dir, stat)) } else { Err(Errno::NOENT) }
    }

    /// A path to the directory of the cgroup with this path in the hierarchy.
    #[cfg(test)]
    pub(crate) fn path_of(&self, cgroup: &[u8]) -> PathBuf {
        self.path().join(relative(cgroup))
    }
}

/// A cgroup's path, from the hierarchy's root directory.
fn relative(cgroup: &[u8]) -> &Path {
    let below = cgroup.strip_prefix(b"/").unwrap_or(cgroup);
    Path::new(OsStr::from_bytes(if below.is_empty() { b"." } else { below }))
}

impl Host {
    /// Finds a hierarchy's root among this process's mounts, then among those of process 1.
    /// The error is that of the last mount that came near.
    pub(crate) fn locate(&self, hierarchy: &Hierarchy) -> Result<CgroupRoot, RootError> {
        let trust_mountinfo = self.namespaces().cgroup_initial == Some(true);
        let name = &hierarchy.name;
        let mut error = RootError::NotMounted { hierarchy: name.clone() };
        for (process, root) in [("self", PathBuf::from("/")), ("1", self.proc.join("1/root"))] {
            let mounts = self.mounts(process).unwrap_or_default();
            for mount in mounts.list.iter().filter(|mount| mount.shows(name)) {
                let point = root.join(mount.point.strip_prefix("/").unwrap_or(&mount.point));
                match open_root(hierarchy.id, mount, point, trust_mountinfo) {
                    Ok(found) => return Ok(found),
                    Err(nearer) => error = nearer,
                }
            }
        }
        Err(error)
    }
}

/// `trust_mountinfo` says that the mount's root is relative to the hierarchy's.
fn open_root(
    hierarchy: HierarchyId,
    mount: &Mount,
    point: PathBuf,
    trust_mountinfo: bool,
) -> Result<CgroupRoot, RootError> {
    if trust_mountinfo && *mount.root != *b"/" {
        return Err(RootError::Partial { point });
    }
    let opened = open_dir(CWD, &point).and_then(|dir| fstat(&dir).map(|stat| (dir, stat)));
    match opened {
        Err(errno) => Err(RootError::Open { point, source: errno.into() }),
        Ok((_, stat)) if stat.st_dev != mount.device => Err(RootError::Covered { point }),
        Ok((_, stat)) if !trust_mountinfo && stat.st_ino != ROOT_ID => {
            Err(RootError::Partial { point })
        }
        Ok((dir, stat)) => Ok(CgroupRoot { hierarchy, id: stat.st_ino, dir, point: Some(point) }),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt};

    use rustix::fs::{major, minor};

    use super::*;
    use crate::host::testing::Tree;

    const MEMORY: HierarchyId = HierarchyId(4);

    fn memory() -> Hierarchy {
        Hierarchy { id: MEMORY, name: "memory".into(), controllers: vec!["memory".into()] }
    }

    /// A line of mountinfo for a directory of the tree; `device` is that of the tree if none.
    fn line(tree: &Tree, root: &str, point: &str, device: Option<&str>) -> String {
        let own = fs::metadata(tree.path("")).unwrap().dev();
        let own = format!("{}:{}", major(own), minor(own));
        let device = device.unwrap_or(&own);
        format!("1 1 {device} {root} {point} rw - cgroup cgroup rw,memory\n")
    }

    fn tree(namespace: &str) -> Tree {
        Tree::new().dir("fs/memory").dir("fs/part").link("proc/self/ns/cgroup", namespace)
    }

    const INITIAL: &str = "cgroup:[4026531835]";

    #[test]
    fn the_whole_hierarchy_is_preferred_to_a_part() {
        let tree = tree(INITIAL);
        let (whole, part) = (tree.path("fs/memory"), tree.path("fs/part"));
        let lines = line(&tree, "/kubepods/x", part.to_str().unwrap(), None)
            + &line(&tree, "/", whole.to_str().unwrap(), None);
        let tree = tree.file("proc/self/mountinfo", lines);
        let root = tree.host().locate(&memory()).unwrap();
        assert_eq!(root.path(), whole);
        assert_eq!(root.hierarchy, MEMORY);
        assert_eq!(root.id, fs::metadata(&whole).unwrap().ino());
        assert_eq!(root.path_of(b"/a/b"), whole.join("a/b"));
        assert_eq!(root.path_of(b"/"), whole.join("."));
    }

    #[test]
    fn the_mounts_of_process_1_come_second() {
        let tree = tree(INITIAL).dir("proc/1/root/sys/fs/cgroup/memory");
        let lines = line(&tree, "/", "/sys/fs/cgroup/memory", None);
        let tree = tree.file("proc/1/mountinfo", lines).file("proc/self/mountinfo", "");
        let root = tree.host().locate(&memory()).unwrap();
        assert_eq!(root.path(), tree.path("proc/1/root/sys/fs/cgroup/memory"));
    }

    #[track_caller]
    fn refused(namespace: &str, root: &str, device: Option<&str>) -> RootError {
        let tree = tree(namespace);
        let lines = line(&tree, root, tree.path("fs/memory").to_str().unwrap(), device);
        tree.file("proc/self/mountinfo", lines).host().locate(&memory()).unwrap_err()
    }

    #[test]
    fn what_is_not_the_whole_hierarchy_is_refused() {
        assert!(matches!(refused(INITIAL, "/x", None), RootError::Partial { .. }));
        assert!(matches!(refused(INITIAL, "/", Some("0:0")), RootError::Covered { .. }));
        // In another cgroup namespace, `/` is what the namespace begins with.
        assert!(matches!(refused("cgroup:[1]", "/", None), RootError::Partial { .. }));
        let nowhere = tree(INITIAL).host().locate(&memory()).unwrap_err();
        assert_eq!(nowhere.to_string(), "hierarchy \"memory\" is mounted nowhere");
    }
}
