//! Why the protocol refuses a rollup operation: every error with its id, kind and fields
//! (`spec/protocol.md` Appendix A).

use crate::inbox::MessageError;
use crate::protocol::Protocol;
use serde_json::{Value, json};
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress, StateHash};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::rpc_error::{ErrorKind, TezosError, Trace};
use soru_tezos::scalar::{Level, Mutez};
use std::fmt;

/// The last update of a whitelist: no older one can be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWhitelistUpdate {
    /// Index of the outbox message.
    pub message_index: N,
    /// Level of its outbox.
    pub outbox_level: Level,
}

impl LastWhitelistUpdate {
    /// As the RPC and errors show it.
    pub fn to_json(&self) -> Value {
        json!({ "message_index": self.message_index, "outbox_level": self.outbox_level })
    }
}

/// Why a rollup operation fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RollupError {
    // Which rollup, which staker.
    DoesNotExist {
        rollup: SmartRollupAddress,
    },
    NotStaked,
    NotStakedOnLccOrAncestor,
    StakerFundsTooLow {
        staker: PublicKeyHash,
        rollup: SmartRollupAddress,
        balance: Mutez,
        stake: Mutez,
    },
    StakerDoubleStake,
    StakerNotInWhitelist,
    // Commitments.
    TooFarAhead,
    CommitmentTooRecent {
        current_level: Level,
        min_level: Level,
    },
    UnknownCommitment {
        commitment: CommitmentHash,
    },
    BadInboxLevel {
        expected: Level,
        provided: Level,
    },
    CommitmentFromFuture {
        current_level: Level,
        inbox_level: Level,
    },
    CommitmentPastCurfew,
    CommitmentTooOld {
        last_cemented_inbox_level: Level,
        commitment_inbox_level: Level,
    },
    ZeroTickCommitment,
    DoublePublish {
        commitment: CommitmentHash,
    },
    Disputed,
    NoValidCommitmentToCement,
    // Games.
    NoConflict,
    NoGame,
    WrongTurn,
    GameAlreadyStarted,
    GameStartTooEarly {
        current_level: Level,
        earliest: Level,
        conflict_inbox_level: Level,
        commitment_period: i32,
    },
    TimeoutLevelNotReached {
        blocks_left: i32,
        staker: PublicKeyHash,
    },
    MaxParallelGames {
        staker: PublicKeyHash,
    },
    WrongStakerForConflictCommitment {
        player: PublicKeyHash,
        commitment: CommitmentHash,
    },
    NotValidCommitmentsConflict {
        commitment: CommitmentHash,
        player: PublicKeyHash,
        opponent_commitment: CommitmentHash,
        opponent: PublicKeyHash,
    },
    DissectionChoiceNotFound {
        choice: N,
    },
    DissectingDuringFinalMove,
    DissectionSectionsMismatch {
        expected: N,
        given: N,
    },
    DissectionInvalidSections {
        value: N,
    },
    DissectionStartHash {
        expected: Option<StateHash>,
        given: Option<StateHash>,
    },
    DissectionStopHash {
        hash: Option<StateHash>,
    },
    DissectionEdgeTicks {
        dissection_start: N,
        dissection_stop: N,
        chunk_start: N,
        chunk_stop: N,
    },
    DissectionTicksNotIncreasing,
    DissectionStatesShape,
    DissectionDistribution {
        section_max_size: N,
    },
    WasmDissectionDistribution,
    ProofCheck {
        reason: String,
    },
    /// Not of the rules, but of who makes and checks blocks.
    ProofOnMultiTickSection {
        distance: N,
    },
    // Inbox.
    AddZeroMessages,
    InboxLevelReachedMessageLimit,
    InboxMessageTooLarge,
    // Outbox.
    InvalidLastCementedCommitment,
    InvalidOutputProof,
    OutputProofVerification,
    InvalidOutboxLevel,
    InvalidOutboxMessageIndex,
    OutboxLevelExpired,
    OutboxMessageAlreadyApplied,
    InvalidParametersType,
    InvalidDestination,
    // Whitelists.
    OutdatedMessageIndex {
        given: N,
        last: LastWhitelistUpdate,
    },
    OutdatedOutboxLevel {
        given: Level,
        last: LastWhitelistUpdate,
    },
    EmptyWhitelist,
    WhitelistDisabled,
    RollupIsPublic,
    /// `rollup` and `key` say where the second one of the two would have been written.
    DuplicatedKeyInWhitelist {
        rollup: SmartRollupAddress,
        key: PublicKeyHash,
    },
    // Kinds of PVM.
    ArithDisabled,
    RiscvDisabled,
}

impl From<MessageError> for RollupError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::TooLarge { .. } => RollupError::InboxMessageTooLarge,
            MessageError::LevelFull => RollupError::InboxLevelReachedMessageLimit,
        }
    }
}

impl fmt::Display for RollupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, id, fields) = self.parts();
        f.write_str(id)?;
        if let Value::Object(fields) = fields {
            for (index, (name, value)) in fields.iter().enumerate() {
                write!(f, "{}{name} = {value}", if index == 0 { ": " } else { ", " })?;
            }
        }
        Ok(())
    }
}

impl RollupError {
    /// Whether the operation can succeed later.
    pub fn kind(&self) -> ErrorKind {
        self.parts().0
    }

    /// The id without the protocol's prefix.
    pub fn id(&self) -> &'static str {
        self.parts().1
    }

    /// The error as the layer 1 reports it, with the errors it wraps.
    pub fn trace(&self, protocol: Protocol) -> Trace {
        let prefix = protocol.error_name();
        let (kind, id, fields) = self.parts();
        let mut trace = vec![make(&prefix, kind, id, fields)];
        match self {
            RollupError::StakerFundsTooLow { staker, balance, stake, .. } => {
                let fields = json!({ "contract": staker, "balance": balance, "amount": stake });
                trace.push(make(&prefix, ErrorKind::Temporary, "contract.balance_too_low", fields));
                let fields = json!({ "amounts": [balance, stake] });
                trace.push(make(&prefix, ErrorKind::Temporary, "tez.subtraction_underflow", fields));
            }
            RollupError::DuplicatedKeyInWhitelist { rollup, key } => {
                let curve = crate::rollup::curve_name(key);
                let path = json!([
                    "smart_rollup",
                    "index",
                    hex::encode(rollup.0),
                    "whitelist",
                    curve,
                    hex::encode(key.hash),
                    "len"
                ]);
                let fields = json!({ "existing_key": path });
                trace.push(make(&prefix, ErrorKind::Permanent, "context.storage_error", fields));
            }
            _ => {}
        }
        trace
    }

    /// Kind, id and fields, in one place for every error.
    #[rustfmt::skip]
    fn parts(&self) -> (ErrorKind, &'static str, Value) {
        use ErrorKind::{Permanent as P, Temporary as T};
        use RollupError as E;
        let none = || Value::Null;
        match self {
            E::DoesNotExist { rollup } => (T, "smart_rollup_does_not_exist", json!({ "rollup": rollup })),
            E::NotStaked => (T, "smart_rollup_not_staked", none()),
            E::NotStakedOnLccOrAncestor => (T, "smart_rollup_not_staked_on_lcc_or_ancestor", none()),
            E::StakerFundsTooLow { staker, rollup, balance, stake } => (T, "smart_rollup_staker_funds_too_low", json!({
                "staker": staker, "smart_rollup": rollup, "staker_balance": balance, "min_expected_balance": stake })),
            E::StakerDoubleStake => (T, "smart_rollup_staker_double_stake", none()),
            E::StakerNotInWhitelist => (T, "smart_rollup_staker_not_in_whitelist", none()),
            E::TooFarAhead => (T, "smart_rollup_too_far_ahead", none()),
            E::CommitmentTooRecent { current_level, min_level } => (T, "smart_rollup_commitment_too_recent", json!({
                "current_level": current_level, "min_level": min_level })),
            E::UnknownCommitment { commitment } => (T, "smart_rollup_unknown_commitment", json!({
                "commitment": commitment })),
            E::BadInboxLevel { expected, provided } => (T, "smart_rollup_bad_inbox_level", json!({
                "expected": expected, "provided": provided })),
            E::CommitmentFromFuture { current_level, inbox_level } => (T, "smart_rollup_commitment_from_future", json!({
                "current_level": current_level, "inbox_level": inbox_level })),
            E::CommitmentPastCurfew => (P, "smart_rollup_commitment_past_curfew", none()),
            E::CommitmentTooOld { last_cemented_inbox_level, commitment_inbox_level } => (
                P, "smart_rollup_commitment_too_old", json!({
                "last_cemented_inbox_level": last_cemented_inbox_level,
                "commitment_inbox_level": commitment_inbox_level })),
            E::ZeroTickCommitment => (P, "smart_rollup_zero_tick_commitment", none()),
            E::DoublePublish { commitment } => (P, "smart_rollup_double_publish", json!({ "commitment_hash": commitment })),
            E::Disputed => (T, "smart_rollup_commitment_disputed", none()),
            E::NoValidCommitmentToCement => (T, "smart_rollup_no_valid_commitment_to_cement", none()),
            E::NoConflict => (T, "smart_rollup_no_conflict", none()),
            E::NoGame => (T, "smart_rollup_no_game", none()),
            E::WrongTurn => (T, "smart_rollup_wrong_turn", none()),
            E::GameAlreadyStarted => (T, "smart_rollup_game_already_started", none()),
            E::GameStartTooEarly { current_level, earliest, conflict_inbox_level, commitment_period } => (
                T, "validate.operation.sc_rollup_refutation_game_start_too_early", json!({
                "current_level": current_level, "earliest_start_level": earliest,
                "conflict_inbox_level": conflict_inbox_level, "commitment_period_in_blocks": commitment_period })),
            E::TimeoutLevelNotReached { blocks_left, staker } => (T, "smart_rollup_timeout_level_not_reached", json!({
                "level_timeout": blocks_left, "staker": staker })),
            E::MaxParallelGames { staker } => (T, "smart_rollup_maximal_number_of_parallel_games_reached", json!({
                "staker": staker })),
            E::WrongStakerForConflictCommitment { player, commitment } => (
                P, "smart_rollup_wrong_staker_for_conflict_commitment", json!({ "player": player, "commitment": commitment })),
            E::NotValidCommitmentsConflict { commitment, player, opponent_commitment, opponent } => (
                P, "smart_rollup_not_valid_commitments_conflict", json!({ "commitment": commitment, "player": player,
                "opponent_commitment": opponent_commitment, "opponent": opponent })),
            E::DissectionChoiceNotFound { choice } => (T, "Dissection_choice_not_found", json!({ "choice": choice })),
            E::DissectingDuringFinalMove => (T, "Dissecting_during_final_move", none()),
            E::DissectionSectionsMismatch { expected, given } => (
                T, "smart_rollup_dissection_number_of_sections_mismatch", json!({ "expected": expected, "given": given })),
            E::DissectionInvalidSections { value } => (
                P, "smart_rollup_dissection_invalid_number_of_sections", json!({ "value": value })),
            E::DissectionStartHash { expected, given } => (T, "smart_rollup_dissection_start_hash_mismatch", json!({
                "expected": expected, "given": given })),
            E::DissectionStopHash { hash } => (T, "smart_rollup_dissection_stop_hash_mismatch", json!({ "hash": hash })),
            E::DissectionEdgeTicks { dissection_start, dissection_stop, chunk_start, chunk_stop } => (
                T, "smart_rollup_dissection_edge_ticks_mismatch", json!({
                "dissection_start_tick": dissection_start, "dissection_stop_tick": dissection_stop,
                "chunk_start_tick": chunk_start, "chunk_stop_tick": chunk_stop })),
            E::DissectionTicksNotIncreasing => (P, "smart_rollup_dissection_ticks_not_increasing", none()),
            E::DissectionStatesShape => (P, "smart_rollup_dissection_invalid_successive_states_shape", none()),
            E::DissectionDistribution { section_max_size } => (P, "smart_rollup_dissection_invalid_distribution", json!({
                "section_max_size": section_max_size })),
            E::WasmDissectionDistribution => (P, "smart_rollup_wasm_invalid_dissection_distribution", none()),
            E::ProofCheck { reason } => (P, "smart_rollup_proof_check", json!({ "reason": reason })),
            E::ProofOnMultiTickSection { distance } => (
                P, "block_validation_plugin.sc_rollup_proof_on_multi_tick_section_during_dissecting", json!({
                "distance": distance })),
            E::AddZeroMessages => (P, "smart_rollup_add_zero_messages", none()),
            E::InboxLevelReachedMessageLimit => (P, "smart_rollup_inbox_level_reached_message_limit", none()),
            E::InboxMessageTooLarge => (P, "smart_rollup_inbox_message_encoding", none()),
            E::InvalidLastCementedCommitment => (P, "smart_rollup_invalid_last_cemented_commitment", none()),
            E::InvalidOutputProof => (P, "smart_rollup_invalid_output_proof", none()),
            E::OutputProofVerification => (P, "smart_rollup_wasm_output_proof_verification_failed", none()),
            E::InvalidOutboxLevel => (P, "smart_rollup_invalid_outbox_level", none()),
            E::InvalidOutboxMessageIndex => (T, "smart_rollup_invalid_outbox_message_index", none()),
            E::OutboxLevelExpired => (T, "smart_rollup_outbox_level_expired", none()),
            E::OutboxMessageAlreadyApplied => (T, "smart_rollup_outbox_message_already_applied", none()),
            E::InvalidParametersType => (P, "smart_rollup_invalid_parameters_type", none()),
            E::InvalidDestination => (P, "smart_rollup_management_protocol_invalid_destination", none()),
            E::OutdatedMessageIndex { given, last } => (P, "smart_rollup_outdated_whitelist_update", json!({
                "message_index": given, "last_whitelist_update": last.to_json() })),
            E::OutdatedOutboxLevel { given, last } => (P, "smart_rollup_outdated_whitelist_update", json!({
                "outbox_level": given, "last_whitelist_update": last.to_json() })),
            E::EmptyWhitelist => (P, "smart_rollup_empty_whitelist", none()),
            E::WhitelistDisabled => (P, "smart_rollup_whitelist_disabled", none()),
            E::RollupIsPublic => (P, "smart_rollup_rollup_is_public", none()),
            E::DuplicatedKeyInWhitelist { .. } => (T, "smart_rollup_duplicated_key_in_whitelist", none()),
            E::ArithDisabled => (P, "operation.arith_pvm_disabled", none()),
            E::RiscvDisabled => (P, "operation.riscv_pvm_disabled", none()),
        }
    }
}

fn make(prefix: &str, kind: ErrorKind, id: &str, fields: Value) -> TezosError {
    let mut error = TezosError::of_protocol(prefix, kind, id);
    if let Value::Object(fields) = fields {
        error.fields = fields;
    }
    error
}
