//! A load on cgroups made for it, and the comparison of what truant and the kernel say of them.
//! Owns what may stand in the way of exactness: a loss that truant names, and a node that is not
//! quiet.

use std::{cell::RefCell, collections::BTreeMap, thread, time::Duration};

use fastrand::Rng;
use truant_tests::{
    Cgroup, Cgroups, Child, Hierarchy, Lines, Mount, Ran, Unmet, Watch,
    suite::{say, unmet},
    workload::{Job, Place},
};

/// Repeats a run.
const SEED: &str = "TRUANT_SEED";

/// Seeds tried until nothing was lost and the node was quiet. Each puts half as much load on the
/// node as the one before: a way that misses charges of interrupts misses fewer then.
const SEEDS: u32 = 4;

/// Losses that leave charges out of the books, by which they cannot be exact.
const FATAL: [&str; 5] = ["recursion", "totals_full", "in_flight_full", "unreadable", "ring_full"];

/// Bytes that the kernel says each cgroup holds, by its path.
type Figures = BTreeMap<String, u64>;

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
        Ok(seed) => seed.parse().map_err(|_| Unmet(format!("{SEED} is no number")))?,
        Err(_) => Rng::new().u64(..1 << 32),
    };
    for halvings in 0..SEEDS {
        let seed = first + u64::from(halvings);
        let watch = Watch::start(arguments);
        let way = watch.traced("charges");
        if way != "fentry" && way != "kprobe" {
            return unmet(format!("charges are not exact by {way}"));
        }
        say(&format!("{SEED}={seed}, by {way}"));
        let site = Site::new()?;
        let workers = load(&site, &mut Rng::with_seed(seed), Share { halvings });
        let before = site.wait_until_quiet();
        let lines = watch.stop();
        let after = site.read();
        drop(workers);
        if let Some(why) = why_inexact(&lines, &before, &after) {
            say(&format!("{SEED}={seed} says nothing: {why}"));
            continue;
        }
        let wrong = differences(&lines, &after);
        if !wrong.is_empty() && way == "kprobe" && !counts_misses() {
            say(&format!("{SEED}={seed} says nothing: misses are not counted here: {wrong:?}"));
            continue;
        }
        assert!(wrong.is_empty(), "{wrong:#?}; lost: {}", lines.summary()["lost"]);
        then(&Ended { lines, top: site.cgroups.path("all") });
        return Ok(());
    }
    panic!("none of {SEEDS} seeds from {first} could be judged")
}

/// Why the books cannot be expected to be exact, if they cannot.
fn why_inexact(lines: &Lines, before: &Figures, after: &Figures) -> Option<String> {
    let lost = FATAL.into_iter().find(|cause| lines.lost(cause) > 0);
    let lost = lost.map(|cause| format!("{} lost by {cause}", lines.lost(cause)));
    lost.or_else(|| (before != after).then(|| format!("not quiet: {before:?}, then {after:?}")))
}

/// Whether the kernel says how many kprobes it skipped, which it does since 6.7.
fn counts_misses() -> bool {
    let uname = rustix::system::uname();
    let mut parts = uname.release().to_str().unwrap_or_default().split(['.', '-']);
    let mut number = || parts.next()?.parse::<u32>().ok();
    number().zip(number()) >= Some((6, 7))
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

/// What a load works on.
pub(super) struct Site {
    cgroups: Cgroups,
    tmpfs: Mount,
    ramfs: Mount,
    made: RefCell<BTreeMap<String, Cgroup>>,
}

impl Site {
    pub(super) fn new() -> Result<Self, Unmet> {
        let site = Self {
            cgroups: Cgroups::new(Hierarchy::memory()?),
            tmpfs: Mount::tmpfs("1g")?,
            ramfs: Mount::ramfs()?,
            made: RefCell::default(),
        };
        site.make("all");
        Ok(site)
    }

    /// Makes a cgroup, which will be compared, as those above it that were made so.
    pub(super) fn make(&self, path: &str) -> Cgroup {
        let cgroup = self.cgroups.make(path);
        self.made.borrow_mut().insert(path.to_owned(), cgroup.clone());
        cgroup
    }

    /// Starts a process that works in `cgroup`.
    pub(super) fn start(&self, job: Job, rng: &mut Rng, cgroup: &Cgroup) -> Child {
        let place = Place {
            cgroup: cgroup.dir.clone(),
            tmpfs: self.tmpfs.path().to_owned(),
            ramfs: self.ramfs.path().to_owned(),
        };
        let mut child = Child::start();
        child.start_work(job, rng.u64(..), &place);
        child
    }

    /// Waits until the kernel has done what it does later, such as freeing removed cgroups.
    pub(super) fn wait_until_quiet(&self) -> Figures {
        let mut last = self.read();
        let mut same = 0;
        for _ in 0..200 {
            thread::sleep(Duration::from_millis(150));
            let now = self.read();
            same = if now == last { same + 1 } else { 0 };
            last = now;
            if same >= 5 {
                break;
            }
        }
        last
    }

    fn read(&self) -> Figures {
        let made = self.made.borrow();
        made.values().map(|cgroup| (cgroup.path.clone(), cgroup.memory())).collect()
    }
}
