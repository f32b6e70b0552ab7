//! A small client of the container runtime interface, which does what a kubelet does to have a pod
//! run: no Debian release has one.
//!
//! Owns what a test may ask of a pod and of a container, and the words of the interface for it.

mod client;
mod proto;

use std::{collections::BTreeMap, path::PathBuf, thread, time::Duration};

use prost::Message as _;
use tonic::{Code, Status};

use self::client::Client;

/// Where containerd listens.
pub const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// A runtime that answers.
#[derive(Clone, Debug)]
pub struct Cri {
    client: Client,
    /// What it calls itself, and its version.
    pub version: String,
}

/// What a kubelet would ask for a pod.
#[derive(Clone, Debug)]
pub struct PodPlan {
    /// The pod's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid, with dashes.
    pub uid: String,
    /// The cgroup that its containers are below, in the way of the cgroup driver.
    pub cgroup_parent: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether a container in it may be privileged.
    pub privileged: bool,
    /// Whether it sees the node's processes.
    pub host_pid: bool,
}

/// What a kubelet would ask for a container.
#[derive(Clone, Debug, Default)]
pub struct ContainerPlan {
    /// The container's name.
    pub name: String,
    /// One of the node's images, such as `truant/busybox:latest`.
    pub image: String,
    /// The command; the image's own if there is none.
    pub command: Vec<String>,
    /// Whether it is privileged.
    pub privileged: bool,
    /// Capabilities besides the usual ones, without `CAP_`.
    pub capabilities: Vec<String>,
    /// What it sees of the node's files.
    pub mounts: Vec<Bind>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The limit of its memory in bytes; 0 for none.
    pub memory_limit: i64,
}

/// A folder of the node in a container.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The folder.
    pub host: String,
    /// Where the container has it.
    pub inside: String,
    /// Whether it is mounted for reading alone, which says nothing of what is mounted below it.
    pub readonly: bool,
}

/// What a command in a container came to.
#[derive(Clone, Debug)]
pub struct Executed {
    /// Its exit status.
    pub status: i32,
    /// What it wrote to stdout and then what it wrote to stderr.
    pub said: String,
}

/// A pod that runs, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Pod {
    cri: Cri,
    plan: PodPlan,
    /// The sandbox's id.
    pub id: String,
}

/// A container in a pod.
#[derive(Clone, Debug)]
pub struct Container {
    cri: Cri,
    /// Its id.
    pub id: String,
}

impl Cri {
    /// The runtime at `socket`, once it answers; at most for a minute.
    ///
    /// # Errors
    /// What the last attempt came to.
    pub fn connect(socket: &str) -> Result<Self, Status> {
        let mut tries = 0;
        loop {
            match Client::connect(PathBuf::from(socket)) {
                Ok((client, version)) => {
                    let version = format!("{} {}", version.runtime_name, version.runtime_version);
                    return Ok(Self { client, version });
                }
                Err(status) if tries >= 120 => return Err(status),
                Err(_) => thread::sleep(Duration::from_millis(500)),
            }
            tries += 1;
        }
    }

    /// Has a pod's sandbox run.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn run_pod(&self, plan: PodPlan) -> Result<Pod, Status> {
        let request = proto::RunPodSandboxRequest { config: Some(sandbox_config(&plan)) };
        let answer: proto::RunPodSandboxResponse = self.client.call("RunPodSandbox", &request)?;
        Ok(Pod { cri: self.clone(), plan, id: answer.pod_sandbox_id })
    }

    /// What it answers, on the wire, to the calls by which one learns who it is and what it runs,
    /// and more of these sandboxes and containers. A call that it does not know is left out.
    ///
    /// # Errors
    /// What the runtime says to any other.
    pub fn answers(
        &self,
        sandboxes: &[&Pod],
        containers: &[&Container],
    ) -> Result<Vec<(String, Vec<u8>)>, Status> {
        let version = proto::VersionRequest { version: "0.1.0".to_owned() };
        let own = [
            ("Version", version.encode_to_vec()),
            ("RuntimeConfig", Vec::new()),
            ("Status", proto::StatusRequest { verbose: true }.encode_to_vec()),
            ("ListPodSandbox", Vec::new()),
            ("ListContainers", Vec::new()),
        ];
        let own = own.map(|(call, question)| (call.to_owned(), call, question));
        let of = |call, id: &str| {
            let question = proto::StatusOfRequest { id: id.to_owned(), verbose: true };
            (format!("{call}-{id}"), call, question.encode_to_vec())
        };
        let sandboxes = sandboxes.iter().map(|pod| of("PodSandboxStatus", &pod.id));
        let containers = containers.iter().map(|container| of("ContainerStatus", &container.id));
        let answer = |(name, call, question)| match self.client.bytes(call, question) {
            Err(status) if status.code() == Code::Unimplemented => None,
            answer => Some(answer.map(|answer| (name, answer))),
        };
        own.into_iter().chain(sandboxes).chain(containers).filter_map(answer).collect()
    }

    /// What the runtime says of itself beside its status, as JSON, by subject.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn info(&self) -> Result<BTreeMap<String, String>, Status> {
        let request = proto::StatusRequest { verbose: true };
        let answer: proto::StatusResponse = self.client.call("Status", &request)?;
        Ok(answer.info)
    }

    fn info_of(&self, call: &str, id: &str) -> Result<BTreeMap<String, String>, Status> {
        let request = proto::StatusOfRequest { id: id.to_owned(), verbose: true };
        let answer: proto::StatusOfResponse = self.client.call(call, &request)?;
        Ok(answer.info)
    }
}

impl Bind {
    /// A folder in the same place, for reading alone.
    pub fn readonly(path: &str) -> Self {
        Self { host: path.to_owned(), inside: path.to_owned(), readonly: true }
    }

    /// A folder in another place, for writing too.
    pub fn writable(host: &str, inside: &str) -> Self {
        Self { host: host.to_owned(), inside: inside.to_owned(), readonly: false }
    }
}

impl Pod {
    /// Creates and starts a container.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn start(&self, plan: &ContainerPlan) -> Result<Container, Status> {
        let request = proto::CreateContainerRequest {
            pod_sandbox_id: self.id.clone(),
            config: Some(container_config(plan, &self.plan)),
            sandbox_config: Some(sandbox_config(&self.plan)),
        };
        let client = &self.cri.client;
        let answer: proto::CreateContainerResponse = client.call("CreateContainer", &request)?;
        let id = answer.container_id;
        let request = proto::StartContainerRequest { container_id: id.clone() };
        client.call::<_, proto::Nothing>("StartContainer", &request)?;
        Ok(Container { cri: self.cri.clone(), id })
    }

    /// What the runtime says of the sandbox beside its status, as JSON, by subject.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn info(&self) -> Result<BTreeMap<String, String>, Status> {
        self.cri.info_of("PodSandboxStatus", &self.id)
    }

    /// Stops all containers and removes all there is.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn remove(self) -> Result<(), Status> {
        self.end()
    }

    fn end(&self) -> Result<(), Status> {
        for call in ["StopPodSandbox", "RemovePodSandbox"] {
            let request = proto::PodSandboxRequest { pod_sandbox_id: self.id.clone() };
            self.cri.client.call::<_, proto::Nothing>(call, &request)?;
        }
        Ok(())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // Of one that is gone the runtime says nothing, by its interface.
        let _ = self.end();
    }
}

impl Container {
    /// Runs a command in it until that ends.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn exec(&self, command: &[&str]) -> Result<Executed, Status> {
        let cmd = command.iter().map(|word| (*word).to_owned()).collect();
        let request = proto::ExecSyncRequest { container_id: self.id.clone(), cmd };
        let answer: proto::ExecSyncResponse = self.cri.client.call("ExecSync", &request)?;
        let said = [answer.stdout, answer.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok(Executed { status: answer.exit_code, said })
    }

    /// Stops it: at once, with no time to end by itself.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn stop(&self) -> Result<(), Status> {
        let request = proto::StopContainerRequest { container_id: self.id.clone(), timeout: 0 };
        self.cri.client.call::<_, proto::Nothing>("StopContainer", &request).map(drop)
    }

    /// What the runtime says of it beside its status, as JSON, by subject.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn info(&self) -> Result<BTreeMap<String, String>, Status> {
        self.cri.info_of("ContainerStatus", &self.id)
    }

    /// The process id, on the node, of its first process.
    ///
    /// # Panics
    /// If the runtime does not say.
    pub fn pid(&self) -> u32 {
        let info = self.info().expect("the runtime knows it");
        let info: serde_json::Value = serde_json::from_str(&info["info"]).expect("it is JSON");
        let pid = info["pid"].as_u64().expect("it has a process");
        u32::try_from(pid).expect("a pid is small")
    }
}

/// The node's network, as there is no other; a hostname would need one.
fn namespaces(pod: &PodPlan) -> proto::NamespaceOption {
    let pid = if pod.host_pid { proto::OF_NODE } else { proto::OF_CONTAINER };
    proto::NamespaceOption { network: proto::OF_NODE, pid }
}

fn sandbox_config(plan: &PodPlan) -> proto::PodSandboxConfig {
    proto::PodSandboxConfig {
        metadata: Some(proto::PodSandboxMetadata {
            name: plan.name.clone(),
            uid: plan.uid.clone(),
            namespace: plan.namespace.clone(),
        }),
        labels: plan.labels.clone(),
        linux: Some(proto::LinuxPodSandboxConfig {
            cgroup_parent: plan.cgroup_parent.clone(),
            security_context: Some(proto::LinuxSandboxSecurityContext {
                namespace_options: Some(namespaces(plan)),
                privileged: plan.privileged,
            }),
        }),
    }
}

fn container_config(plan: &ContainerPlan, pod: &PodPlan) -> proto::ContainerConfig {
    let mount = |bind: &Bind| proto::Mount {
        container_path: bind.inside.clone(),
        host_path: bind.host.clone(),
        readonly: bind.readonly,
    };
    proto::ContainerConfig {
        metadata: Some(proto::ContainerMetadata { name: plan.name.clone() }),
        image: Some(proto::ImageSpec { image: plan.image.clone() }),
        command: plan.command.clone(),
        // By this systemd knows that it is in one.
        envs: vec![proto::KeyValue { key: "container".to_owned(), value: "oci".to_owned() }],
        mounts: plan.mounts.iter().map(mount).collect(),
        labels: plan.labels.clone(),
        linux: Some(proto::LinuxContainerConfig {
            resources: Some(proto::LinuxContainerResources {
                memory_limit_in_bytes: plan.memory_limit,
            }),
            security_context: Some(proto::LinuxContainerSecurityContext {
                capabilities: Some(proto::Capability {
                    add_capabilities: plan.capabilities.clone(),
                }),
                privileged: plan.privileged,
                namespace_options: Some(namespaces(pod)),
            }),
        }),
    }
}
