//! The embedded layer 1: ledger, block production, Tezos node RPC, persistence.
