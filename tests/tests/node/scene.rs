//! What several scenarios have in common: pods as a kubelet asks for them, and checks of the names.

use serde_json::{Value, json};
use truant_tests::{
    cri::{Container, ContainerPlan, Cri, Pod, PodPlan},
    engines::{BUSYBOX, Driver, cgroup_parent},
};

/// The namespace of all pods here.
pub(super) const NAMESPACE: &str = "team-a";

/// Where programs of the tests are on a node, and in containers that see them.
pub(super) const PROGRAMS: &str = "/usr/local/bin";

/// A pod with one container, by containerd.
pub(super) struct Scene {
    _pod: Pod,
    pub(super) container: Container,
    pub(super) uid: String,
    name: &'static str,
}

/// A pod whose containers may be privileged.
pub(super) fn pod_plan(name: &str, uid: &str, driver: Driver, class: &str) -> PodPlan {
    PodPlan {
        name: name.to_owned(),
        namespace: NAMESPACE.to_owned(),
        uid: uid.to_owned(),
        cgroup_parent: cgroup_parent(driver, class, uid),
        labels: [("app".to_owned(), name.to_owned())].into(),
        privileged: true,
        host_pid: false,
    }
}

/// A container called `main` that runs a line of the shell.
pub(super) fn shell_plan(line: &str, privileged: bool) -> ContainerPlan {
    ContainerPlan {
        name: "main".to_owned(),
        image: BUSYBOX.to_owned(),
        command: ["/bin/sh", "-c", line].map(str::to_owned).into(),
        privileged,
        memory_limit: 256 << 20,
        ..ContainerPlan::default()
    }
}

impl Scene {
    /// Has a pod run with that one container.
    pub(super) fn start(
        cri: &Cri,
        driver: Driver,
        (name, uid): (&'static str, &str),
        plan: &ContainerPlan,
    ) -> Self {
        let pod = cri.run_pod(pod_plan(name, uid, driver, "burstable")).expect("a sandbox runs");
        let container = pod.start(plan).expect("a container starts");
        Self { _pod: pod, container, uid: uid.to_owned(), name }
    }

    /// Runs a line of the shell in the container.
    pub(super) fn shell(&self, line: &str) -> String {
        let done = self.container.exec(&["/bin/sh", "-c", line]).expect("a command can be run");
        assert_eq!(done.status, 0, "{line}: {}", done.said);
        done.said
    }

    /// That a line is about a process of this container, by the names that the runtime has.
    pub(super) fn check_home(&self, line: &Value) {
        let home = &line["home"];
        let expected = json!({
            "pod_uid": self.uid,
            "container_id": self.container.id,
            "pod": self.name,
            "namespace": NAMESPACE,
            "container": "main",
        });
        for (field, value) in expected.as_object().expect("an object") {
            assert_eq!(home[field], *value, "{line:#}");
        }
        assert_eq!(home["labels"]["app"], self.name, "{line:#}");
        assert_eq!(home["sure"], true, "{line:#}");
    }
}
