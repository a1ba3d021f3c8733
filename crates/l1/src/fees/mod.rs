//! Limits and fees of operations, and the way from what to do to an injected batch (`spec/node.md` §10.5). Used by the
//! client's commands and by the node's injector alike.

mod batch;
mod limits;

pub use batch::{
    BatchError, BatchOptions, Estimate, Item, LimitConstants, Prepared, Signed, inject, prepare_batch, sign,
    sign_and_check, simulate,
};
pub use limits::{
    FeeParameters, SAFETY_GAS, SAFETY_STORAGE, burned_storage, consumed_gas, minimal_fee, safety_gas, set_minimal_fee,
    signature_size, size,
};
