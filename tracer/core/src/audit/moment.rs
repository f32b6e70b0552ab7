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
                | Input::Looked { .. }
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

#[cfg(test)]
mod tests {
    use alloc::{boxed::Box, string::ToString as _, vec::Vec};

    use super::*;
    use crate::{
        ids::{BootTime, CgroupKey, Comm, HierarchyId, Task},
        input::{Facts, Hierarchy},
    };

    const AT: BootTime = BootTime(1 << 40);
    const MEMORY: HierarchyId = HierarchyId(4);

    fn fed(engine: &mut Engine, input: Input) -> Vec<u32> {
        engine.feed(input, &mut Vec::new());
        engine.strays()
    }

    /// `/` and `/b`; process 60 is a pod's by another hierarchy, and outside in memory's.
    fn node() -> (Engine, Task) {
        let hierarchy = |(id, name): (u32, &str)| Hierarchy {
            id: HierarchyId(id),
            name: name.to_string(),
            controllers: Vec::from([name.to_string()]),
        };
        let hierarchies = [(4, "memory"), (6, "freezer")].map(hierarchy).into();
        let facts = Facts { hierarchies, memory: Some(MEMORY), ..Facts::default() };
        let mut engine = Engine::new();
        fed(&mut engine, Input::Started(Box::new(facts)));
        for (id, parent, name) in [(1, None, ""), (2, Some(1), "b")] {
            let (key, name) = (CgroupKey { hierarchy: MEMORY, id }, name.as_bytes().into());
            fed(&mut engine, Input::CgroupMade { at: None, key, parent, name });
        }
        let task = Task { tid: 60, tgid: 60, start: BootTime(1), comm: Comm::default() };
        (engine, task)
    }

    fn seen(task: Task) -> Input {
        let pod = b"/kubepods/podaaaaaaaa-1111-4222-8333-444444444444";
        let places = [(MEMORY, Box::from(*b"/b")), (HierarchyId(6), Box::from(pod.as_slice()))];
        Input::TaskSeen { task, ppid: 1, places: places.into(), namespaces: None, monitors: None }
    }

    #[test]
    fn it_lasts_while_figures_are_read_and_no_longer() {
        let (mut engine, task) = node();
        assert_eq!(fed(&mut engine, seen(task)), [60]);
        assert_eq!(fed(&mut engine, Input::Limits(Vec::new())), [60]);
        engine.feed(Input::Held(Vec::new()), &mut Vec::new());
        assert!(engine.moment.strays.get().is_some(), "a figure has ended it");
        engine.feed(Input::Audited { at: AT }, &mut Vec::new());
        assert!(engine.moment.clues.get().is_none(), "an audit settles homes");
        assert_eq!(engine.strays(), [60]);
        assert_eq!(fed(&mut engine, Input::Exited { at: AT, tid: 60, tgid: 60 }), []);
        assert_eq!(fed(&mut engine, seen(task)), [60]);
        let removed = CgroupKey { hierarchy: MEMORY, id: 2 };
        engine.feed(Input::CgroupRemoved { at: AT, key: removed }, &mut Vec::new());
        assert!(engine.moment.strays.get().is_none(), "the tree has changed");
    }
}
