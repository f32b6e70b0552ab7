//! One look at the node, without a program in the kernel: the whole of an audit.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use truant_core::input::Input;

use crate::{
    host::{Host, clock},
    route::Route,
};

use super::{Scope, audit::audit, facts, runtimes, snapshot::Node};

/// How long names are waited for: each runtime has answered by then, or will not.
const NAMES: Duration = Duration::from_secs(5);

/// Looks, asks the runtimes, waits until who has just started is where it belongs, which takes two
/// seconds at most, and judges. Needs a tokio runtime.
///
/// # Errors
/// If the node's files cannot be read, or the reports can go nowhere.
pub(crate) async fn once(scope: &Scope, host: &Host, route: &mut Route) -> Result<()> {
    let mut runtimes = runtimes(scope, host);
    let node = Node::open(host, host.hierarchies()?);
    route.feed(Input::Started(Box::new(facts(node.layout(), &[], scope, host))))?;
    node.take(host, route)?;
    runtimes.settle(NAMES, |said| route.feed(said)).await?;
    if let Some(at) = route.engine().judged_from(clock::now()) {
        sleep(Duration::from_nanos(at.0.saturating_sub(clock::now().0))).await;
    }
    audit(host, &node, false, route)?;
    route.feed(Input::Ended { at: clock::now() })?;
    Ok(())
}
