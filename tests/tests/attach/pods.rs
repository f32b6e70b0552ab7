//! Moves between pods and inside one, with the default guard.

use truant_tests::{Cgroups, Child, Hierarchy, Lines, Ran, Watch, lines::text};

const POD: &str = "11111111-2222-3333-4444-555555555555";
const OTHER_POD: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

/// A container's id.
fn container(digit: &str) -> String {
    digit.repeat(64)
}

pub(super) fn between_pods_of_cgroupfs() -> Ran {
    let path = |pod: &str, digit: &str| format!("kubepods/burstable/pod{pod}/{}", container(digit));
    between(&path(POD, "a"), &path(OTHER_POD, "b"))
}

pub(super) fn between_pods_of_systemd() -> Ran {
    let path = |pod: &str, digit: &str| {
        let pod = pod.replace('-', "_");
        let class = "kubepods.slice/kubepods-besteffort.slice";
        let container = container(digit);
        format!("{class}/kubepods-besteffort-pod{pod}.slice/cri-containerd-{container}.scope")
    };
    between(&path(POD, "a"), &path(OTHER_POD, "b"))
}

pub(super) fn inside_a_pod() -> Ran {
    let path = |digit: &str| format!("kubepods/pod{POD}/{}", container(digit));
    let lines = run(&path("a"), &path("b"))?;
    lines.assert_no_finding();
    lines.assert_status(0);
    Ok(())
}

fn between(from: &str, to: &str) -> Ran {
    let lines = run(from, to)?;
    let moved = lines.finding("moved");
    assert!(text(moved, "from").ends_with(from), "{moved:#}");
    assert!(text(moved, "to").ends_with(to), "{moved:#}");
    for (end, pod, digit) in [("from_container", POD, "a"), ("to_container", OTHER_POD, "b")] {
        assert_eq!(text(&moved[end], "pod_uid"), pod);
        assert_eq!(text(&moved[end], "container_id"), container(digit));
    }
    assert_eq!(moved["lost_controllers"], serde_json::json!([]));
    lines.assert_status(1);
    Ok(())
}

/// Controllers in whose hierarchies of v1 a pod's process is out that is not in its pod.
const JUDGED: [&str; 5] = ["memory", "pids", "cpu", "cpuacct", "blkio"];

/// Moves a process from one path to another where memory is limited.
fn run(from: &str, to: &str) -> Result<Lines, truant_tests::Unmet> {
    let child = Child::start();
    let memory = Hierarchy::memory()?;
    let is_judged = |it: &Hierarchy| it.name.split(',').any(|name| JUDGED.contains(&name));
    let others = Hierarchy::all().into_iter().filter(|it| *it != memory && is_judged(it));
    let others: Vec<_> = others.map(Cgroups::new).collect();
    for cgroups in &others {
        cgroups.make(from).take(child.pid());
    }
    let cgroups = Cgroups::new(memory);
    let (from, to) = (cgroups.make(from), cgroups.make(to));
    from.take(child.pid());
    let watch = Watch::start(&[]);
    to.take(child.pid());
    Ok(watch.stop())
}
