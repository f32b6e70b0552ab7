//! The life of cgroups: `cgroup:cgroup_mkdir`, `cgroup_rename`, `cgroup_rmdir`, `cgroup_release`.
//!
//! The directory's name and the parent are enough for userspace to know every path, also that of
//! a cgroup that lives for milliseconds. After `release` no charge is left anywhere.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use truant_ebpf::{Cgroup as CgroupRecord, Counter, Kind, NamedCgroup};

use crate::{
    emit::{emit, emit_filled, settle},
    kernel::{Cgroup, Read},
};

// kernel: 5.10 trace cgroup_mkdir(cgroup *, const char *)
#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
fn tracepoint_cgroup_mkdir(ctx: RawTracePointContext) -> u32 {
    settle(try_named(Kind::CgroupMade, Cgroup::at(ctx.arg(0))))
}

// kernel: 5.10 trace cgroup_rename(cgroup *, const char *)
#[raw_tracepoint(tracepoint = "cgroup_rename")]
fn tracepoint_cgroup_rename(ctx: RawTracePointContext) -> u32 {
    settle(try_named(Kind::CgroupRenamed, Cgroup::at(ctx.arg(0))))
}

// kernel: 5.10 trace cgroup_rmdir(cgroup *, const char *)
#[raw_tracepoint(tracepoint = "cgroup_rmdir")]
fn tracepoint_cgroup_rmdir(ctx: RawTracePointContext) -> u32 {
    settle(record(Kind::CgroupRemoved, Cgroup::at(ctx.arg(0))).and_then(emit))
}

// kernel: 5.10 trace cgroup_release(cgroup *, const char *)
#[raw_tracepoint(tracepoint = "cgroup_release")]
fn tracepoint_cgroup_release(ctx: RawTracePointContext) -> u32 {
    settle(record(Kind::CgroupReleased, Cgroup::at(ctx.arg(0))).and_then(emit))
}

/// The name goes straight into the ring: twice its size would not fit on the stack.
#[inline(always)]
fn try_named(kind: Kind, cgroup: Cgroup) -> Result<(), Counter> {
    let record = record(kind, cgroup)?;
    emit_filled(|to: *mut NamedCgroup| {
        // SAFETY: `to` is a whole record of the ring, and the name is only written through.
        let name = unsafe {
            (&raw mut (*to).cgroup).write(record);
            &mut (*to).name
        };
        cgroup.name(name)
    })
}

#[inline(always)]
fn record(kind: Kind, cgroup: Cgroup) -> Read<CgroupRecord> {
    Ok(CgroupRecord {
        kind: kind as u32,
        hierarchy: cgroup.root()?.id()?,
        // SAFETY: the helper takes nothing and returns a number.
        at: unsafe { bpf_ktime_get_boot_ns() },
        id: cgroup.id()?,
        parent: cgroup.parent_id()?,
    })
}
