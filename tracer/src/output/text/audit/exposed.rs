//! Who could get out, and the cgroup driver that lets whoever runs systemd try it.

use truant_core::report::{Audit, Exposure, Mismatch};

use super::{
    super::{
        home,
        line::{Line, clip, palette, tame},
        shorten,
    },
    out,
    paragraph::{labelled, list, many, paragraph},
};

/// Containers that are told.
const CONTAINERS: usize = 10;

/// Mounts and containers that are named in a sentence.
const NAMED: usize = 2;

const DO: &str = "keep the host's /sys/fs/cgroup out of the container, or mount it read-only with \
    all that is mounted below it; take CAP_SYS_ADMIN away";

const DO_NAMESPACE: &str = "give it a cgroup namespace of its own";

const DO_DRIVER: &str = "choose the systemd driver in the kubelet (cgroupDriver: systemd) and in \
    the runtime (containerd: SystemdCgroup = true), then drain the node and start its pods anew.";

const DO_FENCE: &str = "on the node, `mount -o remount,nsdelegate /sys/fs/cgroup` puts it back, \
    and memory_recursiveprot likewise, where that is gone too. Some releases of runc take both \
    from the whole node with each privileged container that is in the host's cgroup namespace.";

/// The containers whose processes could get out, but for those whose processes are out.
pub(super) fn others(audit: &Audit) -> Vec<&Exposure> {
    let is_out = |it: &Exposure| audit.pods.iter().any(|pod| out::is_of(it, pod));
    let mut others: Vec<&Exposure> = audit.exposed.iter().filter(|it| !is_out(it)).collect();
    // Those that will, before those that would have to want it.
    others.sort_by_key(|it| (!it.runs_systemd, it.mounts.is_empty()));
    others
}

/// The lines for the containers whose processes could get out.
pub(super) fn lines(audit: &Audit) -> Vec<Line> {
    let others = others(audit);
    let (shown, hidden) = others.split_at(CONTAINERS.min(others.len()));
    let mut lines = Vec::new();
    for exposure in shown {
        let text = format!("{}: {}", home::long(&exposure.home, 80), words(exposure));
        lines.extend(paragraph(palette::WARN, "COULD GET OUT  ", &text));
    }
    if !hidden.is_empty() {
        let text = many(hidden.len(), "more container", "more containers");
        lines.extend(paragraph(palette::WARN, "COULD GET OUT  ", &text));
    }
    if !shown.is_empty() {
        let all_have = shown.iter().all(|it| it.host_cgroups == Some(false));
        let parts = if all_have { vec![DO] } else { vec![DO, DO_NAMESPACE] };
        lines.extend(labelled("what to do", &(parts.join("; ") + ".")));
    }
    lines
}

/// What its processes have that lets them out, as the end of a sentence.
pub(super) fn words(exposure: &Exposure) -> String {
    let mut parts = Vec::new();
    if !exposure.mounts.is_empty() {
        parts.push(sees(exposure));
    }
    let facts = [
        (exposure.host_cgroups, "is in the host's cgroup namespace"),
        (exposure.may_mount, "may mount (CAP_SYS_ADMIN)"),
        (Some(exposure.runs_systemd), "runs systemd, which makes use of it by itself"),
    ];
    let facts = facts.into_iter().filter_map(|(fact, words)| (fact == Some(true)).then_some(words));
    parts.extend(facts.map(str::to_owned));
    if parts.is_empty() { "could get out".to_owned() } else { parts.join("; ") }
}

fn sees(exposure: &Exposure) -> String {
    let host = exposure.mounts.iter().all(|(_, mount)| &*mount.root == b"/");
    let tree = if host { "the host's cgroup tree" } else { "a cgroup tree above its own" };
    let writable = exposure.mounts.iter().any(|(_, mount)| mount.writable);
    let writable = if writable { ", writable," } else { "" };
    let at = |mount: &[u8]| shorten::name(mount, 40);
    let places: Vec<String> = exposure.mounts.iter().map(|(_, mount)| at(&mount.at)).collect();
    format!("sees {tree}{writable} at {}", list(&places, NAMED))
}

/// The lines for an option of v2 that the node lacks, where a container could get out for it.
pub(super) fn fence(audit: &Audit) -> Vec<Line> {
    if !audit.exposed.iter().any(Exposure::lacks_nsdelegate) {
        return Vec::new();
    }
    let text = "v2 is mounted without nsdelegate, so a cgroup namespace keeps nobody in";
    let mut lines = paragraph(palette::WARN, "FENCE  ", text);
    lines.extend(labelled("what to do", DO_FENCE));
    lines
}

/// The lines for a cgroup driver that is not the host's.
pub(super) fn mismatch(mismatch: Option<&Mismatch>) -> Vec<Line> {
    let Some(Mismatch { root, runtime, systemd }) = mismatch else { return vec![] };
    let by = runtime.as_deref().map(|name| format!(" ({})", clip(&tame(name.as_bytes()), 20)));
    let is_slice = root.ends_with(b".slice");
    let (driver, host) = if is_slice {
        ("systemd", "but systemd does not run this host")
    } else {
        ("cgroupfs", "but systemd runs this host and does not know of it")
    };
    let place = shorten::name(root, 40);
    let by = by.unwrap_or_default();
    let names: Vec<String> = systemd.iter().map(|it| home::long(it, 60)).collect();
    let who = match names.as_slice() {
        [] => String::new(),
        [one] => format!("; {one} runs systemd there"),
        all => format!("; {} run systemd there", list(all, NAMED)),
    };
    let mut lines = paragraph(
        palette::WARN,
        "DRIVER  ",
        &format!("{place} is laid out by the {driver} driver{by}, {host}{who}"),
    );
    if !is_slice {
        lines.extend(labelled("what to do", DO_DRIVER));
    }
    lines
}
