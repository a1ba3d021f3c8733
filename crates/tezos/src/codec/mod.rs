//! The binary codec: how Tezos writes values as bytes (`spec/protocol.md` §0).
//!
//! A type's encoding stands beside the type, once, as [`Encode`] and [`Decode`]; `binary_struct!` writes both for a plain
//! record. All integers are big-endian.

mod trace;

pub use trace::{Slice, Trace};

use std::fmt;

/// Why bytes did not decode: what was being read, at which offset, and what was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What was being read.
    pub what: &'static str,
    /// Offset in the outermost byte string.
    pub offset: usize,
    /// What was wrong.
    pub problem: Problem,
}

/// The ways in which bytes can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// More bytes are needed than there are.
    TooShort {
        /// Bytes wanted.
        wanted: usize,
        /// Bytes left.
        left: usize,
    },
    /// Bytes remain after the value.
    Trailing {
        /// How many.
        left: usize,
    },
    /// An unknown tag.
    Tag(u8),
    /// A boolean or option byte that is neither `00` nor `ff`.
    Flag(u8),
    /// A number out of its range, or written with redundant digits.
    Number,
    /// Nested deeper, or longer, than any valid value.
    Limit,
    /// Any other malformation, in words.
    Other(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot decode {} at byte {}: ", self.what, self.offset)?;
        match &self.problem {
            Problem::TooShort { wanted, left } => write!(f, "{wanted} bytes wanted, {left} left"),
            Problem::Trailing { left } => write!(f, "{left} bytes left over"),
            Problem::Tag(tag) => write!(f, "unknown tag {tag}"),
            Problem::Flag(flag) => write!(f, "{flag:#04x} is neither 00 nor ff"),
            Problem::Number => f.write_str("number out of range or not minimal"),
            Problem::Limit => f.write_str("too long or too deeply nested"),
            Problem::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The result of decoding.
pub type Decoded<T> = Result<T, DecodeError>;

/// A value with a binary form.
pub trait Encode {
    /// Appends the binary form to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// The binary form alone.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// A value that can be read back from its binary form.
pub trait Decode: Sized {
    /// Reads one value from the front of `reader`.
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self>;

    /// Reads a value that must take up all of `bytes`.
    fn from_bytes(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish("value")?;
        Ok(value)
    }
}

/// A cursor over bytes that knows its place in the outermost byte string and how deep it stands.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    depth: u16,
    trace: Option<&'a Trace>,
}

/// Deepest nesting of length-prefixed or recursive values. Micheline on the layer 1 is bounded far below.
pub const MAX_DEPTH: u16 = 1_000;

impl<'a> Reader<'a> {
    /// A reader over all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, offset: 0, depth: 0, trace: None }
    }

    /// An error at the present place.
    pub fn error(&self, what: &'static str, problem: Problem) -> DecodeError {
        DecodeError { what, offset: self.offset, problem }
    }

    /// Bytes not yet read.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Offset of the next byte in the outermost byte string.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not yet read, without reading them.
    pub fn peek(&self) -> &'a [u8] {
        self.bytes
    }

    /// Succeeds when nothing is left.
    pub fn finish(&self, what: &'static str) -> Decoded<()> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.error(what, Problem::Trailing { left })),
        }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Decoded<&'a [u8]> {
        let Some((front, back)) = self.bytes.split_at_checked(count) else {
            return Err(self.error(what, Problem::TooShort { wanted: count, left: self.left() }));
        };
        self.bytes = back;
        self.offset += count;
        self.note_bytes(self.offset - count..self.offset);
        Ok(front)
    }

    /// All bytes that are left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        let rest = std::mem::take(&mut self.bytes);
        self.offset += rest.len();
        self.note_bytes(self.offset - rest.len()..self.offset);
        rest
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Decoded<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, what)?);
        Ok(out)
    }

    /// One byte.
    pub fn byte(&mut self, what: &'static str) -> Decoded<u8> {
        let byte = self.array::<1>(what)?[0];
        self.note("uint8", byte);
        Ok(byte)
    }

    /// The tag of a case, a byte, whose title in traces is that place of `titles`.
    pub fn tag(&mut self, what: &'static str, titles: &[&str]) -> Decoded<u8> {
        let tag = self.byte(what)?;
        if let Some(title) = titles.get(usize::from(tag)) {
            self.case(title);
        }
        Ok(tag)
    }

    /// A boolean: `ff` or `00`. Also the presence byte of options.
    pub fn flag(&mut self, what: &'static str) -> Decoded<bool> {
        let at = self.clone();
        match self.byte(what)? {
            0x00 => Ok(self.noted("bool", false)),
            0xff => Ok(self.noted("bool", true)),
            other => Err(at.error(what, Problem::Flag(other))),
        }
    }

    /// Notes the kind of a value just read, and gives it back.
    fn noted<T: fmt::Display>(&self, kind: &str, value: T) -> T {
        self.note(kind, &value);
        value
    }

    /// A four-byte length, checked against what is left.
    pub fn length(&mut self, what: &'static str) -> Decoded<usize> {
        let at = self.clone();
        let length = u32::from_be_bytes(self.array(what)?);
        self.note_name("dynamic length", length);
        match usize::try_from(length) {
            Ok(length) if length <= self.left() => Ok(length),
            _ => Err(at.error(what, Problem::TooShort { wanted: length as usize, left: self.left() })),
        }
    }

    /// A byte string behind a four-byte length.
    pub fn dynamic(&mut self, what: &'static str) -> Decoded<&'a [u8]> {
        let length = self.length(what)?;
        self.take(length, what)
    }

    /// Runs `read` on the content of a length-prefixed value, which it must use up.
    pub fn within<T>(&mut self, what: &'static str, read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>) -> Decoded<T> {
        let length = self.length(what)?;
        self.front(length, what, read)
    }

    /// Runs `read` on the next `length` bytes, which it must use up.
    pub fn front<T>(
        &mut self,
        length: usize,
        what: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>,
    ) -> Decoded<T> {
        let mut inner = self.deeper(what)?;
        let Some((front, back)) = self.bytes.split_at_checked(length) else {
            return Err(self.error(what, Problem::TooShort { wanted: length, left: self.left() }));
        };
        inner.bytes = front;
        let value = read(&mut inner)?;
        inner.finish(what)?;
        self.bytes = back;
        self.offset += length;
        Ok(value)
    }

    /// A copy of this reader one level deeper, or the limit error: guards every recursion on input.
    pub fn deeper(&self, what: &'static str) -> Decoded<Reader<'a>> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(what, Problem::Limit));
        }
        Ok(Reader { depth: self.depth + 1, ..self.clone() })
    }

    /// Runs `read` one level deeper on the same bytes.
    pub fn nested<T>(&mut self, what: &'static str, read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>) -> Decoded<T> {
        let mut inner = self.deeper(what)?;
        let value = read(&mut inner)?;
        self.bytes = inner.bytes;
        self.offset = inner.offset;
        Ok(value)
    }

    /// Reads values until nothing is left.
    pub fn until_end<T>(&mut self, mut read: impl FnMut(&mut Reader<'a>) -> Decoded<T>) -> Decoded<Vec<T>> {
        let mut values = Vec::new();
        while self.left() > 0 {
            let before = self.left();
            values.push(self.element(&mut read)?);
            if self.left() == before {
                return Err(self.error("list", Problem::Other("an element of no bytes")));
            }
        }
        Ok(values)
    }

    /// A list behind a four-byte length in bytes.
    pub fn list<T>(&mut self, what: &'static str, read: impl FnMut(&mut Reader<'a>) -> Decoded<T>) -> Decoded<Vec<T>> {
        self.within(what, |inner| inner.until_end(read))
    }

    /// An optional value behind a presence byte.
    pub fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>,
    ) -> Decoded<Option<T>> {
        let present = self.flag(what)?;
        self.note_presence(present);
        if present { read(self).map(Some) } else { Ok(None) }
    }
}

/// Appends a boolean (`ff`/`00`).
pub fn put_flag(out: &mut Vec<u8>, flag: bool) {
    out.push(if flag { 0xff } else { 0x00 });
}

/// Appends what `write` writes, behind its length in four bytes. Values of 4 GiB and more do not exist here: what is
/// written was bounded when it was read.
pub fn put_within(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a byte string behind its length.
pub fn put_dynamic(out: &mut Vec<u8>, bytes: &[u8]) {
    put_within(out, |out| out.extend_from_slice(bytes));
}

/// Appends a list behind its length in bytes.
pub fn put_list<T: Encode>(out: &mut Vec<u8>, list: &[T]) {
    put_within(out, |out| list.iter().for_each(|item| item.encode(out)));
}

/// Appends an optional value behind its presence byte.
pub fn put_option<T: Encode>(out: &mut Vec<u8>, value: Option<&T>) {
    put_flag(out, value.is_some());
    if let Some(value) = value {
        value.encode(out);
    }
}

macro_rules! integers {
    ($($int:ty = $kind:literal),*) => {$(
        impl Encode for $int {
            fn encode(&self, out: &mut Vec<u8>) { out.extend_from_slice(&self.to_be_bytes()) }
        }
        impl Decode for $int {
            fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
                let value = <$int>::from_be_bytes(reader.array(stringify!($int))?);
                reader.note($kind, value);
                Ok(value)
            }
        }
    )*};
}
integers!(u8 = "uint8", u16 = "uint16", u32 = "uint32", u64 = "uint64", i16 = "int16", i32 = "int32", i64 = "int64");

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        put_flag(out, *self);
    }
}

impl Decode for bool {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        reader.flag("boolean")
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_option(out, self.as_ref());
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        reader.option("option", T::decode)
    }
}

/// A list in the `list T` form: four-byte length in bytes, then the elements.
impl<T: Encode> Encode for [T] {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, self);
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, self);
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        reader.list("list", T::decode)
    }
}

/// Writes [`Encode`] and [`Decode`] for a record: its fields one after the other.
#[macro_export]
macro_rules! binary_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $( $crate::codec::Encode::encode(&self.$field, out); )*
            }
        }
        impl $crate::codec::Decode for $name {
            fn decode(reader: &mut $crate::codec::Reader<'_>) -> $crate::codec::Decoded<Self> {
                Ok($name { $( $field: reader.field(stringify!($field), $crate::codec::Decode::decode)?, )* })
            }
        }
    };
}

/// Byte strings written as `dynbytes` (four-byte length) in binary and as hexadecimal text in JSON.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct HexBytes(pub Vec<u8>);

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(&self.0))
    }
}

impl From<Vec<u8>> for HexBytes {
    fn from(bytes: Vec<u8>) -> Self {
        HexBytes(bytes)
    }
}

impl AsRef<[u8]> for HexBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Encode for HexBytes {
    fn encode(&self, out: &mut Vec<u8>) {
        put_dynamic(out, &self.0);
    }
}

impl Decode for HexBytes {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(HexBytes(reader.dynamic("bytes")?.to_vec()))
    }
}

impl serde::Serialize for HexBytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for HexBytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = hex::decode(text.as_bytes()).map_err(|error| {
            serde::de::Error::custom(format!(
                "'{}' is not hexadecimal: {error}",
                text.chars().take(40).collect::<String>()
            ))
        })?;
        Ok(HexBytes(bytes))
    }
}

/// Exactly `N` bytes: bare in binary, hexadecimal text in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FixedHex<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Debug for FixedHex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl<const N: usize> Encode for FixedHex<N> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl<const N: usize> Decode for FixedHex<N> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        reader.array("bytes").map(FixedHex)
    }
}

impl<const N: usize> serde::Serialize for FixedHex<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de, const N: usize> serde::Deserialize<'de> for FixedHex<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let HexBytes(bytes) = serde::Deserialize::deserialize(deserializer)?;
        let length = bytes.len();
        <[u8; N]>::try_from(bytes)
            .map(FixedHex)
            .map_err(|_| serde::de::Error::custom(format!("{N} bytes of hexadecimal are wanted, {length} given")))
    }
}
