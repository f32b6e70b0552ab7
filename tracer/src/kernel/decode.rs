//! Records of the ring into inputs: by length first, then field by field.
//!
//! Owns no reading. Bytes that are no record are a counted fact and never an error.

use bytes::Buf;
use truant_core::{
    ids::{Actor, BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{Input, LossCause},
};
use truant_ebpf::{Born, Cgroup, Exec, Exited, Forked, Kind, Moved, NamedCgroup, OomKill};

/// The input that `record` is; one lost record if it is none.
pub(crate) fn decode(record: &[u8]) -> Input {
    try_decode(record).unwrap_or(Input::Lost { cause: LossCause::Malformed, count: 1 })
}

fn try_decode(mut record: &[u8]) -> Option<Input> {
    let length = record.len();
    let from = &mut record;
    let kind = (length >= 4).then(|| from.get_u32_ne())?;
    Some(match kind {
        _ if kind == Kind::Moved as u32 && length == size_of::<Moved>() => moved(from),
        _ if kind == Kind::Forked as u32 && length == size_of::<Forked>() => forked(from),
        _ if kind == Kind::Born as u32 && length == size_of::<Born>() => born(from),
        _ if kind == Kind::Exec as u32 && length == size_of::<Exec>() => {
            let pid = from.get_u32_ne();
            Input::Exec { at: time(from), pid, comm: comm(from) }
        }
        _ if kind == Kind::Exited as u32 && length == size_of::<Exited>() => {
            let tid = from.get_u32_ne();
            Input::Exited { at: time(from), tid, tgid: from.get_u32_ne() }
        }
        _ if kind == Kind::OomKill as u32 && length == size_of::<OomKill>() => {
            let pid = from.get_u32_ne();
            Input::OomKill { at: time(from), pid }
        }
        _ if kind == Kind::CgroupMade as u32 && length == size_of::<NamedCgroup>() => {
            let Lifecycle { at, key, parent } = lifecycle(from);
            let parent = (parent != 0).then_some(parent);
            Input::CgroupMade { at: Some(at), key, parent, name: name(from) }
        }
        _ if kind == Kind::CgroupRenamed as u32 && length == size_of::<NamedCgroup>() => {
            let Lifecycle { at, key, .. } = lifecycle(from);
            Input::CgroupRenamed { at, key, name: name(from) }
        }
        _ if kind == Kind::CgroupRemoved as u32 && length == size_of::<Cgroup>() => {
            let Lifecycle { at, key, .. } = lifecycle(from);
            Input::CgroupRemoved { at, key }
        }
        _ if kind == Kind::CgroupReleased as u32 && length == size_of::<Cgroup>() => {
            let Lifecycle { at, key, .. } = lifecycle(from);
            Input::CgroupReleased { at, key }
        }
        _ => return None,
    })
}

fn moved(from: &mut &[u8]) -> Input {
    let whole_process = from.get_u32_ne() != 0;
    let at = time(from);
    let task = task(from);
    let source = from.get_u64_ne();
    let id = from.get_u64_ne();
    let to = CgroupKey { hierarchy: HierarchyId(from.get_u32_ne()), id };
    let mover = Actor { pid: from.get_u32_ne(), comm: comm(from) };
    Input::Moved { at, task, whole_process, from: (source != 0).then_some(source), to, mover }
}

fn forked(from: &mut &[u8]) -> Input {
    let parent_tid = from.get_u32_ne();
    let at = time(from);
    let task = task(from);
    Input::Forked { at, parent_tid, parent: from.get_u32_ne(), task }
}

fn born(from: &mut &[u8]) -> Input {
    let parent_tid = from.get_u32_ne();
    let at = time(from);
    let task = task(from);
    let parent = from.get_u32_ne();
    let _reserved = from.get_u32_ne();
    let (source, to) = (from.get_u64_ne(), from.get_u64_ne());
    let parent = Actor { pid: parent, comm: comm(from) };
    Input::Born { at, parent_tid, parent, task, from: source, to }
}

/// The part that all records of cgroups begin with.
struct Lifecycle {
    at: BootTime,
    key: CgroupKey,
    parent: u64,
}

fn lifecycle(from: &mut &[u8]) -> Lifecycle {
    let hierarchy = HierarchyId(from.get_u32_ne());
    let at = time(from);
    let key = CgroupKey { hierarchy, id: from.get_u64_ne() };
    Lifecycle { at, key, parent: from.get_u64_ne() }
}

fn time(from: &mut &[u8]) -> BootTime {
    BootTime(from.get_u64_ne())
}

fn task(from: &mut &[u8]) -> Task {
    let (tid, tgid) = (from.get_u32_ne(), from.get_u32_ne());
    Task { tid, tgid, start: time(from), comm: comm(from) }
}

fn comm(from: &mut &[u8]) -> Comm {
    let mut bytes = [0; 16];
    from.copy_to_slice(&mut bytes);
    Comm(bytes)
}

fn name(from: &[u8]) -> Box<[u8]> {
    from.split(|byte| *byte == 0).next().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use truant_ebpf::{charge_key, split_charge_key};

    use super::*;

    #[test]
    fn a_move_is_read_field_by_field() {
        let mut record = Vec::new();
        for word in [Kind::Moved as u32, 1] {
            record.extend(word.to_ne_bytes());
        }
        record.extend(77_u64.to_ne_bytes());
        record.extend(11_u32.to_ne_bytes());
        record.extend(10_u32.to_ne_bytes());
        record.extend(5_u64.to_ne_bytes());
        record.extend(*b"stress\0\0\0\0\0\0\0\0\0\0");
        record.extend(4_294_967_296_u64.to_ne_bytes());
        record.extend(9_u64.to_ne_bytes());
        record.extend(6_u32.to_ne_bytes());
        record.extend(1_u32.to_ne_bytes());
        record.extend(*b"systemd\0\0\0\0\0\0\0\0\0");
        let expected = Input::Moved {
            at: BootTime(77),
            task: Task { tid: 11, tgid: 10, start: BootTime(5), comm: Comm::new(b"stress") },
            whole_process: true,
            from: Some(4_294_967_296),
            to: CgroupKey { hierarchy: HierarchyId(6), id: 9 },
            mover: Actor { pid: 1, comm: Comm::new(b"systemd") },
        };
        assert_eq!(decode(&record), expected);
        record.pop();
        assert_eq!(decode(&record), Input::Lost { cause: LossCause::Malformed, count: 1 });
    }

    proptest! {
        #[test]
        fn any_bytes_are_one_input(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let word = bytes.first_chunk().map(|word| u32::from_ne_bytes(*word));
            let is_known = word.is_some_and(|kind| (1..=Kind::OomKill as u32).contains(&kind));
            let lost = Input::Lost { cause: LossCause::Malformed, count: 1 };
            prop_assert!(is_known || decode(&bytes) == lost);
        }

        #[test]
        fn a_known_kind_of_any_other_length_is_lost(
            kind in 1..=Kind::OomKill as u32, length in 0..400_usize,
        ) {
            let mut record = kind.to_ne_bytes().to_vec();
            record.resize(length, 0);
            let lengths = [
                size_of::<Moved>(), size_of::<Forked>(), size_of::<Born>(), size_of::<Exec>(),
                size_of::<Exited>(), size_of::<NamedCgroup>(), size_of::<NamedCgroup>(),
                size_of::<Cgroup>(), size_of::<Cgroup>(), size_of::<OomKill>(),
            ];
            let lost = Input::Lost { cause: LossCause::Malformed, count: 1 };
            prop_assert_eq!(decode(&record) == lost, length != lengths[kind as usize - 1]);
        }

        #[test]
        fn a_key_of_charges_is_taken_apart_as_it_was_put_together(
            serial in 0..1_u64 << 41, pid in 0..1_u32 << 22, epoch in 0..=1_u64,
        ) {
            let key = charge_key(serial, pid, epoch);
            prop_assert_eq!(split_charge_key(key), (pid, epoch));
            prop_assert_eq!(key >> 23, serial, "another cgroup has another key");
        }

        #[test]
        fn any_body_of_a_known_kind_is_read(
            (kind, length) in prop_oneof![
                Just((Kind::Moved, size_of::<Moved>())),
                Just((Kind::Forked, size_of::<Forked>())),
                Just((Kind::Born, size_of::<Born>())),
                Just((Kind::Exec, size_of::<Exec>())),
                Just((Kind::Exited, size_of::<Exited>())),
                Just((Kind::CgroupMade, size_of::<NamedCgroup>())),
                Just((Kind::CgroupRenamed, size_of::<NamedCgroup>())),
                Just((Kind::CgroupRemoved, size_of::<Cgroup>())),
                Just((Kind::CgroupReleased, size_of::<Cgroup>())),
                Just((Kind::OomKill, size_of::<OomKill>())),
            ],
            body in proptest::collection::vec(any::<u8>(), 300),
        ) {
            let mut record = (kind as u32).to_ne_bytes().to_vec();
            record.extend(&body[..length - 4]);
            prop_assert_ne!(
                decode(&record),
                Input::Lost { cause: LossCause::Malformed, count: 1 }
            );
        }
    }
}
