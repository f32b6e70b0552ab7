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

use super::{
    Host,
    cgroupfs::{CgroupRoot, RootError},
};

impl Host {
    /// Mounts a hierarchy, read-only. It must be one that `/proc/PID/cgroup` shows: asking for
    /// another would make it. Needs `CAP_SYS_ADMIN`, and the initial cgroup namespace to see all of
    /// it.
    pub(crate) fn mount_privately(&self, hierarchy: &Hierarchy) -> Result<CgroupRoot, RootError> {
        let name = &hierarchy.name;
        let failed = |(step, errno): (_, Errno)| RootError::Mount {
            hierarchy: name.clone(),
            step,
            source: errno.into(),
        };
        let dir = if name.is_empty() {
            let kept = self.v2_options();
            let flags: Vec<_> = kept.iter().map(|option| (option.as_str(), None)).collect();
            mount("cgroup2", &flags)
        } else {
            mount("cgroup", &options(name))
        };
        let dir = dir.map_err(failed)?;
        let stat = fstat(&dir).map_err(|errno| failed(("fstat", errno)))?;
        let root = CgroupRoot::private(hierarchy.id, dir, stat.st_ino);
        let partial = || RootError::Namespaced { hierarchy: name.clone() };
        root.is_whole().then_some(root).ok_or_else(partial)
    }

    /// The options that v2 has by now. A mount that does not repeat them takes them away from all
    /// others, `nsdelegate` for one, which keeps containers inside. None where v2 is mounted
    /// nowhere that can be seen. Those of security modules are left out:
    /// v2 has none with a value itself, and older kernels take `seclabel` amiss.
    fn v2_options(&self) -> Vec<String> {
        let of = |process| self.mounts(process).unwrap_or_default().list;
        let mounts = ["self", "1"].into_iter().flat_map(of);
        let options = mounts.filter(|mount| mount.shows("")).map(|mount| mount.options).next();
        let options = options.unwrap_or_default().into_iter();
        let is_own = |option: &[u8]| {
            !matches!(option, b"rw" | b"ro" | b"seclabel") && !option.contains(&b'=')
        };
        let options = options.filter(|option| is_own(option));
        options.map(|option| String::from_utf8_lossy(&option).into_owned()).collect()
    }
}

fn mount(kind: &str, options: &[(&str, Option<&str>)]) -> Result<OwnedFd, (&'static str, Errno)> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| ("fsopen", errno))?;
    for option in options {
        let set = match *option {
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

/// The options that name a v1 hierarchy. Without a controller it takes `none`.
fn options(name: &str) -> Vec<(&str, Option<&str>)> {
    let mut options: Vec<_> = name
        .split(',')
        .map(|part| match part.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (part, None),
        })
        .collect();
    if options.iter().all(|(_, value)| value.is_some()) {
        options.push(("none", None));
    }
    options
}

#[cfg(test)]
mod tests {
    use std::{error::Error, fs};

    use rustix::thread::CapabilitySet;

    use super::*;
    use crate::host::testing::Tree;

    #[test]
    fn options_of_hierarchies() {
        assert_eq!(options("cpu,cpuacct"), [("cpu", None), ("cpuacct", None)]);
        assert_eq!(options("name=systemd"), [("name", Some("systemd")), ("none", None)]);
        assert_eq!(options("net_cls,name=x"), [("net_cls", None), ("name", Some("x"))]);
    }

    #[track_caller]
    fn check_v2(own: &str, of_init: &str, expected: &[&str]) {
        let tree = Tree::new().file("proc/self/mountinfo", own).file("proc/1/mountinfo", of_init);
        assert_eq!(tree.host().v2_options(), expected);
    }

    #[test]
    fn options_of_v2_are_those_that_it_has() {
        let v2 = "1 1 0:1 / /c ro - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
        let bare = "1 1 0:1 /.. /c rw - cgroup2 cgroup2 rw\n";
        let v1 = "2 1 0:2 / /m rw - cgroup cgroup rw,memory\n";
        check_v2(&format!("{v1}{v2}"), bare, &["nsdelegate", "memory_recursiveprot"]);
        check_v2(v1, v2, &["nsdelegate", "memory_recursiveprot"]);
        let labelled = "1 1 0:1 / /c rw - cgroup2 cgroup2 rw,seclabel,context=a:b:c,nsdelegate\n";
        check_v2(labelled, bare, &["nsdelegate"]);
        check_v2(bare, bare, &[]);
        check_v2(v1, "", &[]);
    }

    #[test]
    fn every_hierarchy_of_the_live_node_can_be_mounted_by_the_privileged() {
        let host = Host::live();
        let facts = host.preflight();
        let admin = facts.process.capabilities.unwrap().contains(CapabilitySet::SYS_ADMIN)
            && facts.process.user_initial == Some(true)
            && facts.namespaces.cgroup_initial == Some(true);
        let options = host.v2_options();
        for hierarchy in host.hierarchies().unwrap().list {
            match host.mount_privately(&hierarchy) {
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
        assert_eq!(host.v2_options(), options);
    }
}
