//! The project's own verbs; each verb is one module. Owns the verb list alone.

mod vm;

use std::process::ExitCode;

use clap::Parser;

/// The project's own verbs.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Verb {
    Vm(vm::Args),
}

fn main() -> ExitCode {
    match Verb::parse() {
        Verb::Vm(args) => vm::run(&args),
    }
}
