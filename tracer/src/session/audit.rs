//! What an audit takes besides the first look at the node: read, and told.
//!
//! Owns the order, and which failures leave something unseen. What it all means is judged in the
//! core.

use anyhow::Result;
use truant_core::input::{Input, LossCause, Unseen};

use crate::{
    host::{Host, ReadError, clock},
    route::{Route, Stop},
};

use super::snapshot::Node;

/// Reads what those who are out, and those who could get out, are judged by, and has it judged.
/// Without `events`, nothing has told of moves since the first look, and tasks are looked at again.
///
/// # Errors
/// If `route` wants no more.
pub(super) fn audit(host: &Host, node: &Node, events: bool, route: &mut Route) -> Result<()> {
    let strays = route.engine().strays();
    if !events {
        look_again(host, &strays, route)?;
    }
    route.feed(Input::Resident(host.resident(&strays)))?;
    views(host, node, route)?;
    let wanted = route.engine().to_limit();
    let limits = node.limits(&wanted);
    route.feed(Input::Limits(limits))?;
    if let Some(memory) = node.memory() {
        let held = memory.holdings(&route.engine().to_hold());
        route.feed(Input::Held(held))?;
    }
    match host.node_memory() {
        Ok(memory) => route.feed(Input::NodeMemory(memory))?,
        Err(error) => unseen(route, "how much memory the node uses", &error)?,
    }
    for unseen in node.unseen() {
        route.feed(Input::Unseen(Box::new(unseen)))?;
    }
    route.feed(Input::Audited { at: clock::now() })?;
    Ok(())
}

/// Tasks on their way into a pod, one hierarchy after the other, seem to be out for a moment.
fn look_again(host: &Host, strays: &[u32], route: &mut Route) -> Result<()> {
    for pid in strays {
        match host.task(*pid) {
            Ok(Some(input)) => route.feed(input)?,
            Ok(None) => route.feed(Input::Exited { at: clock::now(), tid: *pid, tgid: *pid })?,
            Err(error) => {
                log::debug!("{error}");
                route.feed(Input::Lost { cause: LossCause::Unreadable, count: 1 })?;
            }
        }
    }
    Ok(())
}

fn views(host: &Host, node: &Node, route: &mut Route) -> Result<()> {
    let mut failed: Option<ReadError> = None;
    for (pid, peers) in route.engine().to_view() {
        match host.view(pid, node.hierarchies(), &peers) {
            Ok(view) => route.feed(Input::View(Box::new(view)))?,
            Err(error) if error.is_gone() => {}
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        unseen(route, "whether some containers could get out", &error)?;
    }
    Ok(())
}

fn unseen(route: &mut Route, what: &str, error: &ReadError) -> Result<(), Stop> {
    let why = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let unseen = Unseen { what: what.to_owned(), why, mend: None };
    route.feed(Input::Unseen(Box::new(unseen)))
}
