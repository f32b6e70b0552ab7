//! Could get out: containers that see a cgroup tree above their own, and may write to it.

use alloc::vec::Vec;

use crate::{
    engine::Engine,
    homes::Clues,
    ids::{Comm, Task},
    node::{CgroupMount, View},
    path,
    report::{Exposure, Home, Mismatch},
};

impl Engine {
    /// The containers whose processes could leave by themselves.
    pub(super) fn exposures(&self, clues: &Clues) -> Vec<Exposure> {
        let views = self.gathered.views.values();
        views.filter_map(|view| self.exposure(view, clues)).collect()
    }

    /// Whether pods are laid out by the cgroupfs driver on a node run by systemd.
    pub(super) fn mismatch(&self, clues: &Clues) -> Option<Mismatch> {
        let is_systemd = |name: Comm| name.as_bytes() == b"systemd";
        self.tasks.comm(1).filter(|name| is_systemd(*name))?;
        let roots = self.guard_roots();
        let cgroupfs = |root: &[u8]| root.rsplit(|byte| *byte == b'/').next() == Some(b"kubepods");
        let root = roots.iter().find(|root| cgroupfs(root))?;
        let runtimes = self.homes.roster.runtimes().iter();
        let by_cgroupfs = |driver: &str| driver == "cgroupfs";
        let runtime = runtimes.filter(|it| it.cgroup_driver.as_deref().is_some_and(by_cgroupfs));
        let systemd = self.gathered.views.values().filter(|view| view.init.is_some_and(is_systemd));
        Some(Mismatch {
            root: root.clone(),
            runtime: runtime.map(|runtime| runtime.name.clone()).next(),
            systemd: systemd.filter_map(|view| self.view_home(view, clues)).collect(),
        })
    }

    fn exposure(&self, view: &View, clues: &Clues) -> Option<Exposure> {
        let home = self.view_home(view, clues)?;
        // Files of the real root cannot be written by a root of another user namespace.
        if view.host_users == Some(false) {
            return None;
        }
        let is_above = |mount: &&CgroupMount| {
            if !self.judged().contains(&mount.hierarchy) || !mount.writable || mount.is_fenced {
                return false;
            }
            let own = clues.cgroup(mount.hierarchy, &home.container);
            let own = own.and_then(|key| self.tree.path(key));
            own.is_none_or(|own| !path::is_at_or_below(&mount.root, &own))
        };
        let mounts: Vec<_> = view.mounts.iter().filter(is_above).cloned().collect();
        let may_mount_host = view.host_cgroups == Some(true) && view.may_mount == Some(true);
        if mounts.is_empty() && !may_mount_host {
            return None;
        }
        let named = |mount: CgroupMount| (self.hierarchy_name(mount.hierarchy), mount);
        Some(Exposure {
            home,
            task: self.process(view.pid),
            mounts: mounts.into_iter().map(named).collect(),
            host_cgroups: view.host_cgroups,
            may_mount: view.may_mount,
            runs_systemd: view.init.is_some_and(|name| name.as_bytes() == b"systemd"),
        })
    }

    fn view_home(&self, view: &View, clues: &Clues) -> Option<Home> {
        match self.homes.claim(view.pid) {
            Some(claim) => Some(self.home_of(&claim.container)),
            None => self.home(view.pid, clues).filter(|home| home.is_sure),
        }
    }

    pub(crate) fn process(&self, pid: u32) -> Task {
        let comm = self.tasks.comm(pid).unwrap_or_default();
        let start = self.tasks.start(pid).unwrap_or_default();
        Task { tid: pid, tgid: pid, start, comm }
    }
}
