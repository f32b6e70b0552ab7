//! What a run that is killed leaves: nothing.

use std::{collections::BTreeSet, fs, thread, time::Duration};

use truant_tests::Watch;

pub(super) fn nothing_stays() {
    let before = loaded();
    let mut watch = Watch::start(&[]);
    let during: BTreeSet<_> = loaded().difference(&before).copied().collect();
    assert!(during.len() > 2, "a run has programs and maps: {during:?}");
    watch.kill();
    // The kernel frees them a little later.
    for _ in 0..100 {
        if loaded().is_disjoint(&during) {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let left: Vec<_> = loaded().intersection(&during).copied().collect();
    assert!(left.is_empty(), "still loaded: {left:?}");
    for tracefs in ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] {
        let events = fs::read_to_string(format!("{tracefs}/kprobe_events")).unwrap_or_default();
        assert!(!events.contains("cgroup_attach_task"), "still there: {events}");
    }
}

/// The numbers of all eBPF programs and maps in the kernel.
fn loaded() -> BTreeSet<(&'static str, u32)> {
    let programs = aya::programs::loaded_programs().flatten();
    let maps = aya::maps::loaded_maps().flatten();
    let programs = programs.map(|program| ("program", program.id()));
    programs.chain(maps.map(|map| ("map", map.id()))).collect()
}
