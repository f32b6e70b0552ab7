//! One run of all test binaries on one kernel, and what they said. Which kernels there are, and
//! what runs on which, is the matrix's.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;
use xshell::cmd;

use crate::{
    paths, sh,
    vm::{GUEST_BIN, Guest},
};

use super::{
    Counts,
    build::Files,
    matrix::{Cell, WAYS, elsewhere},
};

/// What a case says that is left to others.
const LEFT: &str = "(left to other kernels and ways)";

/// The line before what is said of one way.
const WAY_LINE: &str = "== way ";

/// Runs the test binaries in a guest of their own, with each way. What they say is in a file below
/// `target/kernels` meanwhile and afterwards.
///
/// # Errors
/// If that cannot be written. A test that fails, or a guest that does not run, is a count.
pub(super) fn in_guest(cell: &Cell, files: &Files) -> Result<Counts> {
    let start = Instant::now();
    let in_bin = |name: &str| PathBuf::from(GUEST_BIN).join(name);
    let mut guest = Guest::new(cell.kernel, cell.cgroup, &["sh", "-c", &script(cell, files)]);
    guest.files.retain(|(to, _)| !to.ends_with("truant"));
    guest.files.push((in_bin("truant"), files.truant.clone()));
    guest.files.extend(files.tests.iter().map(|(name, path)| (in_bin(name), path.clone())));
    "2G".clone_into(&mut guest.mem);
    guest.timeout = Duration::from_mins(20);
    let name = format!("{}-{:?}", cell.kernel, cell.cgroup).to_lowercase();
    let file = paths::root().join("target/kernels").join(format!("{name}.log"));
    fs::create_dir_all(file.with_file_name(""))?;
    let ran = guest.run_to(File::create(&file)?);
    let said = fs::read(file)?;
    let said = String::from_utf8_lossy(&said);
    let mut counts = Counts::default();
    let mut parts = said.split(WAY_LINE).skip(1);
    for way in WAYS {
        let part = parts.next().unwrap_or_default();
        counts.add(report(&format!("{name} {way}"), files.tests.len(), part));
    }
    println!("test: {name}: {} s with all ways", start.elapsed().as_secs());
    if let Err(error) = ran {
        println!("test: {name}: {error:#}");
        counts.failed += 1;
    }
    Ok(counts)
}

/// What the guest's shell runs.
fn script(cell: &Cell, files: &Files) -> String {
    let names: Vec<_> = files.tests.iter().map(|(name, _)| *name).collect();
    let names = names.join(" ");
    let run = |way| {
        let elsewhere = elsewhere(cell, way).join(" ");
        format!(
            "echo '{WAY_LINE}{way}'; \
             export TRUANT_HOOKS={way} TRUANT_TEST_ELSEWHERE='{elsewhere}'; \
             for test in {names}; do {GUEST_BIN}/$test --color never 2>&1; done; "
        )
    };
    "export TRUANT_TEST_KERNEL=1; ".to_owned() + &WAYS.map(run).concat()
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
        let said = String::from_utf8_lossy(&output.stdout);
        counts.add(report("this kernel, auto", 1, &said));
    }
    Ok(counts)
}

/// Prints what the tests said where one did not pass, and counts. A binary that gives no closing
/// line failed.
pub(super) fn report(cell: &str, binaries: usize, said: &str) -> Counts {
    let mut counts = Counts::default();
    let closing: Vec<_> = said.lines().filter_map(closing).collect();
    for one in &closing {
        counts.add(*one);
    }
    counts.failed += binaries.saturating_sub(closing.len()) as u64;
    let Counts { passed, failed, skipped } = counts;
    let took: f64 = said.lines().filter_map(seconds).sum();
    println!("test: {cell}: {passed} passed, {failed} failed, {skipped} not run, in {took:.0} s");
    if failed > 0 {
        println!("{said}");
    } else {
        print_not_run(said);
    }
    counts
}

/// Prints what did not run: why, or that it runs elsewhere.
fn print_not_run(said: &str) {
    let not_run = said.lines().filter_map(|line| {
        let (name, why) = line.strip_prefix("test ")?.split_once("... ignored")?;
        Some((name.trim_end(), why.trim()))
    });
    let (elsewhere, here): (Vec<_>, Vec<_>) = not_run.partition(|(_, why)| *why == LEFT);
    for (name, why) in here {
        println!("    not run: {name} {why}");
    }
    let names: Vec<_> = elsewhere.iter().map(|(name, _)| *name).collect();
    if !names.is_empty() {
        println!("    {}: {}", LEFT.trim_matches(['(', ')']), names.join(" "));
    }
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

/// The time in the same line.
fn seconds(line: &str) -> Option<f64> {
    line.strip_prefix("test result: ")?
        .rsplit_once("finished in ")?
        .1
        .strip_suffix('s')?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_line_is_counted_and_no_closing_line_is_a_failure() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        let counts = report("x", 1, line);
        assert_eq!((counts.passed, counts.failed, counts.skipped), (3, 2, 1));
        assert_eq!(report("x", 1, "killed").failed, 1);
    }
}
