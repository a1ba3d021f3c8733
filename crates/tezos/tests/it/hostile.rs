//! No bytes and no JSON make a decoder panic, loop or take unbounded memory; what decodes from changed bytes writes the
//! same bytes again or has another canonical form that reads back equal.

use proptest::prelude::*;
use soru_tezos::block::Block;
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::header::{Header, ProtocolData, RawHeader};
use soru_tezos::operation::{ManagerOperation, Operation};
use soru_tezos::rollup::{
    Commitment, Game, Inbox, InboxMessage, InputRequest, OutboxMessage, Output, Proof, Refutation, RevealRequest,
};

fn stable<T: Encode + Decode + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        assert_eq!(T::from_bytes(&value.to_bytes()).unwrap(), value);
    }
}

fn all(bytes: &[u8]) {
    stable::<Operation>(bytes);
    stable::<ManagerOperation>(bytes);
    stable::<Commitment>(bytes);
    stable::<Game>(bytes);
    stable::<Inbox>(bytes);
    stable::<InboxMessage>(bytes);
    stable::<InputRequest>(bytes);
    stable::<OutboxMessage>(bytes);
    stable::<Output>(bytes);
    stable::<Proof>(bytes);
    stable::<Refutation>(bytes);
    stable::<RevealRequest>(bytes);
    stable::<RawHeader>(bytes);
    let _ = Operation::from_unsigned_bytes(bytes);
    let _ = ProtocolData::tenderbake(bytes);
    let _ = ProtocolData::activation(bytes);
}

/// A signed batch of rollup operations: reveal-free, two kinds, a move with a dissection.
const BATCH: &str = "8fcf233671b6a04fcf679d2a381c2544ea6c1ea29ba6157776ed842426e5cab8\
cc00e7670f32038107a59a2b9cfefae36ea21f5aa63cd2099506d00f0afceda8e679c698b26b5f6772411955354a81a05c0002298c03ed7d454a\
101eb7022bc95f7e5f41ac7801ac020000000046ff104135165622d08b0c6eac951c9d4fd65109585907bc30ef0617f6c26853c6ba00ffdb10db4d\
3b595f59e0b53740f164bf951bcfae9e0873fd23fbce82fac4f404e1320064\
ca00e7670f32038107a59a2b9cfefae36ea21f5aa63cd2099506d00f0afceda8e679c698b26b5f6772411955354a81a05c\
7157e12e95a182e2d6caa7c7d275faf1dbaf97ec974b89c1ca1e27b43d063b975a4425b0c88d4cc00d88df6c6ca0328bfbd329a53eef6b59506e5cbc\
7dc90b00";

#[test]
fn the_batch_is_valid() {
    let bytes = hex::decode(BATCH).unwrap();
    assert_eq!(Operation::from_bytes(&bytes).unwrap().contents.len(), 2);
}

#[test]
fn every_truncation_and_every_changed_byte() {
    let bytes = hex::decode(BATCH).unwrap();
    for end in 0..bytes.len() {
        all(&bytes[..end]);
    }
    for position in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[position] ^= flip;
            all(&changed);
        }
    }
}

#[test]
fn deep_json_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(serde_json::from_str::<OutboxMessage>(&deep).is_err());
    assert!(serde_json::from_str::<ManagerOperation>(&deep).is_err());
}

proptest! {
    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        all(&bytes);
    }

    #[test]
    fn random_bytes_behind_a_tag(tag in any::<u8>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        all(&[&[tag], bytes.as_slice()].concat());
        // a manager operation with a plausible header
        let header = hex::decode("00e7670f32038107a59a2b9cfefae36ea21f5aa63cd2099506d00f0a").unwrap();
        all(&[&[tag], header.as_slice(), bytes.as_slice()].concat());
    }

    #[test]
    fn random_json(text in "[\\[\\]{}:,\"a-z0-9]{0,80}") {
        let _ = serde_json::from_str::<Block>(&text);
        let _ = serde_json::from_str::<Header>(&text);
        let _ = serde_json::from_str::<ManagerOperation>(&text);
        let _ = serde_json::from_str::<OutboxMessage>(&text);
    }
}
