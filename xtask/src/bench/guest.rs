//! The figures in instructions: each kernel in a guest whose clock counts them. Owns the targets
//! and the tables of that section.

use anyhow::{Context as _, Result};

use super::{
    Binaries, bpftrace,
    load::{Figures, added},
    script::{Operation, Taken, Traced, script},
    table,
};
use crate::{
    sh,
    vm::{Cgroup, GUEST_BIN, Guest},
};

/// What truant may add to a page, in percent.
const PAGE_TARGET: f64 = 0.5;

/// What truant may add to a fork with its exit, and to a move, in percent.
const EVENT_TARGET: f64 = 3.0;

/// Runs the section, prints its tables, and names the targets that were missed.
pub(super) fn run(binaries: &Binaries, kernels: &[String], quick: bool) -> Result<Vec<String>> {
    let mut taken = Vec::new();
    for kernel in kernels {
        eprintln!("bench: {kernel} in a guest");
        let figures = take(binaries, kernel, quick);
        taken.push((kernel.as_str(), figures.with_context(|| format!("kernel {kernel}"))?));
    }
    let mut missed = pages(&taken);
    missed.extend(events(&taken));
    Ok(missed)
}

fn take(binaries: &Binaries, kernel: &str, quick: bool) -> Result<Taken> {
    let sh = sh::at_root()?;
    let one_liner = bpftrace::charges_one_liner(kernel);
    let script = script(&one_liner, bpftrace::charge_function(kernel), quick);
    let mut guest = Guest::new(kernel, Cgroup::V2, &["sh", "-c", &script]);
    guest.icount = true;
    "3G".clone_into(&mut guest.mem);
    guest.timeout = std::time::Duration::from_mins(15);
    for program in [&binaries.truant, &binaries.load] {
        let name = program.file_name().unwrap_or_default();
        guest.files.push((std::path::Path::new(GUEST_BIN).join(name), program.clone()));
    }
    // Without it, its row says why.
    guest.files.extend(bpftrace::guest_files(&sh).unwrap_or_default());
    let output = guest.run_captured()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Taken::read(&text).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn pages(taken: &[(&str, Taken)]) -> Vec<String> {
    let mut missed = Vec::new();
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for (kernel, taken) in taken {
        let of = |traced| taken.get(traced, Operation::Pages);
        let Ok(base) = of(Traced::Nobody) else { continue };
        let (truant, bpftrace) = (of(Traced::Truant), of(Traced::Bpftrace));
        let mut row = vec![(*kernel).to_owned(), whole(base.median)];
        row.extend(cells(base, truant));
        row.push(truant.map_or("–".to_owned(), |truant| percent(added(base.mean, truant.mean))));
        row.extend(cells(base, bpftrace));
        rows.push(row);
        notes.extend(bpftrace.err().map(|why| format!("No bpftrace on {kernel}: {why}")));
        missed.extend(judge(&format!("pages on {kernel}"), base, truant, PAGE_TARGET));
    }
    let columns =
        ["kernel", "untraced", "truant", "added", "with its process", "bpftrace", "added"];
    table::print("Instructions per 4 KiB page touched and unmapped", &columns, &rows);
    for note in notes {
        println!("\n{note}.");
    }
    missed
}

fn events(taken: &[(&str, Taken)]) -> Vec<String> {
    let mut missed = Vec::new();
    let mut rows = Vec::new();
    for (kernel, taken) in taken {
        for (operation, name) in
            [(Operation::Forks, "fork and exit"), (Operation::Moves, "cgroup move")]
        {
            let Ok(base) = taken.get(Traced::Nobody, operation) else { continue };
            let truant = taken.get(Traced::Truant, operation);
            let mut row = vec![format!("{kernel}, {name}"), whole(base.median)];
            row.extend(cells(base, truant));
            rows.push(row);
            missed.extend(judge(&format!("{name} on {kernel}"), base, truant, EVENT_TARGET));
        }
    }
    table::print(
        "Instructions per event",
        &["kernel, event", "untraced", "truant", "added"],
        &rows,
    );
    missed
}

/// A figure, and what it adds to the baseline; dashes where there is none.
fn cells(base: Figures, traced: Result<Figures, &str>) -> [String; 2] {
    traced.map_or_else(
        |_| ["–", "–"].map(str::to_owned),
        |traced| [whole(traced.median), percent(added(base.median, traced.median))],
    )
}

fn judge(what: &str, base: Figures, traced: Result<Figures, &str>, target: f64) -> Option<String> {
    match traced {
        Err(why) => Some(format!("{what}: not measured: {why}")),
        Ok(traced) => {
            let added = added(base.median, traced.median);
            (added > target).then(|| format!("{what}: {added:+.2} % where {target} % is allowed"))
        }
    }
}

fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(number: f64) -> String {
    format!("{number:+.2} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [7.4, 812.0, 4812.4, 1_234_567.0].map(whole),
            ["7", "812", "4,812", "1,234,567"]
        );
    }

    #[test]
    fn a_target_is_missed_by_too_much_or_by_no_figure() {
        let figures = |median| Figures { median, mean: median };
        assert_eq!(judge("x", figures(100.0), Ok(figures(100.4)), 0.5), None);
        let much = judge("x", figures(100.0), Ok(figures(101.0)), 0.5).unwrap();
        assert!(much.contains("+1.00 %"), "{much}");
        assert!(judge("x", figures(100.0), Err("it saw nothing"), 0.5).is_some());
    }
}
