//! Reveals: from which level on they are answered, and the protocol's own answers (`spec/protocol.md` §7).

use crate::constants::{DalParametric, RevealActivation};
use soru_tezos::rollup::{DalPageId, RevealRequest};
use soru_tezos::scalar::Level;

/// Whether a request is answered in a block of that level.
pub fn is_enabled(activation: &RevealActivation, level: Level, request: &RevealRequest) -> bool {
    let from = match request {
        RevealRequest::RawData { .. } => activation.raw_data.blake2b,
        RevealRequest::Metadata => activation.metadata,
        RevealRequest::DalPage { .. } => activation.dal_page,
        RevealRequest::DalParameters => activation.dal_parameters,
        // No protocol answers it.
        RevealRequest::AdaptiveDalPage { .. } => return false,
    };
    level >= from
}

/// The parameters of the data availability layer as rollups see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DalParameters {
    /// Slots of a level.
    pub number_of_slots: i64,
    /// Levels between publication and attestation.
    pub attestation_lag: i64,
    /// Bytes of a slot.
    pub slot_size: i64,
    /// Bytes of a page.
    pub page_size: i64,
}

impl DalParameters {
    /// Those of the constants.
    pub fn of(dal: &DalParametric) -> Self {
        DalParameters {
            number_of_slots: dal.number_of_slots.into(),
            attestation_lag: dal.attestation_lag.into(),
            slot_size: dal.slot_size.into(),
            page_size: dal.page_size.into(),
        }
    }

    /// The answer to the reveal: four numbers of eight bytes.
    pub fn answer(&self) -> Vec<u8> {
        [self.number_of_slots, self.attestation_lag, self.slot_size, self.page_size]
            .into_iter()
            .flat_map(i64::to_be_bytes)
            .collect()
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
