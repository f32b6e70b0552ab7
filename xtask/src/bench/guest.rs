//! The figures in instructions: each kernel in a guest whose clock counts them. Owns the targets
//! and the tables of that section.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    Binaries, bpftrace,
    load::{Figures, Spread},
    script::{Operation, Taken, Traced, script},
    table::{self, percent, whole},
};
use crate::{
    sh,
    vm::{Cgroup, GUEST_BIN, Guest},
};

/// What truant may add to a page, in percent.
const PAGE_TARGET: f64 = 0.5;

/// What truant may add to a fork with its exit, and to a move, in percent.
const EVENT_TARGET: f64 = 3.0;

const PAGES_CAPTION: &str = "\
    Instructions that the loading process executes for each 4 KiB page that it touches and unmaps \
    (2 MiB at a time, no huge pages), its page faults included and tracers' own processes not. \
    Median of the turns, untraced and traced in turn in one boot; in brackets the least and the \
    most of the turns. bpftrace counts `__mem_cgroup_charge` by cgroup and process. The emulated \
    CPU has no fast string instructions, which would count 3,584 more for the clearing of a page, \
    and the kernel's lists of free pages have a fixed size.";

const EVENTS_CAPTION: &str = "\
    Instructions for each process that is made and ends, and for each move between two cgroups \
    with every controller. *itself*: CPU time of the process that does it, and of its children. \
    *all*: what all tasks of the node's CPU run meanwhile, as fast as it goes, interrupts, kernel \
    threads and truant included; of that, truant's own process is in the last column.";

/// One of the figures.
type View = fn(&Figures) -> f64;

/// What one operation took in the turns, untraced and traced.
struct Pair<'a> {
    base: Vec<Figures>,
    traced: Result<Vec<Figures>, &'a str>,
}

impl Pair<'_> {
    fn added(&self, of: View) -> Option<Spread> {
        let numbers = |figures: &[Figures]| figures.iter().map(of).collect::<Vec<_>>();
        Spread::added(&numbers(&self.base), &numbers(self.traced.as_ref().ok()?))
    }

    /// The traced figure, and what it adds to the baseline; dashes where there is none.
    fn cells(&self, of: View) -> [String; 2] {
        let traced = self.traced.as_ref().ok().and_then(|figures| middle(figures, of));
        match (traced, self.added(of)) {
            (Some(traced), Some(added)) => [whole(traced), percent(added)],
            _ => ["–", "–"].map(str::to_owned),
        }
    }

    fn judge(&self, what: &str, of: View, target: f64) -> Option<String> {
        if let Err(why) = &self.traced {
            return Some(format!("{what}: not measured: {why}"));
        }
        let added = self.added(of)?.middle;
        (added > target).then(|| format!("{what}: {added:+.2} % where {target} % is allowed"))
    }
}

fn middle(figures: &[Figures], of: View) -> Option<f64> {
    Spread::of(figures.iter().map(of)).map(|spread| spread.middle)
}

/// Runs the section, prints its tables, and names the targets that were missed.
pub(super) fn run(binaries: &Binaries, kernels: &[String], quick: bool) -> Result<Vec<String>> {
    let mut taken = Vec::new();
    for kernel in kernels {
        eprintln!("bench: {kernel} in a guest");
        let figures = take(binaries, kernel, if quick { 2 } else { 5 });
        taken.push((kernel.as_str(), figures.with_context(|| format!("kernel {kernel}"))?));
    }
    let mut missed = pages(&taken);
    missed.extend(events(&taken));
    for (kernel, taken) in &taken {
        missed.extend(taken.losses.iter().map(|line| format!("a loss on {kernel}: {line}")));
    }
    Ok(missed)
}

fn take(binaries: &Binaries, kernel: &str, turns: usize) -> Result<Taken> {
    let sh = sh::at_root()?;
    let one_liner = bpftrace::charges_one_liner(kernel);
    let script = script(&one_liner, bpftrace::charge_function(kernel), turns);
    let mut guest = Guest::new(kernel, Cgroup::V2, &["sh", "-c", &script]);
    guest.icount = true;
    "3G".clone_into(&mut guest.mem);
    guest.timeout = Duration::from_mins(20);
    for program in [&binaries.truant, &binaries.load] {
        let name = program.file_name().unwrap_or_default();
        guest.files.push((Path::new(GUEST_BIN).join(name), program.clone()));
    }
    // Without it, its row says why.
    guest.files.extend(bpftrace::guest_files(&sh).unwrap_or_default());
    let output = guest.run_captured()?;
    let text = String::from_utf8_lossy(&output.stdout);
    eprintln!("{}", text.trim_end());
    Taken::read(&text).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn pages(taken: &[(&str, Taken)]) -> Vec<String> {
    let (mut missed, mut rows, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (kernel, taken) in taken {
        let Ok(base) = taken.get(Traced::Nobody, Operation::Pages) else { continue };
        let pair = |by| Pair { base: base.clone(), traced: taken.get(by, Operation::Pages) };
        let (truant, bpftrace) = (pair(Traced::Truant), pair(Traced::Bpftrace));
        let own = |figures: &Figures| figures.own;
        let untraced = middle(&base, own).map_or("–".to_owned(), whole);
        let mut row = vec![(*kernel).to_owned(), untraced];
        row.extend(truant.cells(own));
        row.extend(bpftrace.cells(own));
        rows.push(row);
        notes.extend(
            bpftrace.traced.as_ref().err().map(|why| format!("No bpftrace on {kernel}: {why}")),
        );
        missed.extend(truant.judge(&format!("a page on {kernel}"), own, PAGE_TARGET));
    }
    let columns = ["kernel", "untraced", "truant", "added", "bpftrace", "added"];
    table::print("Memory", PAGES_CAPTION, &columns, &rows);
    for note in notes {
        println!("\n{note}.");
    }
    missed
}

fn events(taken: &[(&str, Taken)]) -> Vec<String> {
    let events = [(Operation::Forks, "fork and exit"), (Operation::Moves, "move")];
    let (mut missed, mut rows) = (Vec::new(), Vec::new());
    for (kernel, taken) in taken {
        for (operation, name) in events {
            let Ok(base) = taken.get(Traced::Nobody, operation) else { continue };
            let pair = Pair { base, traced: taken.get(Traced::Truant, operation) };
            let views: [(&str, View); 2] =
                [("itself", |figures| figures.own), ("all", |figures| figures.node)];
            let mut row = vec![format!("{kernel}, {name}")];
            for (view, of) in views {
                row.push(middle(&pair.base, of).map_or("–".to_owned(), whole));
                row.extend(pair.cells(of));
                missed.extend(pair.judge(&format!("{name} on {kernel}, {view}"), of, EVENT_TARGET));
            }
            let process = pair.traced.as_ref().ok().and_then(|all| middle(all, |it| it.tracer));
            row.push(process.map_or("–".to_owned(), whole));
            rows.push(row);
        }
    }
    let columns =
        ["", "itself", "traced", "added", "all", "traced", "added", "of it truant's process"];
    table::print("Processes and moves", EVENTS_CAPTION, &columns, &rows);
    missed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(own: f64) -> Vec<Figures> {
        vec![Figures { own, least: own, node: own, tracer: 0.0 }]
    }

    #[test]
    fn a_target_is_missed_by_too_much_or_by_no_figure() {
        let judge = |traced| Pair { base: figures(100.0), traced }.judge("x", |it| it.own, 0.5);
        assert_eq!(judge(Ok(figures(100.4))), None);
        let missed = judge(Ok(figures(101.0))).unwrap();
        assert!(missed.contains("+1.00 %"), "{missed}");
        assert!(judge(Err("it saw nothing")).is_some());
    }
}
