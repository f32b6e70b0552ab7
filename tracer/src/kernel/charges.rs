//! Charges out of the kernel's tables, exactly once each.
//!
//! Owns the epoch. The programs write under the current one; to read, it is flipped, the CPUs are
//! waited for, and then the old rows are taken out, which nobody writes any more.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Array, HashMap, IterableMap as _, Map, MapData, MapError, PerCpuArray, PerCpuValues},
};
use truant_core::input::ChargeDelta;
use truant_ebpf::{
    Control, RECENT_PROGRAMS, RECENT_SERIAL, ROW_CGROUP, Recent, Row, SLOT_KEY, SLOT_TAKERS, Slot,
    Slots, Sum, Word, charge_key, recent, slots_of_epoch, split_charge_key,
};

type Table = HashMap<MapData, u64, Row>;

/// The tables of charges.
pub(crate) struct Charges {
    slots: Array<MapData, Slots>,
    rows: Table,
    overflow: Table,
    recent: PerCpuArray<MapData, Recent>,
    control: Array<MapData, Control>,
    epoch: u64,
    page_bytes: u64,
}

impl Charges {
    /// Takes the tables out of the loaded object.
    ///
    /// # Errors
    /// If the object has no such tables.
    pub(crate) fn take(ebpf: &mut Ebpf) -> Result<Self> {
        Ok(Self {
            slots: take(ebpf, "SLOTS")?,
            rows: take(ebpf, "CHARGES")?,
            overflow: take(ebpf, "OVERFLOW")?,
            recent: take(ebpf, "RECENT")?,
            control: take(ebpf, ".bss")?,
            epoch: 0,
            page_bytes: rustix::param::page_size() as u64,
        })
    }

    /// All charges since the last call, in bytes: each cgroup's sum, then its processes.
    ///
    /// # Errors
    /// If the kernel fails to read its own tables.
    pub(crate) fn drain(&mut self) -> Result<Vec<ChargeDelta>> {
        let old = self.epoch;
        self.epoch = old ^ 1;
        // A word that a program writes meanwhile is lost, and learnt again.
        let mut words = self.control.get(&0, 0).context("cannot read the epoch")?;
        words[Word::Epoch as usize] = self.epoch;
        self.control.set(0, words, 0).context("cannot flip the epoch")?;
        wait_for_programs();
        let mut rows = take_rows(&mut self.rows, old)?;
        take_slots(&mut self.slots, old, &mut rows)?;
        take_recent(&mut self.recent, old, &mut rows)?;
        let mut cgroups: BTreeMap<u64, Cgroup> = BTreeMap::new();
        for (key, row) in rows {
            let cgroup = cgroups.entry(row[ROW_CGROUP]).or_default();
            cgroup.add(&row);
            cgroup.processes.push((split_charge_key(key).0, row));
        }
        for row in take_rows(&mut self.overflow, old)?.values() {
            cgroups.entry(row[ROW_CGROUP]).or_default().add(row);
        }
        let mut deltas = Vec::new();
        for (id, mut cgroup) in cgroups {
            deltas.push(self.delta(id, None, &cgroup.sums));
            cgroup.processes.sort_unstable_by_key(|(pid, _)| *pid);
            deltas.extend(
                cgroup.processes.iter().map(|(pid, sums)| self.delta(id, Some(*pid), sums)),
            );
        }
        Ok(deltas)
    }

    fn delta(&self, cgroup: u64, pid: Option<u32>, sums: &Row) -> ChargeDelta {
        ChargeDelta {
            cgroup,
            pid,
            charged: sums[Sum::Charged as usize] * self.page_bytes,
            uncharged: sums[Sum::Uncharged as usize] * self.page_bytes,
            failures: sums[Sum::Failures as usize],
            limit_hits: sums[Sum::LimitHits as usize],
        }
    }
}

#[derive(Default)]
struct Cgroup {
    sums: Row,
    processes: Vec<(u32, Row)>,
}

impl Cgroup {
    fn add(&mut self, sums: &Row) {
        add_sums(&mut self.sums, sums);
    }
}

fn take<T: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &str) -> Result<T> {
    let map = ebpf.take_map(name).with_context(|| format!("the object has no map {name}"))?;
    T::try_from(map).with_context(|| format!("the map {name} has another form"))
}

/// Takes the rows of an epoch out of a table, by key. Keys first: taking out a row while walking
/// would start the walk anew.
fn take_rows(table: &mut Table, epoch: u64) -> Result<BTreeMap<u64, Row>> {
    let keys: Vec<u64> = table
        .keys()
        .filter(|key| key.as_ref().map_or(true, |key| split_charge_key(*key).1 == epoch))
        .collect::<Result<_, _>>()
        .with_context(|| format!("cannot walk {:?}", table.map()))?;
    let mut rows = BTreeMap::new();
    for key in keys {
        let row = table.get(&key, 0).context("cannot read a row of charges")?;
        table.remove(&key).context("cannot take out a row of charges")?;
        rows.insert(key, row);
    }
    Ok(rows)
}

/// Takes the rows of an epoch that have slots, and adds them to `rows`. A row that nobody took a
/// slot for is of a program that was not waited for, where [`wait_for_programs`] cannot.
fn take_slots(
    table: &mut Array<MapData, Slots>,
    epoch: u64,
    rows: &mut BTreeMap<u64, Row>,
) -> Result<()> {
    for index in slots_of_epoch(epoch) {
        let slots = table.get(&index, 0).context("cannot read the slots of charges")?;
        slots.iter().filter(|slot| slot[SLOT_KEY] != 0).for_each(|slot| {
            add(rows, slot[SLOT_KEY], slot);
        });
        if slots.iter().any(|slot| slot[SLOT_KEY] != 0 || slot[SLOT_TAKERS] != 0) {
            let none = [Slot::default(); size_of::<Slots>() / size_of::<Slot>()];
            table.set(index, none, 0).context("cannot empty the slots of charges")?;
        }
    }
    Ok(())
}

/// Adds a row's numbers to `rows`.
fn add(rows: &mut BTreeMap<u64, Row>, key: u64, numbers: &[u64]) {
    let row = rows.entry(key).or_default();
    row[ROW_CGROUP] = numbers[ROW_CGROUP];
    add_sums(row, numbers);
}

/// Adds the sums alone: what follows them in a row is no amount.
fn add_sums(row: &mut Row, numbers: &[u64]) {
    for (sum, more) in row[..ROW_CGROUP].iter_mut().zip(numbers) {
        *sum += more;
    }
}

/// Takes the rows of an epoch that are not in the table yet, and adds them to `rows`.
fn take_recent(
    table: &mut PerCpuArray<MapData, Recent>,
    epoch: u64,
    rows: &mut BTreeMap<u64, Row>,
) -> Result<()> {
    for program in 0..RECENT_PROGRAMS {
        let index = recent(program, epoch);
        let values = table.get(&index, 0).context("cannot read the recent charges")?;
        let in_use = values.iter().filter(|value| value[RECENT_SERIAL] != 0);
        let mut is_empty = true;
        for [numbers @ .., serial, pid] in in_use {
            is_empty = false;
            let key = charge_key(*serial, u32::try_from(*pid)?, epoch);
            add(rows, key, numbers);
        }
        if !is_empty {
            let none = PerCpuValues::try_from(vec![Recent::default(); values.len()])?;
            table.set(index, none, 0).context("cannot take out the recent charges")?;
        }
    }
    Ok(())
}

/// Returns when every program that may have read the old epoch is done. A program runs inside an
/// RCU read section, and this call waits for all of them (`synchronize_rcu` in
/// `kernel/sched/membarrier.c`). Kernels with `nohz_full` CPUs refuse it; a program runs for
/// microseconds, so a pause of a thousand times that stands in.
fn wait_for_programs() {
    use rustix::thread::{MembarrierCommand, membarrier};
    if membarrier(MembarrierCommand::Global).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use truant_ebpf::slot_of;

    use super::*;

    /// The keys of rows of cgroups and processes that are made at even distances.
    fn keys(serials: u64, pids: u32, epoch: u64) -> impl Iterator<Item = u64> {
        (0..1000).map(move |at| charge_key(500 + serials * u64::from(at), 2000 + pids * at, epoch))
    }

    #[test]
    fn rows_at_even_distances_are_spread_over_the_slots() {
        // By chance it would be 887.
        for (serials, pids) in (0..=40).flat_map(|serials| (0..12).map(move |pids| (serials, pids)))
        {
            if (serials, pids) == (0, 0) {
                continue;
            }
            let slots: BTreeSet<_> = keys(serials, pids, 0).map(slot_of).collect();
            assert!(slots.len() > 700, "{} of 1,000 at {serials} and {pids}", slots.len());
        }
    }

    #[test]
    fn a_slot_is_among_those_of_its_epoch() {
        for epoch in [0, 1] {
            for key in keys(10, 1, epoch) {
                let (slots, at) = slot_of(key);
                assert!(slots_of_epoch(epoch).contains(&slots), "{slots} in epoch {epoch}");
                assert!(at < size_of::<Slots>() / size_of::<Slot>(), "{at}");
            }
        }
        assert_eq!(slots_of_epoch(0).end, slots_of_epoch(1).start);
    }

    #[test]
    fn a_row_in_two_places_is_one() {
        let mut rows = BTreeMap::new();
        add(&mut rows, 7, &[1, 2, 0, 0, 11]);
        add(&mut rows, 7, &[3, 4, 5, 0, 11, 7, 0xffff, 1]);
        assert_eq!(rows, BTreeMap::from([(7, [4, 6, 5, 0, 11])]));
    }
}
