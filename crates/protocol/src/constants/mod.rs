//! The constants of the protocol (`spec/protocol.md` §8): the complete object of 025 with its JSON, the
//! shapes of older protocols, presets, and overriding single keys.

mod fixed;
mod older;
mod overrides;
mod parametric;
mod presets;

pub use fixed::{Fixed, MAX_MESSAGES_PER_LEVEL, MAX_OPERATION_SIZE, MAX_WRAPPED_PROOF_SIZE, MESSAGE_SIZE_LIMIT};
pub use older::shown_by;
pub use overrides::ConstantsError;
pub use parametric::*;
pub use presets::{Preset, UnknownPreset, mainnet_rollup, reference_sandbox};

use serde::{Deserialize, Serialize};

/// What the node answers for `/context/constants`: fixed, chosen and derived constants in one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constants {
    /// What no network can choose.
    #[serde(flatten)]
    pub fixed: Fixed,
    /// What is chosen at activation.
    #[serde(flatten)]
    pub parametric: Parametric,
    /// What follows from the others.
    #[serde(flatten)]
    pub derived: Derived,
}

/// Delays that follow from the chosen constants, in cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Derived {
    pub issuance_modification_delay: u8,
    pub consensus_key_activation_delay: u8,
    pub unstake_finalization_delay: u8,
}

impl Constants {
    /// The whole object for the constants chosen.
    pub fn of(parametric: Parametric) -> Self {
        let fixed = Fixed::default();
        let delay = parametric.consensus_rights_delay;
        let derived = Derived {
            issuance_modification_delay: delay,
            consensus_key_activation_delay: delay,
            unstake_finalization_delay: delay.saturating_add(fixed.slashing_delay),
        };
        Constants { fixed, parametric, derived }
    }
}
