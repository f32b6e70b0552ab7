//! What this process may do, and what this kernel offers to tracers, before anything is tried.
//!
//! Owns the facts that explain a refusal. Whether a way of tracing works is found by trying it,
//! not from these.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::thread::CapabilitySet;

use super::{
    Host,
    fsutil::{number, number32},
    kconfig::Config,
    namespaces::{Namespaces, field},
    read_word,
};

/// The facts; `None` is "not known".
#[derive(Clone, Debug, Default)]
pub(crate) struct Preflight {
    /// Options the kernel was built with.
    pub(crate) config: Option<Config>,
    /// Whether the kernel gives its own BTF.
    pub(crate) btf: Option<bool>,
    /// Whether kprobes can be made through perf.
    pub(crate) kprobes: Option<bool>,
    /// How much the kernel is locked down.
    pub(crate) lockdown: Option<Lockdown>,
    /// Whether the function tracer lists functions, which fentry needs. Known only with tracefs.
    pub(crate) function_tracer: Option<bool>,
    /// Settings that restrict who may trace.
    pub(crate) sysctls: Sysctls,
    /// What this process is.
    pub(crate) process: Process,
    /// Whose view it has.
    pub(crate) namespaces: Namespaces,
}

/// The states of `/sys/kernel/security/lockdown`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lockdown {
    /// Not locked down, or no such module.
    None,
    /// The running kernel cannot be changed.
    Integrity,
    /// Its memory cannot be read either: BPF cannot read kernel memory.
    Confidentiality,
}

/// Settings below `/proc/sys`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sysctls {
    /// `kernel.perf_event_paranoid`.
    pub(crate) perf_event_paranoid: Option<i32>,
    /// `kernel.unprivileged_bpf_disabled`.
    pub(crate) unprivileged_bpf_disabled: Option<i32>,
    /// `kernel.kptr_restrict`.
    pub(crate) kptr_restrict: Option<i32>,
    /// `kernel.ftrace_enabled`; fentry needs it on.
    pub(crate) ftrace_enabled: Option<i32>,
    /// `net.core.bpf_jit_enable`; fentry needs it on.
    pub(crate) bpf_jit_enable: Option<i32>,
}

/// From `/proc/self/status`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Process {
    /// The effective user.
    pub(crate) uid: Option<u32>,
    /// The effective capabilities, bits that have no name yet included.
    pub(crate) capabilities: Option<CapabilitySet>,
    /// 0 none, 1 strict, 2 filtered: a filter may refuse `bpf` and `perf_event_open`.
    pub(crate) seccomp: Option<u32>,
    /// Whether the user namespace is one where every user is mapped to itself, as the initial.
    pub(crate) user_initial: Option<bool>,
}

impl Host {
    /// Gathers all facts. Takes some milliseconds, most of them for the kernel's configuration.
    pub(crate) fn preflight(&self) -> Preflight {
        let kernel = read_word(&self.proc.join("sys/kernel/osrelease"));
        let tracefs = self.tracefs();
        Preflight {
            config: kernel.as_deref().and_then(|release| self.kernel_config(release)),
            btf: exists(&self.sys.join("kernel"), "btf/vmlinux"),
            kprobes: exists(&self.sys.join("bus/event_source/devices"), "kprobe/type"),
            lockdown: self.lockdown(),
            function_tracer: tracefs
                .as_deref()
                .and_then(|dir| exists(dir, "available_filter_functions")),
            sysctls: self.sysctls(),
            process: self.process(),
            namespaces: self.namespaces(),
        }
    }

    fn process(&self) -> Process {
        let Ok(status) = fs::read(self.proc.join("self/status")) else {
            return Process::default();
        };
        let uids = field(&status, b"Uid:");
        let bits = field(&status, b"CapEff:").and_then(|bits| str::from_utf8(bits).ok());
        let bits = bits.and_then(|bits| u64::from_str_radix(bits, 16).ok());
        let user_map = fs::read(self.proc.join("self/uid_map")).ok();
        Process {
            uid: uids.and_then(|uids| number32(uids.split(u8::is_ascii_whitespace).nth(1)?)),
            capabilities: bits.map(CapabilitySet::from_bits_retain),
            seccomp: field(&status, b"Seccomp:").and_then(number32),
            user_initial: user_map.map(|map| maps_all_users(&map)),
        }
    }

    fn sysctls(&self) -> Sysctls {
        let read = |name: &str| read_word(&self.proc.join("sys").join(name))?.parse().ok();
        Sysctls {
            perf_event_paranoid: read("kernel/perf_event_paranoid"),
            unprivileged_bpf_disabled: read("kernel/unprivileged_bpf_disabled"),
            kptr_restrict: read("kernel/kptr_restrict"),
            ftrace_enabled: read("kernel/ftrace_enabled"),
            bpf_jit_enable: read("net/core/bpf_jit_enable"),
        }
    }

    /// The state is the word in brackets. The file is there only where securityfs is mounted.
    fn lockdown(&self) -> Option<Lockdown> {
        let states = read_word(&self.sys.join("kernel/security/lockdown"))?;
        let state = states.split_once('[')?.1.split_once(']')?.0;
        match state {
            "none" => Some(Lockdown::None),
            "integrity" => Some(Lockdown::Integrity),
            "confidentiality" => Some(Lockdown::Confidentiality),
            _ => None,
        }
    }

    /// Both usual places; an empty directory is a mount point without its mount.
    fn tracefs(&self) -> Option<PathBuf> {
        let places = ["kernel/tracing", "kernel/debug/tracing"].map(|place| self.sys.join(place));
        places.into_iter().find(|place| place.join("events").is_dir())
    }
}

/// Whether `path` is there, if `dir`, where it would be, can be looked into.
fn exists(dir: &Path, path: &str) -> Option<bool> {
    fs::read_dir(dir).ok()?;
    match fs::metadata(dir.join(path)) {
        Ok(_) => Some(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}

fn maps_all_users(map: &[u8]) -> bool {
    let fields = map.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    fields.map(number).eq([Some(0), Some(0), Some(u64::from(u32::MAX))])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::testing::Tree;

    #[test]
    fn a_node_that_tells_everything() {
        let tree = Tree::new()
            .file("proc/sys/kernel/osrelease", "6.1.0-1-amd64\n")
            .file("proc/sys/kernel/perf_event_paranoid", "-1\n")
            .file("boot/config-6.1.0-1-amd64", "CONFIG_KPROBES=y\n")
            .file("sys/kernel/btf/vmlinux", "")
            .file("sys/bus/event_source/devices/kprobe/type", "6\n")
            .file("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
            .dir("sys/kernel/tracing/events")
            .file("sys/kernel/tracing/available_filter_functions", "");
        let facts = tree.host().preflight();
        assert_eq!(facts.config.unwrap()["KPROBES"], "y");
        assert_eq!((facts.btf, facts.kprobes), (Some(true), Some(true)));
        assert_eq!(facts.lockdown, Some(Lockdown::Integrity));
        assert_eq!(facts.function_tracer, Some(true));
        assert_eq!(facts.sysctls.perf_event_paranoid, Some(-1));
        assert_eq!(facts.sysctls.kptr_restrict, None);
    }

    #[test]
    fn a_node_that_has_nothing_and_one_that_tells_nothing() {
        let nothing = Tree::new().dir("sys/kernel").dir("sys/bus/event_source/devices");
        let facts = nothing.host().preflight();
        assert_eq!((facts.btf, facts.kprobes), (Some(false), Some(false)));
        let silent = Tree::new().host().preflight();
        assert_eq!((silent.btf, silent.kprobes, silent.lockdown), (None, None, None));
        assert_eq!(silent.function_tracer, None);
        assert_eq!(silent.process, Process::default());
    }

    #[test]
    fn the_process() {
        let status = "Uid:\t1\t2\t3\t4\nCapEff:\t000000c001000000\nSeccomp:\t2\n";
        let tree = Tree::new()
            .file("proc/self/status", status)
            .file("proc/self/uid_map", "         0          0 4294967295\n");
        let process = tree.host().preflight().process;
        assert_eq!((process.uid, process.seccomp), (Some(2), Some(2)));
        assert_eq!(process.user_initial, Some(true));
        let has = process.capabilities.unwrap();
        let expected = CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::SYS_RESOURCE;
        assert_eq!(has, expected);
        assert!(!maps_all_users(b"0 1000 1\n"));
    }

    #[test]
    fn the_live_node() {
        let facts = Host::live().preflight();
        assert_eq!(facts.process.uid, Some(rustix::process::geteuid().as_raw()));
        let effective = rustix::thread::capabilities(None).unwrap().effective;
        assert_eq!(facts.process.capabilities, Some(effective));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_in_proc_are_survived(bytes in any::<Vec<u8>>(), map in any::<Vec<u8>>()) {
            let status = [b"Uid:\t1\t".as_slice(), &bytes, b"\nSeccomp:\t2\n"].concat();
            let tree = Tree::new()
                .file("proc/self/status", status)
                .file("proc/self/uid_map", &map)
                .file("proc/sys/kernel/kptr_restrict", &bytes)
                .file("proc/sys/kernel/osrelease", &bytes)
                .file("sys/kernel/security/lockdown", &map);
            let facts = tree.host().preflight();
            prop_assert!(facts.process.seccomp.is_some());
            prop_assert_eq!(facts.process.user_initial, Some(maps_all_users(&map)));
            prop_assert_eq!(facts.config, None);
        }

        #[test]
        fn what_the_kernel_writes_is_what_is_read(
            name in "[^\n]{0,16}", uid: u32, bits: u64, seccomp in 0..3_u32
        ) {
            let status = format!(
                "Name:\t{name}\nUid:\t7\t{uid}\t7\t7\nCapEff:\t{bits:016x}\nSeccomp:\t{seccomp}\n"
            );
            let process = Tree::new().file("proc/self/status", status).host().process();
            prop_assert_eq!((process.uid, process.seccomp), (Some(uid), Some(seccomp)));
            prop_assert_eq!(process.capabilities.map(|set| set.bits()), Some(bits));
        }
    }
}
