//! Random lives of cgroups: the ledger's sums are those of a model too simple to be wrong.

use std::collections::BTreeMap;

use proptest::prelude::*;
use truant_core::{
    Engine,
    ids::{BootTime, CgroupKey, HierarchyId},
    input::{ChargeDelta, Input},
    report::{LedgerRow, Report, Sums, Verdict},
};

use crate::scenario::v2;

const AT: BootTime = BootTime(1);

/// A step; the first number chooses among all cgroups there ever were.
#[derive(Clone, Copy, Debug)]
enum Act {
    Make(usize),
    Remove(usize),
    Release(usize),
    Charge(usize, u32, u64, u64),
    Tick,
}

fn act() -> impl Strategy<Value = Act> {
    let charge = (any::<usize>(), 1_u32..9, 0_u64..1000, 0_u64..1000);
    prop_oneof![
        4 => any::<usize>().prop_map(Act::Make),
        2 => any::<usize>().prop_map(Act::Remove),
        2 => any::<usize>().prop_map(Act::Release),
        8 => charge.prop_map(|(which, pid, plus, minus)| Act::Charge(which, pid, plus, minus)),
        3 => Just(Act::Tick),
    ]
}

/// A cgroup with all it was ever charged. None is ever forgotten.
#[derive(Debug, Default)]
struct Cgroup {
    parent: usize,
    net: i64,
    interval: Sums,
    by: BTreeMap<u32, Sums>,
    removed: bool,
    /// The tick before which it was released.
    released: Option<u64>,
}

/// The index is the id; the root is 0.
#[derive(Debug)]
struct Model {
    cgroups: Vec<Cgroup>,
    ticks: u64,
}

impl Model {
    /// The input that a step comes to, if it can happen in the kernel.
    fn apply(&mut self, act: Act) -> Option<Input> {
        let count = self.cgroups.len();
        let key = |id: usize| CgroupKey { hierarchy: HierarchyId::V2, id: id as u64 };
        match act {
            Act::Make(parent) => {
                let parent = parent % count;
                if self.cgroups[parent].removed {
                    return None;
                }
                self.cgroups.push(Cgroup { parent, ..Cgroup::default() });
                let name = format!("c{count}").into_bytes().into();
                let parent = Some(parent as u64);
                Some(Input::CgroupMade { at: Some(AT), key: key(count), parent, name })
            }
            Act::Remove(id) => {
                let id = id % count;
                let busy = self.children(id).any(|child| !child.removed);
                if id == 0 || busy || self.cgroups[id].removed {
                    return None;
                }
                self.cgroups[id].removed = true;
                Some(Input::CgroupRemoved { at: AT, key: key(id) })
            }
            Act::Release(id) => {
                let id = id % count;
                let busy = self.children(id).any(|child| child.released.is_none());
                let ticks = self.ticks;
                let cgroup = &mut self.cgroups[id];
                if busy || !cgroup.removed || cgroup.released.is_some() {
                    return None;
                }
                cgroup.released = Some(ticks);
                Some(Input::CgroupReleased { at: AT, key: key(id) })
            }
            Act::Charge(id, pid, charged, uncharged) => {
                self.charge(id % count, pid, Sums { charged, uncharged, ..Sums::default() })
            }
            Act::Tick => Some(Input::IntervalEnded { at: AT }),
        }
    }

    /// Charges are read in bulk: they may come in the interval after the release.
    fn charge(&mut self, id: usize, pid: u32, sums: Sums) -> Option<Input> {
        let ticks = self.ticks;
        let cgroup = &mut self.cgroups[id];
        if cgroup.released.is_some_and(|released| released + 1 < ticks) {
            return None;
        }
        cgroup.net += sums.net();
        for sum in [&mut cgroup.interval, cgroup.by.entry(pid).or_default()] {
            sum.charged += sums.charged;
            sum.uncharged += sums.uncharged;
        }
        let Sums { charged, uncharged, .. } = sums;
        let cgroup = id as u64;
        let whole = ChargeDelta { cgroup, charged, uncharged, ..ChargeDelta::default() };
        Some(Input::Charges(vec![whole, ChargeDelta { pid: Some(pid), ..whole }]))
    }

    fn children(&self, id: usize) -> impl Iterator<Item = &Cgroup> {
        self.cgroups
            .iter()
            .enumerate()
            .filter(move |(at, cgroup)| *at != 0 && cgroup.parent == id)
            .map(|(_, cgroup)| cgroup)
    }

    /// The members of a subtree, found the slow way.
    fn below(&self, root: usize) -> impl Iterator<Item = &Cgroup> {
        let inside = move |mut at: usize| {
            while at != root && at != 0 {
                at = self.cgroups[at].parent;
            }
            at == root
        };
        self.cgroups.iter().enumerate().filter(move |(at, _)| inside(*at)).map(|(_, cgroup)| cgroup)
    }

    /// Compares the ledger with all that is known, and begins another interval.
    fn end_interval(&mut self, rows: &[LedgerRow]) {
        let rows: BTreeMap<_, _> =
            rows.iter().map(|row| (row.place.key.expect("a key").id, row)).collect();
        for id in 0..self.cgroups.len() {
            let changed = self.below(id).any(|cgroup| cgroup.interval != Sums::default());
            let row = rows.get(&(id as u64));
            assert_eq!(row.is_some(), changed, "a row for {id}");
            if let Some(row) = row {
                self.compare(id, row);
            }
        }
        for cgroup in &mut self.cgroups {
            cgroup.interval = Sums::default();
            cgroup.by.clear();
        }
        self.ticks += 1;
    }

    fn compare(&self, id: usize, row: &LedgerRow) {
        let cgroup = &self.cgroups[id];
        assert!(row.place.path.is_some(), "a path for {id}");
        assert_eq!(row.removed, cgroup.removed, "{id}");
        assert_eq!(row.interval, cgroup.interval, "the interval of {id}");
        assert_eq!(row.subtree_net, self.below(id).map(|cgroup| cgroup.net).sum::<i64>(), "{id}");
        let by: BTreeMap<_, _> =
            row.by.iter().map(|row| (row.pid.expect("no rest"), row.interval)).collect();
        let wanted = cgroup.by.iter().filter(|(_, sums)| **sums != Sums::default());
        assert_eq!(by, wanted.map(|(pid, sums)| (*pid, *sums)).collect(), "the processes of {id}");
    }
}

proptest! {
    #[test]
    fn sums_are_exact_through_any_life_of_cgroups(
        acts in proptest::collection::vec(act(), 0..300)
    ) {
        let (mut engine, mut out) = (Engine::new(), Vec::new());
        let mut model = Model { cgroups: vec![Cgroup::default()], ticks: 0 };
        let key = CgroupKey { hierarchy: HierarchyId::V2, id: 0 };
        engine.feed(Input::Started(Box::new(v2())), &mut out);
        let root = Input::CgroupMade { at: None, key, parent: None, name: Box::default() };
        engine.feed(root, &mut out);
        out.clear();
        for act in acts.into_iter().chain([Act::Tick]) {
            let Some(input) = model.apply(act) else { continue };
            engine.feed(input, &mut out);
            match out.pop() {
                Some(Report::Charges(ledger)) => model.end_interval(&ledger.rows),
                other => prop_assert_eq!(other, None),
            }
        }
        engine.feed(Input::Ended { at: AT }, &mut out);
        let Some(Report::Summary(summary)) = out.pop() else {
            return Err(TestCaseError::fail("no summary"));
        };
        prop_assert_eq!(summary.verdict, Verdict::Clean);
    }
}
