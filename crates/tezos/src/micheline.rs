//! Micheline: the tree syntax of Michelson code, types and data, in binary and JSON (`spec/protocol.md` §2.3).
//! The concrete syntax lives in `soru-michelson`.

use crate::codec::{Decode, Decoded, Encode, HexBytes, Problem, Reader, put_dynamic, put_within};
use crate::number::Z;
pub use crate::prim::Prim;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A Micheline expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Micheline {
    /// An integer of any size.
    Int(Z),
    /// A string.
    String(String),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A sequence `{ …; … }`.
    Seq(Vec<Micheline>),
    /// A primitive with arguments and annotations.
    Prim(Box<PrimApp>),
}

/// The application of a primitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PrimApp {
    /// Which primitive.
    pub prim: Prim,
    /// Its arguments.
    pub args: Vec<Micheline>,
    /// Its annotations, with their `:`, `@` or `%`.
    pub annots: Vec<String>,
}

impl Micheline {
    /// A primitive without annotations.
    pub fn prim(prim: Prim, args: Vec<Micheline>) -> Self {
        Micheline::Prim(Box::new(PrimApp { prim, args, annots: Vec::new() }))
    }

    /// A primitive alone.
    pub fn word(prim: Prim) -> Self {
        Micheline::prim(prim, Vec::new())
    }

    /// An integer.
    pub fn int(value: impl Into<num_bigint::BigInt>) -> Self {
        Micheline::Int(Z(value.into()))
    }

    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Micheline::String(text.into())
    }

    /// `Unit`, the default parameter.
    pub fn unit() -> Self {
        Micheline::word(Prim::Unit)
    }

    /// The primitive and its arguments, when this is one.
    pub fn as_prim(&self) -> Option<(Prim, &[Micheline])> {
        match self {
            Micheline::Prim(app) => Some((app.prim, &app.args)),
            _ => None,
        }
    }
}

/// Tags of the binary form. Primitives of up to two arguments have tags of their own.
mod tag {
    pub const INT: u8 = 0;
    pub const STRING: u8 = 1;
    pub const SEQ: u8 = 2;
    pub const PRIM: u8 = 3;
    pub const GENERIC: u8 = 9;
    pub const BYTES: u8 = 10;
}

fn put_annots(out: &mut Vec<u8>, annots: &[String]) {
    put_dynamic(out, annots.join(" ").as_bytes());
}

fn text(reader: &mut Reader<'_>, what: &'static str) -> Decoded<String> {
    let at = reader.clone();
    let bytes = reader.dynamic(what)?;
    reader.note_text(bytes);
    String::from_utf8(bytes.to_vec()).map_err(|_| at.error(what, Problem::Other("not UTF-8 text")))
}

fn annots(reader: &mut Reader<'_>) -> Decoded<Vec<String>> {
    let text = reader.field("annots", |reader| text(reader, "annotations"))?;
    Ok(if text.is_empty() { Vec::new() } else { text.split(' ').map(str::to_owned).collect() })
}

impl Encode for Micheline {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Micheline::Int(value) => {
                out.push(tag::INT);
                value.encode(out);
            }
            Micheline::String(text) => {
                out.push(tag::STRING);
                put_dynamic(out, text.as_bytes());
            }
            Micheline::Seq(items) => {
                out.push(tag::SEQ);
                put_within(out, |out| items.iter().for_each(|item| item.encode(out)));
            }
            Micheline::Prim(app) => {
                let annotated = !app.annots.is_empty();
                if app.args.len() > 2 {
                    out.extend([tag::GENERIC, app.prim.code()]);
                    put_within(out, |out| app.args.iter().for_each(|arg| arg.encode(out)));
                    put_annots(out, &app.annots);
                } else {
                    out.extend([tag::PRIM + 2 * app.args.len() as u8 + u8::from(annotated), app.prim.code()]);
                    app.args.iter().for_each(|arg| arg.encode(out));
                    if annotated {
                        put_annots(out, &app.annots);
                    }
                }
            }
            Micheline::Bytes(bytes) => {
                out.push(tag::BYTES);
                put_dynamic(out, bytes);
            }
        }
    }
}

impl Decode for Micheline {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        reader.described_by_protocol("micheline.{}michelson_v1.expression", expression)
    }
}

/// The titles of the cases with a primitive, by their tags from [`tag::PRIM`] on.
const PRIM_CASES: [&str; 7] = [
    "Prim__no_args__no_annots",
    "Prim__no_args__some_annots",
    "Prim__1_arg__no_annots",
    "Prim__1_arg__some_annots",
    "Prim__2_args__no_annots",
    "Prim__2_args__some_annots",
    "Prim__generic",
];

fn expression(reader: &mut Reader<'_>) -> Decoded<Micheline> {
    const WHAT: &str = "Micheline";
    let at = reader.clone();
    let tag = reader.byte(WHAT)?;
    reader.case(match tag {
        tag::INT => "Int",
        tag::STRING => "String",
        tag::SEQ => "Sequence",
        tag::BYTES => "Bytes",
        tag => PRIM_CASES.get(usize::from(tag.wrapping_sub(tag::PRIM))).copied().unwrap_or_default(),
    });
    match tag {
        tag::INT => reader.field("int", Z::decode).map(Micheline::Int),
        tag::STRING => reader.field("string", |reader| text(reader, "Micheline string")).map(Micheline::String),
        tag::SEQ => reader.list("Micheline sequence", Micheline::decode).map(Micheline::Seq),
        tag::BYTES => {
            let bytes = reader.field("bytes", |reader| reader.dynamic("Micheline bytes"))?;
            Ok(Micheline::Bytes(bytes.to_vec()))
        }
        tag @ tag::PRIM..=tag::GENERIC => {
            let code = reader.field("prim", |reader| {
                reader.described_by_protocol("{}michelson.v1.primitives", |reader| {
                    let code = reader.byte(WHAT)?;
                    reader.note("enum", code);
                    Ok(code)
                })
            })?;
            let prim = Prim::from_code(code).ok_or_else(|| at.error("Michelson primitive", Problem::Tag(code)))?;
            let (args, annotated) = if tag == tag::GENERIC {
                (reader.field("args", |reader| reader.list("arguments", Micheline::decode))?, true)
            } else {
                let count = (tag - tag::PRIM) / 2;
                let names: &[&str] = if count == 2 { &["arg1", "arg2"] } else { &["arg"] };
                let arguments = names.iter().take(usize::from(count));
                let args = reader
                    .nested(WHAT, |inner| arguments.map(|name| inner.field(name, Micheline::decode)).collect())?;
                (args, (tag - tag::PRIM) % 2 == 1)
            };
            let annots = if annotated { annots(reader)? } else { Vec::new() };
            Ok(Micheline::Prim(Box::new(PrimApp { prim, args, annots })))
        }
        other => Err(at.error(WHAT, Problem::Tag(other))),
    }
}

impl Serialize for Micheline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Micheline::Seq(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Micheline::Int(value) => single(serializer, "int", value),
            Micheline::String(text) => single(serializer, "string", text),
            Micheline::Bytes(bytes) => single(serializer, "bytes", &hex::encode(bytes)),
            Micheline::Prim(app) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("prim", app.prim.name())?;
                if !app.args.is_empty() {
                    map.serialize_entry("args", &app.args)?;
                }
                if !app.annots.is_empty() {
                    map.serialize_entry("annots", &app.annots)?;
                }
                map.end()
            }
        }
    }
}

fn single<S: Serializer>(serializer: S, key: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

impl<'de> Deserialize<'de> for Micheline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MichelineVisitor)
    }
}

struct MichelineVisitor;

impl<'de> Visitor<'de> for MichelineVisitor {
    type Value = Micheline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Micheline expression: an array, or an object with int, string, bytes or prim")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Micheline, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Micheline::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Micheline, A::Error> {
        let (mut leaf, mut prim) = (None, None);
        let (mut args, mut annots) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "int" if leaf.is_none() => leaf = Some(Micheline::Int(map.next_value()?)),
                "string" if leaf.is_none() => leaf = Some(Micheline::String(map.next_value()?)),
                "bytes" if leaf.is_none() => leaf = Some(Micheline::Bytes(map.next_value::<HexBytes>()?.0)),
                "prim" if prim.is_none() => {
                    prim = Some(map.next_value::<String>()?.parse::<Prim>().map_err(de::Error::custom)?);
                }
                "args" if args.is_none() => args = Some(map.next_value()?),
                "annots" if annots.is_none() => annots = Some(map.next_value()?),
                other => return Err(de::Error::custom(format!("'{other}' is unexpected in a Micheline expression"))),
            }
        }
        match (leaf, prim) {
            (Some(leaf), None) if args.is_none() && annots.is_none() => Ok(leaf),
            (None, Some(prim)) => Ok(Micheline::Prim(Box::new(PrimApp {
                prim,
                args: args.unwrap_or_default(),
                annots: annots.unwrap_or_default(),
            }))),
            _ => Err(de::Error::custom(
                "a Micheline expression is an array, or an object with one of int, string, bytes, prim",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node() -> impl Strategy<Value = Micheline> {
        let leaf = prop_oneof![
            any::<i128>().prop_map(Micheline::int),
            "[a-z]{0,8}".prop_map(Micheline::String),
            prop::collection::vec(any::<u8>(), 0..8).prop_map(Micheline::Bytes),
        ];
        leaf.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Micheline::Seq),
                (
                    0..Prim::ALL.len(),
                    prop::collection::vec(inner, 0..4),
                    prop::collection::vec("[:@%][a-z]{1,4}", 0..3)
                )
                    .prop_map(|(code, args, annots)| Micheline::Prim(Box::new(PrimApp {
                        prim: Prim::ALL[code],
                        args,
                        annots
                    }))),
            ]
        })
    }

    proptest! {
        #[test]
        fn binary_and_json_round_trip(node in node()) {
            prop_assert_eq!(&Micheline::from_bytes(&node.to_bytes()).unwrap(), &node);
            let json = serde_json::to_string(&node).unwrap();
            prop_assert_eq!(serde_json::from_str::<Micheline>(&json).unwrap(), node);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Micheline::from_bytes(&bytes);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep: Vec<u8> = std::iter::repeat_n([5u8, 7], 100_000).flatten().collect();
        assert_eq!(Micheline::from_bytes(&deep).unwrap_err().problem, Problem::Limit);
    }

    #[test]
    fn types_of_rollups() {
        assert_eq!(Micheline::word(Prim::string).to_bytes(), [0x03, 0x68]);
        assert_eq!(Micheline::word(Prim::bytes).to_bytes(), [0x03, 0x69]);
        assert_eq!(Micheline::unit().to_bytes(), [0x03, 0x0b]);
    }
}
