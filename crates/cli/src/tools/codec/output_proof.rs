//! The encoding `wasm_2_0_0.output.proof`: a tree proof, as the reference shows it in JSON, and the output it proves
//! (`spec/pvm.md` §2.4 and §11.5).

use bytes::Bytes;
use serde_json::{Value, json};
use soru_merkle::{Children, InodeProof, Kind, NodeHash, Proof, ProofTree, Step};
use soru_protocol::protocol::Protocol;
use soru_protocol::wire::Dated;
use soru_tezos::codec::{Decode, DecodeError, Decoded, Encode, HexBytes, Problem, Reader};
use soru_tezos::hash::{ContextHash, StateHash};
use soru_tezos::rollup::Output;

/// Proof of an output. Before 018 it also says which state it is about.
pub(super) struct OutputProof {
    proof: Proof,
    state: Option<StateHash>,
    output: Output,
}

const PROOF: &str = "output_proof";
const STATE: &str = "output_proof_state";
const OUTPUT: &str = "output_proof_output";

fn has_state(protocol: Protocol) -> bool {
    protocol < Protocol::Oxford
}

impl OutputProof {
    pub(super) fn from_json(protocol: Protocol, json: &Value) -> Result<OutputProof, String> {
        let output: Output = read(field(json, OUTPUT)?).map_err(|error| format!("{OUTPUT}: {error}"))?;
        output.check(protocol).map_err(|error| error.to_string())?;
        let state = match has_state(protocol) {
            true => Some(read(field(json, STATE)?).map_err(|error| format!("{STATE}: {error}"))?),
            false => None,
        };
        let proof = proof_of(field(json, PROOF)?).map_err(|error| format!("{PROOF}: {error}"))?;
        Ok(OutputProof { proof, state, output })
    }

    pub(super) fn to_json(&self) -> Result<Value, serde_json::Error> {
        let mut json = json!({ PROOF: proof_json(&self.proof) });
        if let Some(state) = &self.state {
            json[STATE] = serde_json::to_value(state)?;
        }
        json[OUTPUT] = serde_json::to_value(&self.output)?;
        Ok(json)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let mut bytes = self.proof.encode().map_err(|error| error.to_string())?;
        if let Some(state) = &self.state {
            state.encode(&mut bytes);
        }
        self.output.encode(&mut bytes);
        Ok(bytes)
    }

    pub(super) fn decode(protocol: Protocol, reader: &mut Reader<'_>) -> Decoded<OutputProof> {
        let at = reader.offset();
        let bytes = Bytes::copy_from_slice(reader.peek());
        let (proof, rest) = Proof::decode_prefix(bytes).map_err(|error| DecodeError {
            what: PROOF,
            offset: at + error.offset,
            problem: Problem::Other(error.reason),
        })?;
        reader.field(PROOF, |reader| reader.take(reader.left() - rest.len(), PROOF))?;
        let state = if has_state(protocol) { Some(reader.field(STATE, StateHash::decode)?) } else { None };
        let output = reader.field(OUTPUT, |reader| super::encodings::checked(protocol, reader))?;
        Ok(OutputProof { proof, state, output })
    }
}

fn hash_json(hash: &NodeHash) -> Value {
    ContextHash(hash.0).to_string().into()
}

fn hash_of(json: &Value) -> Result<NodeHash, String> {
    read::<ContextHash>(json).map(|hash| NodeHash(hash.0))
}

fn kinded_json(kind: Kind, hash: &NodeHash) -> Value {
    let name = match kind {
        Kind::Leaf => "value",
        Kind::Directory => "node",
    };
    json!({ name: hash_json(hash) })
}

fn kinded_of(json: &Value) -> Result<(Kind, NodeHash), String> {
    match only_field(json)? {
        ("value", hash) => Ok((Kind::Leaf, hash_of(hash)?)),
        ("node", hash) => Ok((Kind::Directory, hash_of(hash)?)),
        (other, _) => Err(format!("'{other}' where value or node is wanted")),
    }
}

fn proof_json(proof: &Proof) -> Value {
    json!({
        "version": proof.version,
        "before": kinded_json(proof.before_kind, &proof.before),
        "after": kinded_json(proof.after_kind, &proof.after),
        "state": tree_json(&proof.state),
    })
}

fn proof_of(json: &Value) -> Result<Proof, String> {
    let (before_kind, before) = kinded_of(field(json, "before")?)?;
    let (after_kind, after) = kinded_of(field(json, "after")?)?;
    let version = read(field(json, "version")?)?;
    Ok(Proof { version, before_kind, before, after_kind, after, state: tree_of(field(json, "state")?)? })
}

fn tree_json(tree: &ProofTree) -> Value {
    // the reference nests its cases as its tags do
    let other = |rest: Value| json!({ "other_trees": rest });
    match tree {
        ProofTree::Inode { length, children } => json!({ "inode": fork_json(*length, children) }),
        ProofTree::Node(entries) => other(json!({ "node": entries_json(entries) })),
        ProofTree::Value(bytes) => other(other(json!({ "value": hex::encode(bytes) }))),
        ProofTree::BlindedValue(hash) => other(other(json!({ "blinded_value": hash_json(hash) }))),
        ProofTree::BlindedNode(hash) => other(other(json!({ "blinded_node": hash_json(hash) }))),
        ProofTree::Extender { length, segment, inner } => {
            other(other(json!({ "extender": extender_json(*length, segment, inner) })))
        }
    }
}

fn tree_of(json: &Value) -> Result<ProofTree, String> {
    let unknown = |name: &str| Err(format!("'{name}' is no kind of tree here"));
    let rest = match only_field(json)? {
        ("inode", fork) => {
            let (length, children) = fork_of(fork)?;
            return Ok(ProofTree::Inode { length, children });
        }
        ("other_trees", rest) => rest,
        (name, _) => return unknown(name),
    };
    let rest = match only_field(rest)? {
        ("node", entries) => return entries_of(entries).map(ProofTree::Node),
        ("other_trees", rest) => rest,
        (name, _) => return unknown(name),
    };
    match only_field(rest)? {
        ("value", bytes) => Ok(ProofTree::Value(read::<HexBytes>(bytes)?.0.into())),
        ("blinded_value", hash) => hash_of(hash).map(ProofTree::BlindedValue),
        ("blinded_node", hash) => hash_of(hash).map(ProofTree::BlindedNode),
        ("extender", extender) => {
            let (length, segment, inner) = extender_of(extender)?;
            Ok(ProofTree::Extender { length, segment, inner })
        }
        (name, _) => unknown(name),
    }
}

fn inode_json(inode: Option<&InodeProof>) -> Value {
    let other = |rest: Value| json!({ "other_inode_trees": rest });
    match inode {
        Some(InodeProof::Tree { length, children }) => json!({ "inode_tree": fork_json(*length, children) }),
        Some(InodeProof::Values(entries)) => other(json!({ "inode_values": entries_json(entries) })),
        Some(InodeProof::Blinded(hash)) => other(other(json!({ "blinded_inode": hash_json(hash) }))),
        Some(InodeProof::Extender { length, segment, inner }) => {
            other(other(json!({ "inode_extender": extender_json(*length, segment, inner) })))
        }
        None => other(other(json!({ "none": {} }))),
    }
}

fn inode_of(json: &Value) -> Result<Option<Box<InodeProof>>, String> {
    let unknown = |name: &str| Err(format!("'{name}' is no kind of inode here"));
    let some = |inode| Ok(Some(Box::new(inode)));
    let rest = match only_field(json)? {
        ("inode_tree", fork) => {
            let (length, children) = fork_of(fork)?;
            return some(InodeProof::Tree { length, children });
        }
        ("other_inode_trees", rest) => rest,
        (name, _) => return unknown(name),
    };
    let rest = match only_field(rest)? {
        ("inode_values", entries) => return some(InodeProof::Values(entries_of(entries)?)),
        ("other_inode_trees", rest) => rest,
        (name, _) => return unknown(name),
    };
    match only_field(rest)? {
        ("blinded_inode", hash) => some(InodeProof::Blinded(hash_of(hash)?)),
        ("inode_extender", extender) => {
            let (length, segment, inner) = extender_of(extender)?;
            some(InodeProof::Extender { length, segment, inner })
        }
        ("none", _) => Ok(None),
        (name, _) => unknown(name),
    }
}

fn fork_json(length: u64, [left, right]: &Children) -> Value {
    json!({ "length": length.to_string(), "proofs": [inode_json(left.as_deref()), inode_json(right.as_deref())] })
}

fn fork_of(json: &Value) -> Result<(u64, Children), String> {
    let proofs = list(field(json, "proofs")?)?;
    let [left, right] = proofs else { return Err("a fork has two proofs".to_owned()) };
    Ok((length_of(json)?, [inode_of(left)?, inode_of(right)?]))
}

/// The indices of a segment, eight a byte, ended by a one and zeros.
fn extender_json(length: u64, segment: &[bool], inner: &InodeProof) -> Value {
    let mut bits: Vec<bool> = [segment, &[true]].concat();
    bits.resize(bits.len().next_multiple_of(8), false);
    let bytes = bits.chunks(8).map(|byte| byte.iter().fold(0u8, |byte, bit| byte << 1 | u8::from(*bit)));
    let segment = hex::encode(bytes.collect::<Vec<u8>>());
    json!({ "length": length.to_string(), "segment": segment, "proof": inode_json(Some(inner)) })
}

fn extender_of(json: &Value) -> Result<(u64, Vec<bool>, Box<InodeProof>), String> {
    let bytes = read::<HexBytes>(field(json, "segment")?)?.0;
    let mut bits: Vec<bool> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let end = bits.iter().rposition(|bit| *bit).filter(|end| bits.len() - end <= 8);
    bits.truncate(end.ok_or("a segment ends with a one and less than eight zeros")?);
    let inner = inode_of(field(json, "proof")?)?.ok_or("an extender leads to an inode")?;
    Ok((length_of(json)?, bits, inner))
}

fn length_of(json: &Value) -> Result<u64, String> {
    let text: String = read(field(json, "length")?)?;
    text.parse().map_err(|_| format!("'{text}' is not a length"))
}

fn entries_json(entries: &[(Step, ProofTree)]) -> Value {
    entries.iter().map(|(step, tree)| json!([hex::encode(step.as_bytes()), tree_json(tree)])).collect()
}

fn entries_of(json: &Value) -> Result<Vec<(Step, ProofTree)>, String> {
    let entry = |entry: &Value| match list(entry)? {
        [step, tree] => Ok((Step::from(read::<HexBytes>(step)?.0.as_slice()), tree_of(tree)?)),
        _ => Err("an entry is a pair of step and tree".to_owned()),
    };
    list(json)?.iter().map(entry).collect()
}

fn read<T: serde::de::DeserializeOwned>(json: &Value) -> Result<T, String> {
    T::deserialize(json).map_err(|error| error.to_string())
}

fn field<'a>(json: &'a Value, name: &str) -> Result<&'a Value, String> {
    json.get(name).ok_or_else(|| format!("missing field `{name}`"))
}

fn list(json: &Value) -> Result<&[Value], String> {
    json.as_array().map(Vec::as_slice).ok_or_else(|| "a list is wanted".to_owned())
}

/// The name and value of the one field of an object that says which case it is.
fn only_field(json: &Value) -> Result<(&str, &Value), String> {
    let mut fields = json.as_object().ok_or("an object is wanted")?.iter();
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err("an object with one field is wanted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_node_goes_both_ways() {
        let hash = NodeHash([7; 32]);
        let leaf = |step: &str| (Step::from(step), ProofTree::Value(Bytes::from_static(&[1, 2])));
        let inodes = [
            InodeProof::Blinded(hash),
            InodeProof::Values(vec![leaf("a")]),
            InodeProof::Tree { length: 3, children: [None, Some(Box::new(InodeProof::Blinded(hash)))] },
            InodeProof::Extender { length: 4, segment: vec![true; 8], inner: Box::new(InodeProof::Blinded(hash)) },
        ];
        let mut entries = vec![
            leaf("b"),
            (Step::from("c"), ProofTree::BlindedValue(hash)),
            (Step::from("d"), ProofTree::BlindedNode(hash)),
        ];
        for inode in inodes {
            let children = [Some(Box::new(inode.clone())), None];
            entries.push((Step::from("e"), ProofTree::Inode { length: 300, children }));
            let segment = vec![true, false, false];
            entries.push((Step::from("f"), ProofTree::Extender { length: 9, segment, inner: Box::new(inode) }));
        }
        let proof = Proof {
            version: 2,
            before_kind: Kind::Directory,
            before: hash,
            after_kind: Kind::Leaf,
            after: hash,
            state: ProofTree::Node(entries),
        };
        assert_eq!(proof_of(&proof_json(&proof)), Ok(proof));
    }

    #[test]
    fn trees_look_as_the_reference_nests_its_cases() {
        let segment = vec![true, false, false];
        let inner = Box::new(InodeProof::Values(Vec::new()));
        let shown = tree_json(&ProofTree::Extender { length: 9, segment, inner }).to_string();
        let inode = r#"{"other_inode_trees":{"inode_values":[]}}"#;
        let wanted = format!(r#"{{"length":"9","segment":"90","proof":{inode}}}"#);
        assert_eq!(shown, format!(r#"{{"other_trees":{{"other_trees":{{"extender":{wanted}}}}}}}"#));
        let none = r#"{"other_inode_trees":{"other_inode_trees":{"none":{}}}}"#;
        assert_eq!(inode_json(None).to_string(), none);
    }

    #[test]
    fn what_is_no_proof_is_told() {
        for (json, wanted) in [
            (json!([]), "an object is wanted"),
            (json!({"inode": 1, "node": 2}), "an object with one field is wanted"),
            (json!({"twig": 1}), "'twig' is no kind of tree here"),
            (json!({"other_trees": {"node": [["61"]]}}), "an entry is a pair of step and tree"),
            (json!({"inode": {"length": "x", "proofs": [1, 2]}}), "'x' is not a length"),
            (json!({"inode": {"length": "1", "proofs": [1]}}), "a fork has two proofs"),
            (json!({"other_trees": {"other_trees": {"extender": {"segment": "8000"}}}}), "a segment ends with a one"),
        ] {
            let refused = tree_of(&json).unwrap_err();
            assert!(refused.contains(wanted), "{json}: {refused}");
        }
    }
}
