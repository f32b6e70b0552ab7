//! The running kernel's types: where the fields are that the programs read, and which functions and
//! tracepoints there are.
//!
//! Owns what of BTF is kept. What to do without a field is the plan's to decide.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use truant_ebpf::{CONSTANTS, Constant, FIELDS, Field, STEPS, Step, UNKNOWN};

use super::btf::{Btf, BtfError, Kind, Type};

/// Where a kernel shows its own BTF; since 5.4 with `CONFIG_DEBUG_INFO_BTF`.
pub(crate) const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why the types are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TypesError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
    /// The file is no BTF.
    #[error("{path} is not BTF of a kernel: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: BtfError,
    },
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct KernelTypes {
    /// Offsets in bytes by [`Field`]; [`UNKNOWN`] where the kernel has no such field.
    pub(crate) offsets: [u32; FIELDS.len()],
    /// Numbers by [`Constant`]; [`UNKNOWN`] where the kernel has no such number.
    pub(crate) values: [u32; CONSTANTS],
    /// Whether the kernel shows these types itself. It takes programs with typed arguments by its
    /// own types alone.
    pub(crate) own: bool,
    /// Of the hooks of all programs, those that are functions of the kernel.
    functions: BTreeSet<&'static str>,
    /// And those that are tracepoints.
    tracepoints: BTreeSet<&'static str>,
}

impl KernelTypes {
    /// Reads the BTF at `path`, as far as it is about the `hooks` and what the programs read there.
    ///
    /// # Errors
    /// If it cannot be read or parsed.
    pub(crate) fn read(path: &Path, hooks: &BTreeSet<&'static str>) -> Result<Self, TypesError> {
        let bytes =
            fs::read(path).map_err(|cause| TypesError::Read { path: path.to_owned(), cause })?;
        let btf = Btf::read(&bytes)
            .map_err(|why| TypesError::Malformed { path: path.to_owned(), why })?;
        Ok(Self { own: path == Path::new(KERNEL_BTF), ..Self::find(&btf, hooks) })
    }

    /// Whether the kernel has the function that a program hooks.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    /// Whether the kernel has the tracepoint that a program hooks.
    pub(crate) fn has_tracepoint(&self, name: &str) -> bool {
        self.tracepoints.contains(name)
    }

    /// Whether the kernel has the field.
    pub(crate) fn has_field(&self, field: Field) -> bool {
        self.offsets[field as usize] != UNKNOWN
    }

    /// Whether the kernel has the number.
    pub(crate) fn has_value(&self, constant: Constant) -> bool {
        self.values[constant as usize] != UNKNOWN
    }

    fn find(btf: &Btf<'_>, hooks: &BTreeSet<&'static str>) -> Self {
        let mut found = Self {
            offsets: [UNKNOWN; FIELDS.len()],
            values: [UNKNOWN; CONSTANTS],
            own: true,
            functions: BTreeSet::new(),
            tracepoints: BTreeSet::new(),
        };
        let hook = |name: &[u8]| hooks.get(std::str::from_utf8(name).ok()?).copied();
        let mut seen = BTreeSet::new();
        for each in btf.all() {
            match each.kind {
                Kind::Struct => found.fields(&each, &mut seen),
                Kind::Function => found.functions.extend(hook(each.name())),
                Kind::Typedef => {
                    let name = each.name().strip_prefix(b"btf_trace_").and_then(hook);
                    if name == Some("mark_victim") {
                        let passes_task = first_argument_is_pointer(&each);
                        found.set(Constant::OomPassesTask, u32::from(passes_task));
                    }
                    found.tracepoints.extend(name);
                }
                Kind::Enum => each.numbers().for_each(|(name, value)| found.number(name, value)),
                _ => {}
            }
        }
        found
    }

    /// Bytes by [`Step`], for fields that are known.
    pub(crate) fn steps(&self) -> [i64; STEPS] {
        let offset = |field: Field| i64::from(self.offsets[field as usize]);
        let to_css = offset(Field::MemcgCss) - offset(Field::MemcgMemory);
        let mut steps = [0; STEPS];
        steps[Step::CounterToSubsys as usize] = to_css + offset(Field::CssSubsys);
        steps[Step::CounterToSerial as usize] = to_css + offset(Field::CssSerial);
        steps[Step::CounterToCgroup as usize] = to_css + offset(Field::CssCgroup);
        steps[Step::CssToCounter as usize] = -to_css;
        steps[Step::MemcgToSerial as usize] = offset(Field::MemcgCss) + offset(Field::CssSerial);
        if self.has_field(Field::MemcgMemsw) {
            steps[Step::MemswToCounter as usize] =
                offset(Field::MemcgMemory) - offset(Field::MemcgMemsw);
        }
        steps
    }

    /// Takes the fields of a structure that the programs read, of the first that has the name.
    fn fields(&mut self, structure: &Type<'_>, seen: &mut BTreeSet<&'static str>) {
        let name = structure.name();
        let is_it = |path: &str| path.as_bytes() == name;
        let Some((_, first)) = FIELDS.iter().find(|(_, path)| is_it(path.structure)) else {
            return;
        };
        if !seen.insert(first.structure) {
            return;
        }
        for (field, path) in FIELDS.iter().filter(|(_, path)| is_it(path.structure)) {
            let offset = structure.offset_of(path.member.as_bytes());
            self.offsets[*field as usize] = offset.unwrap_or(UNKNOWN);
        }
    }

    fn number(&mut self, name: &[u8], value: i32) {
        let constant = match name {
            b"memory_cgrp_id" => Constant::MemorySubsysId,
            b"NR_ANON_MAPPED" => Constant::AnonMapped,
            b"NR_FILE_PAGES" => Constant::FilePages,
            b"MEMCG_KMEM" => Constant::Kmem,
            b"MEMCG_SOCK" => Constant::Sock,
            b"BPF_FUNC_get_current_task_btf" => Constant::TypedTask,
            _ => return,
        };
        self.set(constant, u32::try_from(value).unwrap_or(UNKNOWN));
    }

    fn set(&mut self, constant: Constant, value: u32) {
        self.values[constant as usize] = value;
    }
}

/// Whether a tracepoint's first argument is a pointer. Its prototype's own first is the
/// registration's data.
fn first_argument_is_pointer(typedef: &Type<'_>) -> bool {
    let prototype = typedef.target().and_then(|target| match target.kind {
        Kind::Pointer => target.target(),
        _ => Some(target),
    });
    let argument = prototype.and_then(|prototype| prototype.argument(1));
    argument.is_some_and(|argument| argument.kind == Kind::Pointer)
}

#[cfg(test)]
mod tests {
    use super::{
        super::btf::tests::{Builder, info},
        *,
    };

    fn types(builder: &Builder) -> KernelTypes {
        let hooks = ["cgroup_attach_task", "cgroup_mkdir", "mark_victim"].into();
        KernelTypes::find(&Btf::read(&builder.build()).unwrap(), &hooks)
    }

    #[test]
    fn a_field_is_that_of_the_first_structure_of_the_name() {
        let mut builder = Builder::new();
        let [tgid, pid] = ["tgid", "pid"].map(|name| builder.string(name));
        builder.add("task_struct", info(4, 2), 8, &[tgid, 0, 64, pid, 0, 32]);
        builder.add("task_struct", info(4, 1), 8, &[tgid, 0, 0]);
        let types = types(&builder);
        let offsets = [Field::TaskTgid, Field::TaskPid, Field::TaskComm];
        assert_eq!(offsets.map(|field| types.offsets[field as usize]), [8, 4, UNKNOWN]);
        assert!(types.has_field(Field::TaskPid) && !types.has_field(Field::TaskComm));
    }

    #[test]
    fn hooks_are_told_apart_by_what_they_are() {
        let mut builder = Builder::new();
        builder.add("cgroup_attach_task", info(12, 0), 0, &[]);
        builder.add("btf_trace_cgroup_mkdir", info(8, 0), 0, &[]);
        let types = types(&builder);
        assert!(types.has_function("cgroup_attach_task"));
        assert!(!types.has_tracepoint("cgroup_attach_task"));
        assert!(types.has_tracepoint("cgroup_mkdir") && !types.has_function("cgroup_mkdir"));
    }

    #[test]
    fn the_victim_is_a_task_where_the_argument_is_a_pointer() {
        for (passes_task, argument) in [(0, 1), (1, 2)] {
            let mut builder = Builder::new();
            let int = builder.add("int", info(1, 0), 4, &[32]);
            builder.add("", info(2, 0), int, &[]);
            let prototype = builder.add("", info(13, 2), 0, &[0, 2, 0, argument]);
            let pointer = builder.add("", info(2, 0), prototype, &[]);
            builder.add("btf_trace_mark_victim", info(8, 0), pointer, &[]);
            assert_eq!(types(&builder).values[Constant::OomPassesTask as usize], passes_task);
        }
    }

    #[test]
    fn numbers_come_from_enums_and_a_negative_one_is_unknown() {
        let mut builder = Builder::new();
        let [memory, kmem] = ["memory_cgrp_id", "MEMCG_KMEM"].map(|name| builder.string(name));
        builder.add("", info(6, 2), 4, &[memory, 4, kmem, u32::MAX]);
        let types = types(&builder);
        assert_eq!(types.values[Constant::MemorySubsysId as usize], 4);
        assert!(!types.has_value(Constant::Kmem) && !types.has_value(Constant::Sock));
    }
}
