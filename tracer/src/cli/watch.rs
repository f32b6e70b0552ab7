//! `truant watch`: findings as they happen, charges at each interval.

use std::fs::File;

use anyhow::{Context as _, Result, bail};
use tokio::runtime::Builder;

use crate::{
    host::Host,
    output::escape::escape,
    record::Writer,
    route::Route,
    session::{Session, Settings, Signals},
};

use super::{
    args::{Format, LiveArgs, OutputArgs},
    settle, sink,
};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Watches.
///
/// # Errors
/// If it cannot, for want of rights, of a kernel that allows it, or of a place for its output.
pub(crate) fn run(args: Args, probe_log: bool) -> Result<u8> {
    run_live(&args.live.settings(probe_log), args.output.output, None)
}

/// Watches, and records if there is a recording to write.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_live(
    settings: &Settings,
    format: Format,
    recorder: Option<Writer<File>>,
) -> Result<u8> {
    if !rustix::process::geteuid().is_root() {
        bail!("truant must run as root: try `sudo truant watch`, or a privileged container");
    }
    let host = Host::live();
    if let Err(error) = host.enter_cgroups() {
        log::warn!("{error}; until then it is not known where the running tasks are");
    }
    let mut route = Route::new(sink(format), recorder);
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("cannot set up the event loop")?;
    runtime.block_on(async {
        // Before anything is attached: a signal in between would end the run without its summary.
        let signals = Signals::listen()?;
        let session = Session::start(settings, &host, &mut route)?;
        warn_of_guard(settings, &route);
        log::info!("watching");
        session.run(settings, signals, &mut route).await
    })?;
    settle(route)
}

/// Says that nothing is guarded, and what could be.
fn warn_of_guard(settings: &Settings, route: &Route) {
    let engine = route.engine();
    if !engine.guard_roots().is_empty() {
        return;
    }
    let asked = match settings.guard.as_slice() {
        [] => "a kubepods root".to_owned(),
        patterns => format!("--guard {}", patterns.join(" --guard ")),
    };
    let roots = engine.possible_roots();
    let roots: Vec<String> = roots.iter().map(|path| escape(path)).collect();
    let roots = if roots.is_empty() { "none".to_owned() } else { roots.join(" ") };
    log::warn!("no cgroup matches {asked} yet; the roots there are, for --guard: {roots}");
}
