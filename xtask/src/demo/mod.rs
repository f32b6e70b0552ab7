//! `demo`: shows the main job on this machine, with no cluster, and checks that truant said what
//! was done. Owns the order; the cgroups, the story, truant and the check are in the files beside
//! this one.

mod birth;
mod check;
mod interrupt;
mod node;
mod story;
pub(crate) mod task;
mod tracer;

use std::{
    fmt,
    io::{self, ErrorKind, Write as _},
    path::PathBuf,
    process::Command,
};

use anyhow::{Context as _, Error, Result, bail};

use crate::{paths, sh};
use check::Said;
use interrupt::Interrupt;
use node::Node;
use story::Story;
use tracer::Tracer;

/// Builds truant and shows what it does on this machine (as root; ends by itself in 10 seconds)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Use this truant instead of building one
    #[arg(long, value_name = "FILE")]
    truant: Option<PathBuf>,
}

impl Args {
    /// With a truant that is built already.
    pub(crate) fn with(truant: PathBuf) -> Self {
        Self { truant: Some(truant) }
    }
}

/// What the container may hold.
const LIMIT_MIB: usize = 64;

/// Runs the verb. Somebody who stops reading stops the demo, and that is no failure.
pub(crate) fn run(args: &Args) -> Result<()> {
    match play(args) {
        Err(error) if error.is::<Unread>() => Ok(()),
        done => done,
    }
}

fn play(args: &Args) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "the demo makes cgroups and loads eBPF programs: run it as root, \
             such as `sudo -E env \"PATH=$PATH\" cargo xtask demo`"
        );
    }
    let node = Node::find()?;
    let truant = match &args.truant {
        Some(file) => file.clone(),
        None => build()?,
    };
    let interrupt = Interrupt::listen()?;
    let cgroups = node.make(&format!("truant-demo-{}", std::process::id()), LIMIT_MIB)?;
    let mut tracer = Tracer::start(&truant, &cgroups.guard(), &interrupt)?;
    let expected = Story::begin(&node, &cgroups, &interrupt)?.tell()?;
    let (status, said) = tracer.end(&interrupt)?;
    say(&format!("check: `truant replay {} watch --output json`", tracer.recording().display()))?;
    let said = Said::read(&said)?;
    check::check(&expected, &said, status)?;
    if let Some(lost) = said.lost() {
        say(&format!(
            "truant says that it lost something here, so its status is {status}: {lost}"
        ))?;
    }
    say(&format!("it says each of the {} things that were done, and no other", expected.len()))
}

/// A release build if there was one before; otherwise the kind that is built sooner.
fn build() -> Result<PathBuf> {
    let is_release = paths::target().join("release/truant").is_file();
    let (options, folder): (&[&str], _) =
        if is_release { (&["--release"], "release") } else { (&[], "debug") };
    let mut cargo = Command::new(sh::cargo());
    cargo.args(["build", "--locked", "--package", "truant"]).args(options);
    let status = cargo.current_dir(paths::root()).status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo could not build truant");
    }
    Ok(paths::target().join(folder).join("truant"))
}

/// Says what happens, beside what truant says.
fn say(what: &str) -> Result<()> {
    writeln!(io::stdout(), "# {what}").map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Error::new(Unread),
        _ => error.into(),
    })
}

/// Nobody reads what the demo says.
#[derive(Debug)]
struct Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads what the demo says")
    }
}

impl std::error::Error for Unread {}
