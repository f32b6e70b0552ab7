//! The story: what happens to a container's processes, step by step, and what truant should say of
//! each. Owns the sizes and the pace; truant itself is not known here.

use std::time::Duration;

use anyhow::Result;

use super::{
    LIMIT_MIB,
    check::Expected,
    interrupt::Interrupt,
    node::{Cgroups, Node, Place, enter},
    say,
    task::Task,
};

/// What the process holds while it is in the container.
const INSIDE_MIB: usize = 24;
/// What it takes once it is out: more than the limit that it left.
const OUTSIDE_MIB: usize = 96;
/// What the child takes.
const CHILD_MIB: usize = 16;

/// Time for the ledger to show a step.
const STEP: Duration = Duration::from_millis(1300);

/// The container and its two processes. They end when this is dropped.
pub(super) struct Story<'a> {
    node: &'a Node,
    interrupt: &'a Interrupt,
    inside: Place,
    outside: Place,
    init: Task,
    hog: Task,
    expected: Vec<Expected>,
}

impl<'a> Story<'a> {
    /// Starts the processes, and has them in the container.
    pub(super) fn begin(
        node: &'a Node,
        cgroups: &Cgroups,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let (inside, outside) = (cgroups.inside(), cgroups.outside());
        let (init, hog) = (Task::start("inner-init")?, Task::start("hog")?);
        for task in [&init, &hog] {
            enter(&inside.all, task.pid())?;
        }
        let (init_pid, hog_pid) = (init.pid(), hog.pid());
        say(&format!(
            "a container, limit {LIMIT_MIB} MiB: inner-init is {init_pid}, hog {hog_pid}"
        ))?;
        let expected = Vec::new();
        Ok(Self { node, interrupt, inside, outside, init, hog, expected })
    }

    /// Lets it happen, and gives what truant should say of it.
    pub(super) fn tell(mut self) -> Result<Vec<Expected>> {
        self.stay()?;
        self.leave()?;
        self.bear()?;
        self.come_back()?;
        Ok(self.expected)
    }

    fn stay(&mut self) -> Result<()> {
        say(&format!("hog takes {INSIDE_MIB} MiB inside"))?;
        self.hog.grow(INSIDE_MIB)?;
        self.expect_charges(self.hog.pid(), self.inside.path.clone(), INSIDE_MIB);
        self.interrupt.pause(STEP)
    }

    fn leave(&mut self) -> Result<()> {
        say(&format!("inner-init moves hog out, and hog takes {OUTSIDE_MIB} MiB more"))?;
        self.init.move_task(self.hog.pid(), &self.outside.all)?;
        self.expect_move("left", &self.inside.path.clone(), &self.outside.path.clone());
        self.hog.grow(OUTSIDE_MIB)?;
        self.expect_charges(self.hog.pid(), self.outside.path.clone(), OUTSIDE_MIB);
        self.interrupt.pause(STEP)
    }

    fn bear(&mut self) -> Result<()> {
        let Some(v2) = self.node.v2() else {
            say("nobody is born outside: that takes cgroup2, which is not mounted here")?;
            return Ok(());
        };
        say(&format!("a child of inner-init is born outside, and takes {CHILD_MIB} MiB"))?;
        let folder = v2.join(self.outside.path.trim_start_matches('/'));
        let child = self.init.bear(&folder, CHILD_MIB)?;
        self.expected.push(Expected::Finding {
            kind: "born_outside",
            pid: child,
            from: self.inside.path.clone(),
            to: self.outside.path.clone(),
            by: self.init.pid(),
            hierarchies: 1,
        });
        // In a v1 hierarchy a child is born where its parent is, and that one counts its memory.
        let payer = if self.node.v2_counts_memory() { &self.outside } else { &self.inside };
        self.expect_charges(child, payer.path.clone(), CHILD_MIB);
        self.interrupt.pause(STEP)
    }

    fn come_back(&mut self) -> Result<()> {
        say("inner-init moves hog back in")?;
        self.init.move_task(self.hog.pid(), &self.inside.all)?;
        self.expect_move("came_back", &self.outside.path.clone(), &self.inside.path.clone());
        self.interrupt.pause(STEP)
    }

    fn expect_move(&mut self, kind: &'static str, from: &str, to: &str) {
        self.expected.push(Expected::Finding {
            kind,
            pid: self.hog.pid(),
            from: from.to_owned(),
            to: to.to_owned(),
            by: self.init.pid(),
            hierarchies: self.inside.all.len(),
        });
    }

    fn expect_charges(&mut self, pid: u32, cgroup: String, mib: usize) {
        self.expected.push(Expected::Charges { pid, cgroup, mib });
    }
}
