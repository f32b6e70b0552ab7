//! Reports to lines.
//!
//! ```text
//! KIND TASK HIERARCHY FROM -> TO by MOVER [lost CONTROLLERS]
//! ledger, and below it for each row:
//! PATH[ guarded][ removed][ polled] SUMS of SUMS, subtree NET[; NAME/PID SUMS of SUMS]…
//! loss CAUSE COUNT
//! VERDICT, MOVES moves, UNMOVED unmoved, {FINDINGS}, {LOSSES}, [BLIND]
//! ```

use truant_core::{
    ids::Task,
    report::{Finding, LedgerRow, Place, ProcessRow, Report, Sums},
};

/// A report as a line, or some.
pub(crate) fn line(report: &Report) -> String {
    match report {
        Report::Header(_) => "header\n".into(),
        Report::Finding(found) => finding(found),
        Report::Charges(ledger) => {
            std::iter::once("ledger\n".into()).chain(ledger.rows.iter().map(row)).collect()
        }
        Report::Audit(_) => "audit\n".into(),
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
    let (who, from, to, mover) =
        (who(task), path(from), path(to), mover.map_or(0, |mover| mover.pid));
    format!("{kind:?} {who} {hierarchy} {from} -> {to} by {mover}{lost}\n")
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
