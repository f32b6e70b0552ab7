//! Arguments that several verbs take, and how they are checked.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use truant_core::{guard::Guard, input::Way};

use crate::{
    kernel::KERNEL_BTF,
    session::{Hooks, Scope, Settings},
};

/// The shortest interval between two ledgers: reading the tables waits for the kernel each time.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// How to print.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The output.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArgs {
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// Which way of hooking to use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Choice {
    /// The best that the kernel allows.
    #[default]
    Auto,
    /// BPF trampolines alone.
    Fentry,
    /// Kprobes alone.
    Kprobe,
    /// Tracepoints alone.
    Tracepoint,
}

/// How to hook into the kernel.
#[derive(Clone, Debug, Args)]
pub(crate) struct HookArgs {
    /// Use this way of hooking and no other, where there is one of its kind.
    #[arg(long, value_enum, default_value_t)]
    hooks: Choice,
    /// The kernel's types in BTF, for kernels that show none.
    #[arg(long, value_name = "FILE", default_value = KERNEL_BTF)]
    btf: PathBuf,
}

impl HookArgs {
    /// The plan. `log` lets the programs in the kernel log.
    pub(crate) fn hooks(self, log: bool) -> Hooks {
        let forced = match self.hooks {
            Choice::Auto => None,
            Choice::Fentry => Some(Way::Fentry),
            Choice::Kprobe => Some(Way::Kprobe),
            Choice::Tracepoint => Some(Way::Tracepoint),
        };
        Hooks { forced, btf: self.btf, log }
    }
}

/// What counts as a finding for the exit status.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum FailOn {
    /// Who is out.
    #[default]
    Out,
    /// Who is out, and who could get out.
    Exposed,
}

/// What is looked at, and how it counts.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScopeArgs {
    /// The cgroups that tasks should not leave, as in `/docker` or `machine.slice`; `*` stands for
    /// any part of a name; can be given again. Any kubepods root if not given.
    #[arg(long, value_name = "PATTERN", value_parser = guard)]
    guard: Vec<String>,
    /// What makes the exit status 1.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    fail_on: FailOn,
    /// The socket of the container runtime that knows the names: containerd's, CRI-O's or
    /// Docker's. Those at the usual places of the host if not given.
    #[arg(long, value_name = "PATH")]
    runtime_socket: Option<PathBuf>,
}

impl ScopeArgs {
    /// The plan.
    pub(crate) fn scope(self) -> Scope {
        Scope {
            guard: self.guard,
            fail_on_exposed: self.fail_on == FailOn::Exposed,
            runtime: self.runtime_socket,
        }
    }
}

/// A live run.
#[derive(Clone, Debug, Args)]
pub(crate) struct LiveArgs {
    /// How long to watch, as in `30s` or `5m`; until interrupted if not given.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// The time between two tables of charges.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    hooks: HookArgs,
}

impl LiveArgs {
    /// The plan.
    pub(crate) fn settings(self, probe_log: bool) -> Settings {
        Settings {
            duration: self.duration,
            interval: self.interval,
            scope: self.scope.scope(),
            hooks: self.hooks.hooks(probe_log),
        }
    }
}

fn guard(text: &str) -> Result<String, String> {
    Guard::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time such as 500ms, 30s, 5m or 1h");
    let parsed: SignedDuration = text.parse().map_err(|_error| wrong())?;
    let duration = Duration::try_from(parsed).map_err(|_error| wrong())?;
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < SHORTEST_INTERVAL {
        return Err(format!("an interval is at least {} ms", SHORTEST_INTERVAL.as_millis()));
    }
    Ok(interval)
}
