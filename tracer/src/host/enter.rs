//! The host's cgroup namespace, from inside a container's.
//!
//! Owns the one step into it. Only this thread goes: what it starts later goes along.

use std::{fs::File, io, os::fd::AsFd as _, path::PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::Host;

/// Why the host's cgroup namespace could not be entered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnterError {
    /// Process 1 here is not the host's.
    #[error(
        "this container has its own cgroup namespace, and its own pid namespace hides the host's: \
         run it with hostPID: true (docker: --pid=host)"
    )]
    NoHost,
    /// The kernel refused.
    #[error(
        "this container has its own cgroup namespace, and cannot enter the host's by {path:?} \
         ({cause}): run it privileged, or in the host's (docker: --cgroupns=host)"
    )]
    Refused {
        /// The link to the host's.
        path: PathBuf,
        /// What it said.
        cause: io::Error,
    },
}

impl Host {
    /// Enters the host's cgroup namespace, unless this thread is in it. From then on, the paths in
    /// `/proc/PID/cgroup` begin at the roots of the hierarchies, and so do new mounts.
    ///
    /// # Errors
    /// What to add to the container. The thread is where it was.
    pub(crate) fn enter_cgroups(&self) -> Result<(), EnterError> {
        let namespaces = self.namespaces();
        if namespaces.cgroup_initial != Some(false) {
            return Ok(());
        }
        if namespaces.proc_initial != Some(true) {
            return Err(EnterError::NoHost);
        }
        let path = self.proc.join("1/ns/cgroup");
        let enter = || {
            let link = File::open(&path)?;
            move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::ControlGroup))?;
            Ok(())
        };
        enter().map_err(|cause| EnterError::Refused { path, cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::Tree;

    const CONTAINERS: &str = "cgroup:[4026532500]";

    #[test]
    fn who_is_in_it_stays() {
        let tree = Tree::new().link("proc/self/ns/cgroup", "cgroup:[4026531835]");
        assert!(tree.host().enter_cgroups().is_ok());
    }

    #[test]
    fn without_the_hosts_processes_it_cannot_be_found() {
        let tree = Tree::new()
            .link("proc/self/ns/cgroup", CONTAINERS)
            .link("proc/self/ns/pid", "pid:[4026532501]")
            .link("proc/1/ns/pid", "pid:[4026532501]");
        let error = tree.host().enter_cgroups().unwrap_err();
        assert!(matches!(error, EnterError::NoHost) && error.to_string().contains("hostPID"));
    }

    #[test]
    fn what_the_kernel_says_is_said() {
        let tree = Tree::new()
            .link("proc/self/ns/cgroup", CONTAINERS)
            .link("proc/self/ns/pid", "pid:[4026531836]");
        let error = tree.host().enter_cgroups().unwrap_err().to_string();
        assert!(error.contains("No such file") && error.contains("run it privileged"), "{error}");
    }
}
