//! `sched_process_exec`: a process goes by the name of the program it runs now.

use std::{os::unix::fs::symlink, process::ExitCode};

use truant_tests::{
    Case, Cgroups, Child, Hierarchy, Ran, Watch, case,
    lines::{number, text},
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("exec::a_finding_shows_the_new_name", a_finding_shows_the_new_name),
    case("exec::charges_show_the_new_name", charges_show_the_new_name),
];

fn a_finding_shows_the_new_name() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
    let mut child = Child::start();
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    become_another(&mut child, "another-name");
    outside.take(child.pid());
    let lines = watch.stop();
    lines.assert_traced("processes");
    let left = lines.finding("left");
    assert_eq!(number(left, "pid"), u64::from(child.pid()));
    assert_eq!(text(left, "comm"), "another-name");
    Ok(())
}

fn charges_show_the_new_name() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let inside = cgroups.make("guarded/pod");
    let mut child = Child::start();
    inside.take(child.pid());
    let watch = Watch::start(&["--guard", &cgroups.path("guarded")]);
    become_another(&mut child, "hungry");
    child.touch(8 << 20);
    let lines = watch.stop();
    if lines.way("charges") == Some("polled") {
        return truant_tests::suite::unmet("polling knows no process");
    }
    let rows = lines.charges(&inside.path);
    let charged = |name: &str| {
        let by = rows.iter().flat_map(|row| row["by"].as_array().expect("a list"));
        let by = by.filter(|process| process["comm"] == name);
        by.map(|process| number(process, "charged_bytes")).sum::<u64>()
    };
    assert!(charged("hungry") >= 8 << 20, "{rows:#?}");
    Ok(())
}

/// Execs under another name.
fn become_another(child: &mut Child, name: &str) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join(name);
    symlink(std::env::current_exe().expect("the binary has a path"), &path).expect("a link");
    child.exec(&path);
}
