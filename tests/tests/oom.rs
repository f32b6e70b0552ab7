//! `mark_victim`: a process that its cgroup's limit kills.

use std::process::ExitCode;

use truant_tests::{
    Case, Cgroups, Child, Hierarchy, Ran, Watch, case, lines::number, recording, suite::unmet,
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("oom::the_victim_is_recorded", the_victim_is_recorded),
    case("oom::refused_charges_are_counted", refused_charges_are_counted),
    case("oom::a_limit_with_swap_refuses_first", a_limit_with_swap_refuses_first),
];

const LIMIT: u64 = 16 << 20;

fn the_victim_is_recorded() -> Ran {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("recording");
    let file = file.to_str().expect("a path in UTF-8");
    let (cgroups, mut child) = limited(Hierarchy::memory()?);
    let watch = Watch::start_verb(&["record", file], &["--guard", &cgroups.path("guarded")]);
    child.tell(&format!("touch {}", 4 * LIMIT));
    assert!(child.is_gone(), "the limit kills it");
    let lines = watch.stop();
    lines.assert_traced("oom");
    lines.assert_status(0);
    let kills = recording::inputs(file, "oom_kill");
    let victims: Vec<_> = kills.iter().map(|kill| number(kill, "pid")).collect();
    assert_eq!(victims, [u64::from(child.pid())]);
    Ok(())
}

fn refused_charges_are_counted() -> Ran {
    let (cgroups, child) = limited(Hierarchy::memory()?);
    check_refusals(&cgroups, child)
}

/// In v1, as containerd from 1.6 on has it.
fn a_limit_with_swap_refuses_first() -> Ran {
    const FILE: &str = "memory.memsw.limit_in_bytes";
    let (cgroups, child) = limited(Hierarchy::memory()?);
    let pod = cgroups.make("guarded/pod");
    if !pod.dir.join(FILE).exists() {
        return unmet("only v1, where swap is accounted, limits memory with swap");
    }
    pod.set(FILE, &LIMIT.to_string());
    check_refusals(&cgroups, child)
}

fn check_refusals(cgroups: &Cgroups, mut child: Child) -> Ran {
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    child.tell(&format!("touch {}", 4 * LIMIT));
    assert!(child.is_gone(), "the limit kills it");
    let lines = watch.stop();
    if !matches!(lines.way("charges"), Some("fentry" | "kprobe")) {
        return unmet("only the page counter's functions know of refusals");
    }
    let since_start = &lines.last_charges(&cgroups.path("guarded/pod"))["since_start"];
    assert!(number(since_start, "failures") > 0, "{since_start:#}");
    assert!(number(since_start, "limit_hits") > 0, "{since_start:#}");
    lines.assert_status(0);
    Ok(())
}

/// A process in a cgroup with a limit.
fn limited(memory: Hierarchy) -> (Cgroups, Child) {
    let cgroups = Cgroups::new(memory);
    let pod = cgroups.make("guarded/pod");
    pod.limit_memory(LIMIT);
    pod.forbid_swap();
    let child = Child::start();
    pod.take(child.pid());
    (cgroups, child)
}
