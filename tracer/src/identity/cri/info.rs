//! The JSON that runtimes put beside a verbose status. No interface fixes its form: what is not
//! there, or is something else, is not known.

use std::collections::BTreeMap;

use serde_json::Value;
use truant_core::input::ContainerFacts;

use crate::identity::{bounds, cgroup_path};

/// Adds what a status says of a container's or sandbox's process, cgroup and limit. containerd and
/// CRI-O have the same names for these.
pub(super) fn add(facts: &mut ContainerFacts, info: &BTreeMap<String, String>) {
    let info = json(info, "info");
    let linux = &info["runtimeSpec"]["linux"];
    facts.pid = info["pid"].as_i64().and_then(bounds::pid);
    facts.cgroup = linux["cgroupsPath"].as_str().and_then(cgroup_path::resolve);
    facts.memory_limit = linux["resources"]["memory"]["limit"].as_i64().and_then(bounds::limit);
    if facts.image.is_none() && facts.name.is_some() {
        facts.image = info["config"]["image"]["image"].as_str().and_then(bounds::some);
    }
}

/// The cgroup driver by containerd's own configuration, beside its status.
pub(super) fn driver(info: &BTreeMap<String, String>) -> Option<String> {
    let config = json(info, "config");
    let containerd = &config["containerd"];
    let default = containerd["defaultRuntimeName"].as_str().unwrap_or("runc");
    let runtime = containerd["runtimes"].get(default)?;
    let systemd = match &runtime["options"] {
        Value::Null => false,
        // containerd 1.4 shows its options as an empty object, whatever they are.
        Value::Object(options) if options.is_empty() => return None,
        options => options["SystemdCgroup"].as_bool().unwrap_or(false),
    };
    Some(if systemd { "systemd" } else { "cgroupfs" }.to_owned())
}

fn json(info: &BTreeMap<String, String>, key: &str) -> Value {
    info.get(key).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "/kubepods/burstable/pod5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7";

    fn read(text: &str) -> ContainerFacts {
        let mut facts = ContainerFacts::default();
        add(&mut facts, &[("info".to_owned(), text.to_owned())].into());
        facts
    }

    /// As containerd 1.4 of the incident's node said it.
    #[test]
    fn a_container_of_a_real_node() {
        let container =
            read(include_str!("../../../../tests/fixtures/incident-hybrid-5.10/container.json"));
        let id = "8bbd2310069bff37e1a3bf9896e195b4979fcd52f4aeba51dbe3871f8343c76a";
        assert_eq!(container.cgroup.as_deref(), Some(format!("{POD}/{id}").as_bytes()));
        assert_eq!((container.pid, container.memory_limit), (Some(210), Some(512 << 20)));
        let sandbox =
            read(include_str!("../../../../tests/fixtures/incident-hybrid-5.10/sandbox.json"));
        assert!(sandbox.cgroup.unwrap().starts_with(POD.as_bytes()));
        assert_eq!((sandbox.pid, sandbox.memory_limit), (Some(178), None));
    }

    /// It does not show what it was told of its driver.
    #[test]
    fn the_driver_of_a_real_node_is_not_known() {
        let config =
            include_str!("../../../../tests/fixtures/incident-hybrid-5.10/config.json").to_owned();
        assert_eq!(driver(&[("config".to_owned(), config)].into()), None);
    }
}
