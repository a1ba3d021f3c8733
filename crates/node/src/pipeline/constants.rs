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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use soru_protocol::Protocol;
    use soru_protocol::constants::{Constants, reference_sandbox, shown_by};

    /// Protocols before 025 show other constants, and the node reads them all.
    #[test]
    fn of_every_protocol() {
        let constants = Constants::of(reference_sandbox());
        for protocol in Protocol::ALL {
            let shown = shown_by(protocol, serde_json::to_value(&constants).unwrap());
            let read: NodeConstants = serde_json::from_value(shown).unwrap();
            assert_eq!(read.rollup.reveal_activation_level, constants.parametric.rollup.reveals_under(protocol));
            assert_eq!(
                read.rollup.private_enable,
                constants.parametric.rollup.private_enable && protocol.has_whitelists()
            );
            assert_eq!(read.rollup.stake_amount, constants.parametric.rollup.stake_amount);
        }
    }
}
