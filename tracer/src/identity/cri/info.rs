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
