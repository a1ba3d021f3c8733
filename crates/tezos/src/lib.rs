//! What Tezos itself defines and all rooms speak: hashes, keys, base58check, the binary codec, Micheline, operations, receipts, block headers.
#![forbid(unsafe_code)]
