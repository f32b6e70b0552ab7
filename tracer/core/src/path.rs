//! Pods and containers as cgroup paths name them.

use alloc::string::String;

/// What a cgroup path says of the pod and the container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Container {
    /// The pod's uid, with dashes as Kubernetes writes it; none outside Kubernetes.
    pub pod_uid: Option<String>,
    /// The container's id; none for the pod's own cgroup.
    pub container_id: Option<String>,
}
