//! Reports to test the sinks with: quiet ones, and ones with the worst of names and figures.

pub(super) mod audit;
pub(super) mod memory;

use std::collections::BTreeMap;

use truant_core::{
    ids::{Actor, BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{Facts, Hierarchy, Hook, LossCause, Mode, Need, Refusal, Way},
    path::Container,
    report::{
        Also, Finding, FindingKind, Ledger, LedgerRow, Place, ProcessRow, Report, Summary, Sums,
        Update, Verdict,
    },
};

/// Noon in UTC on a day of 2023, less the 61 s that the node has been up.
const BOOT_EPOCH_NS: u64 = 1_700_049_539_000_000_000;

/// When the samples happen: 61 s after boot.
pub(super) const AT: BootTime = BootTime(61_000_000_000);

/// Names and paths that try to forge lines, move cursors, or break an encoding.
pub(super) const NASTY: [&[u8]; 9] = [
    b"",
    b"a\nsummary: clean",
    b"\x1b[2J\x1b[31mred",
    b"\xff\xfe\xfd",
    b"back\\slash\\x0a",
    "\u{202e}gnp.exe\u{2066}".as_bytes(),
    "日本語のコマンド名は幅が広い".as_bytes(),
    "a \u{2192} /b by 1".as_bytes(),
    b"\x00\x01\x02\x7f\x80\x9b\xc2\x9b",
];

/// The pods of the two paths.
const POD: &str = "0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b";
const POD_SYSTEMD: &str = "7b2e9d10-7d2e-4b1c-9a55-1c2d3e4f5a6b";

/// The path of a container with the cgroupfs driver.
pub(super) const CGROUPFS: &str = "/kubepods/burstable/pod0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b/\
    9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0";

/// The path of a container with the systemd driver.
pub(super) const SYSTEMD: &str = "/kubepods.slice/kubepods-burstable.slice/\
    kubepods-burstable-pod7b2e9d10_7d2e_4b1c_9a55_1c2d3e4f5a6b.slice/\
    cri-containerd-9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0.scope";

pub(super) fn place(id: u64, path: &[u8]) -> Place {
    let key = Some(CgroupKey { hierarchy: HierarchyId(4), id });
    let container = path.starts_with(b"/kubepods").then(|| Container {
        pod_uid: Some(
            if path.starts_with(b"/kubepods.slice") { POD_SYSTEMD } else { POD }.to_owned(),
        ),
        container_id: Some("9f8e7d6c5b4a39281706f5e4d3c2b1a0".repeat(2)),
    });
    Place { key, path: Some(path.into()), container }
}

pub(super) fn facts() -> Facts {
    Facts {
        version: "0.1.0".to_owned(),
        kernel: "6.1.0-28-cloud-amd64".to_owned(),
        at: AT,
        boot_epoch_ns: BOOT_EPOCH_NS,
        interval_ns: 1_000_000_000,
        mode: Mode::Hybrid,
        hierarchies: vec![
            Hierarchy { id: HierarchyId::V2, name: String::new(), controllers: vec![] },
            Hierarchy {
                id: HierarchyId(4),
                name: "memory".to_owned(),
                controllers: vec!["memory".to_owned()],
            },
        ],
        memory: Some(HierarchyId(4)),
        hooks: hooks(),
        guard: vec![],
        fail_on_exposed: false,
        own_pid: 4711,
    }
}

fn hooks() -> Vec<Hook> {
    let needs =
        [Need::Moves, Need::Births, Need::Charges, Need::Lifecycle, Need::Processes, Need::Oom];
    let hook = |need| {
        let traced = matches!(need, Need::Moves | Need::Charges);
        let refused = traced.then(|| Refusal {
            way: Way::Fentry,
            why: "operation not permitted (EPERM) when the program was loaded".to_owned(),
            mend: Some("start with CAP_SYS_ADMIN".to_owned()),
        });
        Hook {
            need,
            way: (need != Need::Births).then_some(if traced {
                Way::Kprobe
            } else {
                Way::Tracepoint
            }),
            note: (need == Need::Oom).then(|| "constraint not told before 6.12".to_owned()),
            refused: refused.into_iter().collect(),
        }
    };
    needs.map(hook).to_vec()
}

pub(super) fn finding(kind: FindingKind, comm: &[u8], from: &[u8], to: &[u8]) -> Finding {
    Finding {
        kind,
        at: AT,
        task: Task { tid: 1234, tgid: 1234, start: BootTime(7), comm: Comm::new(comm) },
        whole_process: true,
        hierarchy: "memory".to_owned(),
        from: place(11, from),
        to: place(12, to),
        also: vec![],
        times: 1,
        mover: Some(Actor { pid: 77, comm: Comm::new(b"systemd") }),
        lost_controllers: vec!["memory".to_owned()],
        home: None,
        mover_home: None,
        limits: None,
        resident: None,
        kill: None,
    }
}

/// The same in another hierarchy.
pub(super) fn also(hierarchy: &str) -> Also {
    Also { hierarchy: hierarchy.to_owned(), from: place(13, b"/a"), to: place(14, b"/b") }
}

/// What became of a finding.
pub(super) fn update(finding: Finding, outside: i64, is_over: bool) -> Update {
    Update { at: BootTime(AT.0 + 5_000_000_000), finding, outside, is_over }
}

/// A finding in which everything is as wide as it can be.
pub(super) fn widest(name: &[u8]) -> Finding {
    let long = name.repeat(40);
    Finding {
        at: BootTime(u64::MAX),
        task: Task { tid: u32::MAX, tgid: u32::MAX - 1, start: AT, comm: Comm::new(name) },
        whole_process: false,
        hierarchy: String::from_utf8_lossy(&long).into_owned(),
        from: place(u64::MAX, &long),
        to: place(u64::MAX, &[b"/kubepods/", long.as_slice(), b"/x"].concat()),
        also: vec![also(&String::from_utf8_lossy(&long)); 12],
        times: u64::MAX,
        mover: Some(Actor { pid: u32::MAX, comm: Comm::new(name) }),
        lost_controllers: vec![String::from_utf8_lossy(name).into_owned(); 9],
        ..finding(FindingKind::BornOutside, name, b"", b"")
    }
}

pub(super) fn sums(charged: u64, uncharged: u64, failures: u64) -> Sums {
    Sums { charged, uncharged, failures, limit_hits: failures }
}

pub(super) fn row(path: &[u8], interval: Sums, total: Sums) -> LedgerRow {
    let by = |pid, comm: &[u8], charged| ProcessRow {
        pid,
        comm: Comm::new(comm),
        interval: sums(charged, 0, 0),
        total: sums(charged, 0, 0),
    };
    LedgerRow {
        place: place(21, path),
        guarded: path.starts_with(b"/kubepods"),
        removed: false,
        polled: false,
        interval,
        total,
        subtree_net: total.net(),
        by: vec![
            by(Some(1234), b"stress-ng", interval.charged / 2),
            by(None, b"", interval.charged / 4),
            by(Some(99), b"dd", interval.charged / 4),
        ],
    }
}

pub(super) fn ledger() -> Ledger {
    const MIB: u64 = 1 << 20;
    let dead = LedgerRow {
        removed: true,
        polled: true,
        by: vec![],
        ..row(b"/system.slice/gone.service", sums(0, MIB, 0), sums(9 * MIB, 2 * MIB, 0))
    };
    Ledger {
        at: AT,
        rows: vec![
            row(CGROUPFS.as_bytes(), sums(4096, 8192, 0), sums(3 * MIB, 8192, 0)),
            row(SYSTEMD.as_bytes(), sums(48 * MIB, 0, 3), sums(512 * MIB, 0, 1_234_567)),
            row(b"/system.slice", sums(0, 0, 0), sums(0, 0, 0)),
            dead,
            row(
                b"/system.slice/leaky.service",
                sums(200 * MIB, 11 * MIB, 0),
                sums(411 * MIB, 11 * MIB, 0),
            ),
        ],
        pods: memory::pods(),
    }
}

/// A ledger in which everything is as wide as it can be, and there is a lot of it.
pub(super) fn widest_ledger() -> Ledger {
    let worst = sums(u64::MAX, u64::MAX, u64::MAX);
    let rows = NASTY.iter().flat_map(|name| {
        let mut row = row(&name.repeat(40), worst, sums(1 << 63, 0, 0));
        row.removed = true;
        row.polled = true;
        for process in &mut row.by {
            process.pid = Some(u32::MAX);
            process.comm = Comm::new(name);
        }
        let nameless = Place { key: None, path: None, container: None };
        let unknown = LedgerRow { place: nameless, ..row.clone() };
        [row, unknown]
    });
    let pods = NASTY.map(memory::hostile_pod).into();
    Ledger { at: BootTime(u64::MAX), rows: rows.collect(), pods }
}

pub(super) fn summary(verdict: Verdict) -> Summary {
    let found = verdict != Verdict::Clean;
    let lost = verdict == Verdict::Inconclusive;
    Summary {
        at: AT,
        findings: if found {
            BTreeMap::from([(FindingKind::Left, 2), (FindingKind::BornOutside, 1)])
        } else {
            BTreeMap::new()
        },
        lost: if lost { BTreeMap::from([(LossCause::RingFull, 12)]) } else { BTreeMap::new() },
        moves: 120,
        unmoved: 4,
        blind: if lost { vec![Need::Births] } else { vec![] },
        verdict,
    }
}

/// One report of every kind, and of every kind the worst.
pub(super) fn reports() -> Vec<Report> {
    use FindingKind::{BornOutside, CameBack, Left, Moved};
    let mut reports = vec![Report::Header(Box::new(facts()))];
    let mut find = |finding| reports.push(Report::Finding(Box::new(finding)));
    for kind in [Left, BornOutside, Moved, CameBack] {
        find(finding(kind, b"stress-ng", CGROUPFS.as_bytes(), b"/init.scope"));
    }
    for name in NASTY {
        find(finding(Left, name, name, &name.repeat(20)));
        find(widest(name));
    }
    let nowhere = Place { key: None, path: None, container: None };
    find(Finding { from: nowhere.clone(), to: nowhere, ..widest(b"x") });
    let updates = findings_with_homes().chain(NASTY.map(widest));
    let figures = [0, -4096, i64::MAX, i64::MIN].into_iter().cycle();
    let updates = updates.zip(figures).map(|(it, outside)| update(it, outside, outside < 0));
    reports.extend(updates.map(|it| Report::Update(Box::new(it))));
    reports.extend(findings_with_homes().map(|it| Report::Finding(Box::new(it))));
    reports.extend(memory::kills().map(|it| Report::Finding(Box::new(it))));
    reports.extend(audits().map(|audit| Report::Audit(Box::new(audit))));
    reports.extend([Report::Charges(ledger()), Report::Charges(widest_ledger())]);
    reports.push(Report::Charges(Ledger::default()));
    reports.extend(causes().map(|cause| Report::Loss { at: AT, cause, count: u64::MAX }));
    let verdicts = [Verdict::Clean, Verdict::Found, Verdict::Inconclusive];
    reports.extend(verdicts.map(|verdict| Report::Summary(Box::new(summary(verdict)))));
    reports.push(Report::Summary(Box::new(worst_summary())));
    reports
}

/// Findings that say all that can be said of a home.
fn findings_with_homes() -> impl Iterator<Item = Finding> {
    use FindingKind::{AlreadyOut, BornOutside, CameBack, Exposed, Left, Moved};
    [Left, BornOutside, Moved, CameBack, AlreadyOut, Exposed].into_iter().map(|kind| Finding {
        home: Some(Box::new(audit::home())),
        mover_home: Some(Box::new(audit::nameless(POD_SYSTEMD))),
        limits: Some(audit::limits()),
        resident: Some(4096),
        also: vec![also("pids"), also("name=systemd")],
        ..finding(kind, b"stress-ng", CGROUPFS.as_bytes(), b"/init.scope")
    })
}

/// Audits of every kind.
fn audits() -> impl Iterator<Item = truant_core::report::Audit> {
    let calm = [audit::nobody(), audit::incident(), audit::busy(), audit::unknown()];
    calm.into_iter().chain(NASTY.map(audit::hostile))
}

fn causes() -> [LossCause; 8] {
    use LossCause::{
        InFlightFull, Malformed, PathUnknown, ProcessesFull, Recursion, RingFull, TotalsFull,
        Unreadable,
    };
    [
        RingFull,
        TotalsFull,
        ProcessesFull,
        InFlightFull,
        Recursion,
        Unreadable,
        Malformed,
        PathUnknown,
    ]
}

fn worst_summary() -> Summary {
    use FindingKind::{AlreadyOut, BornOutside, CameBack, Exposed, Left, Moved, Oom};
    Summary {
        at: BootTime(u64::MAX),
        findings: [Left, BornOutside, Moved, CameBack, AlreadyOut, Exposed, Oom]
            .map(|kind| (kind, u64::MAX))
            .into(),
        lost: causes().map(|cause| (cause, u64::MAX)).into(),
        moves: u64::MAX,
        unmoved: u64::MAX,
        blind: facts().hooks.iter().map(|hook| hook.need).collect(),
        verdict: Verdict::Inconclusive,
    }
}

/// A header in which everything is as wide as it can be.
pub(super) fn widest_facts() -> Facts {
    let word = "\u{1b}[31m→日本".repeat(30);
    let mut facts = facts();
    facts.version.clone_from(&word);
    facts.kernel.clone_from(&word);
    facts.guard = vec![word.clone(); 20];
    facts.boot_epoch_ns = 0;
    facts.interval_ns = u64::MAX;
    for hook in &mut facts.hooks {
        hook.note = Some(word.clone());
        hook.refused.extend([Way::Kprobe, Way::Tracepoint].map(|way| Refusal {
            way,
            why: word.clone(),
            mend: Some(word.clone()),
        }));
    }
    facts
}
