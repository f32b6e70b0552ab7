//! What on this node stands in the way, or may, and the setting that mends it. Pure: facts in,
//! sentences out.

use rustix::thread::CapabilitySet;

use crate::host::preflight::{Lockdown, Preflight};

/// A fact, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Advice {
    /// What is so.
    pub(super) fact: String,
    /// What would change it.
    pub(super) mend: String,
}

/// All that there is to say, most hindering first. What is not known is not spoken of.
pub(super) fn on(facts: &Preflight) -> Vec<Advice> {
    [rights(facts), kernel(facts), settings(facts), namespaces(facts)].concat()
}

/// Makes one of a condition that is known to hold.
fn if_so(so: Option<bool>, fact: &str, mend: &str) -> Option<Advice> {
    (so == Some(true)).then(|| Advice { fact: fact.to_owned(), mend: mend.to_owned() })
}

fn rights(facts: &Preflight) -> Vec<Advice> {
    let process = &facts.process;
    let missing = process.capabilities.map(|has| {
        [
            (CapabilitySet::BPF, "CAP_BPF"),
            (CapabilitySet::PERFMON, "CAP_PERFMON"),
            (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
            (CapabilitySet::SYS_PTRACE, "CAP_SYS_PTRACE"),
        ]
        .into_iter()
        .filter(|(capability, _)| !has.contains(*capability))
        .map(|(_, name)| name)
        .collect::<Vec<_>>()
        .join(", ")
    });
    let missing = missing.filter(|missing| !missing.is_empty()).map(|missing| Advice {
        fact: format!("this process lacks {missing}"),
        mend: "run as root on the node, or in a container with `privileged: true`".to_owned(),
    });
    let filtered = if_so(
        process.seccomp.map(|mode| mode == 2),
        "a seccomp filter is active, which may refuse bpf and perf_event_open",
        "run with `seccompProfile: Unconfined`, or privileged",
    );
    [missing, filtered].into_iter().flatten().collect()
}

fn kernel(facts: &Preflight) -> Vec<Advice> {
    let option = |name: &str| {
        let config = facts.config.as_ref()?;
        Some(config.get(name).is_some_and(|value| value != "n"))
    };
    let lacks = |name: &str| option(name).map(|has| !has);
    [
        if_so(
            facts.lockdown.map(|state| state == Lockdown::Confidentiality),
            "the kernel is locked down for confidentiality, so no program may read its memory",
            "boot with lockdown=integrity, or without lockdown",
        ),
        if_so(
            facts.btf.map(|has| !has),
            "the kernel shows no types of its own (/sys/kernel/btf/vmlinux)",
            "a kernel with CONFIG_DEBUG_INFO_BTF, or --btf FILE with the types of this very kernel",
        ),
        if_so(
            facts.kprobes.map(|has| !has).or_else(|| lacks("KPROBE_EVENTS")),
            "the kernel has no kprobes",
            "a kernel with CONFIG_KPROBES and CONFIG_KPROBE_EVENTS",
        ),
        if_so(
            lacks("FUNCTION_TRACER").or_else(|| facts.function_tracer.map(|has| !has)),
            "the kernel has no function tracer, which fentry needs",
            "a kernel with CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS",
        ),
        if_so(lacks("MEMCG"), "the kernel has no memory controller", "a kernel with CONFIG_MEMCG"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn settings(facts: &Preflight) -> Vec<Advice> {
    let sysctls = &facts.sysctls;
    [
        if_so(
            sysctls.bpf_jit_enable.map(|value| value == 0),
            "the BPF compiler is off, which fentry needs",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        if_so(
            sysctls.ftrace_enabled.map(|value| value == 0),
            "the function tracer is off, which fentry needs",
            "sysctl kernel.ftrace_enabled=1",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn namespaces(facts: &Preflight) -> Vec<Advice> {
    let views = &facts.namespaces;
    [
        if_so(
            views.proc_initial.map(|initial| !initial),
            "this process has a pid namespace of its own and does not see the node's tasks",
            "run with `hostPID: true` (docker: --pid=host)",
        ),
        if_so(
            views.cgroup_initial.map(|initial| !initial),
            "this process has a cgroup namespace of its own and could not enter the host's",
            "run privileged with `hostPID: true` (docker: --privileged --pid=host)",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use crate::host::{namespaces::Namespaces, preflight::Process};

    use super::*;

    #[track_caller]
    fn check(facts: &Preflight, expected: &[&str]) {
        let facts: Vec<String> = on(facts).into_iter().map(|advice| advice.fact).collect();
        assert_eq!(facts.len(), expected.len(), "{facts:?}");
        for (fact, part) in facts.iter().zip(expected) {
            assert!(fact.contains(part), "{fact:?} has no {part:?}");
        }
    }

    #[test]
    fn nothing_known_is_nothing_said() {
        check(&Preflight::default(), &[]);
    }

    #[test]
    fn a_good_node_needs_no_advice() {
        let process = Process { capabilities: Some(CapabilitySet::all()), ..Process::default() };
        let facts = Preflight {
            process,
            btf: Some(true),
            kprobes: Some(true),
            lockdown: Some(Lockdown::Integrity),
            ..Preflight::default()
        };
        check(&facts, &[]);
    }

    #[test]
    fn each_hindrance_is_named() {
        let facts = Preflight {
            process: Process {
                capabilities: Some(CapabilitySet::BPF),
                seccomp: Some(2),
                ..Process::default()
            },
            btf: Some(false),
            kprobes: Some(false),
            lockdown: Some(Lockdown::Confidentiality),
            namespaces: Namespaces {
                proc_initial: Some(false),
                cgroup_initial: Some(false),
                ..Namespaces::default()
            },
            ..Preflight::default()
        };
        check(
            &facts,
            &[
                "lacks CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE",
                "seccomp",
                "locked down",
                "no types",
                "no kprobes",
                "pid namespace",
                "cgroup namespace",
            ],
        );
    }
}
