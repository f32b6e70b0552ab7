//! Docker, by its command line.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
};

use super::{Driver, SYSTEMD, cgroup_parent, run, until};

const CONFIG: &str = "/etc/docker/daemon.json";

const SOCKET: &str = "/run/docker.sock";

/// The node's cgroup tree in a container, as the incident had it: what is mounted below it can be
/// written to.
pub const TREE_READ_ONLY: &str = "-v=/sys/fs/cgroup:/sys/fs/cgroup:ro";

/// The same, all of it for writing.
pub const TREE_WRITABLE: &str = "-v=/sys/fs/cgroup:/sys/fs/cgroup:rw";

/// What Docker is told where systemd is the first process.
const FOR_SYSTEMD: [&str; 5] =
    ["-t", "--network=none", "-e=container=docker", "--tmpfs=/run", "--tmpfs=/tmp"];

/// Docker, running.
#[derive(Clone, Copy, Debug)]
pub struct Docker {
    driver: Driver,
}

/// A container of Docker or Podman, removed when this is dropped.
#[derive(Debug)]
pub struct Container {
    engine: &'static str,
    /// Its id, in full.
    pub id: String,
}

/// Docker with this cgroup driver, started anew.
///
/// # Panics
/// If it does not start.
pub fn docker(driver: Driver) -> Docker {
    let wanted = fs::read(format!("/etc/docker/{}.json", driver.name())).expect("a configuration");
    let verb = if fs::read(CONFIG).is_ok_and(|now| now == wanted) { "start" } else { "restart" };
    fs::write(CONFIG, wanted).expect("its configuration can be changed");
    run("systemctl", [verb, "docker"]);
    until("docker answers", || {
        let info = std::process::Command::new("docker").arg("info").output().ok()?;
        info.status.success().then_some(())
    });
    Docker { driver }
}

impl Docker {
    /// Runs a container; the arguments are those between `run -d` and the end.
    pub fn run(self, arguments: &[&str]) -> Container {
        Container::run("docker", arguments)
    }

    /// Runs systemd in a privileged container of that pod, with the incident's limit of 512 MiB;
    /// `options` are what there is beyond that.
    pub fn run_systemd(self, uid: &str, options: &[&str]) -> Container {
        let parent = format!("--cgroup-parent={}", cgroup_parent(self.driver, "burstable", uid));
        let own = ["--privileged", "-m=512m", &parent];
        self.run(&[&FOR_SYSTEMD[..], &own, options, &[SYSTEMD]].concat())
    }

    /// What its API answers to this path, `/info` for one.
    ///
    /// # Panics
    /// If that is not what was asked for.
    pub fn answer(self, path: &str) -> String {
        let mut socket = UnixStream::connect(SOCKET).expect("docker listens");
        // By this version an answer comes in one piece, and the connection ends with it.
        write!(socket, "GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n").expect("docker reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("docker answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it is HTTP");
        assert!(head.lines().next().is_some_and(|it| it.contains(" 200 ")), "{path}: {head}");
        body.to_owned()
    }
}

impl Container {
    /// Has an engine run one.
    pub(super) fn run(engine: &'static str, arguments: &[&str]) -> Self {
        let id = run(engine, ["run", "-d"].iter().chain(arguments));
        // Warnings come before it.
        let id = id.lines().last().unwrap_or_default().to_owned();
        Self { engine, id }
    }

    /// Runs a command in it, which goes on by itself.
    pub fn exec_detached(&self, command: &[&str]) {
        run(self.engine, ["exec", "-d", &self.id].iter().chain(command));
    }

    /// What a command in it wrote to stdout.
    pub fn exec(&self, command: &[&str]) -> String {
        run(self.engine, ["exec", &self.id].iter().chain(command))
    }

    /// What its first process wrote to the terminal, or to stdout and stderr.
    pub fn logs(&self) -> String {
        run(self.engine, ["logs", &self.id])
    }

    /// The process id, on the node, of its first process.
    ///
    /// # Panics
    /// If it does not run.
    pub fn pid(&self) -> u32 {
        self.inspect("{{.State.Pid}}").parse().expect("a number")
    }

    /// What the engine says of it, by a template.
    pub fn inspect(&self, template: &str) -> String {
        run(self.engine, ["inspect", "--format", template, &self.id])
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = std::process::Command::new(self.engine).args(["rm", "-f", &self.id]).output();
    }
}
