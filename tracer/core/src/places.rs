//! Where a task is in every hierarchy, stored once however many tasks are there.

use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

use crate::ids::HierarchyId;

/// A cgroup as it became known: by an event's number, or by a path that had no number yet.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Spot {
    /// The cgroup's id in its hierarchy.
    Id(u64),
    /// The path from its hierarchy's root.
    Path(Arc<[u8]>),
}

/// The place in each hierarchy, ordered by hierarchy, each at most once.
pub(crate) type Places = Arc<[(HierarchyId, Spot)]>;

/// The place in one hierarchy.
pub(crate) fn get(places: &Places, hierarchy: HierarchyId) -> Option<&Spot> {
    let at = places.binary_search_by_key(&hierarchy, |(id, _)| *id).ok()?;
    Some(&places[at].1)
}

/// Which of the pool's copies this is: two that are in use are equal if their numbers are. It says
/// nothing once they are given back.
pub(crate) fn copy(places: &Places) -> usize {
    Arc::as_ptr(places).addr()
}

/// Every distinct set of places in use. Whoever takes one gives it back.
#[derive(Debug, Default)]
pub(crate) struct Pool(BTreeSet<Places>);

impl Pool {
    /// The one copy of these places; the first of two for the same hierarchy counts.
    pub(crate) fn take(&mut self, mut places: Vec<(HierarchyId, Spot)>) -> Places {
        places.sort_by_key(|(id, _)| *id);
        places.dedup_by_key(|(id, _)| *id);
        if let Some(known) = self.0.get(&*places) {
            return Arc::clone(known);
        }
        let new = Places::from(places);
        self.0.insert(Arc::clone(&new));
        new
    }

    /// The same places but for one hierarchy.
    pub(crate) fn with(&mut self, places: &Places, hierarchy: HierarchyId, spot: Spot) -> Places {
        let mut changed = Vec::with_capacity(places.len() + 1);
        changed.push((hierarchy, spot));
        changed.extend(places.iter().filter(|(id, _)| *id != hierarchy).cloned());
        self.take(changed)
    }

    /// Takes places back, and drops them if nobody else is there.
    pub(crate) fn give(&mut self, places: Places) {
        // The pool's own and the one given back.
        if Arc::strong_count(&places) <= 2 {
            self.0.remove(&*places);
        }
        drop(places);
    }

    /// How many distinct sets there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
