//! truant in a container, as a debug pod: with what it takes it says what it says on the node, and
//! without it says what to add.

use std::{collections::BTreeSet, process::Command};

use truant_tests::{
    Cgroups, Hierarchy, Lines, Ran,
    engines::{self, BUSYBOX, Container, Driver, Layout, docker},
    watch,
};

use super::scene::PROGRAMS;

const UID: &str = "31415926-5358-4979-8323-846264338327";
const OWN_UID: &str = "27182818-2845-4904-8235-360287471352";

const PRIVATE: &str = "--cgroupns=private";
const OF_HOST: &str = "--cgroupns=host";

pub(super) fn a_debug_pod_says_the_same() -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V1, Layout::Hybrid, Layout::V2])?;
    let docker = docker(Driver::Cgroupfs);
    let stray = stray(docker);
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    cgroups.make("agent").take(stray.pid());
    let on_node = watch::output(["audit", "--output", "json"]);
    let said = said(&on_node);
    let out = ("already_out".to_owned(), u64::from(stray.pid()), UID.to_owned());
    assert!(said.contains(&out), "{said:?}: {:#?}", on_node.lines);
    on_node.assert_status(1);
    for namespace in [PRIVATE, OF_HOST] {
        let lines = debug(&["--privileged", "--pid=host", namespace]);
        assert_eq!(self::said(&lines), said, "{namespace}: {}", lines.stderr);
        lines.assert_status(1);
    }
    Ok(())
}

pub(super) fn a_pod_that_lacks_something_says_what() -> Ran {
    engines::on(&["bookworm", "trixie"], &[Layout::V1, Layout::Hybrid, Layout::V2])?;
    docker(Driver::Cgroupfs);
    let cases: [(&[&str], &str); 2] =
        [(&["--privileged", PRIVATE], "hostPID: true"), (&["--pid=host", PRIVATE], "privileged")];
    for (options, hint) in cases {
        let lines = debug(options);
        assert!(lines.stderr.contains(hint), "{options:?}: {}", lines.stderr);
        assert!(matches!(lines.status, Some(2 | 3)), "{options:?}: {:#?}", lines.lines);
        lines.assert_no_finding();
    }
    Ok(())
}

/// A container of a pod, to be moved out by somebody of the node.
fn stray(docker: engines::Docker) -> Container {
    let parent = engines::cgroup_parent(Driver::Cgroupfs, "burstable", UID);
    let parent = format!("--cgroup-parent={parent}");
    docker.run(&["--network=none", &parent, BUSYBOX, "sleep", "7919"])
}

/// An audit in a container of a pod.
fn debug(options: &[&str]) -> Lines {
    let parent = engines::cgroup_parent(Driver::Cgroupfs, "burstable", OWN_UID);
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network=none", &format!("--cgroup-parent={parent}")]);
    command.args(options).arg(format!("-v={PROGRAMS}:{PROGRAMS}:ro"));
    command.args([BUSYBOX, "truant", "audit", "--output", "json"]);
    watch::finished(&mut command)
}

/// Who is out and who could get out: what was found, the process, and its pod.
fn said(lines: &Lines) -> BTreeSet<(String, u64, String)> {
    let row = |line: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let pid = line["pid"].as_u64().unwrap_or_default();
        (text(&line["kind"]), pid, text(&line["home"]["pod_uid"]))
    };
    lines.of("finding").into_iter().map(row).collect()
}
