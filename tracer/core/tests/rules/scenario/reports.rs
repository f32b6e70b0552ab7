//! Reports to lines.
//!
//! ```text
//! KIND TASK HIERARCHY FROM -> TO by MOVER [lost CONTROLLERS]
//! KIND TASK HIERARCHY FROM -> TO, HIERARCHY FROM -> TO…, TIMES times by MOVER
//! update of POD, BYTES outside, over: KIND…
//! ledger, and below it for each row:
//! PATH[ guarded][ removed][ polled] SUMS of SUMS, subtree NET[; NAME/PID SUMS of SUMS]…
//! loss CAUSE COUNT
//! VERDICT, MOVES moves, UNMOVED unmoved, {FINDINGS}, {LOSSES}, [BLIND]
//! ```

use truant_core::{
    ids::Task,
    input::Limit,
    report::{
        Audit, Finding, Home, Kill, LedgerRow, Limits, Place, PodRow, ProcessRow, RanOut, Report,
        Sums,
    },
};

/// A report as a line, or some.
pub(crate) fn line(report: &Report) -> String {
    match report {
        Report::Header(_) => "header\n".into(),
        Report::Finding(found) => match &found.kill {
            Some(it) => kill(found, it),
            None => finding(found),
        },
        Report::Update(it) => {
            let over = if it.is_over { ", over" } else { "" };
            let names = it.finding.home.as_ref().and_then(|home| home.names.as_ref()?.pod.clone());
            let names = names.map(|pod| format!(" of {pod}")).unwrap_or_default();
            let told = finding(&it.finding);
            format!("update{names}, {} outside{over}: {told}", it.outside)
        }
        Report::Charges(ledger) => {
            // Who pays for a pod that is all inside is in the cgroups' rows.
            let is_out = |row: &&PodRow| row.payers.iter().any(|payer| !payer.guarded);
            let pods = ledger.pods.iter().filter(is_out).map(pod);
            let rows = ledger.rows.iter().map(row).chain(pods);
            std::iter::once("ledger\n".into()).chain(rows).collect()
        }
        Report::Audit(it) => audit(it),
        Report::Loss { cause, count, .. } => format!("loss {cause:?} {count}\n"),
        Report::Summary(sum) => format!(
            "{:?}, {} moves, {} unmoved, {:?}, {:?}, {:?}\n",
            sum.verdict, sum.moves, sum.unmoved, sum.findings, sum.lost, sum.blind
        ),
    }
}

fn finding(found: &Finding) -> String {
    let Finding { kind, task, hierarchy, from, to, mover, lost_controllers, .. } = found;
    assert_eq!(found.whole_process, task.tid == task.tgid, "{found:?}");
    let lost = match lost_controllers.as_slice() {
        [] => String::new(),
        some => format!(" lost {}", some.join(",")),
    };
    let (who, from, to) = (who(task), path(from), path(to));
    let mover = mover.map_or(0, |mover| mover.pid);
    let also = found
        .also
        .iter()
        .map(|also| format!(", {} {} -> {}", also.hierarchy, path(&also.from), path(&also.to)));
    let also = also.collect::<Vec<_>>().concat();
    let times = if found.times > 1 { format!(", {} times", found.times) } else { String::new() };
    format!("{kind:?} {who} {hierarchy} {from} -> {to}{also}{times} by {mover}{lost}\n")
}

fn audit(audit: &Audit) -> String {
    let pods = audit.pods.iter().map(|pod| {
        let cgroups =
            pod.cgroups.iter().map(|(at, held)| format!(" {}={}", path(at), known(*held)));
        let (home, cgroups) = (home(&pod.home), cgroups.collect::<String>());
        let processes: String = pod.processes.iter().map(stray).collect();
        format!("out {home}, inside {}:{cgroups}\n{processes}", known(pod.inside))
    });
    let unsure = audit.unsure.iter().map(|it| format!("unsure {}", stray(it)));
    let exposed = audit.exposed.iter().map(|it| {
        let mounts = it
            .mounts
            .iter()
            .map(|(name, mount)| format!(" {name}={}", String::from_utf8_lossy(&mount.root)));
        let mounts: String = mounts.collect();
        format!("exposed {} by {}{mounts}\n", home(&it.home), it.task.tgid)
    });
    let mismatch = audit.mismatch.iter().map(|it| {
        let systemd: Vec<_> = it.systemd.iter().map(home).collect();
        format!("mismatch {}: {}\n", String::from_utf8_lossy(&it.root), systemd.join(", "))
    });
    let dead = audit.dead.iter().map(|it| format!("dead {} {}\n", path(&it.place), it.bytes));
    let books = audit.books.iter().map(|it| {
        let (used, guarded, outside, rest) = (it.used, it.guarded, it.outside, it.rest());
        format!("books {used} = {guarded} + {outside} + {rest}\n")
    });
    let unseen = audit.unseen.iter().map(|it| format!("unseen {}\n", it.what));
    let parts = pods.chain(unsure).chain(exposed).chain(mismatch).chain(dead).chain(books);
    "audit\n".to_owned() + &parts.chain(unseen).collect::<String>()
}

fn stray(found: &Finding) -> String {
    let Finding { task, hierarchy, from, to, limits, resident, .. } = found;
    let told = found.home.as_ref().map(|home| format!("{:?}", home.witnesses));
    let told = told
        .unwrap_or_default()
        .replace("Namespace", "")
        .replace("OtherHierarchy", "Other")
        .replace("Mount", "Mnt");
    let rss = resident.map(|bytes| format!(", rss {bytes}")).unwrap_or_default();
    let limits = limits.map(|limits| {
        let limit = |limits: Limits| {
            [limits.memory, limits.pids, limits.cpu].map(|limit| match limit {
                None => "?".to_owned(),
                Some(Limit::Unlimited) => "max".to_owned(),
                Some(Limit::Of(most)) => most.to_string(),
            })
        };
        format!("{} -> {}", limit(limits.before).join("/"), limit(limits.after).join("/"))
    });
    let (who, from, to) = (who(task), path(from), path(to));
    let limits = limits.unwrap_or_default();
    format!("{who} {hierarchy} {from} -> {to}, {limits}{rss}\nby {told}\n")
}

fn kill(found: &Finding, kill: &Kill) -> String {
    let ran_out = match &kill.ran_out {
        None => "unknown".to_owned(),
        Some(RanOut::Node) => "node".to_owned(),
        Some(RanOut::Cgroup(place, limit)) => format!("{} {limit:?}", path(place)),
    };
    let victim = found.home.as_ref().map(|it| home(it)).unwrap_or_default();
    let holders = kill.holders.iter().map(|(place, bytes)| format!(" {}={bytes}", path(place)));
    let (inside, outside) = (known(kill.inside), kill.outside);
    let holders = holders.collect::<Vec<_>>().concat();
    let (who, from) = (who(&found.task), path(&found.from));
    format!(
        "Oom {who} {victim} in {from}: {ran_out}; {inside} inside, {outside} outside;{holders}\n"
    )
}

fn pod(row: &PodRow) -> String {
    let payers = row.payers.iter().map(|payer| {
        let out = if payer.guarded { "" } else { " out" };
        let (interval, total) = (sums(payer.interval), sums(payer.total));
        format!("; {}{out} {interval} of {total}", path(&payer.place))
    });
    format!("pod {}{}\n", home(&row.home), payers.collect::<Vec<_>>().concat())
}

fn known(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string())
}

fn home(home: &Home) -> String {
    let ids = [&home.container.pod_uid, &home.container.container_id];
    let ids = ids.map(|id| id.as_deref().unwrap_or("-"));
    let names = home.names.as_ref();
    let pod = names.and_then(|names| names.pod.as_deref()).unwrap_or("-");
    let container = names.and_then(|names| names.container.as_deref()).unwrap_or("-");
    format!("{pod}/{container} pod{}/{}", ids[0], ids[1])
}

fn row(row: &LedgerRow) -> String {
    let mark = |set: bool, name: &'static str| if set { name } else { "" };
    let marks =
        [mark(row.guarded, " guarded"), mark(row.removed, " removed"), mark(row.polled, " polled")];
    let by: String = row.by.iter().map(process).collect();
    let (path, marks) = (path(&row.place), marks.concat());
    let (interval, total) = (sums(row.interval), sums(row.total));
    format!("{path}{marks} {interval} of {total}, subtree {}{by}\n", row.subtree_net)
}

fn process(row: &ProcessRow) -> String {
    let who = match row.pid {
        Some(pid) => format!("{}/{pid}", row.comm.to_string_lossy()),
        None => "rest".into(),
    };
    format!("; {who} {} of {}", sums(row.interval), sums(row.total))
}

fn sums(sums: Sums) -> String {
    let count =
        |name: &str, count| if count > 0 { format!("{name}{count}") } else { String::new() };
    let (failures, hits) = (count("f", sums.failures), count("h", sums.limit_hits));
    format!("+{}-{}{failures}{hits}", sums.charged, sums.uncharged)
}

fn path(place: &Place) -> String {
    match (&place.path, place.key) {
        (Some(path), _) => String::from_utf8_lossy(path).into_owned(),
        (None, Some(key)) => format!("?{}", key.id),
        (None, None) => "?".into(),
    }
}

fn who(task: &Task) -> String {
    if task.tid == task.tgid {
        task.tgid.to_string()
    } else {
        format!("{}.{}", task.tgid, task.tid)
    }
}
