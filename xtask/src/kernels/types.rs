//! Prototypes out of a kernel's BTF, written as the hooks' lines write them. Owns that writing.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use btfparse::{ErrorKind, FuncProto, Readable, TypeInformation, TypeVariant};

/// A tracepoint `x` is described by the type `btf_trace_x`.
const TRACEPOINT: &str = "btf_trace_";
/// Types within types; a description that goes round in circles ends here.
const DEPTH_MAX: u32 = 16;

/// The types of one kernel.
pub(super) struct Types {
    all: TypeInformation,
    /// By name, the types of functions and of tracepoints.
    functions: BTreeMap<String, Vec<u32>>,
    tracepoints: BTreeMap<String, Vec<u32>>,
}

impl Types {
    /// Reads BTF.
    pub(super) fn read(btf: &[u8]) -> Result<Self> {
        let types = TypeInformation::new(&Bytes(btf)).map_err(|e| anyhow!("{}", e.message()))?;
        let (mut functions, mut tracepoints) = (BTreeMap::new(), BTreeMap::new());
        for kind in types.get().values() {
            let (of, name, id) = match kind {
                TypeVariant::Func(function) => {
                    (&mut functions, function.name(), *function.prototype_tid())
                }
                TypeVariant::Typedef(typedef) => (&mut tracepoints, typedef.name(), *typedef.tid()),
                _ => continue,
            };
            let Some(name) = name.as_deref() else { continue };
            let ids: &mut Vec<u32> = of.entry(name.to_owned()).or_default();
            ids.push(id);
        }
        Ok(Self { all: types, functions, tracepoints })
    }

    /// The prototypes of that name: several where several files have a function of that name and
    /// they differ, none where there is nothing.
    pub(super) fn prototypes(&self, is_tracepoint: bool, name: &str) -> Vec<String> {
        let ids = if is_tracepoint {
            self.tracepoints.get(&format!("{TRACEPOINT}{name}"))
        } else {
            self.functions.get(name)
        };
        let prototypes = ids.into_iter().flatten().filter_map(|id| self.prototype(*id));
        let mut texts: Vec<_> =
            prototypes.map(|prototype| self.write(&prototype, name, is_tracepoint)).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    fn prototype(&self, id: u32) -> Option<FuncProto> {
        match self.all.from_id(id)? {
            TypeVariant::FuncProto(prototype) => Some(prototype),
            TypeVariant::Ptr(pointer) => self.prototype(*pointer.tid()),
            _ => None,
        }
    }

    /// A tracepoint's own first argument is what was registered with it, which no program sees.
    fn write(&self, prototype: &FuncProto, name: &str, is_tracepoint: bool) -> String {
        let arguments = prototype.parameter_list().iter().skip(usize::from(is_tracepoint));
        let arguments: Vec<_> =
            arguments.map(|argument| self.name(argument.tid(), DEPTH_MAX)).collect();
        let returned = if is_tracepoint {
            "trace".to_owned()
        } else {
            self.name(*prototype.return_tid(), DEPTH_MAX)
        };
        let gap = if returned.ends_with('*') { "" } else { " " };
        format!("{returned}{gap}{name}({})", arguments.join(", "))
    }

    fn name(&self, id: u32, depth: u32) -> String {
        let Some(depth) = depth.checked_sub(1) else { return "?".to_owned() };
        if id == 0 {
            return "void".to_owned();
        }
        match self.all.from_id(id) {
            Some(TypeVariant::Ptr(pointer)) => {
                let to = self.name(*pointer.tid(), depth);
                let gap = if to.ends_with('*') { "" } else { " " };
                format!("{to}{gap}*")
            }
            Some(TypeVariant::Const(of)) => format!("const {}", self.name(*of.tid(), depth)),
            Some(TypeVariant::Volatile(of)) => format!("volatile {}", self.name(*of.tid(), depth)),
            Some(TypeVariant::Restrict(of)) => self.name(*of.tid(), depth),
            Some(TypeVariant::TypeTag(tag)) => self.name(*tag.tid(), depth),
            _ => self.all.name_of(id).map_or_else(|| "?".to_owned(), |name| common(&name)),
        }
    }
}

/// The names of integers as people write them: compilers say `long unsigned int`.
fn common(name: &str) -> String {
    match name {
        "long int" => "long",
        "long unsigned int" => "unsigned long",
        "long long int" => "long long",
        "long long unsigned int" => "unsigned long long",
        "short int" => "short",
        "short unsigned int" => "unsigned short",
        "_Bool" => "bool",
        other => other,
    }
    .to_owned()
}

struct Bytes<'a>(&'a [u8]);

impl Readable for Bytes<'_> {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
        let part = usize::try_from(offset)
            .ok()
            .and_then(|from| self.0.get(from..from.checked_add(buffer.len())?))
            .ok_or_else(|| btfparse::Error::new(ErrorKind::EOF, "it ends too early"))?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}
