//! The command line: arguments, then a validated plan, then the run; a file per verb.
//!
//! Owns what verbs share, and the exit statuses: 0 nothing found, 1 somebody is out, 2 could not
//! run, 3 inconclusive.

mod args;
mod audit;
mod doctor;
mod record;
mod replay;
mod watch;

use std::{
    io::{BufWriter, IsTerminal as _, stdout},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use jiff::tz::TimeZone;
use log::LevelFilter;

use crate::{
    output::{JsonSink, Sink, TextSink, exit_status, text::TextOptions},
    route::{Route, Stop},
};

use self::args::Format;

/// The exit status of a run that could not be.
const COULD_NOT_RUN: u8 = 2;

/// Finds the tasks that left their pod's cgroup, and the memory they took with them.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// What to log to stderr: off, error, warn, info, debug or trace, which lets the programs in
    /// the kernel log, too.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    #[arg(display_order = 100)]
    log: LevelFilter,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show live who leaves a pod's cgroup, and who charges memory where.
    Watch(watch::Args),
    /// Say once who is out of a pod's cgroup already, and who could get out.
    Audit(audit::Args),
    /// Watch, and keep all of it in a file.
    Record(record::Args),
    /// Show again what a recording holds, without a kernel.
    Replay(replay::Args),
    /// Say what this kernel and node allow, and what will be used.
    Doctor(doctor::Args),
}

const AFTER_HELP: &str = "Exit status: 0 nothing found; 1 somebody is out of a guarded subtree; \
    2 could not run; 3 inconclusive, something was lost or could not be seen.";

/// Runs what the command line asks for.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    env_logger::Builder::new()
        .filter_level(cli.log)
        .format_timestamp(None)
        .format_target(false)
        .init();
    let probe_log = cli.log == LevelFilter::Trace;
    let result = match cli.verb {
        Verb::Watch(args) => watch::run(args, probe_log),
        Verb::Audit(args) => audit::run(args),
        Verb::Record(args) => record::run(args, probe_log),
        Verb::Replay(args) => replay::run(&args),
        Verb::Doctor(args) => doctor::run(args),
    };
    let status = result.unwrap_or_else(|error| {
        if let Some(Stop::ReaderGone) = error.downcast_ref() {
            return 0;
        }
        log::error!("{error:#}");
        COULD_NOT_RUN
    });
    ExitCode::from(status)
}

/// Where reports go.
fn sink(format: Format) -> Box<dyn Sink> {
    let out = BufWriter::new(stdout());
    match format {
        Format::Text => {
            let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let color = stdout().is_terminal() && !no_color;
            Box::new(TextSink::new(out, TextOptions { color, zone: TimeZone::system() }))
        }
        Format::Json => Box::new(JsonSink::new(out)),
    }
}

/// Ends a run: its verdict is the exit status.
fn settle(route: Route) -> Result<u8> {
    let verdict = route.finish()?.context("the run ended without a summary")?;
    Ok(exit_status(verdict))
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Cli;

    /// Narrower than any terminal that people use, and the same everywhere.
    const WIDTH: usize = 80;

    #[test]
    fn the_help_of_every_verb_is_as_it_was() {
        let mut cli = Cli::command().term_width(WIDTH);
        cli.build();
        check(&mut cli);
    }

    fn check(command: &mut Command) {
        let name = command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-");
        let help = command.render_long_help().to_string();
        let help: Vec<_> = help.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(name, help.join("\n"));
        for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
            check(verb);
        }
    }
}
