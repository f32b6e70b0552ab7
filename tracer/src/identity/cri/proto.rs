//! The messages of the container runtime interface, with the fields that are read and no others.
//!
//! Numbers are those of `runtime/v1/api.proto` in kubernetes/cri-api. `v1alpha2` has the same ones.
//! Written down here because generated types need `protoc` for every build, and are fifty times as
//! many.

use std::collections::BTreeMap;

type Map = BTreeMap<String, String>;

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct VersionRequest {
    #[prost(string, tag = "1")]
    pub version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct VersionResponse {
    #[prost(string, tag = "2")]
    pub runtime_name: String,
    #[prost(string, tag = "3")]
    pub runtime_version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct StatusRequest {
    #[prost(bool, tag = "1")]
    pub verbose: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct StatusResponse {
    #[prost(btree_map = "string, string", tag = "2")]
    pub info: Map,
}

/// Since Kubernetes 1.28.
#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct RuntimeConfigRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct RuntimeConfigResponse {
    #[prost(message, optional, tag = "1")]
    pub linux: Option<LinuxRuntimeConfiguration>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct LinuxRuntimeConfiguration {
    /// 0: systemd, 1: cgroupfs.
    #[prost(int32, tag = "1")]
    pub cgroup_driver: i32,
}

/// Without a filter: all of them.
#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ListPodSandboxRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ListPodSandboxResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<PodSandbox>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct PodSandbox {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<PodSandboxMetadata>,
    /// 0: ready.
    #[prost(int32, tag = "3")]
    pub state: i32,
    #[prost(int64, tag = "4")]
    pub created_at: i64,
    #[prost(btree_map = "string, string", tag = "5")]
    pub labels: Map,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct PodSandboxMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub uid: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct PodSandboxStatusRequest {
    #[prost(string, tag = "1")]
    pub pod_sandbox_id: String,
    #[prost(bool, tag = "2")]
    pub verbose: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct PodSandboxStatusResponse {
    #[prost(btree_map = "string, string", tag = "2")]
    pub info: Map,
}

/// Without a filter: all of them.
#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ListContainersRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ListContainersResponse {
    #[prost(message, repeated, tag = "1")]
    pub containers: Vec<Container>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct Container {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub pod_sandbox_id: String,
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "4")]
    pub image: Option<ImageSpec>,
    /// 1: running.
    #[prost(int32, tag = "6")]
    pub state: i32,
    #[prost(int64, tag = "7")]
    pub created_at: i64,
    #[prost(btree_map = "string, string", tag = "8")]
    pub labels: Map,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ContainerMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ImageSpec {
    #[prost(string, tag = "1")]
    pub image: String,
    /// Since Kubernetes 1.29.
    #[prost(string, tag = "18")]
    pub user_specified_image: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ContainerStatusRequest {
    #[prost(string, tag = "1")]
    pub container_id: String,
    #[prost(bool, tag = "2")]
    pub verbose: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ContainerStatusResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<ContainerStatus>,
    #[prost(btree_map = "string, string", tag = "2")]
    pub info: Map,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in super::super) struct ContainerStatus {
    #[prost(message, optional, tag = "8")]
    pub image: Option<ImageSpec>,
}
