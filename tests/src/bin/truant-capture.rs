//! What truant's readers would find on a node with containers: test data, as a tar on stdout.
//!
//! Owns the scenes that are made for it, and what is kept of them: the files of some processes,
//! each process under its role in the scene too, the paths of all cgroups, and the runtimes'
//! answers. Nothing of that is changed but the layout of JSON.
#![expect(clippy::print_stderr, reason = "stdout has the tar")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use truant_tests::{
    cri::{self, ContainerPlan, Cri, Pod, PodPlan},
    engines::{self, BUSYBOX, Docker, Driver, TREE_READ_ONLY, until},
    procs::Process,
};

const USAGE: &str = "usage: truant-capture incident-by-docker|pods|pods-unfenced";

const UID: &str = "5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7";

/// What a process has that readers read.
const FILES: [&str; 6] = ["cgroup", "cmdline", "comm", "stat", "status", MOUNTS];

/// Not kept of the process that keeps all this: readers would look for its mounts where tests run.
const MOUNTS: &str = "mountinfo";

const NAMESPACES: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let capture = Capture(folder.path().to_owned());
    match std::env::args().nth(1).as_deref() {
        Some("incident-by-docker") => incident_by_docker(&capture)?,
        Some("pods") => pods(&capture)?,
        Some("pods-unfenced") => pods_unfenced(&capture)?,
        _ => bail!(USAGE),
    }
    let mut tar = Command::new("tar");
    let status = tar.args(["--sort=name", "-c", "-C"]).arg(&capture.0).arg(".").status()?;
    ensure!(status.success(), "tar: {status}");
    Ok(())
}

/// systemd in a container of a pod has left it on v1, and so has its service; a command that was
/// run in the container has not.
fn incident_by_docker(capture: &Capture) -> Result<()> {
    let docker = engines::docker(Driver::Cgroupfs);
    let options = ["--name=workspace", "--cgroupns=private", TREE_READ_ONLY];
    let container = docker.run_systemd(UID, &options);
    container.exec_detached(&["sleep", "7919"]);
    let init = Process::of(container.pid()).context("no first process")?;
    let is_service = |it: &Process| it.memory_cgroup() == "/system.slice/leaky.service";
    let service = until("its service is outside", || init.namesakes().into_iter().find(is_service));
    let executed = running(&init, "7919");
    capture.node()?;
    for (role, pid) in [("init", init.pid), ("service", service.pid), ("executed", executed)] {
        capture.process(role, pid)?;
    }
    capture.docker(docker, &container.id)
}

/// A container of a pod by containerd, and a privileged one of Docker with a cgroup namespace of
/// its own; all stay where they belong.
fn pods(capture: &Capture) -> Result<()> {
    let scene = Scene::start()?;
    scene.keep(capture)?;
    for (name, answer) in scene.cri.answers(&[&scene.pod], &[&scene.app])? {
        capture.write(&format!("cri/{name}"), answer)?;
    }
    capture.docker(scene.docker, &scene.builder.id)
}

/// The same, and then a privileged container in the pod. containerd leaves it in the node's cgroup
/// namespace, and runc mounts the tree for it without an option: from there that is for all mounts.
fn pods_unfenced(capture: &Capture) -> Result<()> {
    let scene = Scene::start()?;
    let agent = scene.pod.start(&plan("agent", true))?;
    scene.keep(capture)?;
    capture.process("agent", agent.pid())
}

struct Scene {
    cri: Cri,
    docker: Docker,
    pod: Pod,
    app: cri::Container,
    builder: engines::Container,
}

impl Scene {
    fn start() -> Result<Self> {
        let cri = engines::containerd(Driver::Systemd);
        let pod = cri.run_pod(PodPlan {
            name: "web".to_owned(),
            namespace: "team-a".to_owned(),
            uid: UID.to_owned(),
            cgroup_parent: engines::cgroup_parent(Driver::Systemd, "burstable", UID),
            labels: [("app".to_owned(), "web".to_owned())].into(),
            privileged: true,
            host_pid: false,
        })?;
        let app = pod.start(&plan("app", false))?;
        let docker = engines::docker(Driver::Systemd);
        let options = ["--name=builder", "--network=none", "--privileged", "--cgroupns=private"];
        let own = ["-m=1g", BUSYBOX, "sleep", "7919"];
        let builder = docker.run(&[&options[..], &own].concat());
        Ok(Self { cri, docker, pod, app, builder })
    }

    /// Keeps the node, the processes of the pod's first container, and that of Docker's.
    fn keep(&self, capture: &Capture) -> Result<()> {
        let init = Process::of(self.app.pid()).context("no first process")?;
        let app = self.app.clone();
        // Ends with the pod.
        thread::spawn(move || app.exec(&["sleep", "7920"]));
        let (child, executed) = (running(&init, "7919"), running(&init, "7920"));
        capture.node()?;
        let (init, builder) = (init.pid, self.builder.pid());
        let roles =
            [("init", init), ("child", child), ("executed", executed), ("builder", builder)];
        roles.into_iter().try_for_each(|(role, pid)| capture.process(role, pid))
    }
}

/// A container with a child.
fn plan(name: &str, privileged: bool) -> ContainerPlan {
    ContainerPlan {
        name: name.to_owned(),
        image: BUSYBOX.to_owned(),
        command: ["/bin/sh", "-c", "sleep 7919 & wait"].map(str::to_owned).into(),
        privileged,
        labels: [("tier".to_owned(), name.to_owned())].into(),
        memory_limit: 256 << 20,
        ..ContainerPlan::default()
    }
}

/// The `sleep` that has this argument, in the container with this first process.
fn running(init: &Process, argument: &str) -> u32 {
    let is_it = |it: &Process| {
        let words = fs::read(format!("/proc/{}/cmdline", it.pid)).unwrap_or_default();
        words == format!("sleep\0{argument}\0").as_bytes()
    };
    until("a command runs in the container", || init.namesakes().into_iter().find(is_it)).pid
}

/// The folder of what is kept.
struct Capture(PathBuf);

impl Capture {
    /// What belongs to no container: the hierarchies, all cgroups, the node's first process.
    fn node(&self) -> Result<()> {
        let own: Vec<_> = FILES.into_iter().filter(|name| *name != MOUNTS).collect();
        self.files("self", &own)?;
        self.files("1", &FILES)?;
        self.write("proc/cgroups", fs::read("/proc/cgroups")?)?;
        let found = engines::run("find", ["/sys/fs/cgroup", "-type", "d"]);
        let mut paths: Vec<_> = found.lines().collect();
        paths.sort_unstable();
        self.write("tree", paths.join("\n") + "\n")
    }

    /// A process of a container, by its number and by its role.
    fn process(&self, role: &str, pid: u32) -> Result<()> {
        self.files(&pid.to_string(), &FILES)?;
        Ok(symlink(format!("proc/{pid}"), self.0.join(role))?)
    }

    fn files(&self, process: &str, names: &[&str]) -> Result<()> {
        let from = Path::new("/proc").join(process);
        for name in names {
            let bytes = fs::read(from.join(name)).with_context(|| format!("{process}: {name}"))?;
            self.write(&format!("proc/{process}/{name}"), bytes)?;
        }
        let links = self.0.join("proc").join(process).join("ns");
        fs::create_dir(&links)?;
        for name in NAMESPACES {
            symlink(fs::read_link(from.join("ns").join(name))?, links.join(name))?;
        }
        Ok(())
    }

    /// What Docker says of itself, of all containers, and of this one.
    fn docker(&self, docker: Docker, id: &str) -> Result<()> {
        let container = format!("/containers/{id}/json");
        let questions = [
            ("version", "/version"),
            ("info", "/info"),
            ("containers", "/containers/json?all=1"),
            ("container", &container),
        ];
        for (name, path) in questions {
            let answer: Value = serde_json::from_str(&docker.answer(path))?;
            let text = serde_json::to_string_pretty(&answer)?;
            self.write(&format!("docker/{name}.json"), text + "\n")?;
        }
        Ok(())
    }

    fn write(&self, path: &str, contents: impl AsRef<[u8]>) -> Result<()> {
        let path = self.0.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))
    }
}
