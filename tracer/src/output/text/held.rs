//! Cgroups and what each holds, in a part of a line.

use truant_core::report::Place;

use super::{line::width, shorten};

/// Cgroups named at most.
const CGROUPS: usize = 3;

/// What a path may take, in order of preference.
const PATH_ROOMS: [usize; 4] = [48, 36, 27, 20];

/// `cgroups`, each with its figure, in at most `room` columns: as many as fit, then how many more.
pub(super) fn list(cgroups: &[(&Place, String)], room: usize) -> String {
    let fits = |text: &String| width(text) <= room;
    let most = CGROUPS.min(cgroups.len());
    let counts = (1..=most).rev();
    let texts = counts.flat_map(|count| PATH_ROOMS.map(|each| some(cgroups, count, each)));
    let mut texts = texts.filter(fits);
    texts.next().unwrap_or_else(|| {
        let taken = width(&some(cgroups, 1, 0));
        some(cgroups, most.min(1), room.saturating_sub(taken))
    })
}

fn some(cgroups: &[(&Place, String)], count: usize, each: usize) -> String {
    let (shown, hidden) = cgroups.split_at(count.min(cgroups.len()));
    let part = |(place, held): &(&Place, String)| format!("{} {held}", shorten::place(place, each));
    let more = (!hidden.is_empty()).then(|| format!("{} more", hidden.len()));
    shown.iter().map(part).chain(more).collect::<Vec<_>>().join(", ")
}
