//! The start, the memory and the size, on this machine.

use std::{fs, process::Command, thread::sleep, time::Duration};

use anyhow::Result;

use super::{Binaries, table, tracer::Tracer};

const START_TARGET: Duration = Duration::from_millis(500);
const MEMORY_TARGET_KIB: u64 = 30 << 10;
const SIZE_TARGET: u64 = 10 << 20;

const CAPTION: &str = "\
    On this machine: release, statically linked, watching all cgroups of the node.";

/// Starts of which the slowest is shown.
const STARTS: usize = 5;

/// Runs the section, prints its table, and names the targets that were missed.
pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<Vec<String>> {
    let watched = Duration::from_secs(if quick { 5 } else { 60 });
    eprintln!("bench: start and memory, {} s", watched.as_secs());
    let (starts, resident, peak) = measure(binaries, watched)?;
    let (middle, slowest) = (starts[STARTS / 2], starts[STARTS - 1]);
    let size = fs::metadata(&binaries.truant)?.len();
    let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    let rows = [
        row([
            "from exec to everything attached",
            &format!("{} ms, of {STARTS} at most {} ms", middle.as_millis(), slowest.as_millis()),
            "500 ms",
        ]),
        row([
            &format!("resident memory after {} s", watched.as_secs()),
            &format!(
                "{}, at its peak {}",
                table::mebibytes(resident << 10),
                table::mebibytes(peak << 10)
            ),
            "30.0 MiB",
        ]),
        row(["release binary, static", &table::mebibytes(size), "10.0 MiB"]),
    ];
    table::print("Start, memory and size", CAPTION, &["", "measured", "at most"], &rows);
    let missed = [
        (slowest > START_TARGET, format!("a start took {} ms", slowest.as_millis())),
        (resident > MEMORY_TARGET_KIB, format!("{resident} KiB are resident")),
        (size > SIZE_TARGET, format!("the binary has {size} bytes")),
    ];
    Ok(missed.into_iter().filter_map(|(is_missed, what)| is_missed.then_some(what)).collect())
}

/// How long each start took, shortest first; then what is resident after it has watched for so
/// long, and what was at its peak, in KiB.
fn measure(binaries: &Binaries, watched: Duration) -> Result<(Vec<Duration>, u64, u64)> {
    let mut command = Command::new(&binaries.truant);
    command.args(["watch", "--output", "json"]);
    let mut starts = Vec::new();
    for _ in 1..STARTS {
        let tracer = Tracer::start(&mut command, "\"header\"")?;
        starts.push(tracer.started_in);
        tracer.end()?;
    }
    let tracer = Tracer::start(&mut command, "\"header\"")?;
    starts.push(tracer.started_in);
    sleep(watched);
    let (resident, peak) = (tracer.memory_kib("VmRSS")?, tracer.memory_kib("VmHWM")?);
    tracer.end()?;
    starts.sort_unstable();
    Ok((starts, resident, peak))
}
