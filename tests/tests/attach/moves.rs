//! Moves of whole processes by one writer.

use serde_json::Value;
use truant_tests::{
    Child, Ran,
    lines::{number, text},
    suite::unmet,
};

use super::Scene;

pub(super) fn a_process_leaves() -> Ran {
    let scene = Scene::of_memory()?;
    let watch = scene.watch();
    scene.outside.take(scene.child.pid());
    let lines = watch.stop();
    lines.assert_traced("moves");
    let left = lines.finding("left");
    scene.assert_moved(left, &scene.inside, &scene.outside);
    assert_eq!(number(left, "tid"), number(left, "pid"));
    assert_eq!(text(left, "comm"), scene.child.comm());
    assert_eq!(left["whole_process"], true);
    let lost = left["lost_controllers"].as_array().expect("a list");
    assert!(lost.iter().any(|controller| controller == "memory"), "{left:#}");
    assert_eq!(lines.summary()["findings"]["left"], 1);
    lines.assert_status(1);
    Ok(())
}

pub(super) fn a_process_comes_back() -> Ran {
    let scene = Scene::of_memory()?;
    let watch = scene.watch();
    scene.outside.take(scene.child.pid());
    scene.inside.take(scene.child.pid());
    let lines = watch.stop();
    let (left, back) = (lines.findings("left"), lines.findings("came_back"));
    assert_eq!((left.len(), back.len()), (1, 1), "{:#?}", lines.of("finding"));
    scene.assert_moved(left[0], &scene.inside, &scene.outside);
    scene.assert_moved(back[0], &scene.outside, &scene.inside);
    assert!(number(left[0], "at_ns") < number(back[0], "at_ns"));
    assert_eq!(back[0]["lost_controllers"], serde_json::json!([]));
    lines.assert_status(1);
    Ok(())
}

/// What it and the children it has there charge is added to what was said, which is not repeated.
pub(super) fn what_it_charges_outside() -> Ran {
    const OF_EACH: usize = 8 << 20;
    const NEAR: u64 = 256 << 10;
    let mut scene = Scene::of_memory()?;
    let watch = scene.watch();
    if watch.polls() {
        return unmet("polling does not tell processes apart");
    }
    scene.outside.take(scene.child.pid());
    let is_more = |line: &Value| line["type"] == "update";
    scene.child.touch(OF_EACH);
    assert!(watch.wait_for(is_more), "{:#?}", watch.so_far());
    let both = [scene.child.pid(), scene.child.fork(None, OF_EACH)];
    let lines = watch.stop();
    let left = lines.finding("left");
    let updates = lines.of("update");
    let last = *updates.last().expect("there is one");
    assert_eq!(last["finding"], *left, "{last:#}");
    let outside = number(last, "outside_net_bytes");
    assert!(outside >= 2 * OF_EACH as u64, "{updates:#?}");
    // Of all cgroups outside: whoever charges gives back to others what a CPU kept for them.
    let is_outside = |line: &&&Value| line["guarded"] == false;
    let charges = lines.of("charges");
    let rows = charges.iter().filter(is_outside).filter_map(|line| line["by"].as_array()).flatten();
    let rows = rows.filter(|row| both.iter().any(|pid| row["pid"] == *pid));
    let net =
        |row: &Value| number(row, "charged_bytes").wrapping_sub(number(row, "uncharged_bytes"));
    let ledger = rows.map(net).fold(0, u64::wrapping_add);
    assert!(outside.abs_diff(ledger) <= NEAR, "{outside}, but {ledger} in the ledger");
    Ok(())
}

pub(super) fn a_process_moves_on_outside() -> Ran {
    let scene = Scene::of_memory()?;
    let elsewhere = scene.cgroups.make("elsewhere");
    let watch = scene.watch();
    scene.outside.take(scene.child.pid());
    elsewhere.take(scene.child.pid());
    let lines = watch.stop();
    scene.assert_moved(lines.finding("left"), &scene.inside, &scene.outside);
    assert!(lines.count("moves") >= 2, "{}", lines.summary());
    Ok(())
}

pub(super) fn a_move_to_where_it_is() -> Ran {
    let scene = Scene::of_memory()?;
    let watch = scene.watch();
    for _ in 0..10 {
        scene.inside.take(scene.child.pid());
    }
    let lines = watch.stop();
    lines.assert_no_finding();
    assert!(lines.count("unmoved") >= 10, "{}", lines.summary());
    lines.assert_status(0);
    Ok(())
}

pub(super) fn a_move_that_is_refused() -> Ran {
    let scene = Scene::of_memory()?;
    if !scene.cgroups.hierarchy.is_v2() {
        return unmet("v1 lets tasks into every cgroup");
    }
    // It hands controllers down, so it is for no task.
    scene.cgroups.make("full/leaf");
    let full = scene.cgroups.make("full");
    let watch = scene.watch();
    assert!(full.try_take(scene.child.pid()).is_err());
    let lines = watch.stop();
    lines.assert_no_finding();
    lines.assert_status(0);
    Ok(())
}

pub(super) fn names_of_any_bytes() -> Ran {
    let mut scene = Scene::of_memory()?;
    let watch = scene.watch();
    scene.child.rename(b"a\n\x1b[31m\xff\\\x7f");
    scene.outside.take(scene.child.pid());
    let lines = watch.stop();
    assert_eq!(text(lines.finding("left"), "comm"), "a\\x0a\\x1b[31m\\xff\\\\\\x7f");
    Ok(())
}

pub(super) fn a_process_that_ends_right_after() -> Ran {
    let scene = Scene::of_memory()?;
    let watch = scene.watch();
    scene.outside.take(scene.child.pid());
    let Scene { child, inside, outside, cgroups } = scene;
    let pid = child.pid();
    child.quit();
    let lines = watch.stop();
    let left = lines.finding("left");
    assert_eq!(number(left, "pid"), u64::from(pid));
    assert_eq!((text(left, "from"), text(left, "to")), (&*inside.path, &*outside.path));
    drop(cgroups);
    Ok(())
}

/// The write succeeds for a process that is on its way out, and then each one is found, or, where
/// its source is known from before alone and its end came first, is counted.
pub(super) fn processes_that_end_meanwhile() -> Ran {
    let scene = Scene::of_memory()?;
    let watch = scene.watch();
    let mut moved = 0;
    for round in 0..40 {
        let mut child = Child::start();
        scene.inside.take(child.pid());
        child.tell("quit");
        std::thread::sleep(std::time::Duration::from_micros(round * 25));
        moved += u64::from(scene.outside.try_take(child.pid()).is_ok());
    }
    let lines = watch.stop();
    let left = lines.findings("left").len() as u64;
    let unknown = match lines.way("moves") {
        Some("tracepoint") => lines.lost("path_unknown"),
        _ => 0,
    };
    assert_eq!(left + unknown, moved, "{}", lines.summary());
    Ok(())
}
