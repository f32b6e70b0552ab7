//! What the programs could not do, as they counted it, and what the kernel skipped.

use std::{fs, os::fd::RawFd};

use anyhow::{Context as _, Result};
use aya::maps::{MapData, PerCpuArray};
use truant_core::input::{Input, LossCause};
use truant_ebpf::{ALL_COUNTERS, COUNTERS, Counter};

use super::Tracer;

/// The counters, and what they said last.
pub(crate) struct Losses {
    counts: PerCpuArray<MapData, u64>,
    programs: Vec<RawFd>,
    seen: [u64; COUNTERS as usize],
    skipped: u64,
}

impl Losses {
    /// Takes the counters of what is loaded. The attached programs must stay loaded.
    ///
    /// # Errors
    /// If the object has no counters.
    pub(crate) fn take(tracer: &mut Tracer) -> Result<Self> {
        let map = tracer.ebpf.take_map("COUNTS").context("the object has no map COUNTS")?;
        let counts = PerCpuArray::try_from(map).context("the map COUNTS has another form")?;
        let programs = tracer.programs.clone();
        Ok(Self { counts, programs, seen: [0; COUNTERS as usize], skipped: 0 })
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
        let skipped = self.programs.iter().filter_map(|fd| skips(*fd)).sum();
        let seen = std::mem::replace(&mut self.skipped, skipped);
        if skipped > seen {
            inputs.push(Input::Lost { cause: LossCause::Recursion, count: skipped - seen });
        }
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

/// How often the kernel did not run a program because it was already running on that CPU. Shown
/// since 5.12; before, a program of this kind is not skipped.
fn skips(program: RawFd) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{program}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse().ok())
}
