//! Proofs of inbox messages: recorded ones verify, produced ones verify, damaged ones say nothing else.

use crate::common;
use proptest::prelude::*;
use soru_protocol::Protocol;
use soru_protocol::inbox::{
    InboxProofError, LevelInbox, LevelStart, Located, SerializedInboxProof, first_inbox, history_hash, next_inbox,
    start_of,
};
use soru_tezos::codec::{Decode, Encode, HexBytes};
use soru_tezos::hash::{BlockHash, InboxHash};
use soru_tezos::number::N;
use soru_tezos::rollup::{HistoryCell, Inbox, InboxMessage, InputProof, Proof};
use soru_tezos::scalar::{Level, Timestamp};
use std::collections::HashMap;

/// A chain with some external messages at each level.
struct Chain {
    inbox: Inbox,
    history: HashMap<InboxHash, HistoryCell>,
    payloads: Vec<Vec<Vec<u8>>>,
}

impl Chain {
    /// `counts[i]` external messages at level `i + 2`.
    fn new(counts: &[usize]) -> Self {
        let start = |level: i64, migration| LevelStart {
            predecessor_timestamp: Timestamp(level),
            predecessor: BlockHash([level as u8; 32]),
            migration,
        };
        let (inbox, first) = first_inbox(Level(1), &start(0, Some(Protocol::Ushuaia)));
        let mut chain = Chain { inbox, history: HashMap::new(), payloads: vec![first.into_payloads()] };
        chain.remember();
        for (index, count) in counts.iter().enumerate() {
            let mut level = LevelInbox::start(&start(index as i64 + 1, None));
            for message in 0..*count {
                level.add(&InboxMessage::External(HexBytes(vec![index as u8, message as u8]))).unwrap();
            }
            level.end();
            chain.inbox = next_inbox(&chain.inbox, level.witness());
            chain.payloads.push(level.into_payloads());
            chain.remember();
        }
        chain
    }

    fn remember(&mut self) {
        let cell = self.inbox.old_levels_messages.clone();
        self.history.insert(history_hash(&cell), cell);
    }

    fn head(&self) -> &HistoryCell {
        &self.inbox.old_levels_messages
    }

    fn of_level(&self, level: Level) -> &[Vec<u8>] {
        self.payloads.get(usize::try_from(level.0 - 1).unwrap_or(usize::MAX)).map_or(&[], Vec::as_slice)
    }

    fn prove(&self, level: Level, counter: u64) -> Result<(SerializedInboxProof, Option<Located>), InboxProofError> {
        let payloads = self.of_level(level).iter().map(Vec::as_slice);
        SerializedInboxProof::produce(level, counter, self.head(), |hash| self.history.get(hash).cloned(), payloads)
    }
}

/// Documented inbox hashes of empty levels (`spec/protocol.md` §11, V17).
#[test]
fn documented_hashes() {
    let start = |migration| LevelStart { predecessor_timestamp: Timestamp(0), predecessor: BlockHash::ZERO, migration };
    let (mut inbox, level) = first_inbox(Level(1), &start(Some(Protocol::Ushuaia)));
    assert_eq!(level.witness().to_string(), "srib23fFk2CRk1MmF6S5DKppxwmd3zvhQ3fw3WFLFJNgSCG5hd7WeRA");
    let mut hashes = vec![history_hash(&inbox.old_levels_messages).to_string()];
    for _ in 2..=7 {
        let mut level = LevelInbox::start(&start(None));
        level.end();
        assert_eq!(level.witness().to_string(), "srib22tzdGtxV3taucEanSfxCEaa913X3ojWTpxmBmD7qPZ8mHGQ8Kg");
        inbox = next_inbox(&inbox, level.witness());
        hashes.push(history_hash(&inbox.old_levels_messages).to_string());
    }
    let wanted = [
        "srib12tfQEEBXFp1afE2EuvTndCaNHTPGMyScLmNt66i1tdLLsFqtan",
        "srib12TFpq6TFyVHtwtf7j2RDwW25uRyuQyz1zkR4WALr7onmRik3ys",
        "srib12xW3us4SNyZedHKkZAqjfy4L83aTRaCDYeLtFVEdb3Rpjc6jg7",
        "srib12VwZAJbCCqqx4pubLp3WKjPNkfKy3fy1MNsPg5QHMnEK2oRBpw",
        "srib12ZY19oRpAMFMQ4hDoJszViAyEKnqNjQHbPjNr3Xg1jZee9Ccj3",
        "srib12iQdHBaZ7JyXCAWvVPqCGgMfB8iptw1CHJ1z48zf7ELuhqYBwq",
        "srib12E6TmNJbbjiczUBtDu3CMz3zU2X8uGikrZSpmkgAK7fdQPznHK",
    ];
    assert_eq!(hashes, wanted);
}

#[test]
fn every_message_can_be_proven() {
    let chain = Chain::new(&[0, 3, 40, 1, 0, 0, 7, 2, 0, 1, 1, 1, 5, 0, 0, 20, 0, 3]);
    for level in 1..=chain.inbox.level.0 {
        let level = Level(level);
        let count = chain.of_level(level).len() as u64;
        for counter in 0..=count {
            let (proof, message) = chain.prove(level, counter).unwrap();
            let wanted = match chain.of_level(level).get(counter as usize) {
                Some(payload) => Some((level, counter, payload.clone())),
                None if level == chain.inbox.level => None,
                None => Some((level.after(1), 0, chain.of_level(level.after(1))[0].clone())),
            };
            let found = message.clone().map(|m| (m.level, u64::try_from(&m.counter.0).unwrap(), m.payload));
            assert_eq!(found, wanted, "{level} {counter}");
            let read = SerializedInboxProof::parse(&proof.to_bytes()).unwrap();
            assert_eq!(read, proof);
            assert_eq!(read.verify(level, &N::from(counter), chain.head()).unwrap(), message);
            assert!(read.verify(level, &N::from(counter + 1), chain.head()).is_err());
        }
    }
    assert!(chain.prove(Level(0), 0).is_err());
    assert!(chain.prove(chain.inbox.level.after(1), 0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A damaged proof is refused, or the damage is in an index. Indices are not hashed: the worst they do is to hide that
    /// the inbox ends, as with the reference; games cut the message that is shown then, it lies beyond their inbox.
    #[test]
    fn a_damaged_proof_shows_nothing_else(
        counts in prop::collection::vec(0usize..20, 1..24), level in 1i32..24, counter in 0u64..20, bit in 0u8..8
    ) {
        let chain = Chain::new(&counts);
        let level = Level(1 + (level - 1) % chain.inbox.level.0);
        let counter = counter % (chain.of_level(level).len() as u64 + 1);
        let (proof, message) = chain.prove(level, counter).unwrap();
        let bytes = proof.to_bytes();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let Ok(damaged) = SerializedInboxProof::parse(&damaged) else { continue };
            let Ok(shown) = damaged.verify(level, &N::from(counter), chain.head()) else { continue };
            let beyond = message.is_none() && shown == Some(start_of(level.after(1)));
            prop_assert!(shown == message || beyond, "byte {}", at);
            prop_assert!(same_but_indices(&damaged, &proof), "byte {}", at);
        }
    }
}

fn same_but_indices(one: &SerializedInboxProof, other: &SerializedInboxProof) -> bool {
    let strip = |proof: &SerializedInboxProof| {
        let mut proof = proof.clone();
        proof.inclusion_proof.iter_mut().for_each(|cell| cell.index = N::from(0));
        proof.message_proof.proof.iter_mut().for_each(|cell| cell.index = N::from(0));
        proof
    };
    strip(one) == strip(other)
}

/// Proofs of real nodes: the newest cell of the proof is that of the game's inbox.
#[test]
fn recorded_proofs() {
    let Some(upstream) = common::vectors("upstream") else { return };
    let recorded = common::json(&upstream.join("refutation_proofs.json"));
    let (mut proofs, mut inbox_proofs) = (0, 0);
    for case in recorded["proofs"].as_array().unwrap() {
        let bytes = hex::decode(case["hex"].as_str().unwrap()).unwrap();
        let proof = Proof::from_bytes(&bytes).unwrap();
        assert_eq!(proof.to_bytes(), bytes, "{}", case["index"]);
        proofs += 1;
        let Some(InputProof::InboxProof { level, message_counter, serialized_proof }) = proof.input_proof else {
            continue;
        };
        let read = SerializedInboxProof::parse(&serialized_proof.0).unwrap();
        assert_eq!(read.to_bytes(), serialized_proof.0);
        let snapshot = read.inclusion_proof[0].clone();
        let next = N(&message_counter.0 + 1u8);
        let shown = read.verify(level, &next, &snapshot).unwrap();
        if let Some(shown) = shown {
            assert!(shown.level == level && shown.counter == next || shown.level == level.after(1));
        }
        let target = read.inclusion_proof.last().unwrap();
        assert_eq!(target.content.level, level, "{}", case["index"]);
        inbox_proofs += 1;
    }
    println!("{proofs} proofs, {inbox_proofs} of inbox messages");
    assert_eq!((proofs, inbox_proofs), (18, 6));
}
