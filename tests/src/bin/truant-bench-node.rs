//! A busy node to look at: many cgroups, most of them those of pods, and processes asleep in them.
//!
//! Owns them from the first to the last: prints `ready`, and when its input ends or a signal comes
//! it takes all away again. What is measured on them, and how, is the caller's.
#![expect(unsafe_code, reason = "fork, prctl and signalfd have no safe form")]
#![expect(clippy::print_stdout, reason = "it says when it is ready, and what went wrong")]

use std::{
    collections::VecDeque,
    fs,
    io::Error,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait},
    thread::{UnshareFlags, unshare_unsafe},
};

const USAGE: &str = "usage: truant-bench-node CGROUPS TASKS";

/// Where the cgroup file systems are mounted.
const MOUNTS: &str = "/sys/fs/cgroup";

/// Containers of a pod, its sandbox among them.
const CONTAINERS: usize = 3;

/// Of so many cgroups one is a service of the node.
const SERVICES: usize = 5;

/// First processes of cgroups that are waited for together: each waits for the kernel.
const AT_ONCE: usize = 64;

/// What each of them says when it is there.
const READY: &[u8] = b"ready";

/// How long the kernel may take to let a cgroup go after its last process was waited for.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<usize> = std::env::args().skip(1).flat_map(|arg| arg.parse()).collect();
    let [cgroups, tasks] = *args else { bail!(USAGE) };
    let end = End::new()?;
    // Whoever was started by a process that ended is waited for here.
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut node = Node::new()?;
    let leaves = node.grow(cgroups, &end)?;
    node.fill(&leaves, tasks, &end)?;
    println!("ready cgroups={} tasks={}", node.cgroups, node.tasks);
    end.wait(None)?;
    node.clear()
}

/// The end of the input, or a signal that asks for an end.
struct End {
    signals: OwnedFd,
}

impl End {
    /// From now on such signals are kept for [`Self::wait`], and end nobody.
    fn new() -> Result<Self> {
        // SAFETY: all zeroes is a set of signals, and the pointers are to this function's own.
        let number = unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC)
        };
        if number < 0 {
            return Err(Error::last_os_error()).context("cannot take signals");
        }
        // SAFETY: the kernel has just made it, and nobody else has it.
        Ok(Self { signals: unsafe { OwnedFd::from_raw_fd(number) } })
    }

    /// Whether it has come, after `limit` at the latest.
    fn wait(&self, limit: Option<Duration>) -> Result<bool> {
        let limit = limit.map(Timespec::try_from).transpose()?;
        let input = std::io::stdin();
        let waited: [BorrowedFd<'_>; 2] = [input.as_fd(), self.signals.as_fd()];
        let mut waited = waited.map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN));
        Ok(poll(&mut waited, limit.as_ref())? > 0)
    }

    /// Goes on unless it has come.
    fn check(&self) -> Result<()> {
        ensure!(!self.wait(Some(Duration::ZERO))?, "interrupted");
        Ok(())
    }
}

/// A cgroup that processes are put into, as a path below the top.
struct Leaf {
    path: PathBuf,
    is_container: bool,
}

/// All that was made.
struct Node {
    /// The top directory in each hierarchy.
    tops: Vec<PathBuf>,
    /// The directories, parents first.
    made: Vec<PathBuf>,
    /// The first process of each leaf.
    first: Vec<Pid>,
    cgroups: usize,
    tasks: usize,
}

impl Node {
    /// A node with an empty cgroup in every hierarchy that is mounted.
    fn new() -> Result<Self> {
        let name = format!("truant-bench-node-{}", std::process::id());
        let tops: Vec<_> = hierarchies()?.iter().map(|at| at.join(&name)).collect();
        let mut node = Self { tops, made: Vec::new(), first: Vec::new(), cgroups: 0, tasks: 0 };
        node.make(Path::new(""))?;
        node.tops.iter().try_for_each(|top| inherit(top))?;
        Ok(node)
    }

    /// Makes cgroups until there are `count`, and tells those that processes belong in.
    fn grow(&mut self, count: usize, end: &End) -> Result<Vec<Leaf>> {
        let pods = Path::new("kubepods/burstable");
        for path in ["kubepods", "kubepods/burstable", "system.slice"] {
            self.make(Path::new(path))?;
        }
        let mut leaves = Vec::new();
        while self.cgroups < count {
            end.check()?;
            let number = self.cgroups;
            if number.is_multiple_of(SERVICES) {
                let path = Path::new("system.slice").join(format!("bench-{number}.service"));
                leaves.push(self.leaf(path, false)?);
                continue;
            }
            let pod = pods.join(format!("pod00000000-0000-4000-8000-{number:012x}"));
            self.make(&pod)?;
            for container in (0..CONTAINERS).take(count - self.cgroups) {
                let id = format!("{number:032x}{container:032x}");
                leaves.push(self.leaf(pod.join(id), true)?);
            }
        }
        Ok(leaves)
    }

    fn leaf(&mut self, path: PathBuf, is_container: bool) -> Result<Leaf> {
        self.make(&path)?;
        Ok(Leaf { path, is_container })
    }

    /// Makes a cgroup in every hierarchy; it counts as one.
    fn make(&mut self, path: &Path) -> Result<()> {
        for top in &self.tops {
            let dir = top.join(path);
            if let Some(above) = dir.parent().filter(|above| above.starts_with(top)) {
                delegate(above)?;
            }
            fs::create_dir(&dir).with_context(|| failed("make", &dir))?;
            self.made.push(dir);
        }
        self.cgroups += 1;
        Ok(())
    }

    /// Starts `count` processes, as many in each leaf as in any other, but for one.
    fn fill(&mut self, leaves: &[Leaf], count: usize, end: &End) -> Result<()> {
        let mut starting = VecDeque::new();
        for (index, leaf) in leaves.iter().enumerate() {
            end.check()?;
            let here = count * (index + 1) / leaves.len() - count * index / leaves.len();
            if here > 0 {
                let doors = self.tops.iter().map(|top| top.join(&leaf.path).join("cgroup.procs"));
                let doors: Vec<_> = doors.collect();
                let (first, ready) = start(&doors, leaf.is_container, here)?;
                self.first.push(first);
                self.tasks += here;
                starting.push_back(ready);
            }
            if starting.len() > AT_ONCE {
                starting.pop_front().map_or(Ok(()), |ready| is_ready(&ready))?;
            }
        }
        starting.iter().try_for_each(is_ready)
    }

    /// Ends all processes, waits for them, and removes all cgroups.
    fn clear(&mut self) -> Result<()> {
        for first in self.first.drain(..) {
            // It is this process's child and was not waited for, so its number is its own.
            kill_process(first, Signal::KILL).context("cannot end a process")?;
        }
        while wait(WaitOptions::empty()).is_ok_and(|ended| ended.is_some()) {}
        let start = Instant::now();
        for dir in self.made.drain(..).rev() {
            while let Err(error) = fs::remove_dir(&dir) {
                if start.elapsed() > PATIENCE {
                    return Err(error).with_context(|| failed("remove", &dir));
                }
                sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            println!("error: {error:#}");
        }
    }
}

/// Starts the first process of a cgroup, and gives what [`is_ready`] waits for.
fn start(doors: &[PathBuf], is_container: bool, count: usize) -> Result<(Pid, OwnedFd)> {
    let (ready, tell) = rustix::pipe::pipe()?;
    let parent = std::process::id();
    // SAFETY: this process has one thread, so that its child may do all that it may.
    match unsafe { libc::fork() } {
        -1 => Err(Error::last_os_error()).context("cannot fork"),
        0 => {
            drop(ready);
            let done = live(parent, doors, is_container, count);
            let word =
                done.map_or_else(|error| format!("{error:#}").into_bytes(), |()| READY.into());
            let _ = rustix::io::write(&tell, &word);
            drop(tell);
            asleep()
        }
        number => {
            let pid = Pid::from_raw(number).context("the child has no number")?;
            Ok((pid, ready))
        }
    }
}

/// Waits until the first process of a cgroup, and all that it starts, are there.
fn is_ready(ready: &OwnedFd) -> Result<()> {
    let mut word = [0; 256];
    let len = rustix::io::read(ready, &mut word)?;
    if word[..len] == *READY {
        return Ok(());
    }
    bail!("a process is not ready: {}", String::from_utf8_lossy(&word[..len]))
}

/// Goes where it belongs, and starts the others there.
fn live(parent: u32, doors: &[PathBuf], is_container: bool, count: usize) -> Result<()> {
    die_with(parent)?;
    for door in doors {
        fs::write(door, "0").with_context(|| failed("enter by", door))?;
    }
    if is_container {
        let flags = UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWCGROUP;
        // SAFETY: none of these takes a thing away from this process that it refers to.
        unsafe { unshare_unsafe(flags) }.context("cannot get namespaces")?;
        // Unless this holds, what is unmounted here is unmounted for all.
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .context("cannot keep mounts apart")?;
        unmount(MOUNTS, UnmountFlags::DETACH).context("cannot hide the cgroups")?;
    }
    let own = std::process::id();
    for _ in 1..count {
        // SAFETY: this process has one thread, so that its child may do all that it may.
        match unsafe { libc::fork() } {
            -1 => return Err(Error::last_os_error()).context("cannot fork"),
            0 => match die_with(own) {
                Ok(()) => asleep(),
                // SAFETY: `_exit` ends the child at once, and runs nothing of this program.
                Err(_) => unsafe { libc::_exit(1) },
            },
            _ => {}
        }
    }
    Ok(())
}

/// Asks to be killed as soon as the parent ends, in whatever way.
fn die_with(parent: u32) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // One that has ended by now tells nobody.
    let is_there = rustix::process::getppid();
    if is_there.is_none_or(|pid| pid.as_raw_nonzero().get().cast_unsigned() != parent) {
        bail!("the parent has ended");
    }
    Ok(())
}

/// Until it is killed. Nothing is kept open that others wait for the end of.
fn asleep() -> ! {
    // SAFETY: no file of these numbers is used after this.
    unsafe { libc::close_range(0, u32::MAX, 0) };
    loop {
        // SAFETY: it touches no memory.
        unsafe { libc::pause() };
    }
}

/// Where each hierarchy is mounted.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let points = mounts.lines().filter_map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let is_cgroup = matches!(words.get(2), Some(&"cgroup" | &"cgroup2"));
        words.get(1).filter(|at| is_cgroup && at.starts_with(MOUNTS)).map(PathBuf::from)
    });
    let points: Vec<_> = points.collect();
    ensure!(!points.is_empty(), "no cgroups are mounted");
    Ok(points)
}

/// Gives v1's cpusets below this one the CPUs and the memory of the one above, without which nobody
/// can enter them.
fn inherit(top: &Path) -> Result<()> {
    let clone = top.join("cgroup.clone_children");
    if !clone.exists() {
        return Ok(());
    }
    fs::write(&clone, "1").with_context(|| failed("write", &clone))?;
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let own = top.join(name);
        if own.exists() {
            let above = fs::read(top.join("..").join(name))?;
            fs::write(&own, above).with_context(|| failed("write", &own))?;
        }
    }
    Ok(())
}

/// Lets cgroups of v2 below this one have the controllers of pods. In v1 they have them anyhow.
fn delegate(above: &Path) -> Result<()> {
    let controllers = fs::read_to_string(above.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace().filter(|it| matches!(*it, "memory" | "pids")) {
        let file = above.join("cgroup.subtree_control");
        fs::write(&file, format!("+{controller}")).with_context(|| failed("write", &file))?;
    }
    Ok(())
}

fn failed(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}
