//! More moves than anybody makes: each is found, or is counted as lost.

use std::{fs, io::Write as _, thread, time::Instant};

use rustix::process::Signal;
use truant_tests::{Cgroup, Child, Lines, Ran, Unmet, suite::say};

use super::Scene;

/// Moves of each of the two writers.
const MOVES_OF_EACH: u64 = 10_000;

/// The ring's size over that of a record with its head, and then some.
const MORE_THAN_THE_RING_HOLDS: u64 = 46_000;

pub(super) fn many_moves_on_two_cpus() -> Ran {
    let storm = Storm::of_memory()?;
    let watch = storm.scene.watch();
    storm.rage(MOVES_OF_EACH);
    let lines = watch.stop();
    let found = lines.findings("left").len() + lines.findings("came_back").len();
    let (found, lost) = (found as u64, lost(&lines));
    let made = 2 * MOVES_OF_EACH;
    if lost == 0 {
        assert_eq!(found, made, "{}", lines.summary());
        assert_eq!(lines.findings("left").len() as u64, made / 2);
        lines.assert_status(1);
    } else {
        assert_all_counted(&lines, made, 0);
        lines.assert_status(3);
    }
    Ok(())
}

pub(super) fn a_storm_against_a_stopped_reader() -> Ran {
    let storm = Storm::of_memory()?;
    let watch = storm.scene.watch();
    watch.signal(Signal::STOP);
    let forks = forks();
    let start = Instant::now();
    storm.rage(MORE_THAN_THE_RING_HOLDS / 2);
    say(&format!("{:.1} s of moves", start.elapsed().as_secs_f64()));
    let forks = self::forks() - forks;
    watch.signal(Signal::CONT);
    assert!(watch.wait_for(|line| line["type"] == "loss" && line["cause"] == "ring_full"));
    let lines = watch.stop();
    assert!(lines.lost("ring_full") > 0, "{}", lines.summary());
    assert_eq!(lines.summary()["status"], "inconclusive");
    lines.assert_status(3);
    assert_all_counted(&lines, MORE_THAN_THE_RING_HOLDS, forks);
    Ok(())
}

/// Two processes that two writers move.
struct Storm {
    scene: Scene,
    other: Child,
}

impl Storm {
    fn of_memory() -> Result<Self, Unmet> {
        let (scene, other) = (Scene::of_memory()?, Child::start());
        scene.inside.take(other.pid());
        Ok(Self { scene, other })
    }

    /// Moves each out and back in turn, so many times, as fast as it goes.
    fn rage(&self, moves_of_each: u64) {
        let between = [&self.scene.outside, &self.scene.inside];
        thread::scope(|scope| {
            for child in [&self.scene.child, &self.other] {
                scope.spawn(|| back_and_forth(child, between, moves_of_each));
            }
        });
    }
}

/// That every move was seen, or was lost and counted. Whatever else was lost (births and ends of
/// the processes that others started meanwhile) is counted too.
fn assert_all_counted(lines: &Lines, made: u64, forks: u64) {
    let seen = lines.count("moves") + lines.count("unmoved");
    let counted = seen + lost(lines);
    // A process can add a birth, a program and an end.
    let expected = made..=made + 3 * forks;
    assert!(expected.contains(&counted), "{made} made, {seen} seen: {}", lines.summary());
}

fn lost(lines: &Lines) -> u64 {
    lines.lost("ring_full") + lines.lost("in_flight_full")
}

fn back_and_forth(child: &Child, between: [&Cgroup; 2], moves: u64) {
    let mut gates = between.map(Cgroup::gate);
    let pid = child.pid().to_string();
    for round in 0..moves {
        let gate = &mut gates[usize::from(round % 2 == 1)];
        gate.write_all(pid.as_bytes()).expect("a process can be moved");
    }
}

/// How many processes and threads were ever started on this machine.
fn forks() -> u64 {
    let stat = fs::read_to_string("/proc/stat").expect("it is readable");
    let line = stat.lines().find_map(|line| line.strip_prefix("processes "));
    line.and_then(|count| count.parse().ok()).expect("a number")
}
