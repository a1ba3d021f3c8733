//! Block headers: the shell's part, the protocol's part, their binary form and hash (`spec/protocol.md` §2.7).

use crate::binary_struct;
use crate::codec::{Decode, Decoded, Encode, FixedHex, HexBytes, Problem, Reader, put_list, put_option};
use crate::hash::{BlockHash, BlockPayloadHash, ContextHash, NonceHash, OperationListListHash, ProtocolHash};
use crate::key::Signature;
use crate::scalar::{Level, Timestamp};
use serde::{Deserialize, Serialize};

/// The part of a header that every protocol shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellHeader {
    /// The level.
    pub level: Level,
    /// How many protocols the chain has had, modulo 256.
    pub proto: u8,
    /// The block before.
    pub predecessor: BlockHash,
    /// Its time.
    pub timestamp: Timestamp,
    /// Number of validation passes.
    pub validation_pass: u8,
    /// Root of all operations.
    pub operations_hash: OperationListListHash,
    /// Five numbers by which branches are compared.
    pub fitness: Vec<HexBytes>,
    /// Root of the context.
    pub context: ContextHash,
}

impl Encode for ShellHeader {
    fn encode(&self, out: &mut Vec<u8>) {
        self.level.encode(out);
        out.push(self.proto);
        self.predecessor.encode(out);
        self.timestamp.encode(out);
        out.push(self.validation_pass);
        self.operations_hash.encode(out);
        put_list(out, &self.fitness);
        self.context.encode(out);
    }
}

impl Decode for ShellHeader {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(ShellHeader {
            level: Decode::decode(reader)?,
            proto: reader.byte("protocol number")?,
            predecessor: Decode::decode(reader)?,
            timestamp: Decode::decode(reader)?,
            validation_pass: reader.byte("validation pass")?,
            operations_hash: Decode::decode(reader)?,
            fitness: Decode::decode(reader)?,
            context: Decode::decode(reader)?,
        })
    }
}

impl ShellHeader {
    /// The fitness of a Tenderbake block of which no earlier round is locked.
    pub fn fitness(level: Level, predecessor_round: i32, round: i32) -> Vec<HexBytes> {
        let number = |number: i32| HexBytes(number.to_be_bytes().to_vec());
        vec![
            HexBytes(vec![2]),
            number(level.0),
            HexBytes(Vec::new()),
            number(-1 - predecessor_round.max(0)),
            number(round),
        ]
    }

    /// The round of a Tenderbake block, the last number of its fitness.
    pub fn round(&self) -> Option<i32> {
        match self.fitness.as_slice() {
            [_, _, _, _, round] => round.0.as_slice().try_into().ok().map(i32::from_be_bytes),
            _ => None,
        }
    }
}

/// A vote on the liquidity baking subsidy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToggleVote {
    /// Keep it.
    On,
    /// Stop it.
    Off,
    /// No opinion.
    Pass,
}

impl ToggleVote {
    fn of_bits(bits: u8) -> Option<ToggleVote> {
        [ToggleVote::On, ToggleVote::Off, ToggleVote::Pass].get(usize::from(bits)).copied()
    }
}

/// The protocol's part of a Tenderbake header, without its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Hash of predecessor, round and operations.
    pub payload_hash: BlockPayloadHash,
    /// Round at which the payload was first proposed.
    pub payload_round: i32,
    /// Eight bytes of proof of work.
    pub proof_of_work_nonce: FixedHex<8>,
    /// Hash of a nonce that will be revealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed_nonce_hash: Option<NonceHash>,
    /// Vote of the baker on the subsidy of liquidity baking.
    pub liquidity_baking_toggle_vote: ToggleVote,
    /// Vote of the baker on adaptive issuance, in the protocols 018 to 023. A vote for it leaves no trace in the bytes:
    /// what is decoded from them has none then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive_issuance_vote: Option<ToggleVote>,
}

impl Encode for Contents {
    fn encode(&self, out: &mut Vec<u8>) {
        self.payload_hash.encode(out);
        self.payload_round.encode(out);
        self.proof_of_work_nonce.encode(out);
        put_option(out, self.seed_nonce_hash.as_ref());
        let other = self.adaptive_issuance_vote.map_or(0, |vote| vote as u8);
        out.push(self.liquidity_baking_toggle_vote as u8 | other << 2);
    }
}

impl Decode for Contents {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let payload_hash = Decode::decode(reader)?;
        let payload_round = Decode::decode(reader)?;
        let proof_of_work_nonce = Decode::decode(reader)?;
        let seed_nonce_hash = Decode::decode(reader)?;
        let at = reader.clone();
        let votes = reader.byte("votes of a block")?;
        let unknown = || at.error("votes of a block", Problem::Tag(votes));
        let liquidity_baking_toggle_vote = ToggleVote::of_bits(votes & 3).ok_or_else(unknown)?;
        let adaptive_issuance_vote = match votes >> 2 {
            0 => None,
            bits => Some(ToggleVote::of_bits(bits).ok_or_else(unknown)?),
        };
        Ok(Contents {
            payload_hash,
            payload_round,
            proof_of_work_nonce,
            seed_nonce_hash,
            liquidity_baking_toggle_vote,
            adaptive_issuance_vote,
        })
    }
}

/// The command by which the genesis protocol activates another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum ActivationCommand {
    /// Activates a protocol.
    Activate {
        /// Which one.
        hash: ProtocolHash,
        /// Fitness of the block.
        fitness: Vec<HexBytes>,
        /// Its parameters: a length in four bytes and BSON.
        protocol_parameters: HexBytes,
    },
}

impl Encode for ActivationCommand {
    fn encode(&self, out: &mut Vec<u8>) {
        let ActivationCommand::Activate { hash, fitness, protocol_parameters } = self;
        out.push(0);
        hash.encode(out);
        put_list(out, fitness);
        out.extend_from_slice(protocol_parameters.as_ref());
    }
}

/// The parameters take up all bytes that are left.
impl Decode for ActivationCommand {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.byte("activation command")? {
            0 => Ok(ActivationCommand::Activate {
                hash: Decode::decode(reader)?,
                fitness: Decode::decode(reader)?,
                protocol_parameters: HexBytes(reader.take_rest().to_vec()),
            }),
            tag => Err(at.error("activation command", Problem::Tag(tag))),
        }
    }
}

/// A signature at the end of a header: all bytes that are left, 64 or 96 of them.
fn last_signature(reader: &mut Reader<'_>) -> Decoded<Signature> {
    let at = reader.clone();
    let bytes = reader.take_rest();
    if let Ok(bytes) = bytes.try_into() {
        Ok(Signature::Generic(bytes))
    } else if let Ok(bytes) = bytes.try_into() {
        Ok(Signature::Bls(bytes))
    } else {
        Err(at.error("signature of a header", Problem::Other("neither 64 nor 96 bytes")))
    }
}

/// The protocol's part of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ProtocolData {
    /// Of a block made under Tenderbake.
    Tenderbake {
        /// What is signed.
        #[serde(flatten)]
        contents: Contents,
        /// The baker's signature.
        signature: Signature,
    },
    /// Of the block that activates the first protocol.
    Activation {
        /// What is signed.
        content: ActivationCommand,
        /// The activator's signature.
        signature: Signature,
    },
    /// Of the genesis block: nothing.
    Genesis {},
}

impl ProtocolData {
    /// Reads the data of a Tenderbake block.
    pub fn tenderbake(bytes: &[u8]) -> Decoded<ProtocolData> {
        let mut reader = Reader::new(bytes);
        Ok(ProtocolData::Tenderbake {
            contents: Contents::decode(&mut reader)?,
            signature: last_signature(&mut reader)?,
        })
    }

    /// Reads the data of an activation block.
    pub fn activation(bytes: &[u8]) -> Decoded<ProtocolData> {
        let front = bytes.len().saturating_sub(64);
        Ok(ProtocolData::Activation {
            content: ActivationCommand::from_bytes(&bytes[..front])?,
            signature: last_signature(&mut Reader::new(&bytes[front..]))?,
        })
    }
}

impl Encode for ProtocolData {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ProtocolData::Tenderbake { contents, signature } => {
                contents.encode(out);
                out.extend_from_slice(signature.as_bytes());
            }
            ProtocolData::Activation { content, signature } => {
                content.encode(out);
                out.extend_from_slice(signature.as_bytes());
            }
            ProtocolData::Genesis {} => {}
        }
    }
}

/// A whole header, as in the JSON of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The shell's part.
    #[serde(flatten)]
    pub shell: ShellHeader,
    /// The protocol's part.
    #[serde(flatten)]
    pub protocol_data: ProtocolData,
}

impl Encode for Header {
    fn encode(&self, out: &mut Vec<u8>) {
        self.shell.encode(out);
        self.protocol_data.encode(out);
    }
}

impl Header {
    /// Hash of the block.
    pub fn hash(&self) -> BlockHash {
        BlockHash::of_header(&self.to_bytes())
    }
}

/// A header whose protocol part is not looked into: `/header/raw`, and the items of `/monitor/heads`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawHeader {
    /// The shell's part.
    pub shell: ShellHeader,
    /// The bytes of the protocol's part.
    pub protocol_data: HexBytes,
}

impl Encode for RawHeader {
    fn encode(&self, out: &mut Vec<u8>) {
        self.shell.encode(out);
        out.extend_from_slice(self.protocol_data.as_ref());
    }
}

impl Decode for RawHeader {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(RawHeader { shell: Decode::decode(reader)?, protocol_data: HexBytes(reader.take_rest().to_vec()) })
    }
}

impl RawHeader {
    /// Hash of the block.
    pub fn hash(&self) -> BlockHash {
        BlockHash::of_header(&self.to_bytes())
    }
}

/// An item of `/monitor/heads/<chain>`: a new head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitoredHead {
    /// Hash of the block.
    pub hash: BlockHash,
    /// The shell's part of its header.
    #[serde(flatten)]
    pub shell: ShellHeader,
    /// The bytes of the protocol's part.
    pub protocol_data: HexBytes,
}

/// Level and hash of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// The level.
    pub level: Level,
    /// The hash.
    pub hash: BlockHash,
}

binary_struct!(BlockRef { level, hash });
