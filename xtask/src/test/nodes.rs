//! The nodes that tests run on, with real container engines, and one run of them on one. What is
//! seen on which is for the cases to say: each runs where it finds what it takes.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    paths,
    vm::{Cgroup, GUEST_BIN, Guest, Release},
};

use super::{Counts, build::Files, cells::report};

/// A Debian release, a kernel, and how systemd lays out the controllers.
pub(super) struct Node {
    /// The release.
    pub(super) release: Release,
    kernel: &'static str,
    cgroup: Cgroup,
    /// The cases that other nodes run, by how their names begin.
    elsewhere: &'static [&'static str],
}

/// The nodes, with what is left to another one: a guest is emulated, and each case takes half a
/// minute there and more.
pub(super) const NODES: [Node; 5] = [
    Node {
        release: Release::Trixie,
        kernel: "6.12",
        cgroup: Cgroup::V2,
        elsewhere: &[
            "node::a_debug_pod",
            "node::a_pod_that",
            "node::docker",
            "node::unified_cgroupfs",
        ],
    },
    Node {
        release: Release::Bookworm,
        kernel: "6.1",
        cgroup: Cgroup::V1,
        elsewhere: &["node::oom_of", "node::quiet_life"],
    },
    Node {
        release: Release::Bookworm,
        kernel: "6.1",
        cgroup: Cgroup::V2,
        elsewhere: &[
            "node::born",
            "node::oom",
            "node::quiet_life",
            "node::unified_not",
            "node::unified_systemd",
        ],
    },
    Node {
        release: Release::Bullseye,
        kernel: "6.1",
        cgroup: Cgroup::Hybrid,
        elsewhere: &["node::incident_with", "node::oom", "node::quiet_life"],
    },
    Node {
        release: Release::Bullseye,
        kernel: "5.10",
        cgroup: Cgroup::Hybrid,
        elsewhere: &["node::innocent", "node::oom", "node::quiet_life"],
    },
];

/// A node that takes longer is ended. On a machine that has more to do than two guests, the
/// longest takes half of it.
const LONGEST: Duration = Duration::from_mins(45);

/// Boots a node and runs its tests there. What they say is in a file below `target/kernels`
/// meanwhile and afterwards.
///
/// # Errors
/// If that cannot be written. A test that fails, or a guest that does not run, is a count.
pub(super) fn on_node(node: &Node, files: &Files) -> Result<Counts> {
    let start = Instant::now();
    let script = format!(
        "export TRUANT_TEST_KERNEL=1 TRUANT_HOOKS=auto TRUANT_TEST_ELSEWHERE='{}'; \
         exec node --color never 2>&1",
        node.elsewhere.join(" ")
    );
    let command = ["sh", "-c", &script];
    let mut guest = Guest::on_node(node.release, node.kernel, node.cgroup, &command);
    let in_bin = |name: &str| PathBuf::from(GUEST_BIN).join(name);
    guest.files.push((in_bin("truant"), files.truant.clone()));
    guest.files.push((in_bin("node"), files.node.clone()));
    guest.timeout = LONGEST;
    let name = format!("{:?}-{}-{:?}", node.release, node.kernel, node.cgroup).to_lowercase();
    let file = paths::root().join("target/kernels").join(format!("{name}.log"));
    fs::create_dir_all(file.with_file_name(""))?;
    let ran = guest.run_to(File::create(&file)?);
    let said = fs::read(file)?;
    let mut counts = report(&format!("node {name}"), 1, &String::from_utf8_lossy(&said));
    println!("test: node {name}: {} s with its boot", start.elapsed().as_secs());
    if let Err(error) = ran {
        println!("test: node {name}: {error:#}");
        counts.failed += 1;
    }
    Ok(counts)
}
