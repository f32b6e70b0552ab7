//! Pods and containers as cgroup paths name them. A name is only a name: whoever can make a
//! cgroup can give it any.

use alloc::{borrow::ToOwned, string::String};

/// What a cgroup path says of the pod and the container.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Container {
    /// The pod's uid, with dashes as Kubernetes writes it; none outside Kubernetes. Static pods
    /// have the 32 digits of a hash, without dashes.
    pub pod_uid: Option<String>,
    /// The container's id; none for the pod's own cgroup.
    pub container_id: Option<String>,
}

/// What the runtimes put before a container's id, with a dash between. `crio-conmon` and
/// `libpod-conmon` are absent on purpose: a monitor is not in its container.
const PREFIXES: [&str; 6] =
    ["cri-containerd", "crio", "docker", "libpod", "libpod-payload", "nerdctl"];

/// The outermost pod that `path` names and the outermost container in it, or the outermost
/// container where there is no pod; none if it names neither.
///
/// A colon counts as a slash: where the kubelet speaks to systemd and the runtime to cgroupfs,
/// the triple meant for systemd (`slice:prefix:id`) becomes one directory's name.
pub fn container(path: &[u8]) -> Option<Container> {
    let (mut pod_uid, mut container_id) = (None, None);
    for name in path.split(|byte| matches!(byte, b'/' | b':')) {
        let Ok(name) = str::from_utf8(name) else { continue };
        if pod_uid.is_none() && pod(name).is_some() {
            // A container around the pod is a node that is itself a container.
            (pod_uid, container_id) = (pod(name), None);
        } else if container_id.is_none() {
            container_id = id(name);
        }
    }
    (pod_uid.is_some() || container_id.is_some()).then_some(Container { pod_uid, container_id })
}

/// Whether `path` is `top` or lies below it.
pub(crate) fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    let rest = path.strip_prefix(top);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || top == b"/")
}

/// `pod<uid>` (cgroupfs) or `[…-]kubepods[-burstable|-besteffort]-pod<uid>.slice` (systemd).
fn pod(name: &str) -> Option<String> {
    if let Some(text) = name.strip_prefix("pod") {
        return uid(text, b'-');
    }
    let (class, text) = name.strip_suffix(".slice")?.rsplit_once("-pod")?;
    let class = class.strip_suffix("-burstable").unwrap_or(class);
    let parent = class.strip_suffix("-besteffort").unwrap_or(class);
    (parent == "kubepods" || parent.ends_with("-kubepods")).then(|| uid(text, b'_'))?
}

/// A uid of 32 digits, or one in five groups with `separator` between them.
fn uid(text: &str, separator: u8) -> Option<String> {
    if text.len() == 32 {
        return text.bytes().all(is_digit).then(|| text.to_owned());
    }
    let good = |(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == separator,
        _ => is_digit(byte),
    };
    (text.len() == 36 && text.bytes().enumerate().all(good)).then(|| text.replace('_', "-"))
}

/// `<id>`, `<prefix>-<id>` or `<prefix>-<id>.scope`.
fn id(name: &str) -> Option<String> {
    let bare = name.strip_suffix(".scope").unwrap_or(name);
    let id = match bare.rsplit_once('-') {
        Some((prefix, id)) => PREFIXES.contains(&prefix).then_some(id)?,
        None => name,
    };
    (id.len() == 64 && id.bytes().all(is_digit)).then(|| id.to_owned())
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
