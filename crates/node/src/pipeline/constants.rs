//! The protocol constants that the node reads from layer 1 (`spec/node.md` §3.7).

use serde::Deserialize;
use soru_protocol::constants::RollupConstants;
use soru_tezos::scalar::Nat;

/// Constants of a protocol, the fields that the node uses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeConstants {
    /// Everything about rollups.
    #[serde(flatten)]
    pub rollup: RollupConstants,
    /// Seconds between blocks.
    pub minimal_block_delay: Nat,
    /// The data availability layer.
    #[serde(rename = "dal_parametric")]
    pub dal: DalConstants,
}

/// Constants of the data availability layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct DalConstants {
    pub feature_enable: bool,
    pub number_of_slots: u16,
    pub attestation_lag: u8,
    /// In bytes.
    pub slot_size: i32,
    /// In bytes.
    pub page_size: u16,
}
