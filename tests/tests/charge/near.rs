//! Where the page counter cannot be hooked: what is summed of statistics, or polled, is near.

use std::{thread::sleep, time::Duration};

use fastrand::Rng;
use truant_tests::{Ran, Watch, suite::unmet, workload::Job};

use super::site::Site;

/// Pages that are held.
const PAGES: u64 = 16384;

pub(super) fn the_ledger_is_near() -> Ran {
    let watch = Watch::start(&["--interval", "200ms", "--guard", "/truant-test-*"]);
    let way = watch.traced("charges");
    if way == "fentry" || way == "kprobe" {
        return unmet(format!("charges are exact by {way}"));
    }
    let site = Site::new()?;
    let held = site.make("all/held");
    // What is polled counts from the first reading.
    sleep(Duration::from_secs(1));
    let mut worker = site.start(Job::Hold(PAGES), &mut Rng::with_seed(1), &held);
    worker.end_work().expect("it works");
    let kernel = site.wait_until_quiet()[&held.path];
    sleep(Duration::from_millis(500));
    let lines = watch.stop();
    let ledger = lines.subtree_net(&held.path);
    let near = ledger.abs_diff(kernel.cast_signed()) <= kernel / 10;
    assert!(near, "by {way}: {ledger} bytes, the kernel says {kernel}");
    assert_eq!(lines.last_charges(&held.path)["polled"], way == "polled");
    Ok(())
}
