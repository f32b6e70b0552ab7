//! The project's own verbs, a file each. This file owns the list of verbs and nothing of what they
//! do.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the verbs talk to the person or the CI log that called them"
)]

mod bench;
mod cache;
mod debian;
mod demo;
mod ebpf;
mod kernels;
mod lint;
mod paths;
mod setup;
mod sh;
mod test;
mod tidy;
mod vm;

use std::process::ExitCode;

use clap::Parser;

/// Builds, checks and sets up truant.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Verb {
    Bench(bench::Args),
    Setup(setup::Args),
    Demo(demo::Args),
    #[command(hide = true)]
    DemoTask(demo::task::Args),
    Ebpf(ebpf::Args),
    Kernels(kernels::Args),
    Lint(lint::Args),
    Test(test::Args),
    Tidy(tidy::Args),
    Vm(vm::Args),
}

fn main() -> ExitCode {
    let done = match Verb::parse() {
        Verb::Bench(args) => bench::run(&args),
        Verb::Setup(args) => setup::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::DemoTask(args) => demo::task::run(&args),
        Verb::Ebpf(args) => ebpf::run(&args),
        Verb::Kernels(args) => kernels::run(&args),
        Verb::Lint(args) => lint::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Tidy(args) => tidy::run(&args),
        Verb::Vm(args) => return vm::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
