//! The figures in time, on this machine's own kernel: charges by the tracepoints of the memory
//! statistics, the way that is left where the page counter cannot be hooked. Blocks without a
//! tracer and under each take turns, so that what else the machine does falls on all alike.

use std::{fs, path::PathBuf, process::Command, thread::sleep, time::Duration};

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use super::{Binaries, bpftrace, load::Figures, table, tracer::Tracer};
use crate::sh;

/// What truant may add to a page by the tracepoints, in percent.
const TARGET: f64 = 15.0;

const CAPTION: &str = "\
    CPU time of the loading process for each 4 KiB page that it touches and unmaps, on the kernel \
    of this machine, with no hook but the tracepoints of the memory statistics: the quickest of \
    all rounds (128 pages each), untraced and traced in turn, since other work on a machine only \
    ever adds. bpftrace sums the same tracepoints by cgroup, process and item.";

/// Pages in a round, half a MiB, and rounds in a block: half a second. The quickest of many short
/// rounds was hit by nothing else, which on a shared machine most are.
const PAGES: &str = "128";
const ROUNDS: &str = "1000";

/// What the tracers show of the load: its name, cut by the kernel.
const LOAD: &str = "truant-bench-lo";

/// Runs the section, prints its table, and names the target if it was missed.
pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<Vec<String>> {
    let turns = if quick { 5 } else { 20 };
    let memory = memory_root()?;
    let (mut nobody, mut truant, mut bpftrace) = (Vec::new(), Vec::new(), Vec::new());
    let mut why_not = None;
    eprintln!("bench: the tracepoint way on this machine");
    for _ in 0..turns {
        nobody.push(load(binaries, &memory)?);
        match traced(binaries, &memory, &mut truant_command(binaries), "\"header\"", check_way) {
            Ok(figures) => truant.push(figures),
            Err(error) => bail!("truant by tracepoints: {error:#}"),
        }
        if why_not.is_none() {
            match traced(binaries, &memory, &mut bpftrace_command(), "Attaching", |_| Ok(())) {
                Ok(figures) => bpftrace.push(figures),
                Err(error) => why_not = Some(format!("{error:#}")),
            }
        }
    }
    let sh = sh::at_root()?;
    let kernel = cmd!(sh, "uname -r").quiet().read()?;
    let base = least(&nobody);
    let mut row = vec![kernel, nanoseconds(base)];
    for blocks in [&truant, &bpftrace] {
        row.extend([nanoseconds(least(blocks)), percent(added(base, least(blocks)))]);
    }
    let columns = ["kernel", "untraced", "truant", "added", "bpftrace", "added"];
    table::print("Memory, by tracepoints", CAPTION, &columns, &[row]);
    if let Some(why) = why_not {
        println!("\nNo bpftrace: {why}.");
    }
    let more = added(base, least(&truant)).unwrap_or(f64::INFINITY);
    Ok((more > TARGET)
        .then(|| format!("pages by tracepoints: {more:+.1} % where {TARGET} % is allowed"))
        .into_iter()
        .collect())
}

fn truant_command(binaries: &Binaries) -> Command {
    let mut command = Command::new(&binaries.truant);
    command.args(["watch", "--output", "json", "--hooks", "tracepoint"]);
    command
}

/// bpftrace in a mount namespace of its own, where it finds the tracepoints' formats.
fn bpftrace_command() -> Command {
    let mut command = Command::new("unshare");
    let script = "mount -t tracefs tracefs /sys/kernel/tracing && \
        { mount -t debugfs debugfs /sys/kernel/debug || true; } && exec bpftrace -e \"$0\"";
    command.args(["-m", "sh", "-c", script, bpftrace::STATE_ONE_LINER]);
    command
}

/// The load under a tracer that saw it.
fn traced(
    binaries: &Binaries,
    memory: &PathBuf,
    command: &mut Command,
    word: &str,
    check: impl Fn(&str) -> Result<()>,
) -> Result<f64> {
    let tracer = Tracer::start(command, word)?;
    check(&tracer.said()?)?;
    // bpftrace says that it attaches before it has.
    sleep(Duration::from_millis(500));
    let figures = load(binaries, memory)?;
    let said = tracer.end()?;
    if !said.contains(LOAD) {
        bail!("it did not see the load; it said: {}", said.trim());
    }
    Ok(figures)
}

/// truant falls back further where there are no such tracepoints; that is not what is measured.
fn check_way(said: &str) -> Result<()> {
    if !said.contains("\"need\":\"charges\",\"way\":\"tracepoint\"") {
        bail!("this kernel has no tracepoints of memory statistics (since 6.15)");
    }
    Ok(())
}

fn load(binaries: &Binaries, memory: &PathBuf) -> Result<f64> {
    let output = Command::new(&binaries.load)
        .arg("pages")
        .arg(memory)
        .args([PAGES, ROUNDS])
        .output()
        .context("cannot start the load")?;
    Ok(Figures::parse(String::from_utf8_lossy(&output.stdout).trim())?.least)
}

/// Where the memory controller's hierarchy is mounted.
fn memory_root() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let find = |kind: &str, option: &str| {
        mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find_map(
            |words| match *words {
                [_, path, fs, options, ..] if fs == kind => {
                    (options.split(',').any(|is| is == option) || option.is_empty())
                        .then(|| PathBuf::from(path))
                }
                _ => None,
            },
        )
    };
    find("cgroup", "memory")
        .or_else(|| find("cgroup2", ""))
        .context("no hierarchy with the memory controller is mounted")
}

fn least(blocks: &[f64]) -> Option<f64> {
    blocks.iter().copied().min_by(f64::total_cmp)
}

fn added(without: Option<f64>, with: Option<f64>) -> Option<f64> {
    Some((with? / without? - 1.0) * 100.0)
}

fn nanoseconds(figure: Option<f64>) -> String {
    figure.map_or("–".to_owned(), |figure| format!("{figure:.0} ns"))
}

fn percent(figure: Option<f64>) -> String {
    figure.map_or("–".to_owned(), |figure| format!("{figure:+.1} %"))
}
