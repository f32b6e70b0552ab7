//! Who the containers are: pods' and containers' names, by the container runtimes.
//!
//! Owns finding the runtimes' sockets, asking there, when to ask again, and how much is kept. Reads
//! no kernel and judges nothing. No runtime can delay whoever listens: a thread asks and takes the
//! answers apart, each runtime has a task of its own there, and every call has an end.

mod bounds;
mod cgroup_path;
mod client;
mod cri;
mod docker;
mod error;
mod http;
mod out;
mod sockets;
#[cfg(test)]
mod tests;
mod watch;

use std::{collections::VecDeque, io, path::Path, thread, time::Duration};

use tokio::{
    runtime::Builder,
    sync::{mpsc, watch as hint},
    task::JoinSet,
    time::Instant,
};
use truant_core::input::{Input, RuntimeFacts};

use self::{
    out::{Message, Out},
    sockets::Place,
    watch::Watch,
};

/// Inputs that wait for the listener at most. Runtimes are asked no further before they are taken.
const WAITING: usize = 256;

/// The container runtimes of a node, and what they say.
pub(crate) struct Runtimes {
    inbox: mpsc::Receiver<Message>,
    /// What is said in place of a message that came.
    instead: VecDeque<Input>,
    hints: hint::Sender<u64>,
    unsettled: usize,
    has_heard: bool,
    /// Runtimes that have a socket and cannot be asked.
    spare: Vec<RuntimeFacts>,
    /// Where was looked.
    places: Vec<String>,
}

impl Runtimes {
    /// Looks for runtimes at the usual places below `root` (`/`, or `/proc/1/root` from inside a
    /// container), or at the socket `named` alone, and asks them from now on, until the value is
    /// dropped. Waits for nothing. The thread that asks is in the caller's namespaces.
    pub(crate) fn find(root: &Path, named: Option<&Path>) -> Self {
        Self::at(match named {
            Some(path) => vec![sockets::named(root, path)],
            None => sockets::usual(root),
        })
    }

    fn at(places: Vec<Place>) -> Self {
        let (sender, inbox) = mpsc::channel(WAITING);
        let (hints, hint) = hint::channel(0);
        let mut runtimes = Self {
            inbox,
            instead: VecDeque::new(),
            hints,
            unsettled: places.len(),
            has_heard: false,
            spare: Vec::new(),
            places: places.iter().map(Place::shown).collect(),
        };
        if let Err(error) = start(places, &sender, hint) {
            runtimes.unsettled = 1;
            let trouble = Some(format!("no thread to ask container runtimes: {error}"));
            let facts = RuntimeFacts { trouble, ..RuntimeFacts::default() };
            runtimes.settled(Some(Box::new(facts)));
        }
        runtimes
    }

    /// The next thing a runtime says: [`Input::Runtime`], [`Input::Container`] or
    /// [`Input::ContainerGone`]. A runtime comes before its containers; a container comes again
    /// when more of it is known, and when it starts or ends. None if nothing more can come. Loses
    /// nothing where it is dropped before it ends.
    pub(crate) async fn next(&mut self) -> Option<Input> {
        loop {
            if let Some(input) = self.instead.pop_front() {
                return Some(input);
            }
            match self.inbox.recv().await? {
                Message::Said(input) => {
                    self.has_heard |= matches!(input, Input::Runtime(_));
                    return Some(input);
                }
                Message::Settled(spare) => self.settled(spare),
            }
        }
    }

    /// Feeds what comes until every runtime has said what can be known at once, or `at_most` is
    /// over; 5 s are enough for each of them to have answered or be in trouble. Says whether all
    /// have.
    ///
    /// # Errors
    /// Those of `feed`.
    pub(crate) async fn settle<E>(
        &mut self,
        at_most: Duration,
        mut feed: impl FnMut(Input) -> Result<(), E>,
    ) -> Result<bool, E> {
        let by = Instant::now() + at_most;
        while self.unsettled > 0 || !self.instead.is_empty() {
            let message = match self.instead.pop_front() {
                Some(input) => Some(Message::Said(input)),
                None => tokio::time::timeout_at(by, self.inbox.recv()).await.unwrap_or_default(),
            };
            match message {
                Some(Message::Said(input)) => {
                    self.has_heard |= matches!(input, Input::Runtime(_));
                    feed(input)?;
                }
                Some(Message::Settled(spare)) => self.settled(spare),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether every runtime has said what can be known at once, and all of that was given out.
    pub(crate) fn is_settled(&self) -> bool {
        self.unsettled == 0 && self.instead.is_empty()
    }

    /// Asks again soon: a cgroup was made that looks like a container's. Cheap, and may be called
    /// as often as that happens.
    pub(crate) fn hint(&self) {
        self.hints.send_modify(|count| *count += 1);
    }

    /// A watch has settled. After the last one, what is not said otherwise is: that nobody answers.
    fn settled(&mut self, spare: Option<Box<RuntimeFacts>>) {
        self.unsettled = self.unsettled.saturating_sub(1);
        self.spare.extend(spare.map(|facts| *facts));
        if self.unsettled > 0 || self.has_heard {
            return;
        }
        if self.spare.is_empty() {
            let trouble = format!("no container runtime's socket at {}", self.places.join(", "));
            let none = RuntimeFacts { trouble: Some(trouble), ..RuntimeFacts::default() };
            self.spare.push(none);
        }
        self.instead.extend(self.spare.drain(..).map(|facts| Input::Runtime(Box::new(facts))));
    }
}

/// Starts the thread that asks. It ends when nobody can give hints any more.
fn start(
    places: Vec<Place>,
    sender: &mpsc::Sender<Message>,
    mut hint: hint::Receiver<u64>,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let watches: Vec<_> = places
        .into_iter()
        .map(|place| Watch::new(place, Out::new(sender.clone()), hint.clone()).run())
        .collect();
    let work = async move {
        let _watches: JoinSet<_> = watches.into_iter().collect();
        while hint.changed().await.is_ok() {}
    };
    let thread = thread::Builder::new().name("truant-runtimes".to_owned());
    thread.spawn(move || runtime.block_on(work)).map(drop)
}
