//! Running a list of cases: each passes, fails, or says by name and reason that it could not run.

use std::{io::Write as _, process::ExitCode, time::Instant};

use libtest_mimic::{Arguments, Completion, Trial};

use crate::child;

/// Why a case could not run here.
#[derive(Clone, Debug)]
pub struct Unmet(pub String);

/// What a case comes to: it passed, or it could not run. It fails by a panic.
pub type Ran = Result<(), Unmet>;

/// A test by its name.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    name: &'static str,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    /// Only where it finds what it needs.
    Where(fn() -> Ran),
    /// On every kernel.
    Everywhere(fn()),
}

/// Set to 1 where cases may trace the kernel they run on.
const MAY_TRACE: &str = "TRUANT_TEST_KERNEL";

/// Beginnings of names of cases that other runs have, to save time in this one.
const ELSEWHERE: &str = "TRUANT_TEST_ELSEWHERE";

/// Names a case that may find out that it cannot run here.
pub const fn case(name: &'static str, run: fn() -> Ran) -> Case {
    Case { name, run: Run::Where(run) }
}

/// Names a case that runs on every kernel.
pub const fn everywhere(name: &'static str, run: fn()) -> Case {
    Case { name, run: Run::Everywhere(run) }
}

impl Run {
    fn call(self) -> Ran {
        match self {
            Self::Where(run) => run(),
            Self::Everywhere(run) => {
                run();
                Ok(())
            }
        }
    }
}

/// The `main` of a test binary. Cases run one after the other, as they share one kernel.
///
/// Where the binary was started by a case it is that case's process instead.
pub fn main(cases: &[Case]) -> ExitCode {
    if child::is_one() {
        return child::obey();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trial = |case: &Case| {
        let Case { name, run } = *case;
        Trial::ignorable_test(case.name, move || {
            let start = Instant::now();
            Ok(match may_run(name).and_then(|()| run.call()) {
                Ok(()) => {
                    say(&format!("{:.1} s", start.elapsed().as_secs_f64()));
                    Completion::Completed
                }
                Err(Unmet(reason)) => Completion::ignored_with(reason),
            })
        })
    };
    libtest_mimic::run(&arguments, cases.iter().map(trial).collect()).exit_code()
}

/// Remarks on the case that runs, on a line of its own.
pub fn say(remark: &str) {
    // Nobody to tell if stdout is closed.
    let _ = writeln!(std::io::stdout(), "# {remark}");
}

/// The reason of a case that cannot run here.
///
/// # Errors
/// Always.
pub fn unmet(reason: impl Into<String>) -> Ran {
    Err(Unmet(reason.into()))
}

fn may_run(name: &str) -> Ran {
    let asked = std::env::var_os(MAY_TRACE).is_some_and(|value| value == "1");
    if !asked || !rustix::process::geteuid().is_root() {
        return unmet("needs root and a kernel to trace: cargo xtask test");
    }
    let elsewhere = std::env::var(ELSEWHERE).unwrap_or_default();
    if elsewhere.split_whitespace().any(|prefix| name.starts_with(prefix)) {
        return unmet("left to other kernels and ways");
    }
    Ok(())
}
