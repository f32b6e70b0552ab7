//! What the programs could not do, as they counted it, and what the kernel skipped.

use std::{fs, os::fd::RawFd};

use anyhow::{Context as _, Result};
use aya::maps::{MapData, PerCpuArray};
use truant_core::input::{Input, LossCause, Need};
use truant_ebpf::{ALL_COUNTERS, COUNTERS, Counter};

use super::{Tracer, load::Attached};

/// The counters, and what they said last.
pub(crate) struct Losses {
    counts: PerCpuArray<MapData, u64>,
    programs: Vec<Attached>,
    /// Whether skipped charges can be made good.
    recounts: bool,
    seen: [u64; COUNTERS as usize],
    in_charges: u64,
    elsewhere: u64,
}

impl Losses {
    /// Takes the counters of what is loaded. The attached programs must stay loaded. `recounts`
    /// says whether the kernel's own counters make good what is skipped.
    ///
    /// # Errors
    /// If the object has no counters.
    pub(crate) fn take(tracer: &mut Tracer, recounts: bool) -> Result<Self> {
        let map = tracer.ebpf.take_map("COUNTS").context("the object has no map COUNTS")?;
        let counts = PerCpuArray::try_from(map).context("the map COUNTS has another form")?;
        let programs = tracer.programs.clone();
        let seen = [0; COUNTERS as usize];
        Ok(Self { counts, programs, recounts, seen, in_charges: 0, elsewhere: 0 })
    }

    /// What was counted since the last call.
    ///
    /// # Errors
    /// If the kernel fails to read its own counters.
    pub(crate) fn drain(&mut self) -> Result<Vec<Input>> {
        let mut inputs = Vec::new();
        for counter in ALL_COUNTERS {
            let values =
                self.counts.get(&(counter as u32), 0).context("cannot read the counters")?;
            let total: u64 = values.iter().sum();
            let seen = std::mem::replace(&mut self.seen[counter as usize], total);
            inputs.extend(input(counter, total.saturating_sub(seen)));
        }
        let in_charges = skips(&self.programs, |need| need == Need::Charges);
        let count = in_charges - std::mem::replace(&mut self.in_charges, in_charges);
        let lost = if self.recounts { Input::Skipped { count } } else { recursion(count) };
        inputs.extend((count > 0).then_some(lost));
        let elsewhere = skips(&self.programs, |need| need != Need::Charges);
        let count = elsewhere - std::mem::replace(&mut self.elsewhere, elsewhere);
        inputs.extend((count > 0).then_some(recursion(count)));
        Ok(inputs)
    }
}

fn input(counter: Counter, count: u64) -> Option<Input> {
    let cause = match counter {
        _ if count == 0 => return None,
        Counter::Unmoved => return Some(Input::Unmoved { count }),
        Counter::RingFull => LossCause::RingFull,
        Counter::TotalsFull => LossCause::TotalsFull,
        Counter::ProcessesFull => LossCause::ProcessesFull,
        Counter::InFlightFull => LossCause::InFlightFull,
        Counter::Unreadable => LossCause::Unreadable,
    };
    Some(Input::Lost { cause, count })
}

fn recursion(count: u64) -> Input {
    Input::Lost { cause: LossCause::Recursion, count }
}

/// How often the kernel did not run the programs of some needs, because they were already running
/// on that CPU. Shown since 5.12; before, a program of fentry is not skipped.
fn skips(programs: &[Attached], needs: fn(Need) -> bool) -> u64 {
    programs.iter().filter(|program| needs(program.need)).filter_map(|it| skips_of(it.fd)).sum()
}

fn skips_of(program: RawFd) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{program}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse().ok())
}
