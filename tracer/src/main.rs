//! `truant` finds the tasks that left their pod's cgroup, and the memory they took with them.
//!
//! Owns the list of modules. What a verb does is in its file below `cli`.

#[cfg(test)]
mod captures;
mod cli;
mod host;
mod identity;
mod kernel;
mod output;
mod record;
mod route;
mod session;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
