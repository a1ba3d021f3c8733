//! The primitives of Michelson in the order of their binary codes (`spec/protocol.md` §2.3).

use std::fmt;
use std::str::FromStr;

macro_rules! prims {
    ($($name:ident),* $(,)?) => {
        /// A Michelson primitive. Variants are spelt exactly as in Michelson, where `PAIR`, `Pair` and `pair` differ; the
        /// binary code is the position in the list.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, missing_docs)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Prim { $($name),* }

        impl Prim {
            /// All primitives, by code.
            pub const ALL: &'static [Prim] = &[$(Prim::$name),*];

            /// The name as written in Michelson.
            pub fn name(self) -> &'static str {
                match self { $(Prim::$name => stringify!($name)),* }
            }
        }

        impl FromStr for Prim {
            type Err = UnknownPrim;
            fn from_str(name: &str) -> Result<Self, UnknownPrim> {
                match name {
                    $(stringify!($name) => Ok(Prim::$name),)*
                    _ => Err(UnknownPrim { name: name.chars().take(40).collect() }),
                }
            }
        }
    };
}

prims! {
    parameter, storage, code, False, Elt, Left, None, Pair, Right, Some, True, Unit, PACK, UNPACK, BLAKE2B,
    SHA256, SHA512, ABS, ADD, AMOUNT, AND, BALANCE, CAR, CDR, CHECK_SIGNATURE, COMPARE, CONCAT, CONS,
    CREATE_ACCOUNT, CREATE_CONTRACT, IMPLICIT_ACCOUNT, DIP, DROP, DUP, EDIV, EMPTY_MAP, EMPTY_SET, EQ, EXEC,
    FAILWITH, GE, GET, GT, HASH_KEY, IF, IF_CONS, IF_LEFT, IF_NONE, INT, LAMBDA, LE, LEFT, LOOP, LSL, LSR,
    LT, MAP, MEM, MUL, NEG, NEQ, NIL, NONE, NOT, NOW, OR, PAIR, PUSH, RIGHT, SIZE, SOME, SOURCE, SENDER,
    SELF, STEPS_TO_QUOTA, SUB, SWAP, TRANSFER_TOKENS, SET_DELEGATE, UNIT, UPDATE, XOR, ITER, LOOP_LEFT,
    ADDRESS, CONTRACT, ISNAT, CAST, RENAME, bool, contract, int, key, key_hash, lambda, list, map, big_map,
    nat, option, or, pair, set, signature, string, bytes, mutez, timestamp, unit, operation, address, SLICE,
    DIG, DUG, EMPTY_BIG_MAP, APPLY, chain_id, CHAIN_ID, LEVEL, SELF_ADDRESS, never, NEVER, UNPAIR,
    VOTING_POWER, TOTAL_VOTING_POWER, KECCAK, SHA3, PAIRING_CHECK, bls12_381_g1, bls12_381_g2, bls12_381_fr,
    sapling_state, sapling_transaction_deprecated, SAPLING_EMPTY_STATE, SAPLING_VERIFY_UPDATE, ticket,
    TICKET_DEPRECATED, READ_TICKET, SPLIT_TICKET, JOIN_TICKETS, GET_AND_UPDATE, chest, chest_key, OPEN_CHEST,
    VIEW, view, constant, SUB_MUTEZ, tx_rollup_l2_address, MIN_BLOCK_TIME, sapling_transaction, EMIT,
    Lambda_rec, LAMBDA_REC, TICKET, BYTES, NAT, Ticket, IS_IMPLICIT_ACCOUNT, INDEX_ADDRESS,
    GET_ADDRESS_INDEX,
}

/// A word that is no Michelson primitive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not a Michelson primitive")]
pub struct UnknownPrim {
    /// The word, shortened.
    pub name: String,
}

impl Prim {
    /// The binary code.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The primitive of a binary code.
    pub fn from_code(code: u8) -> Option<Prim> {
        Prim::ALL.get(usize::from(code)).copied()
    }
}

impl fmt::Display for Prim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
