//! The way from a runtime's watch to whoever listens: what is said, once each.

use tokio::sync::mpsc;
use truant_core::input::{ContainerFacts, Input, RuntimeFacts};

use super::error::Error;

/// What a watch tells.
pub(super) enum Message {
    /// An input.
    Said(Input),
    /// All that can be known at once has been said, or why nothing can. Comes once from each watch.
    Settled(Option<Box<RuntimeFacts>>),
}

/// Where a watch tells it. Waits where nobody takes it, so that what waits is bounded.
pub(super) struct Out {
    sender: mpsc::Sender<Message>,
    is_settled: bool,
    is_troubled: bool,
    has_answered: bool,
}

impl Out {
    /// To the other end of `sender`.
    pub(super) fn new(sender: mpsc::Sender<Message>) -> Self {
        Self { sender, is_settled: false, is_troubled: false, has_answered: false }
    }

    /// Whether [`Self::settle`] was called.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// All that can be known at once has been said.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        self.settle_with(None).await
    }

    /// A runtime answers, perhaps not about everything.
    pub(super) async fn answers(&mut self, facts: RuntimeFacts) -> Result<(), Error> {
        self.has_answered = true;
        self.is_troubled = facts.trouble.is_some();
        self.say(Input::Runtime(Box::new(facts))).await
    }

    /// It does not, and why. Said once, until it answers again.
    pub(super) async fn fails(&mut self, facts: RuntimeFacts, error: &Error) -> Result<(), Error> {
        let facts = RuntimeFacts { trouble: Some(error.to_string()), ..facts };
        if error.is_quiet() && !self.has_answered {
            let is_there = !matches!(error, Error::Absent);
            return self.settle_with(is_there.then_some(facts)).await;
        }
        if !self.is_troubled {
            self.is_troubled = true;
            self.say(Input::Runtime(Box::new(facts))).await?;
        }
        self.settle().await
    }

    /// What is known of a container.
    pub(super) async fn container(&mut self, facts: ContainerFacts) -> Result<(), Error> {
        self.say(Input::Container(Box::new(facts))).await
    }

    /// A container is not known any more.
    pub(super) async fn gone(&mut self, id: String) -> Result<(), Error> {
        self.say(Input::ContainerGone { id }).await
    }

    async fn settle_with(&mut self, spare: Option<RuntimeFacts>) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_settled, true) {
            return Ok(());
        }
        self.send(Message::Settled(spare.map(Box::new))).await
    }

    async fn say(&self, input: Input) -> Result<(), Error> {
        self.send(Message::Said(input)).await
    }

    async fn send(&self, message: Message) -> Result<(), Error> {
        // Who waits for what was not sent is not there.
        self.sender.send(message).await.map_err(|_unsent| Error::Unheard)
    }
}
