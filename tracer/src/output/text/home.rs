//! Whose a task is, in few columns: by the runtime's names where it has some, else by the
//! beginnings of ids.

use truant_core::{
    path::Container,
    report::{Home, Names, Place},
};

use super::line::{clip, clip_middle, quoted, tame, width};

/// How many characters of an id are shown.
const ID: usize = 8;

/// What a name may take, in order of preference.
const NAME_ROOMS: [usize; 6] = [64, 40, 28, 20, 14, 8];

/// How many names may be cut to before ids say more.
const NAMES_IN_PLACES: usize = 4;

/// `namespace/pod (container name)` in at most `room` columns.
pub(super) fn long(home: &Home, room: usize) -> String {
    let fits = |text: &String| width(text) <= room;
    let texts = NAME_ROOMS.map(|each| with_names(home, each));
    let [.., least] = &texts;
    let fallback = clip(least, room);
    texts.into_iter().find(fits).unwrap_or(fallback)
}

/// `namespace/pod/container` and what follows the container in the path, where `place` is at home,
/// that has a name, and it fits `room` columns.
pub(super) fn of_place(home: Option<&Home>, place: &Place, room: usize) -> Option<String> {
    let (home, container) = (home?, place.container.as_ref()?);
    if !is_at(&home.container, container) {
        return None;
    }
    let names = home.names.as_ref()?;
    let in_pod = container.container_id.is_none();
    let below = below(place, container).unwrap_or_default();
    let text = |each| Some(joined(names, in_pod, each)? + &below);
    let rooms = NAME_ROOMS.into_iter().take(NAMES_IN_PLACES);
    rooms.filter_map(text).find(|text| width(text) <= room)
}

/// `namespace/pod/container`, or the beginnings of the ids, with `each` columns for a name.
pub(super) fn short(home: &Home, each: usize) -> String {
    let names = names(home).and_then(|names| joined(names, false, each));
    names.unwrap_or_else(|| with_names(home, each))
}

/// [`short`] in at most `room` columns.
pub(super) fn short_in(home: &Home, room: usize) -> String {
    let texts = NAME_ROOMS.map(|each| short(home, each));
    let [.., least] = &texts;
    let fallback = clip(least, room);
    texts.into_iter().find(|text| width(text) <= room).unwrap_or(fallback)
}

/// `namespace/pod`, or the beginning of the pod's id, or the container where there is no pod, in
/// at most `room` columns.
pub(super) fn of_pod(home: &Home, room: usize) -> String {
    let text = |each| {
        let named = names(home).and_then(|names| pod(names, each));
        let uid = home.container.pod_uid.as_deref();
        let id = || uid.map(|uid| format!("pod {}", clip(&tame(uid.as_bytes()), ID + 1)));
        named.or_else(id).unwrap_or_else(|| with_names(home, each))
    };
    let texts = NAME_ROOMS.map(text);
    let [.., least] = &texts;
    let fallback = clip(least, room);
    texts.into_iter().find(|text| width(text) <= room).unwrap_or(fallback)
}

/// Whether a place named `container` is in the home, or is its pod's.
pub(super) fn is_at(home: &Container, container: &Container) -> bool {
    let same = container.container_id == home.container_id;
    container.pod_uid == home.pod_uid && (same || container.container_id.is_none())
}

/// What a home is that has none of its own name: the pod, or the container where there is no pod.
pub(super) fn whole(home: &Home) -> &'static str {
    let in_pod = names(home).is_some_and(|names| names.pod.is_some());
    if in_pod || home.container.pod_uid.is_some() { "pod" } else { "container" }
}

fn with_names(home: &Home, each: usize) -> String {
    let names = names(home);
    let name = |name: &Option<String>| name.as_deref().map(|name| word(name, each));
    let id = |id: &Option<String>| id.as_deref().map(|id| clip(&tame(id.as_bytes()), ID + 1));
    let pod = names.and_then(|names| pod(names, each));
    let pod = pod.or_else(|| Some(format!("pod {}", id(&home.container.pod_uid)?)));
    let id = id(&home.container.container_id);
    let container = names.and_then(|names| name(&names.container));
    match (pod, container.or_else(|| id.clone()), id) {
        (Some(pod), Some(container), _) => format!("{pod} (container {container})"),
        (Some(pod), None, _) => pod,
        (None, Some(name), Some(id)) if name != id => format!("container {name} ({id})"),
        (None, Some(container), _) => format!("container {container}"),
        (None, None, _) => "somebody unknown".to_owned(),
    }
}

fn names(home: &Home) -> Option<&Names> {
    home.names.as_ref()
}

fn pod(names: &Names, each: usize) -> Option<String> {
    let pod = word(names.pod.as_deref()?, each);
    let namespace = names.namespace.as_deref().map(|namespace| word(namespace, each));
    Some(namespace.map_or_else(|| pod.clone(), |namespace| format!("{namespace}/{pod}")))
}

fn joined(names: &Names, in_pod: bool, each: usize) -> Option<String> {
    let container = names.container.as_deref().filter(|_| !in_pod).map(|name| word(name, each));
    let parts: Vec<String> = pod(names, each).into_iter().chain(container).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// A name as one word, without the slash that stands between names.
fn word(name: &str, room: usize) -> String {
    quoted(&tame(name.as_bytes()).replace('/', "\\x2f"), room, clip_middle)
}

/// What follows the container's directory in the path.
fn below(place: &Place, container: &Container) -> Option<String> {
    let path = tame(place.path.as_deref()?);
    let (_, after) = path.rsplit_once(container.container_id.as_deref()?)?;
    let below = after.find('/').and_then(|slash| after.get(slash..))?;
    Some(below.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::{self, CGROUPFS, audit};

    fn home(namespace: Option<&str>, pod: Option<&str>, container: Option<&str>) -> Home {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let (namespace, pod, container) = (text(namespace), text(pod), text(container));
        let names = Names { namespace, pod, container, ..Names::default() };
        Home { names: Some(names), ..audit::home() }
    }

    fn check(home: &Home, room: usize, expected: &str) {
        assert_eq!(long(home, room), expected);
        assert!(width(expected) <= room, "{expected}");
    }

    #[test]
    fn names_come_before_ids() {
        let named = home(Some("default"), Some("dev-env"), Some("main"));
        check(&named, 60, "default/dev-env (container main)");
        check(&home(None, Some("dev-env"), None), 60, "dev-env (container 9f8e7d6c…)");
        check(&home(None, None, None), 60, "pod 0f3c1a52… (container 9f8e7d6c…)");
        let mut docker = home(None, None, Some("web"));
        docker.container.pod_uid = None;
        check(&docker, 60, "container web (9f8e7d6c…)");
        docker.names = None;
        check(&docker, 60, "container 9f8e7d6c…");
        docker.container.container_id = None;
        check(&docker, 60, "somebody unknown");
    }

    #[test]
    fn long_names_keep_their_ends_and_forged_ones_stay_one_word() {
        let long = "a-very-long-name-of-a-deployment-".repeat(4) + "7d9f8b6c5-x2x4z";
        let named = home(Some("default"), Some(&long), Some("main"));
        check(&named, 60, "default/a-very-long-na…9f8b6c5-x2x4z (container main)");
        check(&named, 40, "default/a-very-…-x2x4z (container main)");
        check(&named, 10, "default/a…");
        let forged = home(Some("a/b"), Some("c): d\u{202e}"), Some(""));
        check(&forged, 60, "a\\x2fb/\"c): d\\xe2\\x80\\xae\" (container \"\")");
    }

    #[test]
    fn a_place_at_home_is_called_by_its_names() {
        let named = audit::home();
        let of =
            |path: &str, room| of_place(Some(&named), &samples::place(1, path.as_bytes()), room);
        assert_eq!(of(CGROUPFS, 20).as_deref(), Some("default/dev-env/main"));
        assert_eq!(of(CGROUPFS, 19), None);
        let scope = format!("{CGROUPFS}/init.scope");
        assert_eq!(of(&scope, 40).as_deref(), Some("default/dev-env/main/init.scope"));
        assert_eq!(of(samples::SYSTEMD, 99), None);
        assert_eq!(of("/init.scope", 99), None);
    }
}
