//! Cgroups for a load, and the file systems it writes to.

use std::{cell::RefCell, collections::BTreeMap, thread, time::Duration};

use fastrand::Rng;
use truant_tests::{
    Cgroup, Cgroups, Child, Hierarchy, Mount, Unmet,
    workload::{Job, Place},
};

/// Bytes that the kernel says each cgroup holds, by its path.
pub(super) type Figures = BTreeMap<String, u64>;

/// What a load works on.
pub(super) struct Site {
    cgroups: Cgroups,
    tmpfs: Mount,
    ramfs: Mount,
    made: RefCell<BTreeMap<String, Cgroup>>,
}

impl Site {
    pub(super) fn new() -> Result<Self, Unmet> {
        let site = Self {
            cgroups: Cgroups::new(Hierarchy::memory()?),
            tmpfs: Mount::tmpfs("1g")?,
            ramfs: Mount::ramfs()?,
            made: RefCell::default(),
        };
        site.make("all");
        Ok(site)
    }

    /// Makes a cgroup, which will be compared, as those above it that were made so.
    pub(super) fn make(&self, path: &str) -> Cgroup {
        let cgroup = self.cgroups.make(path);
        self.made.borrow_mut().insert(path.to_owned(), cgroup.clone());
        cgroup
    }

    /// The path of a cgroup.
    pub(super) fn path(&self, below: &str) -> String {
        self.cgroups.path(below)
    }

    /// Starts a process that works in `cgroup`.
    pub(super) fn start(&self, job: Job, rng: &mut Rng, cgroup: &Cgroup) -> Child {
        let place = Place {
            cgroup: cgroup.dir.clone(),
            tmpfs: self.tmpfs.path().to_owned(),
            ramfs: self.ramfs.path().to_owned(),
        };
        let mut child = Child::start();
        child.start_work(job, rng.u64(..), &place);
        child
    }

    /// Waits until the kernel has done what it does later, such as freeing removed cgroups.
    pub(super) fn wait_until_quiet(&self) -> Figures {
        let mut last = self.read();
        let mut same = 0;
        for _ in 0..200 {
            thread::sleep(Duration::from_millis(150));
            let now = self.read();
            same = if now == last { same + 1 } else { 0 };
            last = now;
            if same >= 5 {
                break;
            }
        }
        last
    }

    /// As the kernel has it now.
    pub(super) fn read(&self) -> Figures {
        let made = self.made.borrow();
        made.values().map(|cgroup| (cgroup.path.clone(), cgroup.memory())).collect()
    }
}
