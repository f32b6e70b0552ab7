//! The engine: takes each input to those it concerns. It knows none of their rules.

use alloc::{boxed::Box, collections::BTreeSet, string::String, vec::Vec};
use core::cmp::Reverse;

use crate::{
    audit::{Gathered, Moment},
    episodes::Episodes,
    findings::Findings,
    guard::Guard,
    homes::Homes,
    ids::{BootTime, CgroupKey, HierarchyId, Task},
    input::{ChargeDelta, Facts, Hook, Input, LossCause, Need},
    kills::Kills,
    ledger::{Book, Context, Payers, Share, pod_of},
    losses::Losses,
    moves::Moves,
    node::Namespaces,
    path::Container,
    places::Spot,
    report::{FindingKind, Ledger, Payer, PodRow, Report, Summary, Sums, Verdict},
    tasks::Tasks,
    tree::{Made, Tree},
};

/// All that is known, and all rules. The same inputs always give the same reports: there is no
/// clock, no file and no hash map in it.
///
/// It never fails. What makes no sense is counted and reported as a loss; whatever is unknown
/// stays unknown; every table is bounded.
#[derive(Debug, Default)]
pub struct Engine {
    facts: Option<Box<Facts>>,
    pub(crate) guard: Guard,
    pub(crate) tree: Tree,
    pub(crate) tasks: Tasks,
    pub(crate) findings: Findings,
    pub(crate) losses: Losses,
    pub(crate) moves: Moves,
    pub(crate) book: Book,
    pub(crate) homes: Homes,
    pub(crate) gathered: Gathered,
    pub(crate) moment: Moment,
    pub(crate) kills: Kills,
    pub(crate) payers: Payers,
    pub(crate) episodes: Episodes,
    now: BootTime,
    ended: bool,
}

impl Engine {
    /// An engine that knows nothing yet and guards any kubepods root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one input, and appends to `out` what there is to say about it.
    ///
    /// What was charged after the last [`Input::IntervalEnded`] is never reported, so one should
    /// come right before [`Input::Ended`]. After that all inputs are ignored.
    #[expect(clippy::too_many_lines, reason = "one arm for each input, and nothing else")]
    pub fn feed(&mut self, input: Input, out: &mut Vec<Report>) {
        if self.ended {
            return;
        }
        self.now = self.now.max(input.at().unwrap_or_default());
        self.moment.pass(&input);
        self.tell_complete(Some(self.now), out);
        match input {
            Input::Started(facts) => self.start(facts, out),
            Input::Hierarchy(hierarchy) => self.tree.hierarchy(hierarchy),
            Input::CgroupMade { at, key, parent, name } => {
                self.cgroup_made(key, parent, name);
                if at.is_some() {
                    self.book.made(key);
                }
            }
            Input::CgroupRenamed { at: _, key, name } => self.cgroup_renamed(key, name),
            Input::CgroupRemoved { at: _, key } => self.cgroup_removed(key, false),
            Input::CgroupReleased { at: _, key } => self.cgroup_removed(key, true),
            Input::TaskSeen { task, ppid, places, namespaces, monitors } => {
                let origin = (ppid, namespaces.unwrap_or_default(), monitors);
                self.task_seen(&task, places, origin);
            }
            Input::Placed { task, places } => self.placed(&task, places),
            Input::Moved { at, task, whole_process, from, to, mover } => {
                self.moved(at, task, whole_process, (from, to), mover, out);
            }
            Input::Unmoved { count } => self.moves.add_unmoved(count),
            Input::Forked { at: _, parent_tid, parent, task } => {
                self.tasks.forked((parent, parent_tid), &task, None);
                self.forked(parent, &task);
            }
            Input::Born { at, parent_tid, parent, task, from, to } => {
                self.tasks.forked((parent.pid, parent_tid), &task, Some(to));
                self.forked(parent.pid, &task);
                self.born(at, task, (from, to), parent, out);
            }
            Input::Exec { at: _, pid, comm } => {
                self.tasks.exec(pid, comm);
                self.findings.exec(pid);
                self.episodes.exec(pid);
            }
            Input::Exited { at: _, tid, tgid } => {
                self.tasks.exited(tid, tgid);
                self.findings.exited(tid, tgid);
                self.episodes.exited(tid, tgid);
                if tid == tgid {
                    self.homes.exited(tgid);
                }
            }
            Input::Runtime(facts) => self.homes.roster.runtime(*facts),
            Input::Container(facts) => self.homes.roster.container(facts),
            Input::ContainerGone { id } => self.homes.roster.gone(&id),
            Input::View(view) => self.gathered.view(view),
            Input::Limits(limits) => self.gathered.limits(limits),
            Input::Held(held) => self.gathered.held(held),
            Input::Resident(resident) => self.gathered.resident(resident),
            Input::NodeMemory(memory) => self.gathered.memory(memory),
            Input::Unseen(unseen) => self.gathered.unseen(*unseen),
            Input::Audited { at } => self.audited(at, out),
            Input::OomKill { at, pid } => self.killed(at, pid),
            Input::Looked { at: _ } => {}
            Input::Charges(deltas) => self.charges(&deltas),
            Input::Skipped { count } => self.book.skipped(count),
            Input::Recounted { counters, during } => {
                self.book.recount(&self.tree, &counters, &during);
                self.charges(&during);
            }
            Input::Polled(usages) => {
                let full = usages.iter().filter(|usage| !self.book.read(&self.tree, usage));
                self.losses.count(LossCause::TotalsFull, full.count() as u64);
            }
            Input::Lost { cause, count } => {
                self.losses.count(cause, count);
                self.losses.flush(self.now, out);
            }
            Input::IntervalEnded { at } => self.end_interval(at, out),
            Input::Ended { at } => self.end(at, out),
        }
    }

    /// The paths of the existing cgroups that are guarded roots. None means that the guard
    /// matches nothing yet.
    pub fn guard_roots(&self) -> BTreeSet<Box<[u8]>> {
        self.tree.roots_of(&self.guard)
    }

    /// The paths that could be guarded: of the kubepods roots there are, at any depth, and of the
    /// cgroups right below the root of any hierarchy.
    pub fn possible_roots(&self) -> BTreeSet<Box<[u8]>> {
        let mut paths = self.tree.roots_of(&Guard::default());
        paths.append(&mut self.tree.top());
        paths
    }

    /// The memory cgroups whose usage matters where charges cannot be traced, by id and path: the
    /// guarded ones, and those right below the hierarchy's root, which is where strays end up.
    pub fn to_poll(&self) -> Vec<(u64, Box<[u8]>)> {
        let memory = self.facts.as_ref().and_then(|facts| facts.memory);
        let Some(hierarchy) = memory else { return Vec::new() };
        let matters = |path: &[u8]| {
            let is_top = path.split(|byte| *byte == b'/').nth(2).is_none();
            path != b"/" && (is_top || self.guard.root(path).is_some())
        };
        self.tree.existing(hierarchy).filter(|(_, path)| matters(path)).collect()
    }

    /// The memory cgroups, by id and path, whose counters should be read: those that have not been
    /// compared with the ledger since charges may have been skipped, and at first all.
    pub fn to_recount(&self) -> Vec<(u64, Box<[u8]>)> {
        self.book.to_recount(&self.tree)
    }

    /// Whether charges were skipped and are not made good yet.
    pub fn is_in_doubt(&self) -> bool {
        self.book.is_in_doubt()
    }

    /// Whether this is truant itself.
    pub(crate) fn is_own(&self, task: &Task) -> bool {
        self.is_own_pid(task.tgid)
    }

    /// Whether this is truant's own process.
    pub(crate) fn is_own_pid(&self, pid: u32) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.own_pid == pid)
    }

    fn start(&mut self, facts: Box<Facts>, out: &mut Vec<Report>) {
        if self.facts.is_some() {
            self.losses.count(LossCause::Malformed, 1);
            return;
        }
        let (guard, bad) = Guard::of(&facts.guard);
        self.guard = guard;
        self.losses.count(LossCause::Malformed, bad as u64);
        for hierarchy in &facts.hierarchies {
            self.tree.hierarchy(hierarchy.clone());
        }
        self.book.set_hierarchy(facts.memory.unwrap_or(HierarchyId::V2));
        out.push(Report::Header(facts.clone()));
        self.facts = Some(facts);
    }

    /// A process or a thread is whose its parent is.
    fn forked(&mut self, parent: u32, task: &Task) {
        self.homes.forked(parent, task);
        if task.tid == task.tgid {
            self.episodes.forked(parent, task);
        }
    }

    fn charges(&mut self, deltas: &[ChargeDelta]) {
        self.charged_outside(deltas);
        let full = deltas.iter().filter(|delta| !self.book.charge(&self.tree, delta));
        self.losses.count(LossCause::TotalsFull, full.count() as u64);
        for delta in deltas {
            let Some(claim) = delta.pid.and_then(|pid| self.homes.claim(pid)) else { continue };
            self.payers.charge(pod_of(&claim.container), delta.cgroup, Sums::of(delta));
        }
    }

    fn cgroup_made(&mut self, key: CgroupKey, parent: Option<u64>, name: Box<[u8]>) {
        match self.tree.made(key, parent, name) {
            Made::New => self.book.attach(&self.tree, key),
            Made::Known => {}
            Made::Refused => self.losses.count(LossCause::Malformed, 1),
        }
    }

    fn cgroup_renamed(&mut self, key: CgroupKey, name: Box<[u8]>) {
        if !self.tree.renamed(key, name) {
            self.losses.count(LossCause::Malformed, 1);
        }
    }

    fn cgroup_removed(&mut self, key: CgroupKey, released: bool) {
        if released {
            self.tree.released(key);
        } else {
            self.tree.removed(key);
        }
        self.forget_surplus();
    }

    fn task_seen(
        &mut self,
        task: &Task,
        places: Vec<(HierarchyId, Box<[u8]>)>,
        (parent, namespaces, monitors): (u32, Namespaces, Option<String>),
    ) {
        let inside = places.iter().find_map(|(_, path)| self.guarded_container(path));
        self.homes.seen(task, parent, namespaces, monitors, inside);
        let places = self.spots(places);
        self.tasks.seen(task, places);
    }

    /// Paths as the numbers of the cgroups that have them now.
    pub(crate) fn spots(
        &mut self,
        places: Vec<(HierarchyId, Box<[u8]>)>,
    ) -> Vec<(HierarchyId, Spot)> {
        let spot = |(hierarchy, path)| {
            let id = self.tree.id_of(hierarchy, path);
            (hierarchy, id.map_or_else(|path| Spot::Path(path.into()), Spot::Id))
        };
        places.into_iter().map(spot).collect()
    }

    fn end_interval(&mut self, at: BootTime, out: &mut Vec<Report>) {
        self.losses.count(LossCause::Recursion, self.book.given_up(false));
        self.tell_kills(out);
        self.tell_updates(at, false, out);
        let pods = self.pods_and_payers();
        self.gathered.outdate();
        self.homes.end_interval();
        let all_known = self.knows_all_memory();
        let Self { tree, guard, tasks, losses, book, .. } = self;
        let ledger = book.end_interval(at, Context { tree, guard, tasks, losses, all_known });
        out.push(Report::Charges(Ledger { pods, ..ledger }));
        for key in self.tree.expired() {
            self.forget(key);
        }
        self.losses.flush(at, out);
    }

    /// The pods whose processes charged something, and who pays for it.
    fn pods_and_payers(&mut self) -> Vec<PodRow> {
        let hierarchy = self.memory_hierarchy();
        let rows = self.payers.end_interval();
        let payer = |(id, share): (u64, Share)| {
            let place = self.tree.place(CgroupKey { hierarchy, id });
            let path = place.path.as_deref();
            let guarded = path.is_some_and(|path| self.guard.root(path).is_some());
            Payer { place, guarded, interval: share.interval, total: share.total }
        };
        let row = |(pod, payers): (Container, Vec<(u64, Share)>)| {
            let mut payers: Vec<_> = payers.into_iter().map(payer).collect();
            payers.sort_by_key(|payer| (payer.guarded, Reverse(payer.total.charged)));
            PodRow { home: self.home_of(&pod), payers }
        };
        let mut pods: Vec<_> = rows.into_iter().map(row).collect();
        pods.sort_by_key(|pod| Reverse(pod.net(false)));
        pods
    }

    /// The facts it was told at the start.
    pub(crate) fn facts(&self) -> Option<&Facts> {
        self.facts.as_deref()
    }

    /// Whether the memory hierarchy was scanned, and its cgroups are followed since.
    fn knows_all_memory(&self) -> bool {
        let Some(facts) = self.facts.as_deref() else { return false };
        let is_followed = |hook: &Hook| hook.need == Need::Lifecycle && hook.way.is_some();
        let scanned = facts.memory.is_some_and(|memory| self.tree.has_root(memory));
        scanned && facts.hooks.iter().any(is_followed)
    }

    /// Forgets a cgroup, or puts it off until all below it are forgotten.
    fn forget(&mut self, key: CgroupKey) {
        if self.tree.has_children(key) {
            self.tree.postpone(key);
        } else {
            self.book.fold(&self.tree, key);
            if key.hierarchy == self.memory_hierarchy() {
                self.payers.fold(key.id, self.tree.parent(key).map(|parent| parent.id));
            }
            self.tree.forget(key);
        }
    }

    /// Forgets the oldest removed cgroup if there are too many. If it had charges, more may
    /// come that cannot be told any more.
    fn forget_surplus(&mut self) {
        if let Some(key) = self.tree.surplus() {
            self.losses.count(LossCause::TotalsFull, u64::from(self.book.has(key)));
            self.forget(key);
        }
    }

    fn end(&mut self, at: BootTime, out: &mut Vec<Report>) {
        self.ended = true;
        self.losses.count(LossCause::Recursion, self.book.given_up(true));
        // Whoever was charged in the last interval has no other chance to be found.
        let all_known = self.knows_all_memory();
        for _ in 0..2 {
            self.book.count_unnamed(&self.tree, &mut self.losses, all_known);
        }
        self.losses.flush(at, out);
        self.tell_complete(None, out);
        self.tell_updates(at, true, out);
        out.push(Report::Summary(Box::new(self.summary(at))));
    }

    /// Whether a finding makes the verdict.
    fn counts(&self, kind: FindingKind) -> bool {
        let fails_on_exposed = self.facts.as_ref().is_some_and(|facts| facts.fail_on_exposed);
        match kind {
            FindingKind::CameBack | FindingKind::Oom => false,
            FindingKind::Exposed => fails_on_exposed,
            _ => true,
        }
    }

    fn summary(&self, at: BootTime) -> Summary {
        let hooks = self.facts.iter().flat_map(|facts| &facts.hooks);
        let blind: Vec<_> = hooks.filter(|hook| hook.way.is_none()).map(|hook| hook.need).collect();
        let findings = self.findings.counts().clone();
        let lost = self.losses.total().clone();
        let main = |need: &Need| matches!(need, Need::Moves | Need::Charges);
        let verdict = if !lost.is_empty() || blind.iter().any(main) {
            Verdict::Inconclusive
        } else if findings.keys().any(|kind| self.counts(*kind)) {
            Verdict::Found
        } else if self.gathered.has_missed() {
            Verdict::Inconclusive
        } else {
            Verdict::Clean
        };
        let (moves, unmoved) = self.moves.counts();
        Summary { at, findings, lost, moves, unmoved, blind, verdict }
    }
}
