//! Loading and attaching: for each need, the best way that the kernel lets pass.
//!
//! Owns the loaded programs. Everything is held by file descriptors and nothing is pinned, so
//! however the process ends, the kernel takes it all down.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _, RawFd},
};

use anyhow::{Context as _, Result};
use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::{Program, ProgramError},
};
use rustix::process::{Resource, Rlimit, setrlimit};
use truant_core::input::{Hook, Need, Refusal, Way};

use super::{
    plan::{self, Plan},
    types::KernelTypes,
};

/// The compiled programs.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../ebpf/truant.bpf.o");

/// Programs, loaded and attached as far as the kernel allows.
pub(crate) struct Tracer {
    /// The loaded object, with the maps that the readers take.
    pub(crate) ebpf: Ebpf,
    /// What was decided for each need.
    pub(crate) hooks: Vec<Hook>,
    /// The attached programs.
    pub(crate) programs: Vec<Attached>,
}

/// A program in the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attached {
    /// Its file descriptor, valid as long as the tracer lives.
    pub(crate) fd: RawFd,
    /// What it is for.
    pub(crate) need: Need,
}

impl Tracer {
    /// Loads the maps and attaches what it can. `forced` keeps the ways of that kind alone where a
    /// need has one, besides polling.
    ///
    /// # Errors
    /// If not even the maps can be made. A program that is refused is a fact in `hooks`.
    pub(crate) fn attach(types: &KernelTypes, forced: Option<Way>, debug: bool) -> Result<Self> {
        // Kernels before 5.11 charge maps to this limit; later ones ignore it, and so does the
        // kernel's answer when the right to raise it is missing.
        let _ = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
        let mut tracer =
            Self { ebpf: load(types, debug)?, hooks: Vec::new(), programs: Vec::new() };
        let mut btf = KernelBtf(None);
        for need in plan::NEEDS {
            let hook = tracer.meet(need, types, forced, &mut btf);
            tracer.hooks.push(hook);
        }
        tracer.hooks.sort_by_key(|hook| hook.need);
        Ok(tracer)
    }

    /// The way in use for `need`.
    pub(crate) fn way(&self, need: Need) -> Option<Way> {
        self.hooks.iter().find(|hook| hook.need == need).and_then(|hook| hook.way)
    }

    fn meet(
        &mut self,
        need: Need,
        types: &KernelTypes,
        forced: Option<Way>,
        btf: &mut KernelBtf,
    ) -> Hook {
        let mut refused = Vec::new();
        for plan in plan::ways(need) {
            if let Some(refusal) = plan::not_asked_for(need, plan, forced) {
                refused.push(refusal);
                continue;
            }
            let tried = match plan::ruled_out(plan, types) {
                Some(refusal) => Err(refusal),
                None => self.try_way(need, plan, btf),
            };
            match tried {
                Ok(()) => {
                    let note = plan.note.map(str::to_owned);
                    return Hook { need, way: Some(plan.way), note, refused };
                }
                Err(refusal) => refused.push(refusal),
            }
        }
        Hook { need, way: None, note: None, refused }
    }

    fn try_way(&mut self, need: Need, plan: &Plan, btf: &mut KernelBtf) -> Result<(), Refusal> {
        let attached = self.programs.len();
        for program in plan.programs {
            match self.try_program(program, btf) {
                Ok(fd) => self.programs.push(Attached { fd, need }),
                Err(error) => {
                    self.programs.truncate(attached);
                    for name in plan.programs {
                        if let Some(program) = self.ebpf.program_mut(name) {
                            unload(program);
                        }
                    }
                    return Err(refusal(plan.way, program, &error));
                }
            }
        }
        Ok(())
    }

    fn try_program(&mut self, name: &str, btf: &mut KernelBtf) -> Result<RawFd, ProgramError> {
        let (_, hook) = plan::hook_of(name);
        let program = self.ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?;
        match program {
            Program::FEntry(program) => {
                program.load(hook, btf.get()?)?;
                program.attach().map(|_| ())?;
            }
            Program::FExit(program) => {
                program.load(hook, btf.get()?)?;
                program.attach().map(|_| ())?;
            }
            Program::KProbe(program) => {
                program.load()?;
                program.attach(hook, 0).map(|_| ())?;
            }
            Program::BtfTracePoint(program) => {
                program.load(hook, btf.get()?)?;
                program.attach().map(|_| ())?;
            }
            Program::RawTracePoint(program) => {
                program.load()?;
                program.attach(hook).map(|_| ())?;
            }
            _ => return Err(ProgramError::UnexpectedProgramType),
        }
        Ok(program.fd()?.as_fd().as_raw_fd())
    }
}

/// Takes a program out of the kernel again, if it is there.
fn unload(program: &mut Program) {
    let _ = match program {
        Program::FEntry(program) => program.unload(),
        Program::FExit(program) => program.unload(),
        Program::KProbe(program) => program.unload(),
        Program::BtfTracePoint(program) => program.unload(),
        Program::RawTracePoint(program) => program.unload(),
        _ => Ok(()),
    };
}

/// The running kernel's types as the loader of fentry programs wants them, read at the first need.
/// They take tens of MiB.
struct KernelBtf(Option<Btf>);

impl KernelBtf {
    fn get(&mut self) -> Result<&Btf, ProgramError> {
        let btf = match self.0.take() {
            Some(btf) => btf,
            None => Btf::from_sys_fs()?,
        };
        Ok(self.0.insert(btf))
    }
}

fn load(types: &KernelTypes, debug: bool) -> Result<Ebpf> {
    let level = if debug { aya_log::Level::Trace as u8 } else { 0 };
    EbpfLoader::new()
        .btf(None)
        .override_global("OFFSETS", types.offsets.as_slice(), true)
        .override_global("VALUES", types.values.as_slice(), true)
        .override_global("WAYS", types.steps().as_slice(), true)
        .override_global(aya_log::LEVEL, &level, false)
        .load(OBJECT)
        .context("cannot make the maps (root, or CAP_BPF and CAP_PERFMON, is needed)")
}

/// Puts a refusal into words.
fn refusal(way: Way, program: &str, error: &ProgramError) -> Refusal {
    let (why, io) = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            log::debug!("{program}: {verifier_log}");
            let log = verifier_log.to_string();
            let said = log.lines().rfind(|line| !is_statistic(line));
            let said = said.map(|line| format!(": {line}")).unwrap_or_default();
            (format!("{program}: the kernel refused to load it ({io_error}){said}"), Some(io_error))
        }
        ProgramError::SyscallError(error) => {
            let (call, io) = (error.call, &error.io_error);
            (format!("{program}: {call} failed ({io})"), Some(io))
        }
        other => (format!("{program}: {other}"), None),
    };
    Refusal { way, why, mend: io.and_then(|io| mend(way, io)) }
}

/// Whether the verifier ends its log with such a line, whatever it said before.
fn is_statistic(line: &str) -> bool {
    ["processed", "stack depth", "verification time"].iter().any(|it| line.starts_with(it))
        || line.is_empty()
}

/// What would make the kernel let it pass, as far as its answer tells.
fn mend(way: Way, error: &std::io::Error) -> Option<String> {
    let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    if denied && lockdown.contains("[confidentiality]") {
        return Some("boot with lockdown=integrity or none".to_owned());
    }
    match way {
        _ if denied => Some(
            "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; a hardened kernel may \
             still refuse"
                .to_owned(),
        ),
        Way::Kprobe if missing => {
            Some("a kernel with CONFIG_KPROBES and CONFIG_KPROBE_EVENTS".to_owned())
        }
        _ => None,
    }
}
