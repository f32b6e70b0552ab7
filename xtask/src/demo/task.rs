//! The processes of the demo: this program again, under another name and told what to do over its
//! stdin. Owns both ends of that conversation, a line each way.

use std::{
    env,
    ffi::CString,
    fs,
    hint::black_box,
    io::{BufRead as _, BufReader, Write as _, stdin, stdout},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::{birth, node};

/// One of the demo's own processes
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name to go by
    name: String,
}

/// A process of the demo, from outside. Ends when dropped.
pub(super) struct Task {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Task {
    /// Starts a process of that name, which does nothing yet.
    pub(super) fn start(name: &str) -> Result<Self> {
        let program = env::current_exe().context("cannot find this program")?;
        let mut child = Command::new(program)
            .args(["demo-task", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let orders = orders.context("a process without stdin")?;
        let answers = BufReader::new(answers.context("a process without stdout")?);
        let mut task = Self { child, orders, answers };
        task.tell("name")?;
        Ok(task)
    }

    /// The process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes memory and keeps it.
    pub(super) fn grow(&mut self, mib: usize) -> Result<()> {
        self.tell(&format!("grow {mib}")).map(|_| ())
    }

    /// Moves a process into cgroups.
    pub(super) fn move_task(&mut self, pid: u32, folders: &[PathBuf]) -> Result<()> {
        for folder in folders {
            self.tell(&format!("move {pid} {}", folder.display()))?;
        }
        Ok(())
    }

    /// Has a child born in a cgroup, which takes memory and keeps it.
    pub(super) fn bear(&mut self, folder: &Path, mib: usize) -> Result<u32> {
        let answer = self.tell(&format!("bear {mib} {}", folder.display()))?;
        answer.parse().with_context(|| format!("{answer:?} is no process"))
    }

    /// Gives an order, waits until it is done, and gives the answer.
    fn tell(&mut self, order: &str) -> Result<String> {
        let mut answer = String::new();
        let told = writeln!(self.orders, "{order}");
        told.and_then(|()| self.answers.read_line(&mut answer)).context("a process is gone")?;
        match answer.trim_end_matches('\n').split_once(' ') {
            Some(("done", rest)) => Ok(rest.to_owned()),
            Some(("failed", why)) => bail!("{order}: {why}"),
            _ => bail!("a process ended at `{order}`"),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the verb: the inside of a process.
pub(crate) fn run(args: &Args) -> Result<()> {
    // Nothing of the demo survives it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_name(&CString::new(args.name.as_str())?)?;
    let mut held = Vec::new();
    for order in stdin().lines() {
        let answer = match obey(&order?, &mut held) {
            Ok(answer) => format!("done {answer}\n"),
            Err(error) => format!("failed {error:#}\n"),
        };
        stdout().write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn obey(order: &str, held: &mut Vec<Vec<u8>>) -> Result<String> {
    let words: Vec<_> = order.splitn(3, ' ').collect();
    match words[..] {
        ["name"] => {}
        ["grow", mib] => held.push(memory(mib.parse()?)),
        ["move", pid, folder] => node::enter(&[folder.into()], pid.parse()?)?,
        ["bear", mib, folder] => {
            let mib = mib.parse()?;
            let folder = fs::File::open(folder)?;
            return Ok(birth::bear(&folder, || live(mib))?.to_string());
        }
        _ => bail!("no such order"),
    }
    Ok(String::new())
}

/// The life of a child: it takes memory, and holds it until its parent is gone.
fn live(mib: usize) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let _held = memory(mib);
    loop {
        std::thread::park();
    }
}

/// Memory that was written to, so that it is there.
fn memory(mib: usize) -> Vec<u8> {
    black_box(vec![1; mib << 20])
}
