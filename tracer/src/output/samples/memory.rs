//! Who pays for pods, and kills for want of memory: by a limit, by the node, of a process of the
//! host, with forged names, and of which nothing is known.

use truant_core::{
    ids::{BootTime, Comm, Task},
    input::{Limit, NodeMemory},
    report::{Finding, FindingKind, Home, Kill, Payer, Place, PodRow, RanOut, Sums},
};

use super::{
    CGROUPFS, POD_SYSTEMD, SYSTEMD,
    audit::{self, LEAKY},
    finding, place, sums,
};

const MIB: u64 = 1 << 20;

/// The pod of the incident, one that charges inside alone, and one without names.
pub(in super::super) fn pods() -> Vec<PodRow> {
    let inside = payer((11, CGROUPFS.as_bytes()), 4096, (16 * MIB, 2 * MIB));
    let scope = payer((32, b"/init.scope"), 0, (2 * MIB, MIB));
    let leaky = payer((31, LEAKY.as_bytes()), 200 * MIB, (206 * MIB, 0));
    let at_home = payer((11, SYSTEMD.as_bytes()), 48 * MIB, (512 * MIB, 0));
    let freed = payer((33, b"/"), 0, (0, MIB));
    let second = || audit::nameless(POD_SYSTEMD);
    vec![
        PodRow { home: audit::home(), payers: vec![leaky, scope, inside] },
        PodRow { home: second(), payers: vec![at_home.clone()] },
        PodRow { home: second(), payers: vec![freed, at_home] },
    ]
}

fn payer((id, path): (u64, &[u8]), interval: u64, total: (u64, u64)) -> Payer {
    Payer {
        place: place(id, path),
        guarded: path.starts_with(b"/kubepods"),
        interval: sums(interval, 0, 0),
        total: sums(total.0, total.1, 0),
    }
}

/// A pod with `name` wherever somebody else chooses a name, and the widest of figures.
pub(in super::super) fn hostile_pod(name: &[u8]) -> PodRow {
    let worst = Sums { charged: 1 << 63, ..sums(0, 0, u64::MAX) };
    let wide = Payer { total: worst, ..payer((u64::MAX, &name.repeat(253)), u64::MAX, (0, 0)) };
    let nowhere = Payer { place: nowhere(), ..wide };
    PodRow { home: hostile_home(name), payers: vec![nowhere, wide.clone(), wide.clone(), wide] }
}

/// A pod's process, killed at `limit`.
pub(in super::super) fn limit(limit: Option<Limit>) -> Finding {
    oom(
        CGROUPFS.as_bytes(),
        Kill {
            ran_out: Some(RanOut::Cgroup(place(11, CGROUPFS.as_bytes()), limit)),
            inside: Some(512 * MIB),
            ..Kill::default()
        },
    )
}

/// A pod's process that was outside, killed because the node ran out of memory.
pub(in super::super) fn node() -> Finding {
    let of_unit = |id, name: &str, mib| {
        (place(id, format!("/system.slice/{name}.service").as_bytes()), mib * MIB)
    };
    oom(
        LEAKY.as_bytes(),
        Kill {
            ran_out: Some(RanOut::Node),
            inside: Some(14_889_779),
            outside: 217_055_232,
            holders: vec![
                of_unit(31, "leaky", 206),
                of_unit(41, "containerd", 44),
                of_unit(42, "kubelet", 40),
                of_unit(43, "ssh", 5),
            ],
            node: Some(NodeMemory { total: 3072 * MIB, free: 44 * MIB, available: 20 * MIB }),
        },
    )
}

/// A process of the host.
pub(in super::super) fn host() -> Finding {
    let of_nobody = |kill: &Kill| Kill { inside: None, outside: 0, ..kill.clone() };
    let kill = node().kill.as_deref().map(of_nobody).unwrap_or_default();
    Finding { home: None, ..oom(b"/user.slice", kill) }
}

/// Nothing is known but that somebody was killed.
pub(in super::super) fn unknown() -> Finding {
    let task = Task { tid: 7, tgid: 7, start: BootTime(0), comm: Comm::default() };
    Finding { task, home: None, from: nowhere(), ..oom(b"/", Kill::default()) }
}

/// `name` wherever somebody else chooses a name, and the widest of figures.
pub(in super::super) fn hostile(name: &[u8], ran_out: Option<RanOut>) -> Finding {
    let wide = || place(u64::MAX, &name.repeat(253));
    let kill = Kill {
        ran_out,
        inside: Some(u64::MAX),
        outside: i64::MIN,
        holders: vec![(wide(), u64::MAX), (nowhere(), 0), (wide(), u64::MAX), (wide(), 1)],
        node: Some(NodeMemory { total: u64::MAX, free: u64::MAX, available: u64::MAX }),
    };
    Finding {
        at: BootTime(u64::MAX),
        task: Task { tid: 1, tgid: u32::MAX, start: BootTime(u64::MAX), comm: Comm::new(name) },
        from: wide(),
        home: Some(Box::new(hostile_home(name))),
        ..oom(b"", kill)
    }
}

/// Every kill there is a sample of.
pub(in super::super) fn kills() -> impl Iterator<Item = Finding> {
    let calm = [node(), limit(Some(Limit::Of(512 * MIB))), limit(None), host(), unknown()];
    let forged = super::NASTY.into_iter().flat_map(|name| {
        let wide = RanOut::Cgroup(place(u64::MAX, &name.repeat(253)), Some(Limit::Of(u64::MAX)));
        [Some(wide), Some(RanOut::Node), None].map(|ran_out| hostile(name, ran_out))
    });
    calm.into_iter().chain(forged)
}

fn oom(at: &[u8], kill: Kill) -> Finding {
    Finding {
        from: place(12, at),
        to: nowhere(),
        mover: None,
        lost_controllers: vec![],
        home: Some(Box::new(audit::home())),
        kill: Some(Box::new(kill)),
        ..finding(FindingKind::Oom, b"stress-ng", b"", b"")
    }
}

fn hostile_home(name: &[u8]) -> Home {
    let mut home = audit::hostile(name).pods.remove(0).home;
    home.is_sure = false;
    home
}

fn nowhere() -> Place {
    Place { key: None, path: None, container: None }
}
