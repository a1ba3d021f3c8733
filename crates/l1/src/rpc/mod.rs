//! A typed client for the RPC of a Tezos node, as far as rollup nodes and wallets need it (`spec/protocol.md` §9).

mod block_id;
mod chain;
mod contracts;
mod error;
mod http;
mod rollup;
mod stream;
mod types;

pub use block_id::BlockId;
pub use error::{RpcError, RpcResult};
pub use http::{Limits, RawAnswer, RpcClient, install_tls};
pub use reqwest::Method;
pub use stream::Documents;
pub use types::{
    ActivationBlock, BlockHeader, Bootstrapped, Conflict, ContractInfo, Entrypoints, GameTimeout, KeptBlock,
    LastCemented, LastWhitelistUpdate, MempoolFilter, NetworkVersion, OngoingGame, PendingOperations,
    ProtocolActivation, Protocols, Ratio, RefusedOperation, StakedOn, Version,
};
