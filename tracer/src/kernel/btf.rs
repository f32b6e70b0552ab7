//! A walk over raw BTF, as `Documentation/bpf/btf.rst` has it. Owns the format; which types matter
//! is the caller's.
//!
//! Nothing is copied out of the file but one offset for each type. A parser that builds all types
//! of a kernel takes tens of MiB and most of a start's time, for the few fields that matter.

use std::ffi::CStr;

const MAGIC: u16 = 0xeb9f;
const HEADER: usize = 24;

/// Bytes that every type has: its name, its kind and length, and a size or another type.
const COMMON: usize = 12;

/// Anonymous members inside each other at most: a type that contains itself has no end.
const DEPTH: u32 = 16;

/// Why bytes are no BTF.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BtfError {
    /// It does not start as BTF of this machine's byte order does.
    #[error("it does not begin as BTF does")]
    NoMagic,
    /// A part that the header or a type announces is not there.
    #[error("it ends too early")]
    TooShort,
    /// The kind of a type, which says how long it is, is not known.
    #[error("it has types of the unknown kind {0}")]
    UnknownKind(u32),
}

/// What a type is, as far as the callers tell types apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Pointer,
    Struct,
    Union,
    Enum,
    Typedef,
    Function,
    Prototype,
    Other,
}

/// All types of a kernel. A type is known by its number, from 1.
pub(super) struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins in `types`.
    starts: Vec<u32>,
}

/// One type.
#[derive(Clone, Copy)]
pub(super) struct Type<'a> {
    btf: &'a Btf<'a>,
    /// The type and all after it.
    bytes: &'a [u8],
    pub(super) kind: Kind,
    length: usize,
    has_bitfields: bool,
}

impl<'a> Btf<'a> {
    /// Finds where each type of `bytes` begins.
    ///
    /// # Errors
    /// If `bytes` are no BTF.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let magic = bytes.first_chunk().ok_or(BtfError::TooShort)?;
        if u16::from_ne_bytes(*magic) != MAGIC {
            return Err(BtfError::NoMagic);
        }
        if bytes.len() < HEADER {
            return Err(BtfError::TooShort);
        }
        let part = |offset: usize| {
            let from = word(bytes, 4)?.checked_add(word(bytes, offset)?)?;
            let to = from.checked_add(word(bytes, offset + 4)?)?;
            bytes.get(from as usize..to as usize)
        };
        let (types, strings) = part(8).zip(part(16)).ok_or(BtfError::TooShort)?;
        Ok(Self { types, strings, starts: starts(types)? })
    }

    /// All types, in the order of their numbers.
    pub(super) fn all(&'a self) -> impl Iterator<Item = Type<'a>> {
        self.starts.iter().filter_map(|start| self.at(*start))
    }

    /// The type of that number; none for `void` and for a number that no type has.
    pub(super) fn get(&'a self, number: u32) -> Option<Type<'a>> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.at(*self.starts.get(index)?)
    }

    fn at(&'a self, start: u32) -> Option<Type<'a>> {
        let bytes = self.types.get(start as usize..)?;
        let info = word(bytes, 4)?;
        let (kind, length) = split(info);
        Some(Type { btf: self, bytes, kind: kind_of(kind), length, has_bitfields: info >> 31 == 1 })
    }

    /// The string at `offset`, empty where there is none.
    fn string(&self, offset: u32) -> &'a [u8] {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        CStr::from_bytes_until_nul(rest).map_or(b"", CStr::to_bytes)
    }
}

impl<'a> Type<'a> {
    /// The name, empty for a type without.
    pub(super) fn name(&self) -> &'a [u8] {
        self.btf.string(word(self.bytes, 0).unwrap_or(0))
    }

    /// The type that a pointer, typedef or function refers to.
    pub(super) fn target(&self) -> Option<Self> {
        self.btf.get(word(self.bytes, 8)?)
    }

    /// The names and values of an enum.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (&'a [u8], i32)> + use<'a> {
        let (btf, bytes) = (self.btf, self.bytes);
        let length = if self.kind == Kind::Enum { self.length } else { 0 };
        (0..length).map_while(move |index| {
            let at = COMMON + index * 8;
            Some((btf.string(word(bytes, at)?), word(bytes, at + 4)?.cast_signed()))
        })
    }

    /// The type of a prototype's argument, counted from 0.
    pub(super) fn argument(&self, index: usize) -> Option<Self> {
        let is_there = self.kind == Kind::Prototype && index < self.length;
        is_there.then(|| self.btf.get(word(self.bytes, COMMON + index * 8 + 4)?))?
    }

    /// The offset in bytes of a member, also where it sits in an anonymous one; none for a
    /// bitfield.
    pub(super) fn offset_of(&self, member: &[u8]) -> Option<u32> {
        let bits = self.bits_to(member, DEPTH)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    fn bits_to(&self, member: &[u8], depth: u32) -> Option<u32> {
        if !matches!(self.kind, Kind::Struct | Kind::Union) {
            return None;
        }
        let depth = depth.checked_sub(1)?;
        (0..self.length).find_map(|index| {
            let at = COMMON + index * 12;
            let name = self.btf.string(word(self.bytes, at)?);
            let offset = word(self.bytes, at + 8)?;
            // With bitfields in a structure, the highest byte of each offset is a width.
            let (width, bits) =
                if self.has_bitfields { (offset >> 24, offset & 0xff_ffff) } else { (0, offset) };
            if name == member {
                return (width == 0).then_some(bits);
            }
            let inner = name.is_empty().then(|| self.btf.get(word(self.bytes, at + 4)?))??;
            bits.checked_add(inner.bits_to(member, depth)?)
        })
    }
}

fn starts(types: &[u8]) -> Result<Vec<u32>, BtfError> {
    // A kernel's types take 20 bytes on average; growing by doubling would leave holes.
    let mut starts = Vec::with_capacity(types.len() / 16);
    let mut at = 0;
    while at < types.len() {
        let info = word(types, at + 4).ok_or(BtfError::TooShort)?;
        let (kind, length) = split(info);
        starts.push(u32::try_from(at).map_err(|_error| BtfError::TooShort)?);
        at += COMMON + rest_of(kind, length)?;
    }
    if at == types.len() { Ok(starts) } else { Err(BtfError::TooShort) }
}

/// The kind and the number of elements, each with the bits that later versions of the format may
/// give it; today they are zero.
fn split(info: u32) -> (u32, usize) {
    (info >> 24 & 0x7f, info as usize & 0xff_ffff)
}

/// Bytes that follow the common ones.
fn rest_of(kind: u32, length: usize) -> Result<usize, BtfError> {
    match kind {
        // Pointer, forward, typedef, qualifiers, function, float, type tag.
        2 | 7..=12 | 16 | 18 => Ok(0),
        // Integer, variable, declaration tag.
        1 | 14 | 17 => Ok(4),
        // Array.
        3 => Ok(12),
        // Enum, prototype.
        6 | 13 => Ok(length * 8),
        // Structure, union, section, enum of 64 bits.
        4 | 5 | 15 | 19 => Ok(length * 12),
        other => Err(BtfError::UnknownKind(other)),
    }
}

fn kind_of(kind: u32) -> Kind {
    match kind {
        2 => Kind::Pointer,
        4 => Kind::Struct,
        5 => Kind::Union,
        6 => Kind::Enum,
        8 => Kind::Typedef,
        12 => Kind::Function,
        13 => Kind::Prototype,
        _ => Kind::Other,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// BTF in the making.
    pub(in super::super) struct Builder {
        types: Vec<u8>,
        strings: Vec<u8>,
        count: u32,
    }

    impl Builder {
        pub(in super::super) fn new() -> Self {
            Self { types: Vec::new(), strings: vec![0], count: 0 }
        }

        /// Adds a type and gives its number. `rest` are the words after the common ones; names in
        /// it come from [`Self::string`].
        pub(in super::super) fn add(
            &mut self,
            name: &str,
            info: u32,
            target: u32,
            rest: &[u32],
        ) -> u32 {
            let name = self.string(name);
            for word in [name, info, target].iter().chain(rest) {
                self.types.extend(word.to_ne_bytes());
            }
            self.count += 1;
            self.count
        }

        pub(in super::super) fn string(&mut self, text: &str) -> u32 {
            if text.is_empty() {
                return 0;
            }
            let at = u32::try_from(self.strings.len()).unwrap();
            self.strings.extend(text.bytes().chain([0]));
            at
        }

        pub(in super::super) fn build(&self) -> Vec<u8> {
            let [types, strings] =
                [&self.types, &self.strings].map(|part| u32::try_from(part.len()).unwrap());
            let mut bytes = MAGIC.to_ne_bytes().to_vec();
            bytes.extend([1, 0]);
            for word in [24, 0, types, types, strings] {
                bytes.extend(word.to_ne_bytes());
            }
            bytes.extend(&self.types);
            bytes.extend(&self.strings);
            bytes
        }
    }

    pub(in super::super) const fn info(kind: u32, length: u32) -> u32 {
        kind << 24 | length
    }

    #[test]
    fn a_member_is_found_in_an_anonymous_one_and_a_bitfield_is_not() {
        let mut builder = Builder::new();
        let int = builder.add("int", info(1, 0), 4, &[32]);
        let deep = builder.string("deep");
        let inner = builder.add("", info(5, 1), 4, &[deep, int, 32]);
        let [plain, bit] = ["plain", "bit"].map(|name| builder.string(name));
        let members = [plain, int, 64, 0, inner, 128, bit, int, (1 << 24) | 0xc0];
        builder.add("outer", info(4, 3) | 1 << 31, 32, &members);
        let bytes = builder.build();
        let btf = Btf::read(&bytes).unwrap();
        let outer = btf.all().last().unwrap();
        assert_eq!((outer.name(), outer.kind), (b"outer".as_slice(), Kind::Struct));
        let offsets = ["plain", "deep", "bit", "none"].map(|name| outer.offset_of(name.as_bytes()));
        assert_eq!(offsets, [Some(8), Some(20), None, None]);
    }

    #[test]
    fn a_structure_that_contains_itself_has_an_end() {
        let mut builder = Builder::new();
        builder.add("loop", info(4, 1), 4, &[0, 1, 0]);
        let bytes = builder.build();
        let btf = Btf::read(&bytes).unwrap();
        assert_eq!(btf.get(1).unwrap().offset_of(b"x"), None);
    }

    #[test]
    fn what_is_no_btf_is_refused_by_name() {
        let read = |bytes: &[u8]| Btf::read(bytes).err();
        assert_eq!(read(b""), Some(BtfError::TooShort));
        assert_eq!(read(b"\x7fELF and more than a header of bytes"), Some(BtfError::NoMagic));
        let mut builder = Builder::new();
        builder.add("new", info(77, 0), 0, &[]);
        assert_eq!(read(&builder.build()), Some(BtfError::UnknownKind(77)));
        let mut builder = Builder::new();
        builder.add("cut", info(4, 2), 0, &[0, 0, 0]);
        assert_eq!(read(&builder.build()), Some(BtfError::TooShort));
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_a_panic(rest in prop::collection::vec(0..32_u32, 0..64)) {
            let mut builder = Builder::new();
            builder.string("x");
            for word in rest {
                builder.types.extend(((word << 24) | (word % 5)).to_ne_bytes());
            }
            let bytes = builder.build();
            if let Ok(btf) = Btf::read(&bytes) {
                for found in btf.all() {
                    let _ = (found.name(), found.offset_of(b"x"), found.argument(1).is_some());
                    let _ = (found.numbers().count(), found.target().is_some());
                }
            }
        }
    }
}
