//! Every kind of hash and address that is a fixed number of bytes with a base58check prefix (`spec/protocol.md` §1).

use crate::base58::{self, Base58Error};
use crate::blake2b;
use crate::codec::{Decode, Decoded, Encode, Reader};
use std::fmt;
use std::str::FromStr;

/// Declares a hash kind: a newtype over its bytes with binary, text and JSON forms. After what is wanted in messages may come
/// the name that traces give it.
#[macro_export]
macro_rules! base58_bytes {
    ($(#[$doc:meta])* $name:ident, $size:literal, $prefix:expr, $wanted:literal $(, $called:literal)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            /// Number of bytes.
            pub const SIZE: usize = $size;
            /// Bytes put before the payload in the printed form.
            pub const PREFIX: &'static [u8] = &$prefix;
            /// All bytes zero.
            pub const ZERO: Self = $name([0; $size]);
            /// The base58check text.
            pub fn to_base58(&self) -> String { $crate::base58::encode(Self::PREFIX, &self.0) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(&self.to_base58()) }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.to_base58()) }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::base58::Base58Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::base58::decode(Self::PREFIX, text, $wanted).map($name)
            }
        }
        impl AsRef<[u8]> for $name { fn as_ref(&self) -> &[u8] { &self.0 } }
        impl From<[u8; $size]> for $name { fn from(bytes: [u8; $size]) -> Self { $name(bytes) } }
        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) { out.extend_from_slice(&self.0) }
        }
        impl $crate::codec::Decode for $name {
            fn decode(reader: &mut $crate::codec::Reader<'_>) -> $crate::codec::Decoded<Self> {
                // the reference's name, where it differs from ours
                let called = [$wanted $(, $called)?];
                reader.field(called[called.len() - 1], |reader| reader.array($wanted)).map($name)
            }
        }
        $crate::json_as_text!($name);
    };
}

/// Writes serde as a JSON string through `Display` and `FromStr`.
#[macro_export]
macro_rules! json_as_text {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

base58_bytes!(
    /// Hash of a block: BLAKE2b-256 of its whole header.
    BlockHash, 32, [1, 52], "block hash (B…)", "block_hash"
);
base58_bytes!(
    /// Hash of a signed operation: BLAKE2b-256 of its bytes.
    OperationHash, 32, [5, 116], "operation hash (o…)", "Operation_hash"
);
base58_bytes!(
    /// Merkle root of the operations of one validation pass.
    OperationListHash, 32, [133, 233], "operation list hash (Lo…)", "Operation_list_hash"
);
base58_bytes!(
    /// Merkle root of the operation lists of a block.
    OperationListListHash, 32, [29, 159, 109], "operation list list hash (LLo…)", "Operation_list_list_hash"
);
base58_bytes!(
    /// Hash of a layer 1 context, or of a rollup state printed as one.
    ContextHash, 32, [79, 199], "context hash (Co…)", "Context_hash"
);
base58_bytes!(
    /// Hash that names a protocol.
    ProtocolHash, 32, [2, 170], "protocol hash (P…)", "Protocol_hash"
);
base58_bytes!(
    /// A chain: the first four bytes of the hash of its genesis block's hash.
    ChainId, 4, [87, 82, 0], "chain id (Net…)", "Chain_id"
);
base58_bytes!(
    /// Hash of a block's payload (`spec/protocol.md` §1).
    BlockPayloadHash, 32, [1, 106, 242], "block payload hash (vh…)", "value_hash"
);
base58_bytes!(
    /// Hash of a packed Michelson value: the key of big maps.
    ScriptExprHash, 32, [13, 44, 64, 27], "script expression hash (expr…)", "script_expr"
);
base58_bytes!(
    /// Hash of a seed nonce.
    NonceHash, 32, [69, 220, 169], "nonce hash (nce…)", "cycle_nonce"
);
base58_bytes!(
    /// Address of an originated contract.
    ContractHash, 20, [2, 90, 121], "contract address (KT1…)", "Contract_hash"
);
base58_bytes!(
    /// Address of a smart rollup.
    SmartRollupAddress, 20, [6, 124, 117], "smart rollup address (sr1…)", "smart_rollup_address"
);
base58_bytes!(
    /// Hash of a commitment.
    CommitmentHash, 32, [17, 165, 134, 138], "commitment hash (src1…)", "smart_rollup_commitment_hash"
);
base58_bytes!(
    /// Hash of a rollup's state: the Merkle root of its PVM.
    StateHash, 32, [17, 165, 235, 240], "smart rollup state hash (srs1…)", "smart_rollup_state_hash"
);
base58_bytes!(
    /// Hash of an inbox: of the newest cell of its history.
    InboxHash, 32, [3, 255, 138, 145, 110], "inbox hash (srib1…)", "smart_rollup_inbox_hash"
);
base58_bytes!(
    /// Hash of the newest cell of a level's messages: the level's witness.
    PayloadHashesHash, 32, [3, 255, 138, 145, 140], "merkelized payload hashes hash (srib2…)", "smart_rollup_merkelized_payload_hashes_hash"
);
base58_bytes!(
    /// Hash of a serialized inbox message.
    InboxMessageHash, 32, [3, 255, 138, 145, 170], "inbox message hash (srib3…)", "Smart_rollup_serialized_message_hash"
);
base58_bytes!(
    /// BLAKE2b-256 of revealed data, without its scheme byte.
    RevealDataHash, 32, [230, 206, 128, 200, 196], "reveal data hash (scrrh1…)", "Smart_rollup_reveal_data_blake2b_hash"
);
base58_bytes!(
    /// Id of a message in a rollup node's batcher.
    L2MessageId, 32, [3, 250, 179, 247, 196], "message id (scmsg…)", "Message_id"
);

impl BlockHash {
    /// Hash of a block from the bytes of its header.
    pub fn of_header(header: &[u8]) -> Self {
        BlockHash(blake2b::hash256(header))
    }
}

impl OperationHash {
    /// Hash of an operation from its signed bytes.
    pub fn of_bytes(operation: &[u8]) -> Self {
        OperationHash(blake2b::hash256(operation))
    }
}

impl OperationListHash {
    /// Merkle root of a list of operations.
    pub fn of_operations(operations: &[OperationHash]) -> Self {
        OperationListHash(blake2b::merkle_root(&operations.iter().map(|hash| hash.0).collect::<Vec<_>>()))
    }
}

impl OperationListListHash {
    /// Merkle root of the validation passes of a block.
    pub fn of_passes(passes: &[OperationListHash]) -> Self {
        OperationListListHash(blake2b::merkle_root(&passes.iter().map(|hash| hash.0).collect::<Vec<_>>()))
    }
}

impl BlockPayloadHash {
    /// Hash of predecessor, payload round and the operations of passes 1 to 3.
    pub fn of_payload(predecessor: &BlockHash, round: i32, operations: &[OperationHash]) -> Self {
        let list = OperationListHash::of_operations(operations);
        BlockPayloadHash(blake2b::digest(&[&predecessor.0, &round.to_be_bytes(), &list.0]))
    }
}

impl ChainId {
    /// The id of the chain that starts with `genesis`.
    pub fn of_genesis(genesis: &BlockHash) -> Self {
        ChainId(blake2b::digest::<32>(&[&genesis.0])[..4].try_into().unwrap_or([0; 4]))
    }
}

/// The 36 bytes whose BLAKE2b-160 is the address of a thing originated by an operation: contracts and rollups share
/// one counter within a batch (`spec/protocol.md` §1).
fn origination_nonce(operation: &OperationHash, index: i32) -> [u8; 20] {
    blake2b::digest(&[&operation.0, &index.to_be_bytes()])
}

impl ContractHash {
    /// Address of the contract originated as number `index` of an operation.
    pub fn originated_by(operation: &OperationHash, index: i32) -> Self {
        ContractHash(origination_nonce(operation, index))
    }
}

impl SmartRollupAddress {
    /// Address of the rollup originated as number `index` of an operation.
    pub fn originated_by(operation: &OperationHash, index: i32) -> Self {
        SmartRollupAddress(origination_nonce(operation, index))
    }
}

impl From<ContextHash> for StateHash {
    fn from(hash: ContextHash) -> Self {
        StateHash(hash.0)
    }
}

impl From<StateHash> for ContextHash {
    fn from(hash: StateHash) -> Self {
        ContextHash(hash.0)
    }
}

/// A reveal hash as kernels and file names write it: scheme byte `00` (BLAKE2b) and 32 bytes (`spec/protocol.md` §7.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevealHash(pub [u8; 33]);

impl RevealHash {
    /// Hash of `data` in the BLAKE2b scheme.
    pub fn of_data(data: &[u8]) -> Self {
        let mut bytes = [0; 33];
        bytes[1..].copy_from_slice(&blake2b::hash256(data));
        RevealHash(bytes)
    }

    /// The 66 hexadecimal digits under which a node keeps the preimage.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for RevealHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Display for RevealHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl FromStr for RevealHash {
    type Err = Base58Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 33];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if bytes[0] == 0 => Ok(RevealHash(bytes)),
            _ => base58::decode(RevealDataHash::PREFIX, text, "reveal hash (66 hexadecimal digits from 00)").map(
                |hash: [u8; 32]| {
                    bytes[0] = 0;
                    bytes[1..].copy_from_slice(&hash);
                    RevealHash(bytes)
                },
            ),
        }
    }
}

impl Encode for RevealHash {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for RevealHash {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.byte("reveal hash")? {
            0 => {
                reader.case("Reveal_data_hash_v0");
                let mut bytes = [0; 33];
                bytes[1..].copy_from_slice(&RevealDataHash::decode(reader)?.0);
                Ok(RevealHash(bytes))
            }
            scheme => Err(at.error("reveal hash", crate::codec::Problem::Tag(scheme))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_values() {
        let genesis: BlockHash = "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2".parse().unwrap();
        assert_eq!(ChainId::of_genesis(&genesis).to_string(), "NetXdQprcVkpaWU");
        let empty = OperationListHash::of_operations(&[]);
        assert_eq!(
            OperationListListHash::of_passes(&[empty; 4]).to_string(),
            "LLoa7bxRTKaQN2bLYoitYB6bU2DvLnBAqrVjZcvJ364cTcX2PZYKU"
        );
        assert_eq!(SmartRollupAddress::ZERO.to_string(), "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57");
        assert_eq!(
            RevealHash::of_data(b"").to_hex(),
            "000e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
        );
    }
}
