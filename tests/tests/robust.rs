//! What can go wrong around the hooks: a clear word, and the right status.

use std::process::ExitCode;

use truant_tests::{Case, Cgroups, Child, Hierarchy, Ran, Watch, case, watch::output};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("robust::wrong_arguments_say_what_to_do", wrong_arguments_say_what_to_do),
    case("robust::a_replay_says_what_the_live_run_said", a_replay_says_what_the_live_run_said),
    case("robust::an_unknown_guard_names_the_roots", an_unknown_guard_names_the_roots),
];

#[expect(clippy::unnecessary_wraps, reason = "a case has this form")]
fn wrong_arguments_say_what_to_do() -> Ran {
    for (arguments, part) in [
        (["watch", "--for", "x"], "30s"),
        (["watch", "--interval", "1ms"], "at least 100 ms"),
        (["watch", "--guard", ""], "--guard"),
        (["watch", "--btf", "/nonexistent"], "/nonexistent"),
        (["replay", "/nonexistent", "watch"], "/nonexistent"),
        (["replay", "/proc/self/exe", "watch"], "is not a recording"),
    ] {
        let lines = output(arguments);
        lines.assert_status(2);
        assert!(lines.stderr.contains(part), "{arguments:?}: {}", lines.stderr);
    }
    Ok(())
}

fn a_replay_says_what_the_live_run_said() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
    let child = Child::start();
    inside.take(child.pid());
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("run.truant").display().to_string();
    let watch = Watch::start_verb(&["record", &file], &["--guard", &cgroups.path("guarded")]);
    outside.take(child.pid());
    let live = watch.stop();
    let replayed = output(["replay", &file, "watch", "--output", "json"]);
    assert_eq!(live.lines, replayed.lines);
    assert_eq!(live.status, replayed.status);
    live.assert_status(1);
    Ok(())
}

fn an_unknown_guard_names_the_roots() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let _root = cgroups.make("a");
    let watch = Watch::start(&["--guard", "/no-such-root"]);
    let lines = watch.stop();
    assert!(lines.stderr.contains("no cgroup matches --guard /no-such-root"), "{}", lines.stderr);
    assert!(lines.stderr.contains("/truant-test-"), "{}", lines.stderr);
    Ok(())
}
