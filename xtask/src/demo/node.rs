//! The demo's cgroups: which hierarchies there are, the trees made in them, and their removal. Owns
//! nothing outside of what it made.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// The guarded subtree, below the demo's own cgroup.
const GUARDED: &str = "kubepods";
/// The pod and container, as the kubelet's cgroupfs driver lays them out.
const CONTAINER: &str = "kubepods/burstable/pod7c1b2d1e-4a52-4a3e-9f65-0d5c8a1b6e42/\
    3f9d2c5b8e1a4f7061d2c3b4a5968778695a4b3c2d1e0f9a8b7c6d5e4f302110";
/// Where the container's own service manager puts its services.
const OUTSIDE: &str = "system.slice/leaky.service";

/// The controllers of v1 in whose hierarchies the demo plays: an audit judges all of these, so who
/// is left out in one is out of its pod.
const V1: [&str; 5] = ["memory", "pids", "cpu", "cpuacct", "blkio"];

/// The hierarchies that are mounted here.
pub(super) struct Node {
    v1: Vec<PathBuf>,
    v2: Option<PathBuf>,
    v2_counts_memory: bool,
}

impl Node {
    /// # Errors
    /// If no hierarchy counts memory here, with what would mend it.
    pub(super) fn find() -> Result<Self> {
        Self::in_mounts(&fs::read_to_string("/proc/self/mounts").context("no /proc")?)
    }

    fn in_mounts(mounts: &str) -> Result<Self> {
        let mounts: Vec<Vec<&str>> = mounts.lines().map(|line| line.split(' ').collect()).collect();
        let mounted = |kind: &str, option: &str| {
            let mut found = mounts.iter().filter(|mount| mount.get(2) == Some(&kind));
            let mount = found.find(|mount| {
                option.is_empty()
                    || mount.get(3).is_some_and(|all| all.split(',').any(|o| o == option))
            })?;
            Some(PathBuf::from(mount[1]))
        };
        let v2 = mounted("cgroup2", "");
        // Controllers may share a hierarchy.
        let mut v1 = Vec::new();
        for mount in V1.iter().filter_map(|controller| mounted("cgroup", controller)) {
            if !v1.contains(&mount) {
                v1.push(mount);
            }
        }
        let v1_counts_memory = mounted("cgroup", V1[0]).is_some();
        let controllers =
            v2.as_ref().map(|mount| fs::read_to_string(mount.join("cgroup.controllers")));
        let has_memory = matches!(
            controllers,
            Some(Ok(list)) if list.split_whitespace().any(|name| name == "memory")
        );
        let v2_counts_memory = !v1_counts_memory && has_memory;
        if v1.is_empty() && v2.is_none() {
            bail!(
                "no cgroups are mounted here: `mount -t cgroup2 none /sys/fs/cgroup` mounts them"
            );
        }
        if !v1_counts_memory && !v2_counts_memory {
            bail!(
                "no cgroups here count memory: the kernel needs CONFIG_MEMCG, \
                 and no cgroup_disable=memory on its command line"
            );
        }
        Ok(Self { v1, v2, v2_counts_memory })
    }

    /// Where the v2 hierarchy is mounted, if it is.
    pub(super) fn v2(&self) -> Option<&Path> {
        self.v2.as_deref()
    }

    /// Whether the v2 hierarchy is the one that counts memory.
    pub(super) fn v2_counts_memory(&self) -> bool {
        self.v2_counts_memory
    }

    /// Makes the trees in all hierarchies. What was made is removed when the value is dropped.
    pub(super) fn make(&self, name: &str, limit_mib: usize) -> Result<Cgroups> {
        let mounts: Vec<_> = self.v1.iter().chain(&self.v2).cloned().collect();
        let mut cgroups = Cgroups { name: name.to_owned(), mounts, enabled: None };
        let limit = (limit_mib << 20).to_string();
        if self.v2_counts_memory
            && let Some(mount) = &self.v2
        {
            let control = mount.join("cgroup.subtree_control");
            if !fs::read_to_string(&control)?.split_whitespace().any(|c| c == "memory") {
                write(&control, "+memory")?;
                cgroups.enabled = Some(control);
            }
        }
        for (mount, place) in
            cgroups.mounts.iter().flat_map(|mount| [(mount, CONTAINER), (mount, OUTSIDE)])
        {
            let mut folder = mount.join(name);
            for part in place.split('/') {
                self.add(&folder)?;
                folder.push(part);
            }
            make_folder(&folder)?;
            if place == CONTAINER {
                for file in ["memory.limit_in_bytes", "memory.max"] {
                    if folder.join(file).exists() {
                        write(&folder.join(file), &limit)?;
                    }
                }
            }
        }
        Ok(cgroups)
    }

    /// Makes a cgroup that will have children, whose memory shall be counted.
    fn add(&self, folder: &Path) -> Result<()> {
        make_folder(folder)?;
        let is_v2 = self.v2.as_ref().is_some_and(|mount| folder.starts_with(mount));
        if is_v2 && self.v2_counts_memory {
            write(&folder.join("cgroup.subtree_control"), "+memory")?;
        }
        Ok(())
    }
}

/// The trees that were made.
pub(super) struct Cgroups {
    name: String,
    mounts: Vec<PathBuf>,
    /// The file in which the memory controller was enabled for the demo.
    enabled: Option<PathBuf>,
}

/// One cgroup of the demo in all hierarchies.
pub(super) struct Place {
    /// The path from the hierarchy's root, as far as the demo made it.
    pub(super) path: String,
    /// The folders.
    pub(super) all: Vec<PathBuf>,
}

impl Cgroups {
    /// The pattern for the guarded subtree.
    pub(super) fn guard(&self) -> String {
        format!("{}/{GUARDED}", self.name)
    }

    /// The container.
    pub(super) fn inside(&self) -> Place {
        self.place(CONTAINER)
    }

    /// The service outside.
    pub(super) fn outside(&self) -> Place {
        self.place(OUTSIDE)
    }

    fn place(&self, place: &str) -> Place {
        let path = format!("{}/{place}", self.name);
        let all = self.mounts.iter().map(|mount| mount.join(&path)).collect();
        Place { path: format!("/{path}"), all }
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for mount in &self.mounts {
            if let Err(error) = remove(&mount.join(&self.name)) {
                eprintln!("demo: {error:#}");
            }
        }
        if let Some(control) = &self.enabled {
            // Somebody else may need it by now, and then it stays.
            let _ = fs::write(control, "-memory");
        }
    }
}

/// Moves a process into a cgroup of each hierarchy.
pub(super) fn enter(folders: &[PathBuf], pid: u32) -> Result<()> {
    folders.iter().try_for_each(|folder| write(&folder.join("cgroup.procs"), &pid.to_string()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {text} to {}", file.display()))
}

fn make_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir(folder).with_context(|| {
        format!(
            "cannot make {}: cgroups have to be writable, which in a container they are only if \
             it is privileged",
            folder.display()
        )
    })
}

/// Removes a tree of cgroups, which the kernel allows once its last process is gone for good.
fn remove(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    for _ in 0..100 {
        if fs::remove_dir(folder).is_ok() || !folder.exists() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    fs::remove_dir(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn hierarchies_are_found_by_controller_however_they_are_mounted() {
        let mounts = "cgroup /c/m cgroup rw,memory 0 0\n\
            cgroup /c/both cgroup rw,cpu,pids 0 0\n\
            cgroup2 /c/unified cgroup2 rw 0 0\n";
        let node = Node::in_mounts(mounts).unwrap();
        assert_eq!(node.v1, ["/c/m", "/c/both"].map(std::path::PathBuf::from));
        assert_eq!(node.v2().unwrap().to_str(), Some("/c/unified"));
        assert!(!node.v2_counts_memory());
    }

    #[test]
    fn what_is_missing_is_said() {
        let refusal = |mounts| Node::in_mounts(mounts).err().unwrap().to_string();
        assert!(refusal("proc /proc proc rw 0 0\n").contains("mount -t cgroup2"));
        assert!(
            refusal("cgroup /c/cpu cgroup rw,cpu 0 0\nx /nowhere cgroup2 rw 0 0\n")
                .contains("CONFIG_MEMCG")
        );
    }
}
