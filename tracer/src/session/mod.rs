//! The one live loop: the ring, the tables, the clock and the signals, turned into inputs.
//!
//! Owns the order: programs are attached before the node is scanned, so that nothing happens
//! unseen in between; and at each interval the tables of charges are read before the ring is
//! emptied, so that a charge never comes before its cgroup.

mod snapshot;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use aya::maps::{MapData, RingBuf};
use aya_log::EbpfLogger;
use log::Log;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};
use truant_core::input::{Facts, Input, LossCause, Need, Way};

use crate::{
    host::{CgroupRoot, Hierarchies, Host, clock},
    kernel::{self, Charges, KernelTypes, Losses, Tracer},
    route::Route,
};

/// How often the ring is looked into: the latency of a finding. The ring holds what two CPUs can
/// put into it in twenty times that, and no record wakes anybody, which would cost the traced.
const LOOK: Duration = Duration::from_millis(50);

/// Records taken in one look at most, so that a storm cannot keep the clock and signals out.
const RECORDS_AT_ONCE: usize = 100_000;

/// What a live run was asked to do.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long; until a signal if none.
    pub(crate) duration: Option<Duration>,
    /// The time between two ledgers.
    pub(crate) interval: Duration,
    /// The guarded subtrees; any kubepods root if empty.
    pub(crate) guard: Vec<String>,
    /// The only way of hooking that may be used.
    pub(crate) forced: Option<Way>,
    /// The kernel's types, where it has none of its own.
    pub(crate) btf: PathBuf,
    /// Whether the programs log.
    pub(crate) probe_log: bool,
}

/// A live run with everything attached.
pub(crate) struct Session {
    ring: RingBuf<MapData>,
    charges: Charges,
    losses: Losses,
    probe_log: Option<EbpfLogger<&'static dyn Log>>,
    polled: Option<CgroupRoot>,
    signals: Signals,
    // Detaches all when dropped.
    _tracer: Tracer,
}

impl Session {
    /// Attaches, then tells `route` the facts and what the scan of the node finds. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// If moves cannot be traced in any way, or the node's files cannot be read.
    pub(crate) fn start(settings: &Settings, host: &Host, route: &mut Route) -> Result<Self> {
        // A signal that comes before the loop runs is kept for it.
        let signals = Signals::listen()?;
        let mut tracer = attach(settings)?;
        let hierarchies = host.hierarchies()?;
        let mut roots = snapshot::roots(host, &hierarchies.list);
        route.feed(Input::Started(Box::new(facts(settings, host, &hierarchies, &tracer))))?;
        snapshot::take(host, &roots, route)?;
        let polls = tracer.way(Need::Charges) == Some(Way::Polled);
        let memory =
            roots.extract_if(.., |root| polls && Some(root.hierarchy) == hierarchies.memory);
        Ok(Self {
            polled: memory.last(),
            signals,
            ring: ring(&mut tracer)?,
            charges: Charges::take(&mut tracer.ebpf)?,
            losses: Losses::take(&mut tracer)?,
            probe_log: settings
                .probe_log
                .then(|| EbpfLogger::init(&mut tracer.ebpf))
                .transpose()?,
            _tracer: tracer,
        })
    }

    /// Runs until the time is over, a signal comes, or `route` wants no more.
    ///
    /// # Errors
    /// If the kernel's tables cannot be read, or the reports can go nowhere.
    pub(crate) async fn run(mut self, settings: &Settings, route: &mut Route) -> Result<()> {
        let start = Instant::now();
        let mut looks = interval_at(start + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut intervals = interval_at(start + settings.interval, settings.interval);
        intervals.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = self.signals.any() => break,
                () = until(start, settings.duration) => break,
                _ = intervals.tick() => self.end_interval(route)?,
                _ = looks.tick() => self.look(route)?,
            }
        }
        self.end_interval(route)?;
        route.feed(Input::Ended { at: clock::now() })?;
        Ok(())
    }

    /// Empties the ring.
    fn look(&mut self, route: &mut Route) -> Result<()> {
        for _ in 0..RECORDS_AT_ONCE {
            let Some(record) = self.ring.next() else { break };
            route.feed(kernel::decode(&record))?;
        }
        if let Some(log) = &mut self.probe_log {
            log.flush();
        }
        Ok(())
    }

    fn end_interval(&mut self, route: &mut Route) -> Result<()> {
        let charges = self.charges.drain()?;
        self.look(route)?;
        if !charges.is_empty() {
            route.feed(Input::Charges(charges))?;
        }
        if let Some(memory) = &self.polled {
            let cgroups = route.engine().to_poll();
            let polled = memory.usage(&cgroups);
            route.feed(Input::Polled(polled.rows))?;
            if polled.unread > 0 {
                let count = polled.unread as u64;
                route.feed(Input::Lost { cause: LossCause::Unreadable, count })?;
            }
        }
        for loss in self.losses.drain()? {
            route.feed(loss)?;
        }
        route.feed(Input::IntervalEnded { at: clock::now() })?;
        Ok(())
    }
}

fn attach(settings: &Settings) -> Result<Tracer> {
    let types = KernelTypes::read(&settings.btf)
        .context("the kernel's types are needed (CONFIG_DEBUG_INFO_BTF, or --btf FILE)")?;
    let tracer = Tracer::attach(&types, settings.forced, settings.probe_log)?;
    if tracer.way(Need::Moves).is_none() {
        let why = kernel::refusals(&tracer.hooks, Need::Moves);
        bail!("moves cannot be traced here: {why}; `truant doctor` says more");
    }
    Ok(tracer)
}

fn facts(settings: &Settings, host: &Host, hierarchies: &Hierarchies, tracer: &Tracer) -> Facts {
    Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        at: clock::now(),
        boot_epoch_ns: clock::boot_epoch_ns(),
        interval_ns: u64::try_from(settings.interval.as_nanos()).unwrap_or(u64::MAX),
        mode: hierarchies.mode,
        hierarchies: hierarchies.list.clone(),
        memory: hierarchies.memory,
        hooks: tracer.hooks.clone(),
        guard: settings.guard.clone(),
        own_pid: host.own_pid().unwrap_or_else(std::process::id),
    }
}

fn ring(tracer: &mut Tracer) -> Result<RingBuf<MapData>> {
    let map = tracer.ebpf.take_map("RING").context("the object has no map RING")?;
    RingBuf::try_from(map).context("the map RING has another form")
}

/// Never ends without a duration.
async fn until(start: Instant, duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep_until(start + duration).await,
        None => std::future::pending().await,
    }
}

/// The signals that end a run in good order.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
