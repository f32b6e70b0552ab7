//! The first look at a busy node, on this machine: how long it takes, and the memory of an audit
//! there, beside the same files read and thrown away. Owns the node's size and the targets.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{getpriority_process, setpriority_process};

use super::{
    Binaries,
    load::Spread,
    table,
    usage::{self, Ran},
};

/// What the node has besides what this machine has anyhow: cgroups, which the hierarchies share out
/// evenly, as each container has one in every hierarchy; and processes.
const CGROUPS: usize = 5_000;
const PROCESSES: usize = 20_000;

/// How long the first look may take, in milliseconds.
const TARGET: f64 = 2_000.0;

/// What the audit's process may hold at its peak, in KiB: it keeps every cgroup, every process and
/// its namespaces, and what it read of them for the moment of judging.
const MEMORY_TARGET_KIB: u64 = 64 << 10;

/// The priority of all that is measured, the baselines too: other work on the machine comes after.
const FIRST: i32 = -20;

/// Where the cgroup file systems are mounted.
const MOUNTS: &str = "/sys/fs/cgroup";

/// Runs the section, prints its table, and names the targets that were missed.
pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<Vec<String>> {
    let turns = if quick { 3 } else { 7 };
    eprintln!("bench: a node of {CGROUPS} cgroups and {PROCESSES} processes is made");
    let node = Node::start(&binaries.node)?;
    eprintln!("bench: the first look at it");
    let usual = getpriority_process(None)?;
    setpriority_process(None, FIRST).context("cannot go before other work")?;
    let (mut bare, mut ps, mut audits) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..turns {
        bare.push(read_bare()?);
        ps.push(usage::run(Command::new("ps").args(["-eo", "pid,cgroup"]))?);
        audits.push(Audit::run(&binaries.truant)?);
    }
    setpriority_process(None, usual)?;
    node.end()?;
    let peak = audits.iter().map(|audit| audit.ran.peak_kib).max().unwrap_or_default();
    let looks = spread(audits.iter().map(|audit| audit.look));
    print(&audits, looks, &bare, &ps, peak);
    let missed = [
        (looks.middle > TARGET, format!("the first look took {:.0} ms", looks.middle)),
        (peak > MEMORY_TARGET_KIB, format!("an audit had {peak} KiB at its peak")),
    ];
    Ok(missed.into_iter().filter_map(|(is_missed, what)| is_missed.then_some(what)).collect())
}

fn print(audits: &[Audit], looks: Spread, bare: &[Duration], ps: &[Ran], peak: u64) {
    let caption = format!(
        "On this machine, with {PROCESSES} processes and {CGROUPS} cgroups more, {} in each of its \
         {} hierarchies, most of them those of pods. Median of the turns, in brackets the least \
         and the most; all take turns. Bare: one thread lists the same directories, opens and \
         reads `cgroup` and `stat` of each process, and throws all away. All run before other \
         work on the machine (nice -20). CPU time is that of the whole process.",
        in_each(),
        hierarchies().len()
    );
    let of =
        |rans: &[&Ran], pick: fn(&Ran) -> Duration| text(spread(rans.iter().map(|ran| pick(ran))));
    let whole: Vec<_> = audits.iter().map(|audit| &audit.ran).collect();
    let ps: Vec<_> = ps.iter().collect();
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let rows = [
        row(["the first look", &text(looks), "", &format!("{TARGET:.0} ms")]),
        row(["the same files, read bare", &text(spread(bare.iter().copied())), "", ""]),
        row(["`ps -eo pid,cgroup`", &of(&ps, |ran| ran.wall), &of(&ps, |ran| ran.cpu), ""]),
        row(["`truant audit`", &of(&whole, |ran| ran.wall), &of(&whole, |ran| ran.cpu), ""]),
        row([
            "its memory at its peak",
            &table::mebibytes(peak << 10),
            "",
            &table::mebibytes(MEMORY_TARGET_KIB << 10),
        ]),
    ];
    let columns = ["", "measured", "CPU time", "at most"];
    table::print("The first look at a busy node", &caption, &columns, &rows);
}

/// An audit of the node.
struct Audit {
    look: Duration,
    ran: Ran,
}

impl Audit {
    fn run(truant: &Path) -> Result<Self> {
        let ran = usage::run(Command::new(truant).args(["--log", "debug", "audit"]))?;
        let line = ran.stderr.lines().find(|line| line.contains("looked at "));
        let numbers = line.and_then(numbers).with_context(|| {
            format!("the audit does not say how long it looked: {}", ran.stderr.trim())
        })?;
        let [cgroups, for_cgroups, processes, for_processes] = numbers;
        if cgroups < CGROUPS || processes < PROCESSES {
            bail!("the audit saw {cgroups} cgroups and {processes} processes");
        }
        let look = Duration::from_millis((for_cgroups + for_processes) as u64);
        Ok(Self { look, ran })
    }
}

/// Of `looked at 1 cgroups in 2 ms, at 3 processes in 4 ms`.
fn numbers(line: &str) -> Option<[usize; 4]> {
    let words = line.split_once("looked at ")?.1.split_whitespace();
    let numbers: Vec<_> = words.filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().ok()
}

/// Reads what the first look has to read at the least.
fn read_bare() -> Result<Duration> {
    let start = Instant::now();
    let mut pending = hierarchies();
    while let Some(dir) = pending.pop() {
        // One that is gone by now is not there to be looked into.
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        let dirs = entries.flatten().filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir()));
        pending.extend(dirs.map(|entry| entry.path()));
    }
    for entry in fs::read_dir("/proc")?.flatten() {
        if entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            for file in ["cgroup", "stat"] {
                let _ = std::hint::black_box(fs::read(entry.path().join(file)));
            }
        }
    }
    Ok(start.elapsed())
}

/// The cgroups in each hierarchy.
fn in_each() -> usize {
    CGROUPS.div_ceil(hierarchies().len().max(1))
}

/// Where the hierarchies are mounted.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let is_cgroup = matches!(words.get(2), Some(&"cgroup" | &"cgroup2"));
        words.get(1).filter(|at| is_cgroup && at.starts_with(MOUNTS)).map(PathBuf::from)
    });
    points.collect()
}

/// The node, as long as it is wanted: it goes when its input ends, however that comes about.
struct Node {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<std::process::ChildStdout>,
}

impl Node {
    fn start(program: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .args([in_each(), PROCESSES].map(|count| count.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the node")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("the node has no output")?);
        let mut node = Self { child, input, output };
        let word = node.word()?;
        if word.starts_with("ready ") { Ok(node) } else { bail!("the node said {word:?}") }
    }

    /// Has everything removed.
    fn end(mut self) -> Result<()> {
        drop(self.input.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { bail!("the node was not removed: {}", self.word()?) }
    }

    fn word(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // After an end in good order there is nothing left to wait for.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

fn spread(times: impl Iterator<Item = Duration>) -> Spread {
    let none = Spread { least: 0.0, middle: 0.0, most: 0.0 };
    Spread::of(times.map(|time| time.as_secs_f64() * 1e3)).unwrap_or(none)
}

fn text(Spread { least, middle, most }: Spread) -> String {
    let [least, middle, most] = [least, middle, most].map(table::whole);
    format!("{middle} ms ({least} to {most})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_audit_says_of_its_look_is_read() {
        let line = "[DEBUG truant] looked at 50040 cgroups in 120 ms, at 20100 processes in 640 ms";
        assert_eq!(numbers(line), Some([50_040, 120, 20_100, 640]));
        assert_eq!(numbers("looked at nothing in 3 ms"), None);
        assert_eq!(numbers("nothing"), None);
    }

    #[test]
    fn bare_reads_see_this_machine() {
        assert!(read_bare().unwrap() > Duration::ZERO);
    }
}
