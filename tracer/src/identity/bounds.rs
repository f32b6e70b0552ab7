//! How much of what a runtime says is kept. It may say anything, of any size.

use std::collections::BTreeMap;

use truant_core::input::ContainerFacts;

/// Bytes of one answer at most, as much as a kubelet takes.
pub(super) const ANSWER: usize = 16 << 20;

/// Containers and sandboxes of one runtime at most: more than a node holds.
pub(super) const CONTAINERS: usize = 4096;

/// Labels of one container at most.
const LABELS: usize = 64;

/// Bytes of a text at most: a Kubernetes name has 253.
const TEXT: usize = 256;

/// Bytes of a text that people read and nothing compares.
const WORDS: usize = 512;

/// Bytes of a cgroup path at most, as the kernel's own limit for paths.
const PATH: usize = 4096;

/// The text, cut where it is too long.
pub(super) fn text(text: impl Into<String>) -> String {
    clipped(text.into(), TEXT)
}

/// As [`text`]; none if it is empty.
pub(super) fn some(text: impl Into<String>) -> Option<String> {
    let text = self::text(text);
    (!text.is_empty()).then_some(text)
}

/// Words of an error, cut where they are too long.
pub(super) fn words(words: impl Into<String>) -> String {
    clipped(words.into(), WORDS)
}

/// A container's id, if it has the form of one: it goes into requests, and names cgroups.
pub(super) fn id(id: &str) -> Option<String> {
    let fits = (1..=128).contains(&id.len());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (fits && id.bytes().all(is_plain) && !id.starts_with('.')).then(|| id.to_owned())
}

/// A cgroup path, if it is one.
pub(super) fn path(path: String) -> Option<Box<[u8]>> {
    let fits = path.starts_with('/') && path.len() <= PATH && !path.contains('\0');
    fits.then(|| path.into_bytes().into_boxed_slice())
}

/// A process id, if it is one.
pub(super) fn pid(pid: i64) -> Option<u32> {
    u32::try_from(pid).ok().filter(|pid| (1..=0x7fff_ffff).contains(pid))
}

/// A limit of memory in bytes, if it limits anything.
pub(super) fn limit(bytes: i64) -> Option<u64> {
    u64::try_from(bytes).ok().filter(|bytes| (1..1 << 62).contains(bytes))
}

/// Labels of a pod and of a container, the container's own where both have one.
pub(super) fn labels<'a>(
    pod: impl IntoIterator<Item = (&'a String, &'a String)>,
    container: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Vec<(String, String)> {
    let all: BTreeMap<_, _> = pod.into_iter().chain(container).collect();
    all.into_iter().take(LABELS).map(|(name, value)| (text(name), text(value))).collect()
}

/// A container as a list has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    /// What the list says of it.
    pub(super) facts: ContainerFacts,
    /// Whether it is a pod's sandbox.
    pub(super) is_sandbox: bool,
    /// Whether it has processes.
    pub(super) is_running: bool,
    /// When it was made, in any unit, for the order alone.
    pub(super) made: i64,
}

/// Those of `listed` that are kept, the running ones and then the newest first, and how many are
/// not.
pub(super) fn kept(mut listed: Vec<Listed>) -> (Vec<Listed>, usize) {
    listed.sort_by(|a, b| {
        let key = |it: &Listed| (!it.is_running, -i128::from(it.made));
        key(a).cmp(&key(b)).then_with(|| a.facts.id.cmp(&b.facts.id))
    });
    listed.dedup_by(|a, b| a.facts.id == b.facts.id);
    let over = listed.len().saturating_sub(CONTAINERS);
    listed.truncate(CONTAINERS);
    (listed, over)
}

fn clipped(mut text: String, at_most: usize) -> String {
    text.truncate(text.floor_char_boundary(at_most));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_lead_elsewhere_is_none() {
        let longest = "a".repeat(128);
        for good in ["a", "0f3b", "k8s_POD-x.y", &longest] {
            assert_eq!(id(good).as_deref(), Some(good));
        }
        for bad in ["", "..", "../x", "a/b", "a b", "a?b", "é", &"a".repeat(129)] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(text("é".repeat(200)), "é".repeat(128));
        assert_eq!(text(format!("a{}", "é".repeat(200))).len(), 255);
        assert_eq!(some(""), None);
    }

    #[test]
    fn numbers_that_mean_nothing_are_none() {
        assert_eq!([-1, 0, 1, 1 << 40].map(pid), [None, None, Some(1), None]);
        assert_eq!([-1, 0, 1, i64::MAX].map(limit), [None, None, Some(1), None]);
    }

    #[test]
    fn a_containers_label_goes_before_its_pods() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
        };
        let labels =
            labels(&map(&[("b", "pod"), ("c", "pod")]), &map(&[("a", "own"), ("b", "own")]));
        let expected = [("a", "own"), ("b", "own"), ("c", "pod")];
        assert_eq!(labels, expected.map(|(name, value)| (name.into(), value.into())));
    }

    #[test]
    fn the_running_ones_and_then_the_newest_are_kept() {
        let one = |id: usize, is_running, made| Listed {
            facts: ContainerFacts { id: format!("{id:05}"), ..ContainerFacts::default() },
            is_running,
            made,
            ..Listed::default()
        };
        let mut all: Vec<_> = (0..5000).map(|id| one(id, false, 7)).collect();
        all.extend([one(6000, false, 8), one(7000, true, 1), one(7000, true, 1)]);
        let (kept, over) = kept(all);
        let ids: Vec<_> = kept.iter().take(3).map(|it| it.facts.id.as_str()).collect();
        assert_eq!(
            (ids.as_slice(), kept.len(), over),
            (&["07000", "06000", "00000"][..], 4096, 906)
        );
    }
}
