//! A mount of a cgroup hierarchy that nobody else sees, for nodes where none is at hand.
//!
//! Owns the system calls of the mount API of Linux 5.2. The mount is attached to no directory: it
//! goes away with its file descriptor, and so with the process, however that ends.

use std::os::fd::OwnedFd;

use rustix::{
    fs::fstat,
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
        fsconfig_set_string, fsmount, fsopen,
    },
};
use truant_core::input::Hierarchy;

use super::cgroupfs::{CgroupRoot, RootError};

/// Mounts a hierarchy, read-only. It must be one that `/proc/PID/cgroup` shows: asking for another
/// would make it. Needs `CAP_SYS_ADMIN`, and the initial cgroup namespace to see all of it.
pub(crate) fn mount_privately(hierarchy: &Hierarchy) -> Result<CgroupRoot, RootError> {
    let failed = |(step, errno): (_, Errno)| RootError::Mount {
        hierarchy: hierarchy.name.clone(),
        step,
        source: errno.into(),
    };
    let dir = mount(&hierarchy.name).map_err(failed)?;
    let stat = fstat(&dir).map_err(|errno| failed(("fstat", errno)))?;
    let root = CgroupRoot::private(hierarchy.id, dir, stat.st_ino);
    let partial = || RootError::Namespaced { hierarchy: hierarchy.name.clone() };
    root.is_whole().then_some(root).ok_or_else(partial)
}

fn mount(name: &str) -> Result<OwnedFd, (&'static str, Errno)> {
    let kind = if name.is_empty() { "cgroup2" } else { "cgroup" };
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| ("fsopen", errno))?;
    for option in options(name) {
        let set = match option {
            (key, Some(value)) => fsconfig_set_string(&context, key, value),
            (key, None) => fsconfig_set_flag(&context, key),
        };
        set.map_err(|errno| ("fsconfig", errno))?;
    }
    fsconfig_create(&context).map_err(|errno| ("fsconfig", errno))?;
    // The file system is shared with every other mount of it; only the mount is read-only.
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(|errno| ("fsmount", errno))
}

/// The options that name a v1 hierarchy; none for v2. Without a controller it takes `none`.
fn options(name: &str) -> Vec<(&str, Option<&str>)> {
    let mut options: Vec<_> = name
        .split(',')
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (part, None),
        })
        .collect();
    if !options.is_empty() && options.iter().all(|(_, value)| value.is_some()) {
        options.push(("none", None));
    }
    options
}

#[cfg(test)]
mod tests {
    use std::{error::Error, fs};

    use rustix::thread::CapabilitySet;

    use super::*;
    use crate::host::Host;

    #[test]
    fn options_of_hierarchies() {
        assert_eq!(options(""), []);
        assert_eq!(options("cpu,cpuacct"), [("cpu", None), ("cpuacct", None)]);
        assert_eq!(options("name=systemd"), [("name", Some("systemd")), ("none", None)]);
        assert_eq!(options("net_cls,name=x"), [("net_cls", None), ("name", Some("x"))]);
    }

    #[test]
    fn every_hierarchy_of_the_live_node_can_be_mounted_by_the_privileged() {
        let host = Host::live();
        let facts = host.preflight();
        let admin = facts.process.capabilities.unwrap().contains(CapabilitySet::SYS_ADMIN)
            && facts.process.user_initial == Some(true)
            && facts.namespaces.cgroup_initial == Some(true);
        for hierarchy in host.hierarchies().unwrap().list {
            match mount_privately(&hierarchy) {
                Ok(root) => {
                    assert!(root.is_whole());
                    assert!(fs::read(root.path_of(b"/cgroup.procs")).is_ok());
                    let mut cgroups = 0;
                    let scan = root.walk(&mut |_| cgroups += 1).unwrap();
                    assert_eq!((scan.cgroups, scan.unread), (cgroups, 0));
                }
                Err(error) => assert!(!admin, "{error}: {:?}", error.source()),
            }
        }
    }
}
