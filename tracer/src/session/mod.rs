//! The one live loop: the ring, the tables, the clock and the signals, turned into inputs.
//!
//! Owns the order: programs are attached before the node is scanned, so that nothing happens
//! unseen in between; and at each interval the tables of charges are read before the ring is
//! emptied, so that a charge never comes before its cgroup.

mod audit;
mod memory;
mod once;
mod settings;
mod signals;
mod snapshot;

use std::{mem::replace, time::Duration};

use anyhow::{Context as _, Result, bail};
use aya::maps::{MapData, RingBuf};
use aya_log::EbpfLogger;
use log::Log;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};
use truant_core::input::{Facts, Hook, Input, LossCause, Need};

use crate::{
    host::{Hierarchies, Host, clock, heap},
    identity::Runtimes,
    kernel::{self, Charges, KernelTypes, Losses, Tracer},
    route::Route,
};

use self::{memory::Memory, snapshot::Node};
pub(crate) use self::{
    once::once,
    settings::{Hooks, Scope, Settings},
    signals::Signals,
};

/// How often the ring is looked into: a part of a finding's latency. It holds what two CPUs can
/// put into it in twenty times that, and no record wakes anybody, which would cost the traced.
const LOOK: Duration = Duration::from_millis(50);

/// Records taken in one look at most, so that a storm cannot keep the clock and signals out: more
/// than the ring holds.
const RECORDS_AT_ONCE: usize = 200_000;

/// How long the audit waits for those who are on their way into a pod, and for names.
const AUDIT_AFTER: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(2)];

/// Readings of the counters at the end of a run, with a pause before each.
const LAST_CHANCES: usize = 20;

/// Readings of the counters in a row at most. Two are needed to make a difference good.
const RECOUNTS: usize = 4;

/// A live run with everything attached.
pub(crate) struct Session {
    ring: RingBuf<MapData>,
    charges: Charges,
    losses: Losses,
    probe_log: Option<EbpfLogger<&'static dyn Log>>,
    memory: Memory,
    host: Host,
    node: Node,
    runtimes: Runtimes,
    audited: bool,
    /// Whether the audit waits as long as it may.
    audits_late: bool,
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
        let mut tracer = attach(&settings.hooks)?;
        if tracer.way(Need::Moves).is_none() {
            let why = kernel::refusals(&tracer.hooks, Need::Moves);
            bail!("moves cannot be traced here: {why}; `truant doctor` says more");
        }
        let runtimes = runtimes(&settings.scope, host);
        let node = Node::open(host, host.hierarchies()?);
        let facts = Facts {
            interval_ns: u64::try_from(settings.interval.as_nanos()).unwrap_or(u64::MAX),
            ..facts(node.layout(), &tracer.hooks, &settings.scope, host)
        };
        route.feed(Input::Started(Box::new(facts)))?;
        node.take(host, route)?;
        // Parsing the kernel's types and scanning leave holes that nothing fills again.
        heap::trim();
        let memory = Memory::new(node.memory(), tracer.way(Need::Charges));
        let mut session = Self {
            ring: ring(&mut tracer)?,
            charges: Charges::take(&mut tracer.ebpf)?,
            losses: Losses::take(&mut tracer, memory.recounts())?,
            memory,
            host: host.clone(),
            node,
            runtimes,
            audited: false,
            audits_late: false,
            probe_log: settings
                .hooks
                .log
                .then(|| EbpfLogger::init(&mut tracer.ebpf))
                .transpose()?,
            _tracer: tracer,
        };
        session.take_charges(route)?;
        session.recount(route)?;
        Ok(session)
    }

    /// Runs until the time is over, a signal comes, or `route` wants no more.
    ///
    /// # Errors
    /// If the kernel's tables cannot be read, or the reports can go nowhere.
    pub(crate) async fn run(
        mut self,
        settings: &Settings,
        mut signals: Signals,
        route: &mut Route,
    ) -> Result<()> {
        let start = Instant::now();
        let mut looks = interval_at(start + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut intervals = interval_at(start + settings.interval, settings.interval);
        intervals.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = signals.any() => break,
                () = until(start, settings.duration) => break,
                _ = intervals.tick() => self.end_interval(route)?,
                Some(said) = self.runtimes.next() => route.feed(said)?,
                _ = looks.tick() => {
                    self.look(route)?;
                    self.audit_in_time(start, route)?;
                }
            }
        }
        self.audit(route)?;
        if self.memory.is_never_sure() {
            self.take_charges(route)?;
            route.feed(Input::Skipped { count: 0 })?;
            self.recount(route)?;
        }
        self.settle(route).await?;
        self.end_interval(route)?;
        route.feed(Input::Ended { at: clock::now() })?;
        Ok(())
    }

    /// Empties the ring.
    fn look(&mut self, route: &mut Route) -> Result<()> {
        look(&mut self.ring, &self.host, &self.node, &self.runtimes, route)?;
        if let Some(log) = &mut self.probe_log {
            log.flush();
        }
        Ok(())
    }

    /// Audits once, when names are known and nobody is on the way into a pod any more.
    fn audit_in_time(&mut self, start: Instant, route: &mut Route) -> Result<()> {
        let [soonest, latest] = AUDIT_AFTER;
        let waited = start.elapsed();
        let can_be_soon = !self.audits_late && waited >= soonest && self.runtimes.is_settled();
        if self.audited || !(can_be_soon || waited >= latest) {
            return Ok(());
        }
        self.audits_late = waited < latest && route.engine().judged_from(clock::now()).is_some();
        if self.audits_late { Ok(()) } else { self.audit(route) }
    }

    fn audit(&mut self, route: &mut Route) -> Result<()> {
        if !self.audited {
            self.audited = true;
            audit::audit(&self.host, &self.node, true, route)?;
        }
        Ok(())
    }

    /// Gives cgroups that were charged whenever they were read a few more chances to hold still.
    async fn settle(&mut self, route: &mut Route) -> Result<()> {
        self.take_losses(route)?;
        for _ in 0..LAST_CHANCES {
            if !route.engine().is_in_doubt() {
                break;
            }
            sleep(LOOK).await;
            self.take_charges(route)?;
            self.recount(route)?;
        }
        Ok(())
    }

    fn end_interval(&mut self, route: &mut Route) -> Result<()> {
        self.take_charges(route)?;
        if let Some(root) = self.node.memory()
            && matches!(self.memory, Memory::Polled)
        {
            let cgroups = route.engine().to_poll();
            let polled = root.usage(&cgroups);
            route.feed(Input::Polled(polled.rows))?;
            if polled.unread > 0 {
                let count = polled.unread as u64;
                route.feed(Input::Lost { cause: LossCause::Unreadable, count })?;
            }
        }
        self.take_losses(route)?;
        route.feed(Input::IntervalEnded { at: clock::now() })?;
        Ok(())
    }

    fn take_charges(&mut self, route: &mut Route) -> Result<()> {
        let charges = self.charges.drain()?;
        self.look(route)?;
        if !charges.is_empty() {
            route.feed(Input::Charges(charges))?;
        }
        Ok(())
    }

    /// Tells what was lost, after what can be made good was.
    fn take_losses(&mut self, route: &mut Route) -> Result<()> {
        for loss in self.losses.drain()? {
            route.feed(loss)?;
        }
        if route.engine().is_in_doubt() {
            self.recount(route)?;
        }
        Ok(())
    }

    /// Compares the kernel's counters with the ledger, right after charges were taken, until all
    /// agree or have been charged whenever they were read.
    fn recount(&mut self, route: &mut Route) -> Result<()> {
        let root = self.node.memory().filter(|_| self.memory.recounts());
        let Some(root) = root else { return Ok(()) };
        for _ in 0..RECOUNTS {
            let cgroups = route.engine().to_recount();
            if cgroups.is_empty() {
                break;
            }
            let counters = root.counters(&cgroups);
            let during = self.charges.drain()?;
            look(&mut self.ring, &self.host, &self.node, &self.runtimes, route)?;
            route.feed(Input::Recounted { counters, during })?;
        }
        Ok(())
    }
}

/// Attaches all for a moment, and says what would be used.
///
/// # Errors
/// If the kernel's types are not known, or nothing at all can be loaded.
pub(crate) fn probe(hooks: &Hooks, host: &Host) -> Result<Facts> {
    let tracer = attach(hooks)?;
    let scope = Scope { guard: Vec::new(), fail_on_exposed: false, runtime: None };
    Ok(facts(&host.hierarchies()?, &tracer.hooks, &scope, host))
}

/// Tells `route` the records of the ring; before one that says that somebody left, the limits
/// that are lost; and before a kill, who holds memory. A cgroup that was made may be a
/// container's, which runtimes have names for.
fn look(
    ring: &mut RingBuf<MapData>,
    host: &Host,
    node: &Node,
    runtimes: &Runtimes,
    route: &mut Route,
) -> Result<()> {
    let mut held = false;
    let mut is_empty = false;
    for _ in 0..RECORDS_AT_ONCE {
        let Some(record) = ring.next() else {
            is_empty = true;
            break;
        };
        let input = kernel::decode(&record);
        let limited = route.engine().to_limit_for(&input);
        if !limited.is_empty() {
            route.feed(Input::Limits(node.limits(&limited)))?;
        }
        // A storm of kills is told of at once, and what is held is read at one moment in any case.
        if matches!(input, Input::OomKill { .. }) && !replace(&mut held, true) {
            hold(host, node, &input, route)?;
        }
        if matches!(input, Input::CgroupMade { .. }) {
            runtimes.hint();
        }
        route.feed(input)?;
    }
    if is_empty && route.engine().is_waiting() {
        route.feed(Input::Looked { at: clock::now() })?;
    }
    Ok(())
}

/// Tells `route` who holds memory at a kill, before the kill.
fn hold(host: &Host, node: &Node, kill: &Input, route: &mut Route) -> Result<()> {
    if let Some(memory) = node.memory() {
        let held = memory.holdings(&route.engine().to_hold_for(kill));
        route.feed(Input::Held(held))?;
    }
    match host.node_memory() {
        Ok(memory) => route.feed(Input::NodeMemory(memory))?,
        Err(error) => log::debug!("{error}"),
    }
    Ok(())
}

fn attach(hooks: &Hooks) -> Result<Tracer> {
    let types = KernelTypes::read(&hooks.btf, &kernel::hooks())
        .context("the kernel's types are needed (CONFIG_DEBUG_INFO_BTF, or --btf FILE)")?;
    Tracer::attach(&types, hooks.forced, hooks.log)
}

/// The runtimes of the host: below its root directory, where this process can reach that.
fn runtimes(scope: &Scope, host: &Host) -> Runtimes {
    let hosts = host.proc.join("1/root");
    let root = if hosts.join("run").exists() { hosts } else { "/".into() };
    Runtimes::find(&root, scope.runtime.as_deref())
}

fn facts(hierarchies: &Hierarchies, hooks: &[Hook], scope: &Scope, host: &Host) -> Facts {
    Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        at: clock::now(),
        boot_epoch_ns: clock::boot_epoch_ns(),
        mode: hierarchies.mode,
        hierarchies: hierarchies.list.clone(),
        memory: hierarchies.memory,
        hooks: hooks.to_vec(),
        guard: scope.guard.clone(),
        fail_on_exposed: scope.fail_on_exposed,
        own_pid: host.own_pid().unwrap_or_else(std::process::id),
        ..Facts::default()
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
