//! What truant says of a load and what the kernel says of it, compared. Owns what may stand in the
//! way of exactness: a loss that truant names, and a node that is not quiet.

use fastrand::Rng;
use truant_tests::{
    Child, Lines, Ran, Unmet, Watch,
    suite::{say, unmet},
};

use super::site::{Figures, Site};

/// Repeats a run.
const SEED: &str = "TRUANT_SEED";

/// Tries until nothing was lost and the node was quiet, each with a seed of its own and half as
/// much load as the one before: a way that misses charges of interrupts misses fewer then.
const TRIES: u32 = 4;

/// Losses that leave charges out of the books, by which they cannot be exact.
const FATAL: [&str; 5] = ["recursion", "totals_full", "in_flight_full", "unreadable", "ring_full"];

/// A run of truant that ended, and the cgroups whose memory it told.
pub(super) struct Ended {
    pub(super) lines: Lines,
    top: String,
}

impl Ended {
    /// A sum of a cgroup below `all`.
    pub(super) fn since_start(&self, cgroup: &str, sum: &str) -> u64 {
        let row = self.lines.last_charges(&format!("{}/{cgroup}", self.top));
        row["since_start"][sum].as_u64().expect("a number")
    }
}

/// How much of a load is wanted.
#[derive(Clone, Copy)]
pub(super) struct Share {
    halvings: u32,
}

impl Share {
    /// That part of a number.
    pub(super) fn of(self, whole: u64) -> u64 {
        whole >> self.halvings
    }
}

/// Puts a load on cgroups made for it while truant watches, and compares when all is quiet. The
/// processes that `load` gives back wait until then.
pub(super) fn exactly(
    arguments: &[&str],
    load: impl Fn(&Site, &mut Rng, Share) -> Vec<Child>,
    then: impl Fn(&Ended),
) -> Ran {
    let first = match std::env::var(SEED) {
        Ok(seed) => seed
            .parse()
            .map_err(|error: std::num::ParseIntError| Unmet(format!("{SEED}: {error}")))?,
        Err(_) => Rng::new().u64(..1 << 32),
    };
    for halvings in 0..TRIES {
        let watch = Watch::start(arguments);
        let way = watch.traced("charges");
        if way != "fentry" && way != "kprobe" {
            return unmet(format!("charges are not exact by {way}"));
        }
        say(&format!("{SEED}={first}, by {way}, try {} of {TRIES}", halvings + 1));
        let mut rng = Rng::with_seed(first + u64::from(halvings));
        match compared(watch, |site| load(site, &mut rng, Share { halvings }))? {
            Ok(ended) => {
                then(&ended);
                return Ok(());
            }
            Err(why) => say(&format!("that says nothing: {why}")),
        }
    }
    panic!("with {SEED}={first} none of {TRIES} tries could be judged")
}

/// The run, if the books are exact; why they cannot be expected to be, otherwise.
fn compared(
    watch: Watch,
    load: impl FnOnce(&Site) -> Vec<Child>,
) -> Result<Result<Ended, String>, Unmet> {
    let site = Site::new()?;
    let workers = load(&site);
    let before = site.wait_until_quiet();
    let lines = watch.stop();
    let after = site.read();
    drop(workers);
    if let Some(why) = why_inexact(&lines, &before, &after) {
        return Ok(Err(why));
    }
    let wrong = differences(&lines, &after);
    assert!(wrong.is_empty(), "{wrong:#?}; lost: {}", lines.summary()["lost"]);
    Ok(Ok(Ended { lines, top: site.path("all") }))
}

/// Why the books cannot be expected to be exact, if they cannot.
fn why_inexact(lines: &Lines, before: &Figures, after: &Figures) -> Option<String> {
    let lost = FATAL.into_iter().find(|cause| lines.lost(cause) > 0);
    let lost = lost.map(|cause| format!("{} lost by {cause}", lines.lost(cause)));
    lost.or_else(|| (before != after).then(|| format!("not quiet: {before:?}, then {after:?}")))
}

/// What the ledger has otherwise than the kernel.
fn differences(lines: &Lines, kernel: &Figures) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, bytes) in kernel {
        let row = lines.charges(path).last().copied();
        let ledger = row.map_or(0, |row| row["subtree_net_bytes"].as_i64().expect("a number"));
        say(&format!("{path}: {ledger} bytes, the kernel says {bytes}"));
        if ledger != bytes.cast_signed() {
            let pages = (ledger - bytes.cast_signed()) / 4096;
            wrong.push(format!("{path}: {ledger} != {bytes} ({pages:+} pages)"));
        }
    }
    assert!(kernel.values().any(|bytes| *bytes > 0), "the load left nothing to compare");
    wrong
}
