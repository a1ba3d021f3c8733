//! Headers: hashes of operations and payload, proof of work, signature (`spec/protocol.md` §2.7, §2.9).

use crate::error::SandboxError;
use soru_protocol::protocol::Protocol;
use soru_tezos::blake2b;
use soru_tezos::codec::{Encode, FixedHex};
use soru_tezos::hash::{
    BlockHash, BlockPayloadHash, ChainId, ContextHash, NonceHash, OperationHash, OperationListHash,
    OperationListListHash,
};
use soru_tezos::header::{Contents, Header, ProtocolData, ShellHeader, ToggleVote};
use soru_tezos::key::{PublicKey, PublicKeyHash, Scheme};
use soru_tezos::scalar::{Level, Timestamp};
use soru_tezos::sign::{SecretKey, Watermark};

/// Who makes the blocks: one account with a key of its own, so that fees do not blur the balances of the others.
#[derive(Debug, Clone)]
pub struct Baker {
    secret: SecretKey,
    public: PublicKey,
}

impl Baker {
    /// The baker of every sandbox. Its key is no secret.
    ///
    /// # Errors
    /// None for this key; the type is that of making one.
    pub fn well_known() -> Result<Baker, SandboxError> {
        let secret = SecretKey::from_bytes(Scheme::Ed25519, &blake2b::hash256(b"the baker of the sandbox"))
            .map_err(|error| SandboxError::Sign(error.to_string()))?;
        let public = secret.public_key();
        Ok(Baker { secret, public })
    }

    /// Its key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Its address.
    pub fn address(&self) -> PublicKeyHash {
        self.public.hash()
    }
}

/// What a header is made of.
pub struct Parts<'a> {
    /// The level.
    pub level: Level,
    /// The protocol that makes the block.
    pub protocol: Protocol,
    /// How many protocols were activated.
    pub proto: u8,
    /// The block before.
    pub predecessor: BlockHash,
    /// The time.
    pub timestamp: Timestamp,
    /// The state before this block.
    pub context: ContextHash,
    /// Hashes of the operations, pass by pass.
    pub operations: &'a [Vec<OperationHash>],
    /// Hash of a nonce, at levels that commit to one.
    pub seed_nonce_hash: Option<NonceHash>,
    /// A number that makes blocks differ which are otherwise equal.
    pub fork: u64,
}

/// A signed header.
///
/// # Errors
/// When the baker's key cannot sign.
pub fn seal(parts: &Parts<'_>, baker: &Baker, chain: &ChainId) -> Result<Header, SandboxError> {
    let lists: Vec<_> = parts.operations.iter().map(|pass| OperationListHash::of_operations(pass)).collect();
    let payload: Vec<OperationHash> = parts.operations.iter().skip(1).flatten().copied().collect();
    let shell = ShellHeader {
        level: parts.level,
        proto: parts.proto,
        predecessor: parts.predecessor,
        timestamp: parts.timestamp,
        validation_pass: 4,
        operations_hash: OperationListListHash::of_passes(&lists),
        fitness: ShellHeader::fitness(parts.level, 0, 0),
        context: parts.context,
    };
    let contents = Contents {
        payload_hash: BlockPayloadHash::of_payload(&parts.predecessor, 0, &payload),
        payload_round: 0,
        proof_of_work_nonce: FixedHex(parts.fork.to_be_bytes()),
        seed_nonce_hash: parts.seed_nonce_hash,
        liquidity_baking_toggle_vote: ToggleVote::Pass,
        adaptive_issuance_vote: (Protocol::Oxford..=Protocol::Seoul)
            .contains(&parts.protocol)
            .then_some(ToggleVote::Pass),
    };
    let mut unsigned = shell.to_bytes();
    contents.encode(&mut unsigned);
    let signature = baker.secret.sign(Watermark::Block(*chain), &unsigned);
    let signature = signature.map_err(|error| SandboxError::Sign(error.to_string()))?.generic();
    Ok(Header { shell, protocol_data: ProtocolData::Tenderbake { contents, signature } })
}
