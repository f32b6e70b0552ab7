//! The audit: who is out already, who could get out, where the memory is. What the node's files
//! said is gathered here; what follows from it is put together when all has been told.
//!
//! Nobody saw these tasks move, so whose they are rests on witnesses.

mod books;
mod exposure;
mod limits;
mod moment;
mod strays;

use alloc::{
    borrow::ToOwned as _,
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    engine::Engine,
    ids::{BootTime, CgroupKey, HierarchyId, Task},
    input::Input,
    node::{CgroupLimits, Holding, Namespaces, NodeMemory, Unseen, View},
    path::Container,
    report::{Audit, FindingKind, Place, Report},
};
pub(crate) use moment::Moment;
use strays::Stray;

/// Most of each kind of fact that is kept: the cgroups of the biggest node, and then some.
const MAX_FACTS: usize = 1 << 17;

/// Who was started so little time ago, in nanoseconds, may be on its way into a pod: a runtime
/// takes a process into one hierarchy after the other.
const ON_THE_WAY: u64 = 2_000_000_000;

/// The oldest processes of a pid namespace: its first one is among them, if it lives.
const MAX_PEERS: usize = 8;

/// A process, its namespaces, and the container it is of.
type Member<'a> = (u32, Namespaces, &'a Container);

/// What was read for an audit.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    views: BTreeMap<u32, Box<View>>,
    limits: BTreeMap<CgroupKey, CgroupLimits>,
    held: BTreeMap<u64, Holding>,
    resident: BTreeMap<u32, u64>,
    memory: Option<NodeMemory>,
    unseen: Vec<Unseen>,
    missed: bool,
}

impl Gathered {
    /// What a process sees.
    pub(crate) fn view(&mut self, view: Box<View>) {
        put(&mut self.views, [(view.pid, view)]);
    }

    /// Limits of cgroups.
    pub(crate) fn limits(&mut self, limits: Vec<CgroupLimits>) {
        put(&mut self.limits, limits.into_iter().map(|limits| (limits.key, limits)));
    }

    /// What memory cgroups hold.
    pub(crate) fn held(&mut self, held: Vec<Holding>) {
        put(&mut self.held, held.into_iter().map(|holding| (holding.cgroup, holding)));
    }

    /// Resident memory.
    pub(crate) fn resident(&mut self, resident: Vec<(u32, u64)>) {
        put(&mut self.resident, resident);
    }

    /// The node's memory.
    pub(crate) fn memory(&mut self, memory: NodeMemory) {
        self.memory = Some(memory);
    }

    /// Something that could not be read.
    pub(crate) fn unseen(&mut self, unseen: Unseen) {
        self.missed = true;
        if self.unseen.len() < MAX_FACTS {
            self.unseen.push(unseen);
        }
    }

    /// What a memory cgroup held.
    pub(crate) fn held_by(&self, id: u64) -> Option<u64> {
        self.held.get(&id).map(|held| held.bytes)
    }

    /// What every memory cgroup held that was read.
    pub(crate) fn all_held(&self) -> impl Iterator<Item = (u64, u64)> {
        self.held.iter().map(|(id, held)| (*id, held.bytes))
    }

    /// The limits of a cgroup.
    pub(crate) fn limits_of(&self, key: CgroupKey) -> Option<&CgroupLimits> {
        self.limits.get(&key)
    }

    /// The node's memory.
    pub(crate) fn node_memory(&self) -> Option<NodeMemory> {
        self.memory
    }

    /// Figures may have changed: those that are needed are read again.
    pub(crate) fn outdate(&mut self) {
        self.limits.clear();
        self.held.clear();
    }

    /// Whether something was not seen, so that nobody found does not mean that nobody is out.
    pub(crate) fn has_missed(&self) -> bool {
        self.missed
    }
}

/// From when on a task is where it stays, if nobody moves it again.
fn settled(task: &Task) -> BootTime {
    BootTime(task.start.0.saturating_add(ON_THE_WAY))
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, new: impl IntoIterator<Item = (K, V)>) {
    for (key, value) in new {
        if map.len() < MAX_FACTS || map.contains_key(&key) {
            map.insert(key, value);
        }
    }
}

impl Engine {
    /// The processes that seem to be out: what is known of them should be read again before they
    /// are judged.
    pub fn strays(&self) -> Vec<u32> {
        let pids: BTreeSet<u32> = self.all_strays().iter().map(|it| it.task.tgid).collect();
        pids.into_iter().collect()
    }

    /// When those who seem to be out at `at` can be told from those who are on their way into a
    /// pod, if that is later.
    pub fn judged_from(&self, at: BootTime) -> Option<BootTime> {
        let settled = self.all_strays().iter().map(|stray| settled(&stray.task)).max();
        settled.filter(|settled| *settled > at)
    }

    /// A process of each container, to be asked what it sees, and some of those in its pid
    /// namespace, among which the first process of that is likely to be.
    pub fn to_view(&self) -> Vec<(u32, Vec<u32>)> {
        let processes = self.of_containers();
        let peers = self.peers(&processes);
        let mut seen = BTreeSet::new();
        let one_of_each = processes.iter().filter(|(pid, namespaces, container)| {
            !self.is_own_pid(*pid) && seen.insert((*container, namespaces.mount))
        });
        let with_peers = one_of_each.map(|(pid, namespaces, _)| {
            let peers = peers.get(&namespaces.pid.unwrap_or_default()).into_iter().flatten();
            (*pid, peers.map(|(_, pid)| *pid).collect())
        });
        with_peers.collect()
    }

    /// The processes of all containers: those that were seen in one, and of a container that
    /// nobody was seen in, those who are out.
    fn of_containers(&self) -> Vec<Member<'_>> {
        let claims = self.homes.claims();
        let mut all: Vec<Member<'_>> = claims.map(|(pid, its, home)| (pid, its, &**home)).collect();
        let inside: BTreeSet<_> = all.iter().map(|(_, _, container)| *container).collect();
        let strays = self.all_strays().iter().filter(|it| it.home.is_sure);
        let strays = strays
            .map(|it| (it.task.tgid, self.homes.namespaces(it.task.tgid), &it.home.container));
        all.extend(strays.filter(|(_, _, container)| !inside.contains(container)));
        all
    }

    /// The oldest of these processes in each pid namespace.
    fn peers(&self, processes: &[Member<'_>]) -> BTreeMap<u32, Vec<(BootTime, u32)>> {
        let mut peers: BTreeMap<u32, Vec<(BootTime, u32)>> = BTreeMap::new();
        for (pid, namespaces, _) in processes {
            let start = self.tasks.start(*pid).unwrap_or_default();
            peers.entry(namespaces.pid.unwrap_or_default()).or_default().push((start, *pid));
        }
        for peers in peers.values_mut() {
            peers.sort_unstable();
            peers.dedup();
            peers.truncate(MAX_PEERS);
        }
        peers
    }

    /// The cgroups whose limits hold, or should hold, for those who are out, with their paths.
    pub fn to_limit(&self) -> Vec<(CgroupKey, Box<[u8]>)> {
        let mut keys = BTreeSet::new();
        for stray in self.all_strays() {
            for (inside, outside) in self.limited(stray, self.clues()) {
                keys.extend(inside.into_iter().flat_map(|key| self.upwards(key)));
                keys.extend(outside.into_iter().flat_map(|key| self.upwards(key)));
            }
        }
        keys.into_iter().filter_map(|key| Some((key, self.tree.path(key)?))).collect()
    }

    /// The cgroups, with their paths, whose limits should be known before a move or a birth is told
    /// of: none where it leaves no guarded cgroup, and none twice in an interval.
    pub fn to_limit_for(&self, input: &Input) -> Vec<(CgroupKey, Box<[u8]>)> {
        let (task, hierarchy, from, to) = match input {
            Input::Moved { task, from, to, .. } => (task, to.hierarchy, *from, to.id),
            Input::Born { task, from, to, .. } => (task, HierarchyId::V2, Some(*from), *to),
            Input::OomKill { pid, .. } => return self.limits_above(*pid),
            _ => return Vec::new(),
        };
        let key = |id| CgroupKey { hierarchy, id };
        let spot = || Some(self.spot_place(hierarchy, self.tasks.spot(task, hierarchy)?));
        let Some(from) = from.map(|id| self.tree.place(key(id))).or_else(spot) else {
            return Vec::new();
        };
        let is_inside = |place: &Place| {
            place.path.as_deref().is_some_and(|path| self.guard.root(path).is_some())
        };
        if !is_inside(&from) || is_inside(&self.tree.place(key(to))) {
            return Vec::new();
        }
        let keys = from.key.into_iter().chain([key(to)]).flat_map(|key| self.upwards(key));
        self.unlimited_yet(keys)
    }

    /// Of the memory cgroup of a process and those above it, the ones whose limits are not known.
    fn limits_above(&self, pid: u32) -> Vec<(CgroupKey, Box<[u8]>)> {
        let key = self.memory_cgroup(&self.process(pid));
        self.unlimited_yet(key.into_iter().flat_map(|key| self.upwards(key)))
    }

    fn unlimited_yet(&self, keys: impl Iterator<Item = CgroupKey>) -> Vec<(CgroupKey, Box<[u8]>)> {
        let unknown: BTreeSet<_> =
            keys.filter(|key| !self.gathered.limits.contains_key(key)).collect();
        unknown.into_iter().filter_map(|key| Some((key, self.tree.path(key)?))).collect()
    }

    /// The memory cgroups, by id and path, that the books are made of.
    pub fn to_hold(&self) -> Vec<(u64, Box<[u8]>)> {
        let memory = self.memory_hierarchy();
        let strays = self.all_strays().iter();
        let out: BTreeSet<_> = strays.filter_map(|stray| self.charged_at(stray)).collect();
        let existing = self.tree.existing(memory);
        existing.filter(|(id, path)| self.guard.root(path).is_some() || out.contains(id)).collect()
    }

    /// Judges what was gathered.
    pub(crate) fn audited(&mut self, at: BootTime, out: &mut Vec<Report>) {
        self.leave_out(at);
        let unseen = core::mem::take(&mut self.gathered.unseen);
        let clues = self.clues();
        let there = self.all_strays().iter().filter(|stray| settled(&stray.task) <= at).cloned();
        let (sure, unsure): (Vec<_>, Vec<_>) = there.partition(|stray| stray.home.is_sure);
        // Of who left since tracing began, that is told.
        let is_told = |stray: &Stray| self.episodes.tells(&stray.task, &stray.out);
        let news: Vec<_> = sure.iter().filter(|stray| !is_told(stray)).cloned().collect();
        let exposed = self.exposures(clues);
        let audit = Audit {
            at,
            runtimes: self.homes.roster.runtimes().to_vec(),
            pods: self.pods(at, &news, clues),
            unsure: unsure.iter().map(|stray| self.already_out(at, stray, clues)).collect(),
            mismatch: self.mismatch(clues),
            dead: self.dead(),
            books: self.books(&sure),
            unseen,
            exposed,
        };
        self.moment.end();
        self.follow(&audit, &sure);
        self.findings.add(FindingKind::AlreadyOut, news.len() as u64);
        self.findings.add(FindingKind::Exposed, audit.exposed.len() as u64);
        out.push(Report::Audit(Box::new(audit)));
        self.gathered.views.clear();
        self.gathered.held.clear();
        self.losses.flush(at, out);
    }

    /// Remembers who is out, and follows those that are told of.
    fn follow(&mut self, audit: &Audit, sure: &[Stray]) {
        let processes = audit.pods.iter().flat_map(|pod| &pod.processes);
        let processes: BTreeMap<_, _> =
            processes.map(|it| ((it.task.tgid, it.task.tid), it)).collect();
        for stray in sure {
            if let Some(finding) = processes.get(&(stray.task.tgid, stray.task.tid)) {
                self.episodes.found(finding, &stray.out);
            }
            self.homes.settle(stray.task.tgid, &stray.home);
            for hierarchy in &stray.out {
                self.findings.found(&stray.task, *hierarchy);
            }
        }
    }

    /// Says that some are not judged at `at`. Of those who were started since tracing began every
    /// move is known, and told.
    fn leave_out(&mut self, at: BootTime) {
        let began = self.facts().map(|facts| facts.at).unwrap_or_default();
        let is_left_out = |task: &Task| settled(task) > at && task.start < began;
        if self.all_strays().iter().any(|stray| is_left_out(&stray.task)) {
            self.gathered.unseen(Unseen {
                what: "whether those who have just started are out".to_owned(),
                why: "they may be on their way into a pod".to_owned(),
                mend: Some("run truant again, for two seconds or more".to_owned()),
            });
        }
    }

    /// The places of a task read again: where no events are traced, they count.
    pub(crate) fn placed(&mut self, task: &Task, places: Vec<(HierarchyId, Box<[u8]>)>) {
        let places = self.spots(places);
        self.tasks.placed(task, places);
    }

    /// The hierarchy of the memory controller.
    pub(crate) fn memory_hierarchy(&self) -> HierarchyId {
        self.book.hierarchy()
    }

    /// A cgroup and all above it.
    pub(crate) fn upwards(&self, key: CgroupKey) -> impl Iterator<Item = CgroupKey> {
        core::iter::successors(Some(key), |key| self.tree.parent(*key))
    }

    /// Where a stray's memory is charged.
    fn charged_at(&self, stray: &Stray) -> Option<u64> {
        let memory = self.memory_hierarchy();
        let is_out = stray.out.contains(&memory);
        let spot = self.tasks.spot(&stray.task, memory).filter(|_| is_out)?;
        self.spot_place(memory, spot).key.map(|key| key.id)
    }
}
