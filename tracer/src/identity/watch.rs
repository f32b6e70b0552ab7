//! The watch over one runtime: it asks who the containers are, and asks again, for as long as
//! somebody listens. Owns the times; nothing in it ends because a runtime fails.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::watch, time::Instant};
use truant_core::input::RuntimeFacts;

use super::{
    bounds::{self, Listed},
    client::Client,
    error::Error,
    out::Out,
    sockets::Place,
};

/// How long all of the first answers may take together.
const FIRST: Duration = Duration::from_millis(4500);

/// How long the first round goes into details. What is left then has its names from the list, and
/// its details later.
const FIRST_DETAILS: Duration = Duration::from_millis(2500);

/// How long a later answer may take: nobody waits for it, and a node out of memory is slow.
const CALL: Duration = Duration::from_secs(5);

/// Between two lists.
const PAUSE: Duration = Duration::from_secs(2);

/// Between two lists where a container is known to be new.
const HASTE: Duration = Duration::from_millis(200);

/// Lists in haste after a hint, each after twice the time: a container has its cgroup before its
/// runtime says that it runs.
const HASTES: u32 = 4;

/// The part of its time that a runtime may spend on lists: one in so much.
const SHARE: u32 = 20;

/// Between two attempts to reach a runtime, the first and the longest.
const RETRY: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];

/// Between two looks for a socket that is not there.
const ABSENT: Duration = Duration::from_secs(10);

/// Between two attempts to learn of a container what was not told, or of the cgroup driver. Twice
/// as long after each attempt.
const AGAIN: Duration = Duration::from_secs(2);

/// Attempts after which that time grows no more.
const ATTEMPTS: u32 = 5;

/// Containers in a row that are not told of, after which the runtime counts as failing.
const FAILURES: usize = 3;

/// What was said of a container.
#[derive(Clone, Copy)]
struct Said {
    is_running: bool,
    /// When to ask for its details; none where they were told, or there are none.
    lacks: Option<Lack>,
}

/// What was asked for and not told.
#[derive(Clone, Copy)]
struct Lack {
    attempts: u32,
    again: Instant,
}

impl Lack {
    /// After one more attempt.
    fn after(before: Option<Self>) -> Self {
        let attempts = before.map_or(0, |lack| lack.attempts) + 1;
        let pause = AGAIN * 2_u32.pow(attempts.min(ATTEMPTS) - 1);
        Self { attempts, again: Instant::now() + pause }
    }

    fn is_due(&self) -> bool {
        self.again <= Instant::now()
    }
}

/// The watch over one runtime.
pub(super) struct Watch {
    place: Place,
    out: Out,
    hints: watch::Receiver<u64>,
    facts: RuntimeFacts,
    said: BTreeMap<String, Said>,
    start: Instant,
}

impl Watch {
    /// Over what is at `place`. `hints` changes when a container is known to be new.
    pub(super) fn new(place: Place, out: Out, hints: watch::Receiver<u64>) -> Self {
        let facts = RuntimeFacts { socket: place.shown(), ..RuntimeFacts::default() };
        Self { place, out, hints, facts, said: BTreeMap::new(), start: Instant::now() }
    }

    /// Goes on until nobody listens.
    pub(super) async fn run(mut self) {
        let mut retry = RETRY[0];
        self.start = Instant::now();
        loop {
            let start = Instant::now();
            let Err(error) = self.serve().await;
            if start.elapsed() > RETRY[1] {
                retry = RETRY[0];
            }
            if matches!(error, Error::Unheard) || self.fails(&error).await.is_err() {
                return;
            }
            let wait = if matches!(error, Error::Absent) { ABSENT } else { retry };
            tokio::time::sleep(wait).await;
            retry = (retry * 2).min(RETRY[1]);
        }
    }

    async fn fails(&mut self, error: &Error) -> Result<(), Error> {
        let facts = RuntimeFacts { trouble: None, ..self.facts.clone() };
        self.out.fails(facts, error).await
    }

    /// Asks, for as long as all goes well.
    async fn serve(&mut self) -> Result<Never, Error> {
        let (mut client, facts) = Client::ask(&self.place, self.deadline()).await?;
        self.facts = facts;
        self.out.answers(self.facts.clone()).await?;
        let mut driver = self.facts.cgroup_driver.is_none().then(|| Lack::after(None));
        let mut hastes = 0;
        loop {
            let start = Instant::now();
            let listed = client.list(self.deadline()).await?;
            let took = start.elapsed() * SHARE;
            self.tell(&mut client, listed).await?;
            self.out.settle().await?;
            self.tell_driver(&mut client, &mut driver).await?;
            let hasty = HASTE * 2_u32.pow(HASTES - hastes);
            let pause = if hastes > 0 { hasty } else { PAUSE }.max(took);
            hastes = hastes.saturating_sub(1);
            if self.is_hinted_within(pause).await? {
                tokio::time::sleep(HASTE.max(took)).await;
                hastes = HASTES;
            }
        }
    }

    /// Until when the next answer may take.
    fn deadline(&self) -> Instant {
        let by = Instant::now() + CALL;
        if self.out.is_settled() { by } else { by.min(self.start + FIRST) }
    }

    /// Waits, or less if there is a hint.
    async fn is_hinted_within(&mut self, pause: Duration) -> Result<bool, Error> {
        match tokio::time::timeout(pause, self.hints.changed()).await {
            Ok(Ok(())) => Ok(true),
            // The hints come from the listener.
            Ok(Err(_)) => Err(Error::Unheard),
            Err(_) => Ok(false),
        }
    }

    /// Tells what a list has that was not told before.
    async fn tell(&mut self, client: &mut Client, listed: Vec<Listed>) -> Result<(), Error> {
        let (listed, over) = bounds::kept(listed);
        self.tell_excess(over).await?;
        self.tell_gone(&listed).await?;
        let mut due: Vec<_> = listed.iter().filter(|it| self.is_due(it)).collect();
        let attempts = |it: &&Listed| self.said.get(&it.facts.id)?.lacks.map(|it| it.attempts);
        due.sort_by_key(attempts);
        let mut later = Vec::new();
        let mut failures = 0;
        for container in due {
            let is_late = self.start.elapsed() >= FIRST_DETAILS && !self.out.is_settled();
            if container.is_running && is_late {
                self.tell_without_details(container).await?;
                later.push(container);
            } else {
                self.tell_one(client, container, &mut failures).await?;
            }
        }
        self.out.settle().await?;
        for container in later {
            self.tell_one(client, container, &mut failures).await?;
        }
        Ok(())
    }

    /// Says once that there are more than are kept.
    async fn tell_excess(&mut self, over: usize) -> Result<(), Error> {
        let has_said = self.facts.trouble.is_some();
        if (over > 0) == has_said {
            return Ok(());
        }
        let most = bounds::CONTAINERS;
        self.facts.trouble =
            (over > 0).then(|| format!("it has more than {most} containers; no more are named"));
        self.out.answers(self.facts.clone()).await
    }

    async fn tell_gone(&mut self, listed: &[Listed]) -> Result<(), Error> {
        let ids: std::collections::BTreeSet<_> =
            listed.iter().map(|it| it.facts.id.as_str()).collect();
        let gone: Vec<_> =
            self.said.keys().filter(|id| !ids.contains(id.as_str())).cloned().collect();
        for id in gone {
            self.said.remove(&id);
            self.out.gone(id).await?;
        }
        Ok(())
    }

    /// Whether there is something new to tell of a container.
    fn is_due(&self, container: &Listed) -> bool {
        self.said.get(&container.facts.id).is_none_or(|said| {
            let is_changed = said.is_running != container.is_running;
            is_changed || said.lacks.is_some_and(|lack| lack.is_due())
        })
    }

    /// Asks for the cgroup driver once more, where it was not told.
    async fn tell_driver(
        &mut self,
        client: &mut Client,
        lack: &mut Option<Lack>,
    ) -> Result<(), Error> {
        if !lack.is_some_and(|lack| lack.is_due()) {
            return Ok(());
        }
        self.facts.cgroup_driver = client.driver(self.deadline()).await;
        if self.facts.cgroup_driver.is_none() {
            *lack = Some(Lack::after(*lack));
            return Ok(());
        }
        *lack = None;
        self.out.answers(self.facts.clone()).await
    }

    /// Tells of one, with its details where it runs and they are to be had.
    async fn tell_one(
        &mut self,
        client: &mut Client,
        container: &Listed,
        failures: &mut usize,
    ) -> Result<(), Error> {
        if !container.is_running {
            return self.tell_without_details(container).await;
        }
        match client.inspect(container, self.deadline()).await {
            Ok(facts) => {
                *failures = 0;
                self.said.insert(facts.id.clone(), Said { is_running: true, lacks: None });
                self.out.container(facts).await
            }
            // It ended meanwhile. The next list says so.
            Err(Error::Gone) => Ok(()),
            Err(error) => {
                self.tell_without_details(container).await?;
                *failures += 1;
                if *failures < FAILURES { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Tells what the list says of one, unless that was told before.
    async fn tell_without_details(&mut self, container: &Listed) -> Result<(), Error> {
        let id = &container.facts.id;
        let before = self.said.get(id).copied();
        let is_told = before.is_some_and(|said| said.is_running == container.is_running);
        let is_running = container.is_running;
        let lacks = is_running.then(|| Lack::after(before.and_then(|said| said.lacks)));
        self.said.insert(id.clone(), Said { is_running, lacks });
        if is_told { Ok(()) } else { self.out.container(container.facts.clone()).await }
    }
}

/// What does not come about.
enum Never {}
