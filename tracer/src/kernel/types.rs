//! The running kernel's types: where the fields are that the programs read, and which functions and
//! tracepoints there are.
//!
//! Owns the reading of BTF. What to do without a field is the plan's to decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use btfparse::{ErrorKind, Integer32Value, Offset, Readable, TypeInformation, TypeVariant};
use truant_ebpf::{CONSTANTS, Constant, FIELDS, Field, UNKNOWN};

/// Where a kernel shows its own BTF; since 5.4 with `CONFIG_DEBUG_INFO_BTF`.
pub(crate) const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why the types are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TypesError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is no BTF.
    #[error("{path} is not BTF of a kernel: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct KernelTypes {
    /// Offsets in bytes by [`Field`]; [`UNKNOWN`] where the kernel has no such field.
    pub(crate) offsets: [u32; FIELDS.len()],
    /// Numbers by [`Constant`]; [`UNKNOWN`] where the kernel has no such number.
    pub(crate) values: [u32; CONSTANTS],
    functions: BTreeSet<String>,
    tracepoints: BTreeSet<String>,
}

impl KernelTypes {
    /// Reads the BTF at `path`.
    ///
    /// # Errors
    /// If it cannot be read or parsed.
    pub(crate) fn read(path: &Path) -> Result<Self, TypesError> {
        let bytes =
            fs::read(path).map_err(|source| TypesError::Read { path: path.to_owned(), source })?;
        let types = TypeInformation::new(&Bytes(&bytes)).map_err(|error| {
            TypesError::Malformed { path: path.to_owned(), why: error.message().to_owned() }
        })?;
        Ok(Self::find(&types))
    }

    /// Whether the kernel has a function of that name that can be traced.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    /// Whether the kernel has a tracepoint of that name.
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

    fn find(types: &TypeInformation) -> Self {
        let mut found = Self {
            offsets: [UNKNOWN; FIELDS.len()],
            values: [UNKNOWN; CONSTANTS],
            functions: BTreeSet::new(),
            tracepoints: BTreeSet::new(),
        };
        let mut structures = BTreeMap::new();
        for (id, kind) in types.get() {
            match kind {
                TypeVariant::Struct(structure) => {
                    if let Some(name) = structure.name() {
                        structures.entry(name.as_str()).or_insert(*id);
                    }
                }
                TypeVariant::Func(function) => found.functions.extend(function.name().clone()),
                TypeVariant::Typedef(typedef) => {
                    if let Some(name) = typedef.name().as_deref()
                        && let Some(name) = name.strip_prefix("btf_trace_")
                    {
                        if name == "mark_victim" {
                            let passes_task = first_argument_is_pointer(types, *typedef.tid());
                            found.set(Constant::OomPassesTask, u32::from(passes_task));
                        }
                        found.tracepoints.insert(name.to_owned());
                    }
                }
                TypeVariant::Enum(numbers) => {
                    for number in numbers.named_value_list() {
                        found.number(&number.name, number.value);
                    }
                }
                _ => {}
            }
        }
        for (field, path) in FIELDS {
            let offset = structures
                .get(path.structure)
                .and_then(|id| types.offset_of(*id, path.member).ok());
            if let Some((_, Offset::ByteOffset(offset))) = offset {
                found.offsets[*field as usize] = u32::try_from(offset).unwrap_or(UNKNOWN);
            }
        }
        found
    }

    fn number(&mut self, name: &str, value: Integer32Value) {
        let constant = match name {
            "memory_cgrp_id" => Constant::MemorySubsysId,
            "NR_ANON_MAPPED" => Constant::AnonMapped,
            "NR_FILE_PAGES" => Constant::FilePages,
            "MEMCG_KMEM" => Constant::Kmem,
            "MEMCG_SOCK" => Constant::Sock,
            _ => return,
        };
        self.set(
            constant,
            match value {
                Integer32Value::Signed(value) => u32::try_from(value).unwrap_or(UNKNOWN),
                Integer32Value::Unsigned(value) => value,
            },
        );
    }

    fn set(&mut self, constant: Constant, value: u32) {
        self.values[constant as usize] = value;
    }
}

/// Whether a tracepoint's first argument is a pointer. Its prototype's own first is the
/// registration's data.
fn first_argument_is_pointer(types: &TypeInformation, id: u32) -> bool {
    let prototype = match types.from_id(id) {
        Some(TypeVariant::Ptr(pointer)) => types.from_id(*pointer.tid()),
        other => other,
    };
    let Some(TypeVariant::FuncProto(prototype)) = prototype else { return false };
    prototype
        .parameter_list()
        .get(1)
        .is_some_and(|argument| matches!(types.from_id(argument.tid()), Some(TypeVariant::Ptr(_))))
}

struct Bytes<'a>(&'a [u8]);

impl Readable for Bytes<'_> {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
        let end = || btfparse::Error::new(ErrorKind::EOF, "it ends too early");
        let from = usize::try_from(offset).map_err(|_| end())?;
        let to = from.checked_add(buffer.len()).ok_or_else(end)?;
        buffer.copy_from_slice(self.0.get(from..to).ok_or_else(end)?);
        Ok(())
    }
}
