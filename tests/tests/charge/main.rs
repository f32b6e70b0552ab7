//! The page counter: `memory.current` is the very counter that truant hooks, so after any load the
//! ledger and the kernel's own figures are equal to the page, or truant is wrong.

mod books;
mod near;
mod site;

use std::{process::ExitCode, thread, time::Duration};

use fastrand::Rng;
use truant_tests::{Case, Cgroup, Child, Ran, case, workload::Job};

use self::{
    books::{Share, exactly},
    site::Site,
};

const CASES: &[Case] = &[
    case("charge::every_page_is_in_the_books", every_page_is_in_the_books),
    case("charge::a_cgroup_at_its_limit_fails_to_charge", a_cgroup_at_its_limit_fails_to_charge),
    case("charge::totals_stand_when_the_table_is_full", totals_stand_when_the_table_is_full),
    case("charge::without_page_counters_charges_are_near", near::the_ledger_is_near),
];

/// More processes than there are slots and rows of the table for.
const SWARM: u64 = 8300;

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

/// Three processes with a mixed load move between three cgroups, and beside them hundreds of
/// cgroups come and go.
fn every_page_is_in_the_books() -> Ran {
    exactly(&["--interval", "500ms"], mixed_load, |_| {})
}

fn mixed_load(site: &Site, rng: &mut Rng, share: Share) -> Vec<Child> {
    let leaves = ["all/a/1", "all/a/2", "all/b"].map(|path| site.make(path));
    leaves.iter().for_each(take_charges_along);
    let (home, _) = (site.make("all/home"), site.make("all/churn"));
    let mut workers: Vec<_> =
        leaves.iter().map(|leaf| site.start(Job::Mixed(share.of(40)), rng, leaf)).collect();
    workers.push(site.start(Job::Churn(share.of(250)), rng, &home));
    for _ in 0..share.of(30) {
        let (worker, leaf) = (rng.usize(..leaves.len()), rng.usize(..leaves.len()));
        leaves[leaf].take(workers[worker].pid());
        thread::sleep(Duration::from_millis(rng.u64(1..60)));
    }
    for worker in &mut workers {
        worker.end_work().expect("it works");
    }
    workers.remove(0).quit();
    workers
}

fn a_cgroup_at_its_limit_fails_to_charge() -> Ran {
    exactly(&["--interval", "500ms"], load_above_limits, |ended| {
        for (charged, limited) in [("tight/inner", "tight"), ("leaf", "leaf")] {
            let failures = ended.since_start(charged, "failures");
            let hits = ended.since_start(limited, "limit_hits");
            assert!(failures > 0, "{charged} never failed to charge");
            assert_eq!(failures, hits, "{limited} refused all that {charged} failed to charge");
        }
    })
}

fn load_above_limits(site: &Site, rng: &mut Rng, share: Share) -> Vec<Child> {
    let (tight, inner) = (site.make("all/tight"), site.make("all/tight/inner"));
    let leaf = site.make("all/leaf");
    tight.limit_memory(4 << 20);
    leaf.limit_memory(2 << 20);
    for (cgroup, pages) in [(&inner, 4096), (&leaf, 1024)] {
        let mut worker = site.start(Job::File(pages), rng, cgroup);
        worker.end_work().expect_err("a process above its limit is killed");
    }
    let mut beside = site.start(Job::Mixed(share.of(10)), rng, &site.make("all/beside"));
    beside.end_work().expect("it works");
    vec![beside]
}

fn totals_stand_when_the_table_is_full() -> Ran {
    let swarm = |site: &Site, rng: &mut Rng, _: Share| {
        let mut worker = site.start(Job::Swarm(SWARM), rng, &site.make("all/swarm"));
        worker.end_work().expect("it works");
        vec![worker]
    };
    // One interval, so that the rows of all processes are there together.
    exactly(&["--interval", "1h"], swarm, |ended| {
        assert!(ended.lines.lost("processes_full") > 0, "the table was not full");
        ended.lines.assert_status(3);
    })
}

/// Lets v1 carry a task's charges along when it moves.
fn take_charges_along(cgroup: &Cgroup) {
    if cgroup.dir.join("memory.move_charge_at_immigrate").exists() {
        cgroup.set("memory.move_charge_at_immigrate", "3");
    }
}
