//! `truant audit`: once, who is out already and who could get out.

use anyhow::Result;

use crate::{route::Route, session};

use super::{
    args::{OutputArgs, ScopeArgs},
    settle, sink,
    watch::{enter, event_loop, warn_of_guard},
};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Audits.
///
/// # Errors
/// If it cannot, for want of rights or of a place for its output.
pub(crate) fn run(args: Args) -> Result<u8> {
    let host = enter("audit")?;
    let mut route = Route::new(sink(args.output.output), None);
    let scope = args.scope.scope();
    event_loop()?.block_on(session::once(&scope, &host, &mut route))?;
    warn_of_guard(&scope, &route);
    settle(route)
}
