//! `demo`: the main job on this machine, with no cluster. Owns a small guarded tree and the
//! process that leaves it; everything it makes is gone in the end.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use xshell::cmd;

use crate::{paths, sh};

/// Shows on this machine how a process that leaves a guarded tree is found (as root, 10 seconds)
#[derive(clap::Args)]
pub(crate) struct Args {}

/// What the process does: waits to be moved, then holds 40 MB.
const HOG: &str = "sleep 3; held=$(head -c 40000000 /dev/zero | tr '\\0' x); read end";

/// Runs the verb.
pub(crate) fn run(_: &Args) -> Result<()> {
    let sh = sh::at_root()?;
    ensure!(sh::is_root(&sh), "the demo makes cgroups and traces the kernel: run it as root");
    let root = memory_root()?;
    let cargo = sh::cargo();
    println!("demo: building truant");
    cmd!(sh, "{cargo} build --quiet --locked --package truant").quiet().run()?;
    let tree = Tree::make(&root)?;
    let mut watch = Command::new(paths::root().join("target/debug/truant"))
        .args(["watch", "--for", "8s", "--guard", &tree.guard()])
        .spawn()
        .context("cannot start truant")?;
    let mut hog = Command::new("sh")
        .args(["-c", HOG])
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start sh")?;
    let shown = tree.play(hog.id());
    let status = watch.wait()?.code();
    end(&mut hog);
    shown?;
    match status {
        Some(1) => println!("demo: truant ended with status 1: somebody was out"),
        Some(3) => println!("demo: truant ended with status 3: it lost something, and says what"),
        other => bail!("truant should have found a process outside, but ended with {other:?}"),
    }
    Ok(())
}

/// A guarded tree, and a place outside of it.
struct Tree {
    top: PathBuf,
    pod: PathBuf,
    outside: PathBuf,
}

impl Tree {
    fn make(root: &Path) -> Result<Self> {
        let top = root.join(format!("truant-demo-{}", std::process::id()));
        let pod = top.join("kubepods/burstable/pod7e1f2f3c-5d44-4c6e-9a53-3a3f1f6f2b10");
        let tree = Self { pod, outside: top.join("leaky.service"), top };
        let mut dir = root.to_owned();
        for part in tree.pod.strip_prefix(root)?.iter().chain(["".as_ref()]) {
            if dir.join("cgroup.subtree_control").exists() && dir != tree.pod {
                // Where v2 has the controller elsewhere, there are findings and no figures.
                let _ = fs::write(dir.join("cgroup.subtree_control"), "+memory");
            }
            dir.push(part);
            fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        fs::create_dir(&tree.outside).context("cannot make the place outside")?;
        Ok(tree)
    }

    fn guard(&self) -> String {
        let name = self.top.file_name().unwrap_or_default().to_string_lossy();
        format!("/{name}/kubepods")
    }

    fn play(&self, pid: u32) -> Result<()> {
        println!("demo: process {pid} starts in a pod");
        put(pid, &self.pod)?;
        sleep(Duration::from_secs(2));
        println!("demo: somebody moves it out, and it goes on to take 40 MB");
        put(pid, &self.outside)?;
        sleep(Duration::from_secs(3));
        println!("demo: it is put back");
        put(pid, &self.pod)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let pods = self.pod.ancestors().take_while(|dir| dir.starts_with(&self.top));
        for dir in std::iter::once(self.outside.as_path()).chain(pods) {
            for _ in 0..100 {
                if fs::remove_dir(dir).is_ok() || !dir.exists() {
                    break;
                }
                sleep(Duration::from_millis(20));
            }
        }
    }
}

fn put(pid: u32, cgroup: &Path) -> Result<()> {
    let file = cgroup.join("cgroup.procs");
    fs::write(&file, pid.to_string()).with_context(|| format!("cannot write {}", file.display()))
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

fn memory_root() -> Result<PathBuf> {
    for place in ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"] {
        let place = Path::new(place);
        if place.join("cgroup.procs").exists() {
            return Ok(place.to_owned());
        }
    }
    bail!("no cgroup file system at /sys/fs/cgroup: mount one, or run on a node that has one")
}
