//! Elementary leaves: numbers, texts and raw bytes in the data-encodings of `spec/pvm.md` §0.

use bytes::Bytes;
use soru_tezos::codec::{Decode, Decoded, Encode, Problem, Reader, put_dynamic};

use crate::tree_leaf;

tree_leaf!(bool, u8, i32, i64);

/// An integer in 31 bits: 4 bytes, between −2³⁰ and 2³⁰ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Int31(pub i32);

impl Encode for Int31 {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Int31 {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match i32::decode(reader)? {
            value if (-(1 << 30)..1 << 30).contains(&value) => Ok(Int31(value)),
            _ => Err(reader.error("int31", Problem::Number)),
        }
    }
}

/// A byte string with its length in front (`string`). Kernels choose the bytes of names, so they need not be UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// The bytes themselves.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text.into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(text: Vec<u8>) -> Self {
        Text(text.into())
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl Encode for Text {
    fn encode(&self, out: &mut Vec<u8>) {
        put_dynamic(out, &self.0);
    }
}

impl Decode for Text {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Text(Bytes::copy_from_slice(reader.dynamic("string")?)))
    }
}

/// Raw bytes without a length; they take up the whole leaf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VarBytes(pub Bytes);

impl Encode for VarBytes {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for VarBytes {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(VarBytes(Bytes::copy_from_slice(reader.take_rest())))
    }
}

/// An option inside a leaf: `00`, or `01` and the value. (The option between fields of protocol messages has other bytes.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OptionLeaf<T>(pub Option<T>);

impl<T: Encode> Encode for OptionLeaf<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match &self.0 {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }
}

impl<T: Decode> Decode for OptionLeaf<T> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match reader.byte("option")? {
            0 => Ok(OptionLeaf(None)),
            1 => Ok(OptionLeaf(Some(T::decode(reader)?))),
            tag => Err(reader.error("option", Problem::Tag(tag))),
        }
    }
}

tree_leaf!(Int31, Text, VarBytes, soru_tezos::number::N, soru_tezos::number::Z);

impl<T: Encode + Decode> crate::containers::TreeValue for OptionLeaf<T> {
    fn write<W: crate::containers::Writer>(
        &self,
        to: &mut W,
        path: &[&str],
    ) -> Result<(), crate::containers::ContainerError> {
        Ok(to.leaf(path, |out| self.encode(out))?)
    }

    fn read(tree: &crate::Tree, path: &[&str]) -> Result<Self, crate::containers::ContainerError> {
        match tree.read(path, OptionLeaf::from_bytes)? {
            Some(value) => Ok(value?),
            None => Err(crate::containers::ContainerError::KeyNotFound(path.join("/"))),
        }
    }
}
