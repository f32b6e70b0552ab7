//! Cgroups of a test's own, below one directory of its own, in any hierarchy.
//!
//! All are removed in the end, with the processes in them; nothing outside is touched but for
//! the switch that gives v2's children the memory controller.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::node::Hierarchy;

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A directory of a test's own in one hierarchy.
#[derive(Debug)]
pub struct Cgroups {
    /// The hierarchy.
    pub hierarchy: Hierarchy,
    name: String,
    memory: bool,
}

impl Cgroups {
    /// A fresh directory, whose descendants have the memory controller if the hierarchy has it.
    pub fn new(hierarchy: Hierarchy) -> Self {
        Self::with(hierarchy, true)
    }

    /// A fresh directory of v2 that hands no controller down, as threaded cgroups need it.
    pub fn without_controllers(hierarchy: Hierarchy) -> Self {
        Self::with(hierarchy, false)
    }

    fn with(hierarchy: Hierarchy, memory: bool) -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("truant-test-{}-{serial}", std::process::id());
        let memory = memory && hierarchy.is_v2();
        let cgroups = Self { hierarchy, name, memory };
        if memory {
            // Without the right or the controller, tests of memory say so when they look.
            let _ = fs::write(cgroups.hierarchy.root.join("cgroup.subtree_control"), "+memory");
        }
        fs::create_dir(cgroups.top()).expect("a cgroup can be made");
        // Kernels before 5.11 sum what is below a cgroup of v1 only where that is asked for.
        let _ = fs::write(cgroups.top().join("memory.use_hierarchy"), "1");
        cgroups
    }

    /// A cgroup below, made with those above it. In v2 the ones above are for no task.
    pub fn make(&self, path: &str) -> Cgroup {
        let mut dir = self.top();
        for component in path.split('/') {
            if self.memory {
                let _ = fs::write(dir.join("cgroup.subtree_control"), "+memory");
            }
            dir.push(component);
            if !dir.exists() {
                fs::create_dir(&dir).expect("a cgroup can be made");
            }
        }
        Cgroup { path: self.path(path), dir, v2: self.hierarchy.is_v2() }
    }

    /// The path from the hierarchy's root, as truant shows it and takes it for `--guard`.
    pub fn path(&self, below: &str) -> String {
        format!("/{}/{below}", self.name)
    }

    /// The directory of all.
    pub fn top(&self) -> PathBuf {
        self.hierarchy.root.join(&self.name)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        remove_tree(&self.top());
    }
}

/// One cgroup.
#[derive(Clone, Debug)]
pub struct Cgroup {
    /// The path from the hierarchy's root.
    pub path: String,
    /// Its directory.
    pub dir: PathBuf,
    v2: bool,
}

impl Cgroup {
    /// Its id: the directory's inode number.
    pub fn id(&self) -> u64 {
        fs::metadata(&self.dir).expect("the cgroup is there").ino()
    }

    /// Moves a whole process here.
    pub fn take(&self, pid: u32) {
        self.try_take(pid).expect("a process can be moved");
    }

    /// Moves a whole process here, if it is still there.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn try_take(&self, pid: u32) -> std::io::Result<()> {
        fs::write(self.dir.join("cgroup.procs"), pid.to_string())
    }

    /// The file that a process is moved here by, open: for many moves, each of which is a write.
    pub fn gate(&self) -> fs::File {
        fs::File::options().write(true).open(self.dir.join("cgroup.procs")).expect("it is there")
    }

    /// Moves one thread here.
    pub fn take_thread(&self, tid: u32) {
        let file = if self.v2 { "cgroup.threads" } else { "tasks" };
        fs::write(self.dir.join(file), tid.to_string()).expect("a thread can be moved");
    }

    /// Writes one of its files.
    pub fn set(&self, file: &str, value: &str) {
        let path = self.dir.join(file);
        fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Reads one of its files.
    pub fn get(&self, file: &str) -> String {
        let path = self.dir.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Bytes charged here and below, by the kernel's own figure.
    pub fn memory(&self) -> u64 {
        let file = if self.v2 { "memory.current" } else { "memory.usage_in_bytes" };
        self.get(file).trim().parse().expect("a number")
    }

    /// Sets the limit, in bytes.
    pub fn limit_memory(&self, bytes: u64) {
        let file = if self.v2 { "memory.max" } else { "memory.limit_in_bytes" };
        self.set(file, &bytes.to_string());
    }

    /// Keeps it from swapping, where the kernel has a limit for that alone. In v1 there is one of
    /// memory and swap together, which would refuse charges before the limit of memory does.
    pub fn forbid_swap(&self) {
        if self.v2 {
            let _ = fs::write(self.dir.join("memory.swap.max"), "0");
        }
    }

    /// Removes it, once its last task is gone.
    pub fn remove(&self) {
        remove(&self.dir).unwrap_or_else(|error| panic!("{}: {error}", self.dir.display()));
    }
}

fn remove_tree(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        remove_tree(&entry.path());
    }
    kill_all(dir);
    let _ = remove(dir);
}

fn kill_all(dir: &Path) {
    for file in ["cgroup.procs", "cgroup.threads"] {
        let pids = fs::read_to_string(dir.join(file)).unwrap_or_default();
        for pid in pids.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            if pid != rustix::process::getpid() {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Removes a directory. A process that was killed leaves its cgroup a little later.
fn remove(dir: &Path) -> std::io::Result<()> {
    let mut tries = 0;
    loop {
        match fs::remove_dir(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy && tries < 500 => {
                tries += 1;
                thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}
