//! Cgroup paths in few columns, so that people still know them.
//!
//! What was left out is always marked by an ellipsis, which no whole path can contain: it is
//! escaped in names. The order: first digits of ids, then components in the middle, then the front.

use truant_core::{path::Container, report::Place};

use super::line::{clip, clip_front, quoted, tame, width};

/// How many digits a run has at least that is taken for an id.
const ID_DIGITS: usize = 16;

/// The path of `place` in at most `room` columns.
pub(super) fn place(place: &Place, room: usize) -> String {
    match (&place.path, &place.key) {
        (Some(path), _) => {
            let fit = |text: &str, room| path_in(text, place.container.as_ref(), room);
            quoted(&tame(path), room, fit)
        }
        (None, Some(key)) => clip(&format!("(cgroup {})", key.id), room),
        (None, None) => clip("(unknown)", room),
    }
}

/// Like [`place`], with the cgroup's id after it: for where two places would look the same.
pub(super) fn place_and_id(place_of: &Place, room: usize) -> String {
    let id = place_of.key.map_or_else(String::new, |key| format!(" #{}", key.id));
    if place_of.path.is_none() || width(&id) >= room {
        return place(place_of, room);
    }
    place(place_of, room - width(&id)) + &id
}

/// A name (of a task, of a hierarchy) in at most `room` columns.
pub(super) fn name(bytes: &[u8], room: usize) -> String {
    quoted(&tame(bytes), room, clip)
}

fn path_in(path: &str, container: Option<&Container>, room: usize) -> String {
    let ids = || [16, 12, 8].into_iter().map(|keep| shorten_ids(path, keep));
    let short = shorten_ids(path, 8);
    let shorter = shorten_ids(path, 6);
    std::iter::once(path.to_owned())
        .chain(ids())
        .chain(drop_middle(&short))
        .chain(container.and_then(|container| by_ids(path, container, 8)))
        .chain(drop_middle(&shorter))
        .chain(container.and_then(|container| by_ids(path, container, 6)))
        .chain(shorter.rsplit_once('/').map(|(_, last)| format!("…/{last}")))
        .find(|text| width(text) <= room)
        .unwrap_or_else(|| clip_front(&shorter, room))
}

/// Cuts every run of hexadecimal digits that is long enough for an id to its first `keep`.
fn shorten_ids(path: &str, keep: usize) -> String {
    let part_of_id = |c: char| c.is_ascii_hexdigit() || c == '-' || c == '_';
    let mut short = String::new();
    let mut rest = path;
    while let Some(start) = rest.find(part_of_id) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !part_of_id(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        short.push_str(before);
        push_run(&mut short, run, keep);
        rest = after;
    }
    short + rest
}

fn push_run(short: &mut String, run: &str, keep: usize) {
    if run.chars().filter(char::is_ascii_hexdigit).count() < ID_DIGITS {
        return short.push_str(run);
    }
    // The last letter of "pod" is a digit too, but not one of the id.
    let pods = if short.ends_with("po") { run.strip_prefix('d') } else { None };
    let id = pods.unwrap_or(run).trim_start_matches(['-', '_']);
    let (lead, _) = run.split_at(run.len() - id.len());
    short.push_str(lead);
    short.push_str(id.get(..keep).unwrap_or(id).trim_end_matches(['-', '_']));
    short.push('…');
}

/// The path with ever more components in the middle left out: first all but the first are kept,
/// then the first goes too. The last two are always there.
fn drop_middle(path: &str) -> Vec<String> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let tails = |from: usize| {
        (from..parts.len().saturating_sub(1)).filter_map(|at| parts.get(at..)).map(|t| t.join("/"))
    };
    let first = parts.first().copied().unwrap_or_default();
    let with_first = tails(2).map(|tail| format!("/{first}/…/{tail}"));
    with_first.chain(tails(1).map(|tail| format!("…/{tail}"))).collect()
}

/// The pod's and the container's ids in place of all that leads to them, and what follows them.
fn by_ids(path: &str, container: &Container, keep: usize) -> Option<String> {
    let cut = |id: &str| id.chars().take(keep).collect::<String>();
    let pod = container.pod_uid.as_deref().map(|uid| format!("/pod{}…", cut(uid)));
    let id = container.container_id.as_deref()?;
    let (_, after) = path.rsplit_once(id)?;
    let below = after.find('/').and_then(|slash| after.get(slash..)).unwrap_or_default();
    Some(format!("…{}/{}…{below}", pod.unwrap_or_default(), cut(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::{self, CGROUPFS, SYSTEMD};

    fn check(path: &str, room: usize, expected: &str) {
        let short = place(&samples::place(1, path.as_bytes()), room);
        assert_eq!(short, expected);
        assert!(width(&short) <= room, "{short}");
    }

    #[test]
    fn what_fits_stays_whole() {
        check("/system.slice/leaky.service", 27, "/system.slice/leaky.service");
        check("/", 1, "/");
    }

    #[test]
    fn ids_are_cut_first() {
        check(CGROUPFS, 60, "/kubepods/burstable/pod0f3c1a52-7d2e-4b…/9f8e7d6c5b4a3928…");
    }

    #[test]
    fn the_middle_goes_next() {
        check(CGROUPFS, 39, "/kubepods/…/pod0f3c1a52…/9f8e7d6c…");
        check(SYSTEMD, 30, "…/pod7b2e9d10…/9f8e7d6c…");
        check(&format!("{SYSTEMD}/init.scope"), 40, "…/pod7b2e9d10…/9f8e7d6c…/init.scope");
    }

    #[test]
    fn the_end_stays_to_the_last() {
        check("/system.slice/containerd.service/system.slice/hog.service", 20, "…/hog.service");
        check("/a b/c", 8, "\"/a b/c\"");
    }

    #[test]
    fn an_unknown_place_is_called_that() {
        let nowhere = Place { key: None, path: None, container: None };
        assert_eq!(place(&nowhere, 20), "(unknown)");
        let nameless = Place { path: None, ..samples::place(7, b"") };
        assert_eq!(place(&nameless, 20), "(cgroup 7)");
        assert_eq!(place_and_id(&nameless, 20), "(cgroup 7)");
    }
}
