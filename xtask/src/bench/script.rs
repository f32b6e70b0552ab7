//! The shell script that one guest runs: in turns, every load without a tracer, then under each, in
//! one boot. Owns the script and the reading of what it prints.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::load::Figures;

/// Who traces while a load runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Traced {
    Nobody,
    Truant,
    Bpftrace,
}

/// What the load does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Pages,
    Forks,
    Moves,
}

impl Operation {
    const ALL: [Self; 3] = [Self::Pages, Self::Forks, Self::Moves];

    fn name(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Forks => "forks",
            Self::Moves => "moves",
        }
    }

    /// Operations in a round, and rounds in a block. Rounds of forks are short, so that most have
    /// nothing else in them. The pages are a prime number, so that each round meets the allocator's
    /// and the charges' batches at another place.
    fn size(self) -> (u32, u32) {
        match self {
            Self::Pages => (521, 64),
            Self::Forks => (4, 30),
            Self::Moves => (50, 40),
        }
    }
}

impl Operation {
    /// Blocks in a turn, each a process of its own, of which the least counts. All forks of one
    /// process take up to 3 % more than those of the next, with a tracer or without: on 7.3 each
    /// CPU keeps kernel memory in stock for five cgroups, which are looked through one after the
    /// other, and new cgroups get the five places in turn. Where the allocator of per-CPU memory
    /// has no hole that fits, forks take more again.
    fn blocks(self) -> usize {
        if self == Self::Forks { FORKING } else { 1 }
    }
}

/// Processes that fork in a turn: one more than there are places.
const FORKING: usize = 6;

impl Traced {
    const ALL: [Self; 3] = [Self::Nobody, Self::Truant, Self::Bpftrace];

    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Truant => "truant",
            Self::Bpftrace => "bpftrace",
        }
    }
}

/// `ready` waits until a tracer is attached, or is no more; `end` ends it in good order, with more
/// than one signal since bpftrace may miss one, and says whether it saw the load, so that what did
/// not trace is no figure.
const FUNCTIONS: &str = r#"
load() {
    truant-bench-load $2 /sys/fs/cgroup $3 $4 $5 | sed "s/^/$1 /"
}
ready() {
    until grep -q "$2" $3 2>/dev/null; do
        kill -0 $1 2>/dev/null || return 1
        usleep 20000
    done
    sleep 1
}
end() {
    kill -INT $2
    (sleep 5; kill -INT $2; sleep 5; kill -KILL $2) 2>/dev/null &
    wait $2
    kill $!
    if grep -q truant-bench-lo /tmp/$1; then
        echo "saw $1"
    else
        echo "blind $1 $(tail -n 3 /tmp/$1 | tr '\n' ' ')"
    fi
}
"#;

/// The script. `one_liner` is bpftrace's program, whose kprobe the kernel lists as `function`.
pub(super) fn script(one_liner: &str, function: &str, turns: usize) -> String {
    let loads = |traced: Traced, operations: &[Operation]| {
        let lines = |operation: &Operation| {
            let ((count, rounds), who) = (operation.size(), traced.name());
            format!("load {who} {} {count} {rounds} $tracer\n", operation.name())
                .repeat(operation.blocks())
        };
        operations.iter().map(lines).collect::<String>()
    };
    let nobody = loads(Traced::Nobody, &Operation::ALL);
    let truant = loads(Traced::Truant, &Operation::ALL);
    let bpftrace = loads(Traced::Bpftrace, &[Operation::Pages]);
    // A page takes a twentieth more or less as the kernel's lists of free pages are filled, unless
    // they are large. The file that sizes them had another name until 5.13.
    let lists = "for file in /proc/sys/vm/percpu_pagelist_*fraction; do echo 8 >$file; done";
    // What a kernel does in its first seconds, and the first time, would be in the first figures.
    format!(
        "{FUNCTIONS}{lists}\nsleep 5\ntracer=\n({nobody}) >/dev/null\n\
         for turn in $(seq {turns}); do\n{nobody}\
         truant watch --output json >/tmp/truant 2>&1 &\ntracer=$!\n\
         ready $tracer '\"header\"' /tmp/truant\n\
         {truant}end truant $tracer\n\
         tail -n 1 /tmp/truant | sed 's/^/summary /'\n\
         bpftrace -e '{one_liner}' >/tmp/bpftrace 2>&1 &\ntracer=$!\n\
         ready $tracer '{function}' /sys/kernel/debug/kprobes/list\n\
         {bpftrace}end bpftrace $tracer\ntracer=\n\
         done\n"
    )
}

/// What a guest's script printed.
#[derive(Debug, Default)]
pub(super) struct Taken {
    figures: BTreeMap<(Traced, Operation), Vec<Figures>>,
    /// Why there are no figures under a tracer.
    blind: BTreeMap<Traced, String>,
    /// Last lines of truant that say of a loss: what was not counted cost nothing.
    pub(super) losses: Vec<String>,
}

impl Taken {
    /// Reads the script's output.
    ///
    /// # Errors
    /// If a load without a tracer failed.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut taken = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("summary", line)) => taken.note_loss(line),
                Some(("blind", rest)) => taken.mark_blind(rest),
                Some((who, rest)) => taken.take(who, rest)?,
                None => {}
            }
        }
        if !Operation::ALL.iter().all(|op| taken.figures.contains_key(&(Traced::Nobody, *op))) {
            bail!("the load without a tracer failed:\n{text}");
        }
        Ok(taken)
    }

    /// The figures of each turn, or why there are none.
    pub(super) fn get(&self, traced: Traced, operation: Operation) -> Result<Vec<Figures>, &str> {
        if let Some(why) = self.blind.get(&traced) {
            return Err(why);
        }
        let blocks = self.figures.get(&(traced, operation)).ok_or("not measured")?;
        let turns = blocks.chunks(operation.blocks());
        let least = |turn: &[Figures]| turn.iter().copied().min_by(|a, b| a.own.total_cmp(&b.own));
        Ok(turns.filter_map(least).collect())
    }

    fn take(&mut self, who: &str, rest: &str) -> Result<()> {
        let traced = Traced::ALL.into_iter().find(|traced| traced.name() == who);
        let named = |operation: &Operation| rest.starts_with(operation.name());
        let operation = Operation::ALL.into_iter().find(named);
        if let (Some(traced), Some(operation)) = (traced, operation) {
            let figures = self.figures.entry((traced, operation)).or_default();
            figures.push(Figures::parse(rest)?);
        }
        Ok(())
    }

    fn note_loss(&mut self, summary: &str) {
        if !summary.contains("\"lost\":{}") {
            self.losses.push(summary.to_owned());
        }
    }

    fn mark_blind(&mut self, rest: &str) {
        let (who, why) = rest.split_once(' ').unwrap_or((rest, ""));
        let traced = Traced::ALL.into_iter().find(|traced| traced.name() == who);
        let why = if why.trim().is_empty() { "it saw nothing" } else { why.trim() };
        self.blind.extend(traced.map(|traced| (traced, why.to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: &str = "nobody pages own=10.0 least=1.0 node=11.0 tracer=0.0\n\
        nobody forks own=20.0 least=1.0 node=21.0 tracer=0.0\n\
        nobody moves own=30.0 least=1.0 node=31.0 tracer=0.0\n";

    #[test]
    fn figures_are_taken_by_who_traced_and_what_ran_in_order_of_turns() {
        let truant = |own: f64| format!("truant pages own={own} least=1.0 node=13.0 tracer=1.0\n");
        let text = format!("{NOBODY}{}{}", truant(12.0), truant(14.0));
        let taken = Taken::read(&text).unwrap();
        let pages = taken.get(Traced::Truant, Operation::Pages).unwrap();
        let own: Vec<String> = pages.iter().map(|figures| figures.own.to_string()).collect();
        assert_eq!(own, ["12", "14"]);
        assert_eq!(taken.get(Traced::Bpftrace, Operation::Pages).err(), Some("not measured"));
    }

    #[test]
    fn of_the_blocks_of_forks_in_a_turn_the_least_counts() {
        let block = |own: f64| format!("truant forks own={own} least=1.0 node=2.0 tracer=1.0\n");
        let text: String =
            [9.0, 7.0, 9.0, 8.0, 9.0, 9.0, 9.0, 9.0, 9.0, 8.0, 6.0, 9.0].map(block).concat();
        let forks = Taken::read(&format!("{NOBODY}{text}")).unwrap();
        let forks = forks.get(Traced::Truant, Operation::Forks).unwrap();
        let own: Vec<String> = forks.iter().map(|figures| figures.own.to_string()).collect();
        assert_eq!(own, ["7", "6"]);
    }

    #[test]
    fn a_tracer_that_saw_nothing_has_no_figures() {
        let text = format!(
            "{NOBODY}bpftrace pages own=9.0 least=1.0 node=9.0 tracer=0.0\n\
             blind bpftrace ERROR: none \n"
        );
        let taken = Taken::read(&text).unwrap();
        assert_eq!(taken.get(Traced::Bpftrace, Operation::Pages).err(), Some("ERROR: none"));
    }

    #[test]
    fn a_loss_is_kept_and_a_whole_run_is_not() {
        let whole = r#"summary {"type":"summary","findings":{},"lost":{},"status":"clean"}"#;
        let lossy = r#"summary {"type":"summary","findings":{},"lost":{"ring":3}}"#;
        let taken = Taken::read(&format!("{NOBODY}{whole}\n{lossy}\n")).unwrap();
        assert_eq!(taken.losses.len(), 1);
        assert!(taken.losses[0].contains("ring"), "{:?}", taken.losses);
    }

    #[test]
    fn a_guest_without_its_baseline_is_an_error() {
        let error = Taken::read("nobody pages error: cannot map memory\n").unwrap_err();
        assert!(error.to_string().contains("cannot map memory"), "{error}");
    }
}
