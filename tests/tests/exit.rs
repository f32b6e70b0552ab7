//! `sched_process_exit`: what was known of a process ends with it.

use std::{fs, process::ExitCode};

use truant_tests::{
    Case, Cgroups, Child, Hierarchy, Ran, Unmet, Watch, case, lines::number, suite::unmet,
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] =
    &[case("exit::another_process_with_the_same_number", another_process_with_the_same_number)];

/// The first one left and ended outside; that the second gets inside is no coming back.
fn another_process_with_the_same_number() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
    let first = Child::start();
    inside.take(first.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    let pid = first.pid();
    outside.take(pid);
    first.quit();
    let second = start_with(pid)?;
    outside.take(pid);
    inside.take(pid);
    let lines = watch.stop();
    lines.assert_traced("processes");
    drop(second);
    assert_eq!(number(lines.finding("left"), "pid"), u64::from(pid));
    Ok(())
}

/// Starts a process whose number is `pid`, which is free.
fn start_with(pid: u32) -> Result<Child, Unmet> {
    for _ in 0..20 {
        if fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).is_err() {
            break;
        }
        let child = Child::start();
        if child.pid() == pid {
            return Ok(child);
        }
    }
    Err(unmet("this kernel lets nobody choose the next process's number").unwrap_err())
}
