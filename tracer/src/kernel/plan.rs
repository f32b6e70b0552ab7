//! What must be seen, and the ways to see it, best first.
//!
//! Pure: a table, and what the running kernel's types rule out. Trying is the loader's.

use std::collections::BTreeSet;

use truant_core::input::{Hook, Need, Refusal, Way};
use truant_ebpf::{Constant, FIELDS, Field};

use super::types::KernelTypes;

/// One way of meeting a need: programs that are attached together or not at all.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The way.
    pub(crate) way: Way,
    /// The programs, by name: the kind of hook, `_`, and the hook. Attached in this order: a return
    /// before its entry, or a call might be remembered whose return nobody sees.
    pub(crate) programs: &'static [&'static str],
    /// The fields that they read.
    pub(crate) fields: &'static [Field],
    /// The numbers that they compare with.
    pub(crate) values: &'static [Constant],
    /// What this way cannot do, in words.
    pub(crate) note: Option<&'static str>,
}

const TASK: [Field; 4] = [Field::TaskPid, Field::TaskTgid, Field::TaskComm, Field::TaskStart];

const CGROUP: [Field; 4] =
    [Field::CgroupNode, Field::NodeId, Field::CgroupRoot, Field::RootHierarchy];

/// Joins two lists of fields.
const fn join<const A: usize, const B: usize, const N: usize>(
    one: [Field; A],
    other: [Field; B],
) -> [Field; N] {
    assert!(A + B == N, "the length is the sum of the two");
    let mut all = [Field::TaskPid; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < A { one[at] } else { other[at - A] };
        at += 1;
    }
    all
}

const MOVE_TARGET: [Field; 10] =
    join(join::<4, 4, 8>(TASK, CGROUP), [Field::TaskSignal, Field::SignalThreads]);

const MOVE: [Field; 14] =
    join(MOVE_TARGET, [Field::TaskCgroups, Field::CssSetLinks, Field::LinkCgroup, Field::LinkNode]);

const BIRTH: [Field; 8] =
    join(TASK, [Field::TaskLeader, Field::TaskCgroups, Field::CssSetDefault, Field::CgroupNode]);

const PROCESS: [Field; 7] = [
    Field::TaskPid,
    Field::TaskTgid,
    Field::TaskComm,
    Field::TaskLeader,
    Field::TaskCgroups,
    Field::TaskSignal,
    Field::SignalLive,
];

const LIFECYCLE: [Field; 8] =
    join(CGROUP, [Field::CgroupSelf, Field::CssParent, Field::CssCgroup, Field::NodeName]);

const MEMCG: [Field; 9] = [
    Field::MemcgCss,
    Field::MemcgMemory,
    Field::CssSerial,
    Field::CssCgroup,
    Field::CgroupNode,
    Field::NodeId,
    Field::TaskTgid,
    Field::TaskCgroups,
    Field::CssSetSubsys,
];

const COUNTER: [Field; 12] =
    join(MEMCG, [Field::CssSubsys, Field::CgroupRoot, Field::RootHierarchy]);

const STATE: [Field; 6] = [
    Field::MemcgCss,
    Field::CssSerial,
    Field::CssCgroup,
    Field::CgroupNode,
    Field::NodeId,
    Field::TaskTgid,
];

const STATE_ITEMS: [Constant; 3] = [Constant::AnonMapped, Constant::FilePages, Constant::Kmem];

const STATE_NOTE: &str = "counts mapped anonymous, file, kernel and socket pages; no failures";

const KPROBE_NOTE: &str =
    "a charge in an interrupt that hits a running program is missing until the end";

/// The ways to meet `need`, best first.
pub(crate) fn ways(need: Need) -> &'static [Plan] {
    match need {
        Need::Moves => MOVES,
        Need::Births => BIRTHS,
        Need::Charges => CHARGES,
        Need::Lifecycle => LIFECYCLES,
        Need::Processes => PROCESSES,
        Need::Oom => OOMS,
    }
}

/// The kind of programs that hang on a tracepoint whose arguments have types, and so read with
/// plain loads. The kernel takes them with its own types alone.
const TYPED: &str = "btf";

/// All needs, in the order in which they are attached: what the others rest on comes first.
pub(crate) const NEEDS: [Need; 6] =
    [Need::Lifecycle, Need::Processes, Need::Births, Need::Moves, Need::Charges, Need::Oom];

const MOVES: &[Plan] = &[
    Plan {
        way: Way::Fentry,
        programs: &["fexit_cgroup_attach_task", "fentry_cgroup_attach_task"],
        fields: &MOVE,
        values: &[],
        note: None,
    },
    Plan {
        way: Way::Kprobe,
        programs: &["kretprobe_cgroup_attach_task", "kprobe_cgroup_attach_task"],
        fields: &MOVE,
        values: &[],
        note: None,
    },
    Plan {
        way: Way::Tracepoint,
        programs: &["tracepoint_cgroup_attach_task"],
        fields: &MOVE_TARGET,
        values: &[],
        note: Some("the source of a move is where the task was last known to be"),
    },
];

const BIRTHS: &[Plan] = &[
    Plan {
        way: Way::Tracepoint,
        programs: &["btf_sched_process_fork"],
        fields: &BIRTH,
        values: &[],
        note: None,
    },
    Plan {
        way: Way::Tracepoint,
        programs: &["tracepoint_sched_process_fork"],
        fields: &BIRTH,
        values: &[],
        note: None,
    },
];

const PROCESSES: &[Plan] = &[
    Plan {
        way: Way::Tracepoint,
        programs: &["btf_sched_process_exec", "btf_sched_process_exit"],
        fields: &PROCESS,
        values: &[],
        note: None,
    },
    Plan {
        way: Way::Tracepoint,
        programs: &["tracepoint_sched_process_exec", "tracepoint_sched_process_exit"],
        fields: &PROCESS,
        values: &[],
        note: None,
    },
];

const LIFECYCLES: &[Plan] = &[Plan {
    way: Way::Tracepoint,
    programs: &[
        "tracepoint_cgroup_mkdir",
        "tracepoint_cgroup_rename",
        "tracepoint_cgroup_rmdir",
        "tracepoint_cgroup_release",
    ],
    fields: &LIFECYCLE,
    values: &[],
    note: None,
}];

const OOMS: &[Plan] = &[Plan {
    way: Way::Tracepoint,
    programs: &["tracepoint_mark_victim"],
    fields: &[Field::TaskTgid],
    values: &[Constant::OomPassesTask],
    note: None,
}];

const CHARGES: &[Plan] = &[
    Plan {
        way: Way::Fentry,
        programs: &[
            "fexit_page_counter_try_charge",
            "fentry_page_counter_charge",
            "fentry_page_counter_uncharge",
        ],
        fields: &COUNTER,
        values: &[Constant::MemorySubsysId],
        note: None,
    },
    Plan {
        way: Way::Kprobe,
        programs: &[
            "kprobe_page_counter_uncharge",
            "kprobe_page_counter_charge",
            "kretprobe_page_counter_try_charge",
            "kprobe_page_counter_try_charge",
        ],
        fields: &COUNTER,
        values: &[Constant::MemorySubsysId],
        note: Some(KPROBE_NOTE),
    },
    Plan {
        way: Way::Tracepoint,
        programs: &["btf_mod_memcg_lruvec_state", "btf_mod_memcg_state"],
        fields: &STATE,
        values: &STATE_ITEMS,
        note: Some(STATE_NOTE),
    },
    Plan {
        way: Way::Tracepoint,
        programs: &["tracepoint_mod_memcg_lruvec_state", "tracepoint_mod_memcg_state"],
        fields: &STATE,
        values: &STATE_ITEMS,
        note: Some(STATE_NOTE),
    },
    Plan {
        way: Way::Polled,
        programs: &[],
        fields: &[],
        values: &[],
        note: Some("reads each cgroup's usage at each interval; knows no process"),
    },
];

/// Why no better way is used for `need`, in one line.
pub(crate) fn refusals(hooks: &[Hook], need: Need) -> String {
    let refused = hooks.iter().filter(|hook| hook.need == need).flat_map(|hook| &hook.refused);
    refused.map(|refusal| refusal.why.as_str()).collect::<Vec<_>>().join("; ")
}

/// The hooks of all programs.
pub(crate) fn hooks() -> BTreeSet<&'static str> {
    let programs = NEEDS.into_iter().flat_map(ways).flat_map(|plan| plan.programs);
    programs.map(|program| hook_of(program).1).collect()
}

/// The kind of hook and the hook that a program's name says.
pub(crate) fn hook_of(program: &str) -> (&str, &str) {
    program.split_once('_').unwrap_or((program, ""))
}

/// Why the types alone rule `plan` out, if they do.
pub(crate) fn ruled_out(plan: &Plan, types: &KernelTypes) -> Option<Refusal> {
    let refuse = |why: String| {
        let mend = Some("a kernel that has it, or a truant that knows this kernel".to_owned());
        Some(Refusal { way: plan.way, why, mend })
    };
    for program in plan.programs {
        let (kind, hook) = hook_of(program);
        if kind == TYPED && !types.own {
            let why = "the types are not the kernel's own".to_owned();
            return Some(Refusal { way: plan.way, why, mend: None });
        }
        let is_tracepoint = matches!(kind, TYPED | "tracepoint");
        if is_tracepoint && !types.has_tracepoint(hook) {
            return refuse(format!("this kernel has no tracepoint {hook}"));
        }
        if !is_tracepoint && !types.has_function(hook) {
            return refuse(format!("this kernel has no function {hook}"));
        }
    }
    for field in plan.fields {
        if !types.has_field(*field) {
            let path = FIELDS[*field as usize].1;
            let (structure, member) = (path.structure, path.member);
            return refuse(format!("this kernel has no field {structure}.{member}"));
        }
    }
    plan.values
        .iter()
        .find(|value| !types.has_value(**value))
        .and_then(|value| refuse(format!("this kernel has no number for {value:?}")))
}

/// Why `plan` is left out when one kind of way is asked for, if it is. A need that has no way of
/// that kind keeps what it has, and polling stays the last resort of the tracepoints. Who asks for
/// kprobes gets what kernels take that know no types.
pub(crate) fn not_asked_for(need: Need, plan: &Plan, forced: Option<Way>) -> Option<Refusal> {
    let forced = forced?;
    let has_it = ways(need).iter().any(|plan| plan.way == forced);
    let last_resort = forced == Way::Tracepoint && plan.way == Way::Polled;
    let is_typed = plan.programs.iter().any(|program| hook_of(program).0 == TYPED);
    let is_another = has_it && plan.way != forced && !last_resort;
    (is_another || is_typed && forced == Way::Kprobe).then(|| Refusal {
        way: plan.way,
        why: "another way was asked for".to_owned(),
        mend: Some("--hooks auto".to_owned()),
    })
}
