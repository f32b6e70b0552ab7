//! The kernels that tests run on, and one run of all test binaries on one of them.

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use xshell::cmd;

use crate::{
    sh,
    vm::{Cgroup, GUEST_BIN, Guest},
};

use super::{Counts, build::Files};

/// A kernel, its hierarchies, and the ways of hooking to force in turn.
pub(super) struct Cell {
    /// The kernel's name, as `vm` takes it.
    pub(super) kernel: &'static str,
    cgroup: Cgroup,
    /// The ways, as `--hooks` takes them.
    pub(super) ways: &'static [&'static str],
}

/// The matrix: the oldest kernel, whose verifier is the strictest, and a recent one.
pub(super) const CELLS: [Cell; 2] = [
    Cell { kernel: "5.10", cgroup: Cgroup::V2, ways: &["fentry"] },
    Cell { kernel: "6.12", cgroup: Cgroup::V2, ways: &["fentry"] },
];

/// Runs the test binaries in a guest of their own.
///
/// # Errors
/// If the guest could not run. A test that fails is a count.
pub(super) fn in_guest(cell: &Cell, way: &str, files: &Files) -> Result<Counts> {
    let in_bin = |name: &str| PathBuf::from(GUEST_BIN).join(name);
    let names: Vec<_> = files.tests.iter().map(|(name, _)| *name).collect();
    let run = format!(
        "export TRUANT_TEST_KERNEL=1 TRUANT_HOOKS={way}; for test in {}; do \
         {GUEST_BIN}/$test --color never 2>&1; done",
        names.join(" ")
    );
    let mut guest = Guest::new(cell.kernel, cell.cgroup, &["sh", "-c", &run]);
    guest.files.retain(|(to, _)| !to.ends_with("truant"));
    guest.files.push((in_bin("truant"), files.truant.clone()));
    guest.files.extend(files.tests.iter().map(|(name, path)| (in_bin(name), path.clone())));
    guest.timeout = Duration::from_mins(10);
    let output = guest.run_captured()?;
    Ok(report(
        &format!("{} {:?} {way}", cell.kernel, cell.cgroup).to_lowercase(),
        names.len(),
        &output.stdout,
    ))
}

/// Runs the test binaries on this machine's own kernel, with what it allows.
///
/// # Errors
/// If a binary cannot be started.
pub(super) fn on_host(files: &Files) -> Result<Counts> {
    let sh = sh::at_root()?;
    let mut counts = Counts::default();
    for (_, test) in &files.tests {
        let output = cmd!(sh, "{test} --color never")
            .env("TRUANT", &files.truant)
            .env("TRUANT_TEST_KERNEL", "1")
            .env("TRUANT_HOOKS", "auto")
            .quiet()
            .ignore_status()
            .output()?;
        counts.add(report("this kernel, auto", 1, &output.stdout));
    }
    Ok(counts)
}

/// Prints what the tests said where one did not pass, and counts. A binary that gives no closing
/// line failed.
fn report(cell: &str, binaries: usize, said: &[u8]) -> Counts {
    let said = String::from_utf8_lossy(said);
    let mut counts = Counts::default();
    let closing: Vec<_> = said.lines().filter_map(closing).collect();
    for one in &closing {
        counts.add(*one);
    }
    counts.failed += binaries.saturating_sub(closing.len()) as u64;
    let Counts { passed, failed, skipped } = counts;
    println!("test: {cell}: {passed} passed, {failed} failed, {skipped} not run");
    if failed > 0 {
        println!("{said}");
    } else {
        let not_run = said.lines().filter(|line| line.contains("... ignored"));
        not_run.for_each(|line| println!("    {line}"));
    }
    counts
}

/// The numbers of `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn closing(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| -> Option<u64> {
        rest.split([';', '.']).find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
    };
    Some(Counts {
        passed: number("passed")?,
        failed: number("failed")?,
        skipped: number("ignored")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_line_is_counted_and_no_closing_line_is_a_failure() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        let counts = report("x", 1, line.as_bytes());
        assert_eq!((counts.passed, counts.failed, counts.skipped), (3, 2, 1));
        assert_eq!(report("x", 1, b"killed").failed, 1);
    }
}
