//! Who pays for a pod, and what a kill for want of memory was about, as the lines have them.

use truant_core::{
    input::NodeMemory,
    report::{Kill, Ledger, Payer, Place, PodRow, RanOut},
};

use super::super::wire;
use crate::output::clock::Clock;

/// A line for each pod of `ledger`.
pub(super) fn pods(ledger: &Ledger, clock: &Clock) -> impl Iterator<Item = wire::PodRow> {
    let (at_ns, time) = (ledger.at.0, clock.rfc3339(ledger.at));
    ledger.pods.iter().map(move |row| pod(row, at_ns, time.clone()))
}

fn pod(row: &PodRow, at_ns: u64, time: Option<String>) -> wire::PodRow {
    let (inside, outside) = (row.net(true), row.net(false));
    wire::PodRow {
        at_ns,
        time,
        home: super::audit::home(&row.home),
        inside_net_bytes: inside,
        outside_net_bytes: outside,
        net_bytes: inside.wrapping_add(outside),
        payers: row.payers.iter().map(payer).collect(),
    }
}

fn payer(payer: &Payer) -> wire::Payer {
    wire::Payer {
        cgroup: super::path(&payer.place),
        id: payer.place.key.map(|key| key.id),
        guarded: payer.guarded,
        interval: super::sums(payer.interval),
        net_bytes: payer.total.net(),
    }
}

/// What a kill was about.
pub(super) fn kill(kill: &Kill) -> wire::Kill {
    wire::Kill {
        ran_out: kill.ran_out.as_ref().map(ran_out),
        inside_bytes: kill.inside,
        outside_net_bytes: kill.outside,
        holders: kill.holders.iter().map(holder).collect(),
        node: kill.node.as_ref().map(node),
    }
}

fn ran_out(what: &RanOut) -> wire::RanOut {
    match what {
        RanOut::Node => wire::RanOut { node: true, cgroup: None, limit: None },
        RanOut::Cgroup(place, limit) => wire::RanOut {
            node: false,
            cgroup: super::path(place),
            limit: limit.map(super::audit::limit),
        },
    }
}

fn holder((place, held_bytes): &(Place, u64)) -> wire::Holder {
    let id = place.key.map(|key| key.id);
    wire::Holder { cgroup: super::path(place), id, held_bytes: *held_bytes }
}

fn node(memory: &NodeMemory) -> wire::NodeMemory {
    wire::NodeMemory {
        total_bytes: memory.total,
        free_bytes: memory.free,
        available_bytes: memory.available,
    }
}
