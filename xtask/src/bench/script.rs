//! The shell script that one guest runs: every load without a tracer, then under each, in one boot.
//! Owns the script and the reading of what it prints.

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

    /// Operations in a round, and rounds. A round takes a few milliseconds of the guest's time, so
    /// that most rounds end between two looks of the tracer's own process.
    fn size(self, quick: bool) -> (u32, u32) {
        let (count, rounds) = match self {
            Self::Pages => (2048, 200),
            Self::Forks => (40, 150),
            Self::Moves => (200, 150),
        };
        (count, if quick { rounds / 4 } else { rounds })
    }
}

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

/// Waits until a tracer is attached, or is no more; ends it in good order; and says whether it saw
/// the load, so that what did not trace is no figure.
const FUNCTIONS: &str = r#"
load() {
    truant-bench-load $2 /sys/fs/cgroup $3 $4 | sed "s/^/$1 /"
}
ready() {
    until grep -q "$2" $3 2>/dev/null; do
        kill -0 $1 2>/dev/null || return 1
        usleep 20000
    done
}
end() {
    kill -INT $2
    wait $2
    if grep -q truant-bench-lo /tmp/$1; then
        echo "saw $1"
    else
        echo "blind $1 $(tail -n 3 /tmp/$1 | tr '\n' ' ')"
    fi
}
"#;

/// The script. `one_liner` is bpftrace's program, whose kprobe the kernel lists as `function`.
pub(super) fn script(one_liner: &str, function: &str, quick: bool) -> String {
    let loads = |traced: Traced, operations: &[Operation]| {
        let line = |operation: &Operation| {
            let (count, rounds) = operation.size(quick);
            format!("load {} {} {count} {rounds}\n", traced.name(), operation.name())
        };
        operations.iter().map(line).collect::<String>()
    };
    let nobody = loads(Traced::Nobody, &Operation::ALL);
    let truant = loads(Traced::Truant, &Operation::ALL);
    let bpftrace = loads(Traced::Bpftrace, &[Operation::Pages]);
    // What a kernel does in its first seconds would be in the first figures.
    let (pages, rounds) = Operation::Pages.size(quick);
    format!(
        "{FUNCTIONS}sleep 5\nload warm pages {pages} {rounds} >/dev/null\n{nobody}\
         truant watch --output json >/tmp/truant 2>&1 &\n\
         ready $! '\"header\"' /tmp/truant\n\
         grep '\"header\"' /tmp/truant | sed 's/^/header /'\n\
         {truant}end truant $!\n\
         bpftrace -e '{one_liner}' >/tmp/bpftrace 2>&1 &\n\
         ready $! '{function}' /sys/kernel/debug/kprobes/list\n\
         {bpftrace}end bpftrace $!\n"
    )
}

/// What a guest's script printed.
#[derive(Debug, Default)]
pub(super) struct Taken {
    figures: BTreeMap<(Traced, Operation), Figures>,
    /// Why there are no figures under a tracer.
    blind: BTreeMap<Traced, String>,
    /// truant's first line.
    pub(super) header: String,
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
                Some(("header", header)) => header.clone_into(&mut taken.header),
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

    /// The figures, or why there are none.
    pub(super) fn get(&self, traced: Traced, operation: Operation) -> Result<Figures, &str> {
        if let Some(why) = self.blind.get(&traced) {
            return Err(why);
        }
        self.figures.get(&(traced, operation)).copied().ok_or("not measured")
    }

    fn take(&mut self, who: &str, rest: &str) -> Result<()> {
        let traced = Traced::ALL.into_iter().find(|traced| traced.name() == who);
        let named = |operation: &Operation| rest.starts_with(operation.name());
        let operation = Operation::ALL.into_iter().find(named);
        if let (Some(traced), Some(operation)) = (traced, operation) {
            self.figures.insert((traced, operation), Figures::parse(rest)?);
        }
        Ok(())
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

    const NOBODY: &str = "nobody pages median=10.0 mean=11.0 min=9.0\n\
        nobody forks median=20.0 mean=21.0 min=19.0\n\
        nobody moves median=30.0 mean=31.0 min=29.0\n";

    #[test]
    fn figures_are_taken_by_who_traced_and_what_ran() {
        let text = format!("{NOBODY}header {{}}\ntruant pages median=12.0 mean=13.0 min=9.0\n");
        let taken = Taken::read(&text).unwrap();
        let pages = taken.get(Traced::Truant, Operation::Pages).unwrap();
        assert!((pages.median - 12.0).abs() < 1e-9);
        assert_eq!(taken.get(Traced::Bpftrace, Operation::Pages), Err("not measured"));
        assert_eq!(taken.header, "{}");
    }

    #[test]
    fn a_tracer_that_saw_nothing_has_no_figures() {
        let text = format!(
            "{NOBODY}bpftrace pages median=10.0 mean=13.0 min=9.0\nblind bpftrace ERROR: none \n"
        );
        let taken = Taken::read(&text).unwrap();
        assert_eq!(taken.get(Traced::Bpftrace, Operation::Pages), Err("ERROR: none"));
    }

    #[test]
    fn a_guest_without_its_baseline_is_an_error() {
        let error = Taken::read("nobody pages error: cannot map memory\n").unwrap_err();
        assert!(error.to_string().contains("cannot map memory"), "{error}");
    }
}
