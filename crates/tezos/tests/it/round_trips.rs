//! Every kind of operation with any content: binary and JSON read back what was written, and the signed form gives back
//! the signature and the very bytes that were signed.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use soru_tezos::codec::{Decode, Encode, FixedHex, HexBytes};
use soru_tezos::contract::{Contract, Entrypoint};
use soru_tezos::hash::{BlockHash, CommitmentHash, ContractHash, SmartRollupAddress, StateHash};
use soru_tezos::key::{PublicKey, PublicKeyHash, Scheme, Signature};
use soru_tezos::micheline::{Micheline, Prim, PrimApp};
use soru_tezos::number::{N, Z};
use soru_tezos::operation::*;
use soru_tezos::rollup::*;
use soru_tezos::scalar::{Level, Mutez, Nat, Ticks};

fn hash32() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn pkh() -> impl Strategy<Value = PublicKeyHash> {
    (0..5usize, any::<[u8; 20]>()).prop_map(|(scheme, hash)| PublicKeyHash { scheme: Scheme::ALL[scheme], hash })
}

fn key() -> impl Strategy<Value = PublicKey> {
    (0..4usize, vec(any::<u8>(), 48)).prop_map(|(scheme, bytes)| {
        let length = [32, 33, 33, 48][scheme];
        PublicKey::from_point(Scheme::ALL[scheme], &bytes[..length]).unwrap()
    })
}

fn contract() -> impl Strategy<Value = Contract> {
    prop_oneof![pkh().prop_map(Contract::Implicit), any::<[u8; 20]>().prop_map(|h| ContractHash(h).into())]
}

fn mutez() -> impl Strategy<Value = Mutez> {
    (0..=Mutez::MAX.0).prop_map(Mutez)
}

fn level() -> impl Strategy<Value = Level> {
    (0..=i32::MAX).prop_map(Level)
}

fn n() -> impl Strategy<Value = N> {
    any::<u128>().prop_map(|value| N(value.into()))
}

fn bytes() -> impl Strategy<Value = HexBytes> {
    vec(any::<u8>(), 0..40).prop_map(HexBytes)
}

fn rollup() -> impl Strategy<Value = SmartRollupAddress> {
    any::<[u8; 20]>().prop_map(SmartRollupAddress)
}

fn entrypoint() -> impl Strategy<Value = Entrypoint> {
    prop_oneof!["[a-z_][a-z0-9_.%@]{0,30}", Just("default".to_owned()), Just("stake".to_owned())]
        .prop_map(|name| name.parse().unwrap())
}

fn micheline() -> impl Strategy<Value = Micheline> {
    let leaf = prop_oneof![
        any::<i128>().prop_map(Micheline::int),
        "\\PC{0,6}".prop_map(Micheline::String),
        vec(any::<u8>(), 0..6).prop_map(Micheline::Bytes),
        (0..Prim::ALL.len()).prop_map(|code| Micheline::word(Prim::ALL[code])),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Micheline::Seq),
            (0..Prim::ALL.len(), vec(inner, 0..4), vec("[:@%][a-z]{1,3}", 0..2)).prop_map(|(code, args, annots)| {
                Micheline::Prim(Box::new(PrimApp { prim: Prim::ALL[code], args, annots }))
            }),
        ]
    })
}

fn chunk() -> impl Strategy<Value = DissectionChunk> {
    (option::of(hash32()), n()).prop_map(|(state, tick)| DissectionChunk { state_hash: state.map(StateHash), tick })
}

fn input_proof() -> impl Strategy<Value = InputProof> {
    let page = (level(), any::<u8>(), any::<i16>()).prop_map(|(published_level, slot_index, page_index)| DalPageId {
        published_level,
        slot_index,
        page_index,
    });
    let reveal = prop_oneof![
        bytes().prop_map(|raw_data| RevealProof::RawDataProof { raw_data }),
        Just(RevealProof::MetadataProof),
        (page, bytes()).prop_map(|(dal_page_id, dal_proof)| RevealProof::DalPageProof { dal_page_id, dal_proof }),
        Just(RevealProof::DalParametersProof),
    ];
    prop_oneof![
        (level(), n(), bytes()).prop_map(|(level, message_counter, serialized_proof)| InputProof::InboxProof {
            level,
            message_counter,
            serialized_proof
        }),
        reveal.prop_map(|reveal_proof| InputProof::RevealProof { reveal_proof }),
        Just(InputProof::FirstInput),
    ]
}

fn refutation() -> impl Strategy<Value = Refutation> {
    let step = prop_oneof![
        vec(chunk(), 0..4).prop_map(Step::Dissection),
        (bytes(), option::of(input_proof()))
            .prop_map(|(pvm_step, input_proof)| Step::Proof(Proof { pvm_step, input_proof })),
    ];
    prop_oneof![
        (hash32(), hash32()).prop_map(|(ours, theirs)| Refutation::Start {
            player_commitment_hash: CommitmentHash(ours),
            opponent_commitment_hash: CommitmentHash(theirs)
        }),
        (n(), step).prop_map(|(choice, step)| Refutation::Move { choice, step }),
    ]
}

fn accounts() -> BoxedStrategy<ManagerBody> {
    let proof = || option::of(vec(any::<u8>(), 96).prop_map(|bytes| BlsProof(bytes.try_into().unwrap())));
    prop_oneof![
        (key(), proof()).prop_map(|(public_key, proof)| Reveal { public_key, proof }.into()),
        (mutez(), contract(), entrypoint(), micheline()).prop_map(|(amount, destination, entrypoint, value)| {
            Transaction { amount, destination, parameters: Parameters { entrypoint, value } }.into()
        }),
        (mutez(), option::of(pkh()), micheline(), micheline()).prop_map(|(balance, delegate, code, storage)| {
            Origination { balance, delegate, script: Script { code, storage } }.into()
        }),
        option::of(pkh()).prop_map(|delegate| Delegation { delegate }.into()),
        micheline().prop_map(|value| RegisterGlobalConstant { value }.into()),
        option::of(mutez()).prop_map(|limit| SetDepositsLimit { limit }.into()),
        (any::<i128>(), any::<[u8; 20]>()).prop_map(|(amount, hash)| {
            IncreasePaidStorage { amount: Z(amount.into()), destination: ContractHash(hash) }.into()
        }),
        (key(), proof()).prop_map(|(pk, proof)| UpdateKey { pk, proof }.into()),
        (key(), proof()).prop_map(|(pk, proof)| UpdateCompanionKey(UpdateKey { pk, proof }).into()),
        (micheline(), micheline(), contract(), n(), contract(), entrypoint()).prop_map(
            |(ticket_contents, ticket_ty, ticket_ticketer, ticket_amount, destination, entrypoint)| {
                TransferTicket { ticket_contents, ticket_ty, ticket_ticketer, ticket_amount, destination, entrypoint }
                    .into()
            }
        ),
    ]
    .boxed()
}

fn rollups() -> BoxedStrategy<ManagerBody> {
    prop_oneof![
        (0..3usize, bytes(), micheline(), option::of(vec(pkh(), 0..3))).prop_map(
            |(kind, kernel, parameters_ty, whitelist)| {
                Originate { pvm_kind: PvmKind::ALL[kind], kernel, parameters_ty, whitelist }.into()
            }
        ),
        vec(bytes(), 0..4).prop_map(|message| AddMessages { message }.into()),
        rollup().prop_map(|rollup| Cement { rollup }.into()),
        (rollup(), hash32(), level(), hash32(), 0..i64::MAX).prop_map(|(rollup, state, inbox_level, before, ticks)| {
            let commitment = Commitment {
                compressed_state: StateHash(state),
                inbox_level,
                predecessor: CommitmentHash(before),
                number_of_ticks: Ticks(ticks),
            };
            Publish { rollup, commitment }.into()
        }),
        (rollup(), pkh(), refutation()).prop_map(|(rollup, opponent, refutation)| Refute {
            rollup,
            opponent,
            refutation
        }
        .into()),
        (rollup(), pkh(), pkh())
            .prop_map(|(rollup, one, other)| Timeout { rollup, stakers: Stakers::new(one, other) }.into()),
        (rollup(), hash32(), bytes()).prop_map(|(rollup, commitment, output_proof)| {
            ExecuteOutboxMessage { rollup, cemented_commitment: CommitmentHash(commitment), output_proof }.into()
        }),
        (rollup(), pkh()).prop_map(|(rollup, staker)| RecoverBond { rollup, staker }.into()),
        (any::<u8>(), vec(any::<u8>(), 48), vec(any::<u8>(), 96)).prop_map(|(slot_index, commitment, proof)| {
            let slot_header = DalSlotHeader {
                slot_index,
                commitment: DalSlotCommitment(commitment.try_into().unwrap()),
                commitment_proof: FixedHex(proof.try_into().unwrap()),
            };
            DalPublishCommitment { slot_header }.into()
        }),
    ]
    .boxed()
}

fn operation() -> impl Strategy<Value = ManagerOperation> {
    (pkh(), mutez(), any::<[u64; 3]>(), prop_oneof![accounts(), rollups()]).prop_map(|(source, fee, numbers, body)| {
        let [counter, gas_limit, storage_limit] = numbers.map(Nat);
        ManagerOperation { source, fee, counter, gas_limit, storage_limit, body }
    })
}

fn signature() -> impl Strategy<Value = Option<Signature>> {
    let generic = vec(1..=255u8, 64).prop_map(|raw| Signature::Generic(raw.try_into().unwrap()));
    let bls = vec(any::<u8>(), 96).prop_map(|raw| Signature::Bls(raw.try_into().unwrap()));
    option::of(prop_oneof![generic, bls])
}

proptest! {
    #[test]
    fn operations(branch in hash32(), contents in vec(operation(), 1..4), signature in signature()) {
        let operation = Operation { branch: BlockHash(branch), contents, signature };
        let unsigned = operation.unsigned_bytes();
        let read = Operation::from_unsigned_bytes(&unsigned).unwrap();
        prop_assert_eq!(&read.contents, &operation.contents);

        let signed = operation.to_bytes();
        let (read, length) = Operation::from_signed_bytes(&signed).unwrap();
        prop_assert_eq!(&read, &operation);
        prop_assert_eq!(&signed[..length], unsigned.as_slice());

        let json = serde_json::to_string(&operation).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Operation>(&json).unwrap(), &operation);
        for content in &operation.contents {
            let body = ManagerBody::from_bytes(&content.body.to_bytes()).unwrap();
            prop_assert_eq!(&body, &content.body);
            prop_assert!(ManagerBody::KINDS.contains(&content.body.kind()));
        }
    }

    #[test]
    fn games_and_inputs(state in vec(chunk(), 0..4), agreed in chunk(), refuted in chunk(), witness in hash32(), at in level()) {
        for game_state in [
            GameState::Dissecting { dissection: state.clone(), default_number_of_sections: 32 },
            GameState::FinalMove { agreed_start_chunk: agreed.clone(), refuted_stop_chunk: refuted.clone() },
        ] {
            let game = Game {
                turn: Player::Bob,
                inbox_snapshot: HistoryCell {
                    index: N::from(3),
                    content: LevelProof { hash: soru_tezos::hash::PayloadHashesHash(witness), level: at },
                    back_pointers: Vec::new(),
                },
                dal_snapshot: DalSnapshot::Cell(DalCell::genesis()),
                start_level: at,
                inbox_level: at,
                game_state,
            };
            prop_assert_eq!(&Game::from_bytes(&game.to_bytes()).unwrap(), &game);
            let json = serde_json::to_string(&game).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Game>(&json).unwrap(), &game);
        }
    }
}
