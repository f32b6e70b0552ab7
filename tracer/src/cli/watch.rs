//! `truant watch`: findings as they happen, charges at each interval.

use std::fs::File;

use anyhow::{Context as _, Result, bail};
use tokio::runtime::{Builder, Runtime};

use crate::{
    host::Host,
    output::escape::escape,
    record::Writer,
    route::Route,
    session::{Scope, Session, Settings, Signals},
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
    let host = enter("watch")?;
    let mut route = Route::new(sink(format), recorder);
    event_loop()?.block_on(async {
        // Before anything is attached: a signal in between would end the run without its summary.
        let signals = Signals::listen()?;
        let session = Session::start(settings, &host, &mut route)?;
        warn_of_guard(&settings.scope, &route);
        log::info!("watching");
        session.run(settings, signals, &mut route).await
    })?;
    settle(route)
}

/// The node as root sees it, from the host's cgroup namespace where that can be entered.
///
/// # Errors
/// If this is not root.
pub(super) fn enter(verb: &str) -> Result<Host> {
    if !rustix::process::geteuid().is_root() {
        bail!("truant must run as root: try `sudo truant {verb}`, or a privileged container");
    }
    let host = Host::live();
    if let Err(error) = host.enter_cgroups() {
        log::warn!("{error}; until then it is not known where the running tasks are");
    }
    Ok(host)
}

/// One thread's event loop.
///
/// # Errors
/// If the kernel refuses it.
pub(super) fn event_loop() -> Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_io().enable_time().build().context("cannot set up the event loop")
}

/// Says that nothing is guarded, and what could be.
pub(super) fn warn_of_guard(scope: &Scope, route: &Route) {
    let engine = route.engine();
    if !engine.guard_roots().is_empty() {
        return;
    }
    let asked = match scope.guard.as_slice() {
        [] => "a kubepods root".to_owned(),
        patterns => format!("--guard {}", patterns.join(" --guard ")),
    };
    let roots = engine.possible_roots();
    let roots: Vec<String> = roots.iter().map(|path| escape(path)).collect();
    let roots = if roots.is_empty() { "none".to_owned() } else { roots.join(" ") };
    log::warn!("no cgroup matches {asked} yet; the roots there are, for --guard: {roots}");
}
