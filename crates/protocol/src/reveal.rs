//! Reveals: from which level on they are answered, and what the protocol knows of them (`spec/protocol.md` §7).

use crate::constants::{DalParametric, RevealActivation};
use soru_pvm::reveal::{DalParameters, RevealKind};
use soru_tezos::rollup::DalPageId;
use soru_tezos::scalar::Level;

/// Whether a kind of reveal is answered at a level.
pub fn is_enabled(activation: &RevealActivation, level: Level, kind: RevealKind) -> bool {
    let from = match kind {
        RevealKind::Preimage => activation.raw_data.blake2b,
        RevealKind::Metadata => activation.metadata,
        RevealKind::DalPage => activation.dal_page,
        RevealKind::DalParameters => activation.dal_parameters,
    };
    level >= from
}

/// The parameters of the data availability layer as rollups see them.
pub fn dal_parameters(dal: &DalParametric) -> DalParameters {
    DalParameters {
        number_of_slots: dal.number_of_slots.into(),
        attestation_lag: dal.attestation_lag.into(),
        slot_size: dal.slot_size.into(),
        page_size: dal.page_size.into(),
    }
}

/// The levels that bound which pages a rollup can import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DalWindow {
    /// First level of the data availability layer; nothing when it is off.
    pub activation: Option<Level>,
    /// Level of the rollup's origination.
    pub origination: Level,
    /// Level at which the page is imported.
    pub import: Level,
    /// Levels for which an attested page stays valid.
    pub validity_lag: i32,
}

impl DalWindow {
    /// Whether a page could have been attested in time, under any of the lags (`spec/protocol.md` §7.4, Appendix C). If not,
    /// the answer to a request is that there is no such page.
    pub fn can_be_valid(&self, dal: &DalParametric, page: &DalPageId) -> bool {
        let published = page.published_level;
        let pages = dal.slot_size / i32::from(dal.page_size.max(1));
        let shortest = dal.attestation_lags.iter().min().copied().unwrap_or(dal.attestation_lag);
        // Slots of earlier protocols were attested after eight levels.
        let longest = dal.attestation_lags.iter().max().copied().unwrap_or(dal.attestation_lag).max(8);
        self.activation.is_some_and(|activation| published >= activation)
            && published > self.origination
            && i32::from(page.page_index) < pages
            && u16::from(page.slot_index) < dal.number_of_slots
            && published.after(shortest.into()) <= self.import
            && published.after(longest.into()).after(self.validity_lag) >= self.import
    }
}

/// Whether a page proof claims that there can be no such page, without showing a cell (`spec/protocol.md` Appendix C).
pub fn is_invalid_page_proof(proof: &[u8]) -> bool {
    proof == [2, 0, 0, 0]
}
