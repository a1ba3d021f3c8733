//! Errors as a real node reported them: id, kind, fields and their order.

use crate::common;
use serde_json::Value;
use soru_protocol::error::LastWhitelistUpdate;
use soru_protocol::{Protocol, RollupError};
use soru_tezos::number::N;
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;

/// Every recorded error object of the protocol, by id.
fn recorded() -> Option<BTreeMap<String, Vec<String>>> {
    fn walk(value: &Value, found: &mut BTreeMap<String, Vec<String>>) {
        match value {
            Value::Object(object) => {
                if let (Some(id), Some(_)) = (object.get("id").and_then(Value::as_str), object.get("kind")) {
                    found.entry(id.to_owned()).or_default().push(value.to_string());
                }
                object.values().for_each(|value| walk(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let folder = common::vectors("recorded")?;
    let mut found = BTreeMap::new();
    for name in common::folders(&folder) {
        for file in std::fs::read_dir(folder.join(name)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|ext| ext == "gz") && path.to_str().unwrap().contains(".jsonl") {
                common::json_lines(&path).iter().for_each(|line| walk(line, &mut found));
            }
        }
    }
    Some(found)
}

#[test]
fn as_recorded() {
    let Some(recorded) = recorded() else { return };
    let key = |text: &str| text.parse().unwrap();
    let hash = |text: &str| text.parse().unwrap();
    let last = LastWhitelistUpdate { message_index: N::from(1), outbox_level: Level(6) };
    let state = |text: &str| Some(text.parse().unwrap());
    use RollupError as E;
    let errors = [
        E::DoesNotExist { rollup: "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57".parse().unwrap() },
        E::NotStaked,
        E::StakerDoubleStake,
        E::StakerNotInWhitelist,
        E::CommitmentTooRecent { current_level: Level(44), min_level: Level(51) },
        E::UnknownCommitment { commitment: hash("src143TeiYvzhxwt4qcYgigY1VPtZzrZyFzNDjyQu4VrGNqikFbbt3") },
        E::BadInboxLevel { expected: Level(20), provided: Level(17) },
        E::CommitmentPastCurfew,
        E::CommitmentTooOld { last_cemented_inbox_level: Level(10), commitment_inbox_level: Level(10) },
        E::DoublePublish { commitment: hash("src13GRV5os8iSVGxSYJN9DjFMScKPJ6Mn8wB2LqfxKFFJSDDoEUXR") },
        E::NoValidCommitmentToCement,
        E::NoGame,
        E::WrongTurn,
        E::GameAlreadyStarted,
        E::GameStartTooEarly {
            current_level: Level(17),
            earliest: Level(22),
            conflict_inbox_level: Level(12),
            commitment_period: 10,
        },
        E::TimeoutLevelNotReached { blocks_left: 55, staker: key("tz1b7tUupMgCNw2cCLpKTkSD1NZzB5TkP2sv") },
        E::WrongStakerForConflictCommitment {
            player: key("tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN"),
            commitment: hash("src12g6mGTVZMwoWARQuhW1x2nqVK1Rm3smTbbVvZLRriuB2HLv6QY"),
        },
        E::DissectionChoiceNotFound { choice: N::from(12_345) },
        E::DissectingDuringFinalMove,
        E::DissectionSectionsMismatch { expected: N::from(20), given: N::from(19) },
        E::DissectionStartHash {
            expected: state("srs11VekyfkxtPA1HuZFZw1ZWd641qHnN3aGEZ6cbrdJDkScfMD82g"),
            given: state("srs13NJU7etpGgoAbC8V7bau5fEuUQy7y9AR3mv2j4JKhwsN3mjW8i"),
        },
        E::DissectionStopHash { hash: state("srs13J7p9ZXfeT6EoCSCPFzhcAGN8axTQB6fHxAKGr9kRjypWTRpBt") },
        E::DissectionEdgeTicks {
            dissection_start: N::from(0),
            dissection_stop: N::from(1_050_000_000_000_000),
            chunk_start: N::from(0),
            chunk_stop: N::from(1_000_000_000_000_000),
        },
        E::DissectionTicksNotIncreasing,
        E::DissectionStatesShape,
        E::DissectionDistribution { section_max_size: N::from(25_000_000_000_000) },
        E::ProofCheck { reason: "Cannot unserialize proof".to_owned() },
        E::InboxMessageTooLarge,
        E::InvalidLastCementedCommitment,
        E::InvalidOutputProof,
        E::OutputProofVerification,
        E::OutboxMessageAlreadyApplied,
        E::InvalidParametersType,
        E::InvalidDestination,
        E::OutdatedOutboxLevel { given: Level(4), last },
        E::EmptyWhitelist,
        E::RollupIsPublic,
        E::DuplicatedKeyInWhitelist {
            rollup: "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57".parse().unwrap(),
            key: key("tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN"),
        },
        E::RiscvDisabled,
    ];
    for error in errors {
        let ours = &error.trace(Protocol::Ushuaia)[0];
        let seen = recorded.get(&ours.id).unwrap_or_else(|| panic!("{} was not recorded", ours.id));
        let ours = serde_json::to_string(ours).unwrap();
        assert!(seen.contains(&ours), "{ours} is not among {seen:?}");
    }
}
