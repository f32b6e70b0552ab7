//! The first look at the node: every cgroup and every task there is.
//!
//! Comes after the programs are attached. What the look misses, events tell.

use anyhow::{Context as _, Result};
use truant_core::input::{Hierarchy, Input, LossCause};

use crate::{
    host::{CgroupRoot, Host, mount_privately},
    route::{Route, Stop},
};

/// The root directories of all hierarchies that can be had. One that is mounted nowhere is mounted
/// for this process alone.
pub(super) fn roots(host: &Host, hierarchies: &[Hierarchy]) -> Vec<CgroupRoot> {
    let mut roots = Vec::new();
    for hierarchy in hierarchies {
        let root = host.locate(hierarchy).or_else(|_| mount_privately(hierarchy));
        match root {
            Ok(root) => roots.push(root),
            Err(error) => {
                log::warn!("{:#}: its cgroups are known from events alone", anyhow::anyhow!(error));
            }
        }
    }
    roots
}

/// Tells `route` what there is. What could not be read is a loss.
///
/// # Errors
/// If `/proc` cannot be read at all, or `route` wants no more.
pub(super) fn take(host: &Host, roots: &[CgroupRoot], route: &mut Route) -> Result<()> {
    let mut fed = Ok(());
    let (mut unread, mut nowhere) = (0, 0);
    // In another cgroup namespace, a path says nothing of where it begins.
    let says_where = host.namespaces().cgroup_initial != Some(false);
    {
        let mut feed = |mut input: Input| {
            if let Input::TaskSeen { places, .. } = &mut input
                && !says_where
            {
                places.clear();
                nowhere += 1;
            }
            if fed.is_ok() {
                fed = route.feed(input);
            }
        };
        for root in roots {
            unread += root.walk(&mut feed)?.unread;
        }
        let tasks = host.scan_tasks(&mut feed).context("cannot scan the tasks")?;
        unread += tasks.unread;
    }
    unread += nowhere;
    fed?;
    if unread > 0 {
        lost(route, unread)?;
    }
    Ok(())
}

fn lost(route: &mut Route, unread: usize) -> Result<(), Stop> {
    route.feed(Input::Lost { cause: LossCause::Unreadable, count: unread as u64 })
}
