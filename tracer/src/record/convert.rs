//! Between the core's inputs and the lines of a recording: the one place where both are named.

use truant_core::{
    ids::{self, BootTime, CgroupKey, HierarchyId},
    input as core,
};

use super::schema::{self as wire, Bytes, Key};

/// Ways from and to the core's type, for a struct whose fields go by `into`.
macro_rules! same_fields {
    ($core:path, $wire:path { $($field:ident),* $(,)? }) => {
        impl From<$core> for $wire {
            fn from(it: $core) -> Self {
                let $core { $($field),* } = it;
                Self { $($field: $field.into()),* }
            }
        }

        impl From<$wire> for $core {
            fn from(it: $wire) -> Self {
                let $wire { $($field),* } = it;
                Self { $($field: $field.into()),* }
            }
        }
    };
}

same_fields!(
    core::ChargeDelta,
    wire::ChargeDelta { cgroup, pid, charged, uncharged, failures, limit_hits }
);
same_fields!(core::Usage, wire::Usage { cgroup, bytes });
same_fields!(core::Refusal, wire::Refusal { way, why, mend });
same_fields!(ids::Actor, wire::Actor { pid, comm });

impl From<ids::Comm> for wire::Comm {
    fn from(it: ids::Comm) -> Self {
        Self(it.0)
    }
}

impl From<wire::Comm> for ids::Comm {
    fn from(it: wire::Comm) -> Self {
        Self(it.0)
    }
}

impl From<CgroupKey> for Key {
    fn from(it: CgroupKey) -> Self {
        Self { hierarchy: it.hierarchy.0, id: it.id }
    }
}

impl From<Key> for CgroupKey {
    fn from(it: Key) -> Self {
        Self { hierarchy: HierarchyId(it.hierarchy), id: it.id }
    }
}

impl From<ids::Task> for wire::Task {
    fn from(it: ids::Task) -> Self {
        Self { tid: it.tid, tgid: it.tgid, start: it.start.0, comm: it.comm.into() }
    }
}

impl From<wire::Task> for ids::Task {
    fn from(it: wire::Task) -> Self {
        Self { tid: it.tid, tgid: it.tgid, start: BootTime(it.start), comm: it.comm.into() }
    }
}

impl From<core::Hierarchy> for wire::Hierarchy {
    fn from(it: core::Hierarchy) -> Self {
        Self { id: it.id.0, name: it.name, controllers: it.controllers }
    }
}

impl From<wire::Hierarchy> for core::Hierarchy {
    fn from(it: wire::Hierarchy) -> Self {
        Self { id: HierarchyId(it.id), name: it.name, controllers: it.controllers }
    }
}

impl From<core::Hook> for wire::Hook {
    fn from(it: core::Hook) -> Self {
        let core::Hook { need, way, note, refused } = it;
        Self { need: need.into(), way: way.map(Into::into), note, refused: each(refused) }
    }
}

impl From<wire::Hook> for core::Hook {
    fn from(it: wire::Hook) -> Self {
        let wire::Hook { need, way, note, refused } = it;
        Self { need: need.into(), way: way.map(Into::into), note, refused: each(refused) }
    }
}

impl From<core::Facts> for wire::Facts {
    fn from(it: core::Facts) -> Self {
        Self {
            version: it.version,
            kernel: it.kernel,
            at: it.at.0,
            boot_epoch_ns: it.boot_epoch_ns,
            interval_ns: it.interval_ns,
            mode: it.mode.into(),
            hierarchies: each(it.hierarchies),
            memory: it.memory.map(|id| id.0),
            hooks: each(it.hooks),
            guard: it.guard,
            own_pid: it.own_pid,
        }
    }
}

impl From<wire::Facts> for core::Facts {
    fn from(it: wire::Facts) -> Self {
        Self {
            version: it.version,
            kernel: it.kernel,
            at: BootTime(it.at),
            boot_epoch_ns: it.boot_epoch_ns,
            interval_ns: it.interval_ns,
            mode: it.mode.into(),
            hierarchies: each(it.hierarchies),
            memory: it.memory.map(HierarchyId),
            hooks: each(it.hooks),
            guard: it.guard,
            own_pid: it.own_pid,
        }
    }
}

fn each<A: Into<B>, B>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(Into::into).collect()
}

impl From<core::Input> for wire::Input {
    #[expect(clippy::too_many_lines, reason = "one arm for each variant reads best in one match")]
    fn from(it: core::Input) -> Self {
        use core::Input as From;
        match it {
            From::Started(facts) => Self::Started(Box::new((*facts).into())),
            From::Hierarchy(hierarchy) => Self::Hierarchy(hierarchy.into()),
            From::CgroupMade { at, key, parent, name } => Self::CgroupMade {
                at: at.map(|at| at.0),
                key: key.into(),
                parent,
                name: Bytes(name),
            },
            From::CgroupRenamed { at, key, name } => {
                Self::CgroupRenamed { at: at.0, key: key.into(), name: Bytes(name) }
            }
            From::CgroupRemoved { at, key } => Self::CgroupRemoved { at: at.0, key: key.into() },
            From::CgroupReleased { at, key } => Self::CgroupReleased { at: at.0, key: key.into() },
            From::TaskSeen { task, ppid, places } => Self::TaskSeen {
                task: task.into(),
                ppid,
                places: places.into_iter().map(|(id, path)| (id.0, Bytes(path))).collect(),
            },
            From::Moved { at, task, whole_process, from, to, mover } => Self::Moved {
                at: at.0,
                task: task.into(),
                whole_process,
                from,
                to: to.into(),
                mover: mover.into(),
            },
            From::Unmoved { count } => Self::Unmoved { count },
            From::Forked { at, parent_tid, parent, task } => {
                Self::Forked { at: at.0, parent_tid, parent, task: task.into() }
            }
            From::Born { at, parent_tid, parent, task, from, to } => Self::Born {
                at: at.0,
                parent_tid,
                parent: parent.into(),
                task: task.into(),
                from,
                to,
            },
            From::Exec { at, pid, comm } => Self::Exec { at: at.0, pid, comm: comm.into() },
            From::Exited { at, tid, tgid } => Self::Exited { at: at.0, tid, tgid },
            From::OomKill { at, pid } => Self::OomKill { at: at.0, pid },
            From::Charges(deltas) => Self::Charges(each(deltas)),
            From::Polled(usages) => Self::Polled(each(usages)),
            From::Lost { cause, count } => Self::Lost { cause: cause.into(), count },
            From::IntervalEnded { at } => Self::IntervalEnded { at: at.0 },
            From::Ended { at } => Self::Ended { at: at.0 },
        }
    }
}

impl From<wire::Input> for core::Input {
    #[expect(clippy::too_many_lines, reason = "one arm for each variant reads best in one match")]
    fn from(it: wire::Input) -> Self {
        use wire::Input as From;
        match it {
            From::Started(facts) => Self::Started(Box::new((*facts).into())),
            From::Hierarchy(hierarchy) => Self::Hierarchy(hierarchy.into()),
            From::CgroupMade { at, key, parent, name } => {
                Self::CgroupMade { at: at.map(BootTime), key: key.into(), parent, name: name.0 }
            }
            From::CgroupRenamed { at, key, name } => {
                Self::CgroupRenamed { at: BootTime(at), key: key.into(), name: name.0 }
            }
            From::CgroupRemoved { at, key } => {
                Self::CgroupRemoved { at: BootTime(at), key: key.into() }
            }
            From::CgroupReleased { at, key } => {
                Self::CgroupReleased { at: BootTime(at), key: key.into() }
            }
            From::TaskSeen { task, ppid, places } => Self::TaskSeen {
                task: task.into(),
                ppid,
                places: places.into_iter().map(|(id, path)| (HierarchyId(id), path.0)).collect(),
            },
            From::Moved { at, task, whole_process, from, to, mover } => Self::Moved {
                at: BootTime(at),
                task: task.into(),
                whole_process,
                from,
                to: to.into(),
                mover: mover.into(),
            },
            From::Unmoved { count } => Self::Unmoved { count },
            From::Forked { at, parent_tid, parent, task } => {
                Self::Forked { at: BootTime(at), parent_tid, parent, task: task.into() }
            }
            From::Born { at, parent_tid, parent, task, from, to } => Self::Born {
                at: BootTime(at),
                parent_tid,
                parent: parent.into(),
                task: task.into(),
                from,
                to,
            },
            From::Exec { at, pid, comm } => Self::Exec { at: BootTime(at), pid, comm: comm.into() },
            From::Exited { at, tid, tgid } => Self::Exited { at: BootTime(at), tid, tgid },
            From::OomKill { at, pid } => Self::OomKill { at: BootTime(at), pid },
            From::Charges(deltas) => Self::Charges(each(deltas)),
            From::Polled(usages) => Self::Polled(each(usages)),
            From::Lost { cause, count } => Self::Lost { cause: cause.into(), count },
            From::IntervalEnded { at } => Self::IntervalEnded { at: BootTime(at) },
            From::Ended { at } => Self::Ended { at: BootTime(at) },
        }
    }
}
