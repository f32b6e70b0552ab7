//! What a run refuses to begin with: status 2, and a word that says what to do.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::PathBuf,
    process::Command,
};

use truant_tests::{
    Cgroups, Hierarchy, Lines, Ran,
    suite::unmet,
    truant,
    watch::{finished, hooks, output},
};

/// Somebody with no rights.
const NOBODY: u32 = 65534;

pub(super) fn without_root() {
    // Where others may start it, whatever folder it was built in.
    let folder = tempfile::tempdir().expect("a folder can be made");
    let copy = folder.path().join("truant");
    fs::copy(path_of_truant(), &copy).expect("a copy");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("permissions");
    let mut command = Command::new(copy);
    let lines = finished(command.args(["watch", "--for", "100ms"]).uid(NOBODY).gid(NOBODY));
    assert_refused(&lines, &["root", "sudo truant watch"]);
}

/// No mistake: the cgroup may come. But it is said, with what could be meant.
pub(super) fn a_guard_that_matches_nothing() -> Ran {
    let cgroups = Cgroups::new(Hierarchy::memory()?);
    let top = cgroups.path("");
    let arguments = ["watch", "--output", "json", "--for", "100ms", "--hooks", &hooks()];
    let lines = output(arguments.iter().copied().chain(["--guard", "/no/such/cgroup"]));
    lines.assert_status(0);
    for word in ["/no/such/cgroup", "--guard", top.trim_end_matches('/')] {
        assert!(lines.stderr.contains(word), "{word} is missing: {}", lines.stderr);
    }
    Ok(())
}

pub(super) fn types_that_are_none() {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    fs::write(file.path(), b"no types at all").expect("it can be written");
    let path = file.path().to_str().expect("a path in UTF-8");
    let lines = output(["watch", "--for", "100ms", "--btf", path]);
    assert_refused(&lines, &[path, "--btf"]);
    let lines = output(["watch", "--for", "100ms", "--btf", "/no/such/file"]);
    assert_refused(&lines, &["/no/such/file", "--btf"]);
}

pub(super) fn a_way_that_is_refused() -> Ran {
    let mut refused = 0;
    for way in ["fentry", "kprobe", "tracepoint"] {
        let lines = output(["watch", "--output", "json", "--for", "100ms", "--hooks", way]);
        if lines.of("header").is_empty() {
            refused += 1;
            assert_refused(&lines, &["cgroup_attach_task", "truant doctor"]);
        } else {
            assert_eq!(lines.way("moves"), Some(way), "no other way is taken");
        }
    }
    if refused == 0 { unmet("this kernel refuses no way of tracing moves") } else { Ok(()) }
}

pub(super) fn values_that_make_no_sense() {
    for (arguments, word) in [
        (["--interval", "1ms"], "at least 100 ms"),
        (["--interval", "soon"], "30s"),
        (["--for", "0s"], "30s"),
        (["--for", "1 parsec"], "30s"),
        (["--guard", ""], "names no cgroup"),
        (["--guard", "/a//b"], "two slashes"),
        (["--guard", "../a"], "no cgroup's name"),
        (["--hooks", "magic"], "tracepoint"),
        (["--output", "xml"], "json"),
    ] {
        let lines = output(["watch"].iter().chain(&arguments));
        assert_refused(&lines, &[arguments[0], word]);
    }
    assert_refused(&output(["wach"]), &["watch"]);
}

/// That it could not run, and says each of these words.
pub(super) fn assert_refused(lines: &Lines, words: &[&str]) {
    assert_eq!(lines.status, Some(2), "{}", lines.stderr);
    assert!(lines.lines.is_empty(), "stdout is data: {:?}", lines.lines);
    for word in words {
        assert!(lines.stderr.contains(word), "{word:?} is missing: {}", lines.stderr);
    }
}

fn path_of_truant() -> PathBuf {
    let program = truant().get_program().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path);
    let mut places = folders.map(|folder| folder.join(&program)).filter(|place| place.is_file());
    places.next().unwrap_or_else(|| program.into())
}
