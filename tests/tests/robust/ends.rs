//! How a run ends, and what it leaves.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
    thread,
    time::Duration,
};

use rustix::process::Signal;
use truant_tests::{
    Cgroups, Child, Hierarchy, Ran, Watch, truant,
    watch::{hooks, output},
};

pub(super) fn an_interrupt_ends_with_a_summary() -> Ran {
    ends_with_a_summary(Signal::INT)
}

pub(super) fn a_termination_ends_with_a_summary() -> Ran {
    ends_with_a_summary(Signal::TERM)
}

pub(super) fn a_hangup_ends_with_a_summary() -> Ran {
    ends_with_a_summary(Signal::HUP)
}

fn ends_with_a_summary(signal: Signal) -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    cgroups.make("guarded");
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    watch.signal(signal);
    let lines = watch.wait();
    assert_eq!(lines.lines.last().expect("lines")["type"], "summary");
    assert_eq!(lines.lines.first().expect("lines")["type"], "header");
    assert_eq!(lines.summary()["findings"], serde_json::json!({}));
    lines.assert_status(0);
    Ok(())
}

pub(super) fn the_time_is_over() {
    let lines = output(["watch", "--output", "json", "--for", "300ms", "--hooks", &hooks()]);
    assert_eq!(lines.lines.last().expect("lines")["type"], "summary");
    lines.assert_status(0);
}

pub(super) fn a_closed_pipe_ends_quietly() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let mut child = Child::start();
    cgroups.make("guarded/pod").take(child.pid());
    let mut process = truant()
        .args(["watch", "--output", "json", "--interval", "100ms", "--hooks", &hooks()])
        .args(["--guard", &cgroups.path("guarded")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("truant starts");
    let mut stdout = BufReader::new(process.stdout.take().expect("a pipe"));
    let mut header = String::new();
    stdout.read_line(&mut header).expect("it prints a header");
    assert!(header.contains("\"header\""), "{header}");
    drop(stdout);
    for _ in 0..600 {
        // Whatever is charged in an interval is a line.
        child.touch(1 << 20);
        if process.try_wait().expect("it can be waited for").is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let _ = process.kill();
    let status = process.wait().expect("it can be waited for");
    let mut stderr = String::new();
    process.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("ERROR") && !stderr.contains("panicked"), "{stderr}");
    Ok(())
}
