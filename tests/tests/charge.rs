//! The page counter: what the ledger says is what the kernel's own file says, to the page.

use std::{process::ExitCode, thread::sleep, time::Duration};

use truant_tests::{
    Case, Cgroup, Cgroups, Child, Hierarchy, Lines, Ran, Watch, case, lines::number, suite::unmet,
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("charge::the_ledger_is_the_kernels_figure", the_ledger_is_the_kernels_figure),
    case("charge::a_refused_charge_is_counted", a_refused_charge_is_counted),
];

/// Waits until nothing changes any more, and gives the figure.
fn settled(cgroup: &Cgroup) -> u64 {
    let mut last = cgroup.memory();
    for _ in 0..100 {
        sleep(Duration::from_millis(200));
        let now = cgroup.memory();
        if now == last {
            return now;
        }
        last = now;
    }
    last
}

fn is_exact(lines: &Lines) -> bool {
    matches!(lines.way("charges"), Some("fentry" | "kprobe"))
}

fn the_ledger_is_the_kernels_figure() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    cgroups.make("all");
    let watch = Watch::start(&["--interval", "300ms", "--guard", &cgroups.path("all")]);
    let top = cgroups.make("fresh");
    let leaves: Vec<_> = (0..4).map(|at| cgroups.make(&format!("fresh/leaf{at}"))).collect();
    let files = tempfile::tempdir().expect("a folder can be made");
    let mut children = Vec::new();
    for (at, leaf) in leaves.iter().enumerate() {
        let mut child = Child::start();
        leaf.take(child.pid());
        child.touch((at + 1) * (3 << 20));
        child.write(&files.path().join(format!("file{at}")), (at + 1) << 20);
        for _ in 0..20 {
            child.fork_and_wait(None, 1 << 20);
        }
        children.push(child);
    }
    for at in 0..100 {
        let brief = cgroups.make(&format!("fresh/brief{at}"));
        let mut child = Child::start();
        brief.take(child.pid());
        child.touch(256 << 10);
        child.quit();
        brief.remove();
    }
    let before: Vec<_> = leaves.iter().chain([&top]).map(settled).collect();
    sleep(Duration::from_secs(1));
    let lines = watch.stop();
    let after: Vec<_> = leaves.iter().chain([&top]).map(Cgroup::memory).collect();
    if !is_exact(&lines) {
        let way = lines.way("charges").unwrap_or("none");
        return unmet(format!("charges are not exact by {way}"));
    }
    assert_eq!(lines.lost("recursion"), 0, "the kernel skipped some: {}", lines.summary());
    assert_eq!(before, after, "the system is not quiet");
    for (cgroup, bytes) in leaves.iter().chain([&top]).zip(after) {
        let ledger = lines.subtree_net(&cgroup.path);
        assert_eq!(ledger, bytes.cast_signed(), "{}", cgroup.path);
    }
    Ok(())
}

fn a_refused_charge_is_counted() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let watch = Watch::start(&["--interval", "300ms", "--guard", &cgroups.path("x")]);
    let small = cgroups.make("small");
    small.limit_memory(8 << 20);
    let mut child = Child::start();
    small.take(child.pid());
    child.tell(&format!("touch {}", 64 << 20));
    assert!(child.is_gone(), "it outgrew its limit and lives");
    sleep(Duration::from_secs(1));
    let lines = watch.stop();
    if !is_exact(&lines) {
        return unmet("failures are known from the page counter alone");
    }
    let failures: u64 = lines.charges(&small.path).iter().map(|row| number(row, "failures")).sum();
    assert!(failures > 0, "{:#?}", lines.charges(&small.path));
    assert_eq!(lines.subtree_net(&small.path), small.memory().cast_signed());
    Ok(())
}
