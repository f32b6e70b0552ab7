//! Recordings: whole, broken off, broken, and none.

use std::{fs, io::Write as _, path::Path, thread, time::Duration};

use truant_tests::{
    Cgroup, Cgroups, Child, Hierarchy, Lines, Mount, Ran, Unmet, Watch,
    lines::text,
    watch::{hooks, output},
};

use super::refusals::assert_refused;

pub(super) fn recordings_that_are_none() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let absent = folder.path().join("absent");
    let broken = folder.path().join("broken");
    fs::write(&broken, b"this was never a recording").expect("it can be written");
    let empty = folder.path().join("empty");
    fs::write(&empty, b"").expect("it can be written");
    for file in [&absent, &broken, &empty] {
        let lines = replay(file);
        assert_refused(&lines, &[file.to_str().expect("a path in UTF-8")]);
    }
}

pub(super) fn a_file_that_is_there() {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    fs::write(file.path(), b"precious").expect("it can be written");
    let path = file.path().to_str().expect("a path in UTF-8");
    let lines = output(["record", path, "--for", "100ms"]);
    assert_refused(&lines, &[path, "exists already"]);
    assert_eq!(fs::read(file.path()).expect("it is there"), b"precious");
}

pub(super) fn a_replay_says_the_same() -> Ran {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("recording");
    let mut scene = Scene::new()?;
    let watch = scene.record(&file);
    scene.outside.take(scene.child.pid());
    scene.child.touch(8 << 20);
    scene.inside.take(scene.child.pid());
    let live = watch.stop();
    assert_eq!(live.findings("left").len(), 1);
    let replayed = replay(&file);
    assert_eq!(replayed.status, live.status, "{}", replayed.stderr);
    assert_eq!(replayed.lines.len(), live.lines.len());
    for (replayed, live) in replayed.lines.iter().zip(&live.lines) {
        assert_eq!(replayed, live);
    }
    Ok(())
}

/// Whole intervals are kept, whatever happens to the recorder.
pub(super) fn a_recorder_that_was_killed() -> Ran {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("recording");
    let scene = Scene::new()?;
    let mut watch = scene.record(&file);
    scene.outside.take(scene.child.pid());
    let found = watch.wait_for(|line| line["type"] == "finding");
    assert!(found, "the move is found while it runs");
    // A few intervals, so that one ends after it.
    thread::sleep(Duration::from_secs(1));
    watch.kill();
    let replayed = replay(&file);
    assert_eq!(text(replayed.finding("left"), "to"), scene.outside.path);
    assert_eq!(replayed.summary()["status"], "inconclusive");
    assert_eq!(replayed.status, Some(3), "{}", replayed.stderr);
    assert!(!replayed.stderr.is_empty(), "it is said that the recording ends early");
    Ok(())
}

/// What is seen live goes on, and the run says in the end that its copy is not whole.
pub(super) fn a_full_disk() -> Ran {
    const ROUNDS: u64 = 1500;
    let disk = Mount::tmpfs("256k")?;
    let file = disk.path().join("recording");
    let scene = Scene::new()?;
    let watch = scene.record(&file);
    scene.outside.take(scene.child.pid());
    assert!(watch.wait_for(|line| line["type"] == "finding"), "the move is found");
    // A few intervals, so that the disk has one that ended after it.
    thread::sleep(Duration::from_secs(1));
    fill(disk.path());
    for _ in 0..ROUNDS {
        scene.inside.take(scene.child.pid());
        scene.outside.take(scene.child.pid());
    }
    let lines = watch.stop();
    assert_eq!(lines.status, Some(2), "{}", lines.stderr);
    for word in ["could not be written", "can be replayed", file.to_str().expect("UTF-8")] {
        assert!(lines.stderr.contains(word), "{word:?} is missing: {}", lines.stderr);
    }
    let found = lines.findings("left").len() as u64;
    assert!(found + lines.lost("ring_full") > ROUNDS, "it goes on: {}", lines.summary());
    let replayed = replay(&file);
    assert_eq!(replayed.status, Some(3), "{}", replayed.stderr);
    assert_eq!(replayed.summary()["status"], "inconclusive");
    assert!(!replayed.findings("left").is_empty(), "what was written is there");
    Ok(())
}

/// Leaves no room on a disk but in pages that files have already.
fn fill(disk: &Path) {
    let mut ballast = fs::File::create(disk.join("ballast")).expect("a file can be made");
    while ballast.write_all(&[1; 4096]).is_ok() {}
}

struct Scene {
    child: Child,
    inside: Cgroup,
    outside: Cgroup,
    cgroups: Cgroups,
}

impl Scene {
    fn new() -> Result<Self, Unmet> {
        let cgroups = Cgroups::new(Hierarchy::memory()?);
        let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside"));
        let child = Child::start();
        inside.take(child.pid());
        Ok(Self { child, inside, outside, cgroups })
    }

    fn record(&self, file: &Path) -> Watch {
        let file = file.to_str().expect("a path in UTF-8");
        let guard = self.cgroups.path("guarded");
        let mut command = truant_tests::truant();
        command.args(["--log", "info", "record", file, "--output", "json"]);
        Watch::run(command.args(["--hooks", &hooks(), "--guard", &guard, "--interval", "200ms"]))
    }
}

fn replay(file: &Path) -> Lines {
    let file = file.to_str().expect("a path in UTF-8");
    output(["replay", file, "watch", "--output", "json"])
}
