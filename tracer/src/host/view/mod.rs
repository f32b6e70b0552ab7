//! What a process sees of the cgroup hierarchies, and what it may do with it.
//!
//! Owns no rule on what of that is dangerous. All comes from the procfs given, never through the
//! process's own root directory, where whoever runs a container chooses what every file says.

use std::{
    collections::HashSet,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
};

use rustix::{fs::CWD, io::Errno, thread::CapabilitySet};
use truant_core::{
    ids::{Comm, HierarchyId},
    input::{CgroupMount, Hierarchy, View},
};

use super::{
    Host, ReadError,
    fsutil::{number32, open_dir, read_at, read_start_at},
    mountinfo::{self, Mounts},
    namespaces::{self, INITIAL_CGROUP, INITIAL_PID, INITIAL_USER, field},
    visible::Visible,
};

/// How many bytes of mounts are read: some ten thousand mounts. Who may mount may make more.
const MOUNTINFO: usize = 2 << 20;

impl Host {
    /// What the process with this number in the procfs sees. The mounts are those that can be
    /// reached by their path; of several of one cgroup that are alike writable, only one is told.
    /// One of a hierarchy that is not in the list is left out.
    ///
    /// `peers` are processes in the same pid namespace, among which its process 1 is looked for:
    /// the oldest first make it quick. They are believed only if the kernel calls them 1 there.
    /// The name is the kernel's for that process, which it may have chosen itself.
    ///
    /// # Errors
    /// If the process is gone, see [`ReadError::is_gone`], or its mounts cannot be read, or are
    /// more than anyone needs.
    pub(crate) fn view(
        &self,
        pid: u32,
        hierarchies: &[Hierarchy],
        peers: &[u32],
    ) -> Result<View, ReadError> {
        let path = self.proc.join(pid.to_string());
        let failed = |errno| ReadError::io(&path, errno);
        let dir = open_dir(CWD, &path).map_err(failed)?;
        let mut buffer = Vec::with_capacity(4096);
        read_mounts(&dir, &mut buffer).map_err(failed)?;
        let mounts = mountinfo::parse(&buffer);
        let host_cgroups = self.shares(&dir, "ns/cgroup", INITIAL_CGROUP);
        Ok(View {
            pid,
            init: self.init_of(&dir, pid, peers),
            host_cgroups,
            may_mount: may_mount(&dir, &mut buffer),
            host_users: self.shares(&dir, "ns/user", INITIAL_USER),
            mounts: cgroup_mounts(&mounts, hierarchies, host_cgroups == Some(false)),
        })
    }

    /// Whether a namespace is the kernel's first, or that of the node's process 1.
    fn shares(&self, dir: &OwnedFd, link: &str, initial: u32) -> Option<bool> {
        let own = namespaces::number_of(dir, link)?;
        let init = || namespaces::number_of(CWD, self.proc.join("1").join(link));
        Some(own == initial || init() == Some(own))
    }

    /// The name of process 1 of the pid namespace; none if it is the node's.
    fn init_of(&self, dir: &OwnedFd, pid: u32, peers: &[u32]) -> Option<Comm> {
        if self.shares(dir, "ns/pid", INITIAL_PID)? {
            return None;
        }
        let own = namespaces::number_of(dir, "ns/pid")?;
        let mut buffer = Vec::with_capacity(4096);
        let mut init_named = |peer: &u32| {
            let dir = open_dir(CWD, self.proc.join(peer.to_string())).ok()?;
            let same = namespaces::number_of(&dir, "ns/pid") == Some(own);
            (same && is_init(&dir, &mut buffer)).then(|| name(&dir, &mut buffer))?
        };
        init_named(&pid).or_else(|| peers.iter().find_map(init_named))
    }
}

/// A part of the mounts is refused, because it may be that without the one that matters.
fn read_mounts(dir: &OwnedFd, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    match read_start_at(dir, "mountinfo", MOUNTINFO + 1, buffer) {
        // A process that has ended has no mounts, and that is said in this way.
        Err(Errno::INVAL) => Err(Errno::SRCH),
        Ok(()) if buffer.len() > MOUNTINFO => Err(Errno::FBIG),
        result => result,
    }
}

/// Whether a process is number 1 in the pid namespace it is in.
fn is_init(dir: &OwnedFd, buffer: &mut Vec<u8>) -> bool {
    let read = read_at(dir, "status", buffer);
    read.is_ok() && own_number(buffer) == Some(1)
}

/// The number of a process in its own pid namespace, the last that its `status` tells.
fn own_number(status: &[u8]) -> Option<u32> {
    let numbers = field(status, b"NSpid:")?;
    number32(numbers.split(u8::is_ascii_whitespace).next_back()?)
}

fn name(dir: &OwnedFd, buffer: &mut Vec<u8>) -> Option<Comm> {
    read_at(dir, "comm", buffer).ok()?;
    Some(Comm::new(buffer.strip_suffix(b"\n").unwrap_or(buffer)))
}

/// What is not in the bounding set, no program gets that the process starts.
fn may_mount(dir: &OwnedFd, buffer: &mut Vec<u8>) -> Option<bool> {
    read_at(dir, "status", buffer).ok()?;
    Some(bounding(buffer)?.contains(CapabilitySet::SYS_ADMIN))
}

fn bounding(status: &[u8]) -> Option<CapabilitySet> {
    let digits = str::from_utf8(field(status, b"CapBnd:")?).ok()?;
    u64::from_str_radix(digits, 16).ok().map(CapabilitySet::from_bits_retain)
}

/// `namespaced` says that the process is known to be in a cgroup namespace of its own. Whether the
/// kernel minds that is the whole file system's matter, so it is alike for all mounts of it.
fn cgroup_mounts(mounts: &Mounts, hierarchies: &[Hierarchy], namespaced: bool) -> Vec<CgroupMount> {
    let visible = Visible::of(mounts);
    let (mut found, mut told) = (Vec::new(), HashSet::new());
    for mount in &mounts.list {
        let hierarchy = hierarchies.iter().find(|hierarchy| mount.shows(&hierarchy.name));
        let Some(hierarchy) = hierarchy.map(|hierarchy| hierarchy.id) else { continue };
        let kind = (hierarchy, &mount.root, mount.writable);
        if !told.contains(&kind) && visible.shows(mount) {
            told.insert(kind);
            found.push(CgroupMount {
                hierarchy,
                root: mount.root.clone(),
                at: mount.point.as_os_str().as_bytes().into(),
                writable: mount.writable,
                is_fenced: namespaced && hierarchy == HierarchyId::V2 && mount.has(b"nsdelegate"),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests;
