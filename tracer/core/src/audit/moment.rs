//! What the judgements of one moment share: put together when it is first asked for, and thrown
//! away with the next input that may change it. Nothing here outlives its moment.

use alloc::vec::Vec;
use core::cell::OnceCell;

use super::strays::Stray;
use crate::{engine::Engine, homes::Clues, input::Input};

/// What is known by now of who is whose, and of who is out.
#[derive(Debug, Default)]
pub(crate) struct Moment {
    clues: OnceCell<Clues>,
    strays: OnceCell<Vec<Stray>>,
}

impl Moment {
    /// Before an input is taken: it is over, unless the input says nothing of tasks, cgroups and
    /// containers.
    pub(crate) fn pass(&mut self, input: &Input) {
        let stays = matches!(
            input,
            Input::View(_)
                | Input::Limits(_)
                | Input::Held(_)
                | Input::Resident(_)
                | Input::NodeMemory(_)
                | Input::Unseen(_)
                | Input::Unmoved { .. }
                | Input::Charges(_)
                | Input::Polled(_)
                | Input::Skipped { .. }
                | Input::Recounted { .. }
                | Input::Lost { .. }
                | Input::Audited { .. }
        );
        if !stays {
            self.end();
        }
    }

    /// It is over.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }
}

impl Engine {
    /// All clues there are.
    pub(crate) fn clues(&self) -> &Clues {
        self.moment.clues.get_or_init(|| self.put_clues_together())
    }

    /// All tasks that are out and have a home, sure or not.
    pub(super) fn all_strays(&self) -> &[Stray] {
        self.moment.strays.get_or_init(|| self.find_strays(self.clues()))
    }
}
