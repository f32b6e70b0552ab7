//! Between the core's inputs and the lines of a recording: the one place where both are named. Each
//! type, with its fields, is there once for both directions.

use truant_core::{
    ids::{self, BootTime, CgroupKey, HierarchyId},
    input as core,
};

use super::schema::{self as wire, Bytes, Text};

impl From<core::Input> for wire::Input {
    fn from(it: core::Input) -> Self {
        it.convert()
    }
}

impl From<wire::Input> for core::Input {
    fn from(it: wire::Input) -> Self {
        it.convert()
    }
}

/// One side's value as the other side has it. Not `From`, which cannot be implemented here for the
/// types of neither side.
trait Convert<T> {
    fn convert(self) -> T;
}

/// Types that are the same on both sides.
macro_rules! same {
    ($($both:ty),* $(,)?) => {
        $(impl Convert<Self> for $both {
            fn convert(self) -> Self {
                self
            }
        })*
    };
}

/// Types that are built from each other.
macro_rules! built {
    ($($core:ty, $wire:ty: $to_wire:expr, $to_core:expr;)*) => {
        $(impl Convert<$wire> for $core {
            fn convert(self) -> $wire {
                $to_wire(self)
            }
        }

        impl Convert<$core> for $wire {
            fn convert(self) -> $core {
                $to_core(self)
            }
        })*
    };
}

/// Structs with the same fields.
macro_rules! fields {
    ($($core:path, $wire:path { $($field:ident),* $(,)? })*) => {
        $(
            fields!(@way $core, $wire { $($field),* });
            fields!(@way $wire, $core { $($field),* });
        )*
    };
    (@way $from:path, $to:path { $($field:ident),* }) => {
        impl Convert<$to> for $from {
            fn convert(self) -> $to {
                let $from { $($field),* } = self;
                $to { $($field: $field.convert()),* }
            }
        }
    };
}

/// Enums with the same variants.
macro_rules! variants {
    ($core:path, $wire:path { $($variants:tt)* }) => {
        variants!(@way $core, $wire { $($variants)* });
        variants!(@way $wire, $core { $($variants)* });
    };
    (@way $from:path, $to:path {
        $($one:ident(_),)* ; $($many:ident { $($field:ident),* },)*
    }) => {
        impl Convert<$to> for $from {
            fn convert(self) -> $to {
                use $from as From;
                use $to as To;
                match self {
                    $(From::$one(it) => To::$one(it.convert()),)*
                    $(From::$many { $($field),* } => To::$many { $($field: $field.convert()),* },)*
                }
            }
        }
    };
}

same!(bool, u32, u64, String);

built! {
    BootTime, u64: |it: BootTime| it.0, BootTime;
    HierarchyId, u32: |it: HierarchyId| it.0, HierarchyId;
    Box<[u8]>, Bytes: Bytes, |it: Bytes| it.0;
    String, Text: Text, |it: Text| it.0;
    ids::Comm, wire::Comm: |it: ids::Comm| wire::Comm(it.0), |it: wire::Comm| ids::Comm(it.0);
    core::Mode, wire::Mode: Into::into, Into::into;
    core::Need, wire::Need: Into::into, Into::into;
    core::Way, wire::Way: Into::into, Into::into;
    core::LossCause, wire::LossCause: Into::into, Into::into;
}

fields! {
    CgroupKey, wire::Key { hierarchy, id }
    ids::Task, wire::Task { tid, tgid, start, comm }
    ids::Actor, wire::Actor { pid, comm }
    core::Hierarchy, wire::Hierarchy { id, name, controllers }
    core::Usage, wire::Usage { cgroup, bytes }
    core::Counter, wire::Counter { cgroup, bytes }
    core::ChargeDelta,
    wire::ChargeDelta { cgroup, pid, charged, uncharged, failures, limit_hits }
    core::Refusal, wire::Refusal { way, why, mend }
    core::Hook, wire::Hook { need, way, note, refused }
    core::Namespaces, wire::Namespaces { pid, mount, cgroup, net, ipc }
    core::RuntimeFacts, wire::RuntimeFacts { name, version, socket, cgroup_driver, trouble }
    core::ContainerFacts, wire::ContainerFacts {
        id, sandbox, pod_uid, pod, namespace, name, image, labels, pid, cgroup, memory_limit,
        runtime,
    }
    core::View, wire::View { pid, init, host_cgroups, may_mount, host_users, mounts }
    core::CgroupMount, wire::CgroupMount { hierarchy, root, at, writable, is_fenced }
    core::CgroupLimits, wire::CgroupLimits { key, memory, pids, cpu }
    core::Holding, wire::Holding { cgroup, bytes, own, dying }
    core::NodeMemory, wire::NodeMemory { total, free, available }
    core::Unseen, wire::Unseen { what, why, mend }
    core::Facts, wire::Facts {
        version, kernel, at, boot_epoch_ns, interval_ns, mode, hierarchies, memory, hooks, guard,
        fail_on_exposed, own_pid,
    }
}

variants! {
    core::Input, wire::Input {
        Started(_),
        Hierarchy(_),
        Charges(_),
        Polled(_),
        Runtime(_),
        Container(_),
        View(_),
        Limits(_),
        Held(_),
        Resident(_),
        NodeMemory(_),
        Unseen(_),
        ;
        CgroupMade { at, key, parent, name },
        CgroupRenamed { at, key, name },
        CgroupRemoved { at, key },
        CgroupReleased { at, key },
        TaskSeen { task, ppid, places, namespaces, monitors },
        Placed { task, places },
        ContainerGone { id },
        Audited { at },
        Moved { at, task, whole_process, from, to, mover },
        Unmoved { count },
        Skipped { count },
        Recounted { counters, during },
        Forked { at, parent_tid, parent, task },
        Born { at, parent_tid, parent, task, from, to },
        Exec { at, pid, comm },
        Exited { at, tid, tgid },
        OomKill { at, pid },
        Looked { at },
        Lost { cause, count },
        IntervalEnded { at },
        Ended { at },
    }
}

impl Convert<wire::Limit> for core::Limit {
    fn convert(self) -> wire::Limit {
        match self {
            Self::Unlimited => wire::Limit::Unlimited,
            Self::Of(most) => wire::Limit::Of(most),
        }
    }
}

impl Convert<core::Limit> for wire::Limit {
    fn convert(self) -> core::Limit {
        match self {
            Self::Unlimited => core::Limit::Unlimited,
            Self::Of(most) => core::Limit::Of(most),
        }
    }
}

impl<T: Convert<U>, U> Convert<Option<U>> for Option<T> {
    fn convert(self) -> Option<U> {
        self.map(T::convert)
    }
}

impl<T: Convert<U>, U> Convert<Vec<U>> for Vec<T> {
    fn convert(self) -> Vec<U> {
        self.into_iter().map(T::convert).collect()
    }
}

impl<T: Convert<U>, U> Convert<Box<U>> for Box<T> {
    fn convert(self) -> Box<U> {
        Box::new((*self).convert())
    }
}

impl<T: Convert<V>, U: Convert<W>, V, W> Convert<(V, W)> for (T, U) {
    fn convert(self) -> (V, W) {
        (self.0.convert(), self.1.convert())
    }
}
