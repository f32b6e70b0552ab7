//! What tasks inside the guarded subtree should stay together in: a pod; without pods, a container;
//! without either, what lies right below the guarded root.

use crate::report::Place;

/// Whether a task that gets from one guarded place to another changes its unit. The numbers are
/// the lengths of the guarded roots' paths.
///
/// Out of a pod or container into what is shared with others (`/kubepods/burstable`) is a change
/// too; the other way is how a container starts.
pub(super) fn is_another(from: (&Place, usize), to: (&Place, usize)) -> bool {
    let (from_pod, from_container) = names(from.0);
    let (to_pod, to_container) = names(to.0);
    match (from_pod.zip(to_pod), from_container.zip(to_container)) {
        (Some((from, to)), _) | (None, Some((from, to))) => from != to,
        _ if from_pod.or(from_container).is_some() => true,
        _ if to_pod.or(to_container).is_some() => false,
        _ => below(from).zip(below(to)).is_some_and(|(from, to)| from != to),
    }
}

fn names(place: &Place) -> (Option<&str>, Option<&str>) {
    let container = place.container.as_ref();
    let pod = container.and_then(|names| names.pod_uid.as_deref());
    (pod, container.and_then(|names| names.container_id.as_deref()))
}

/// The path down to the first component below the root.
fn below((place, root): (&Place, usize)) -> Option<&[u8]> {
    let path = place.path.as_deref()?;
    let rest = path.get(root + 1..)?;
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    (end > 0).then(|| &path[..root + 1 + end])
}
