//! Nodes with real container engines: who left a pod, who is out already, and who only looks as if.
//! A file for each scenario.

mod incident;
mod innocent;
mod inside;
mod nested;
mod oom;
mod quiet;
mod scene;
mod unified;

use std::process::ExitCode;

use truant_tests::{Case, case};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("node::incident_by_cri", incident::by_cri),
    case("node::incident_with_sys_admin_alone", incident::with_sys_admin_alone),
    case("node::incident_by_docker", incident::by_docker),
    case("node::innocent_systemd_driver_of_containerd", innocent::systemd_driver_of_containerd),
    case("node::innocent_systemd_driver_of_docker", innocent::systemd_driver_of_docker),
    case("node::innocent_podman", innocent::by_podman),
    case("node::innocent_cgroup_namespace_of_the_host", innocent::cgroup_namespace_of_the_host),
    case("node::innocent_without_the_bind_mount", innocent::without_the_bind_mount),
    case("node::unified_cgroupfs_driver", unified::cgroupfs_driver),
    case("node::unified_systemd_driver", unified::systemd_driver),
    case("node::unified_not_fenced", unified::systemd_where_the_tree_is_not_fenced),
    case("node::born_outside_by_clone3", unified::born_outside_by_clone3),
    case("node::oom_at_the_limit", oom::at_the_limit),
    case("node::oom_of_the_node", oom::of_the_node),
    case("node::docker_in_a_pod", nested::docker_in_a_pod),
    case("node::quiet_life", quiet::containers_come_and_go),
    case("node::a_debug_pod_says_the_same", inside::a_debug_pod_says_the_same),
    case("node::a_pod_that_lacks_something", inside::a_pod_that_lacks_something_says_what),
];
