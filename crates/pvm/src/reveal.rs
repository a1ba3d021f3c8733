//! Reveals (`spec/pvm.md` §6.4, `spec/protocol.md` §7): what a kernel asks for, and who answers.

use bytes::Bytes;
use soru_tezos::codec::{Decode, Decoded, Problem, Reader};
use soru_tezos::hash::{RevealHash, SmartRollupAddress};
use soru_tezos::scalar::Level;

/// Most bytes of a preimage.
pub const MAX_PREIMAGE: usize = 4096;

/// A page of a slot of the data availability layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DalPage {
    /// Level at which the slot was published.
    pub published_level: Level,
    /// Number of the slot.
    pub slot: u8,
    /// Number of the page in the slot.
    pub page: i16,
}

/// A request as the protocol reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevealRequest {
    /// The preimage of a hash.
    Preimage(RevealHash),
    /// The rollup's metadata: [`metadata_answer`].
    Metadata,
    /// A page of the data availability layer.
    DalPage(DalPage),
    /// The parameters of the data availability layer: [`dal_parameters_answer`].
    DalParameters,
}

/// What can be enabled or not at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevealKind {
    /// Preimages in the BLAKE2b scheme.
    Preimage,
    /// Metadata.
    Metadata,
    /// DAL pages.
    DalPage,
    /// DAL parameters.
    DalParameters,
}

impl RevealRequest {
    /// Reads a raw request. Adaptive DAL pages (tag 4) are never enabled, so they are refused like undecodable bytes.
    pub fn decode(raw: &[u8]) -> Decoded<RevealRequest> {
        crate::encoding::exactly(raw, "reveal request", |reader| {
            let at = reader.clone();
            match reader.byte("reveal request")? {
                0 => {
                    let hash: [u8; 33] = reader.array("reveal hash")?;
                    if hash[0] == 0 {
                        Ok(RevealRequest::Preimage(RevealHash(hash)))
                    } else {
                        Err(at.error("reveal hash", Problem::Tag(hash[0])))
                    }
                }
                1 => Ok(RevealRequest::Metadata),
                2 => Ok(RevealRequest::DalPage(read_page(reader)?)),
                3 => Ok(RevealRequest::DalParameters),
                other => Err(at.error("reveal request", Problem::Tag(other))),
            }
        })
    }

    /// What must be enabled for it.
    pub fn kind(&self) -> RevealKind {
        match self {
            RevealRequest::Preimage(_) => RevealKind::Preimage,
            RevealRequest::Metadata => RevealKind::Metadata,
            RevealRequest::DalPage(_) => RevealKind::DalPage,
            RevealRequest::DalParameters => RevealKind::DalParameters,
        }
    }

    /// The request that the protocol answers in place of `raw`: that of the well-known hash when the bytes do not decode, when
    /// nothing was read yet, or when the reveal is not enabled at the level of the last input.
    pub fn effective(
        raw: &[u8],
        last_input: Option<Level>,
        enabled: impl FnOnce(Level, RevealKind) -> bool,
    ) -> RevealRequest {
        match (RevealRequest::decode(raw), last_input) {
            (Ok(request), Some(level)) if enabled(level, request.kind()) => request,
            _ => RevealRequest::Preimage(well_known_hash()),
        }
    }
}

fn read_page(reader: &mut Reader<'_>) -> Decoded<DalPage> {
    Ok(DalPage { published_level: Level::decode(reader)?, slot: u8::decode(reader)?, page: i16::decode(reader)? })
}

/// The hash of the empty string, whose preimage answers requests that cannot be answered.
pub fn well_known_hash() -> RevealHash {
    RevealHash::of_data(&[])
}

/// The answer to a metadata request: address and origination level.
pub fn metadata_answer(address: &SmartRollupAddress, origination_level: Level) -> Bytes {
    let mut answer = address.0.to_vec();
    answer.extend_from_slice(&origination_level.0.to_be_bytes());
    answer.into()
}

/// Parameters of the data availability layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DalParameters {
    /// Slots of a level.
    pub number_of_slots: i64,
    /// Levels until a slot is attested.
    pub attestation_lag: i64,
    /// Bytes of a slot.
    pub slot_size: i64,
    /// Bytes of a page.
    pub page_size: i64,
}

/// The answer to a request for the parameters of the data availability layer.
pub fn dal_parameters_answer(parameters: &DalParameters) -> Bytes {
    let fields = [parameters.number_of_slots, parameters.attestation_lag, parameters.slot_size, parameters.page_size];
    fields.iter().flat_map(|field| field.to_be_bytes()).collect::<Vec<_>>().into()
}

/// Why a reveal has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevealError {
    /// Nobody has the preimage.
    #[error("the preimage of {} is not available: put it where the node looks for preimages", .0.to_hex())]
    MissingPreimage(RevealHash),
    /// The bytes found do not have the hash asked for, or are too many.
    #[error("what is stored as the preimage of {} is not: its hash or its size is wrong", .0.to_hex())]
    WrongPreimage(RevealHash),
    /// The request cannot be answered here.
    #[error("no answer to the request {0}")]
    Unavailable(String),
}

/// Who answers a machine's reveals.
pub trait Reveals: Send + Sync {
    /// Whether `kind` is enabled at `level` (`spec/protocol.md` §7.1).
    fn is_enabled(&self, level: Level, kind: RevealKind) -> bool;

    /// The answer to a request of the protocol.
    fn answer(&self, request: &RevealRequest) -> Result<Bytes, RevealError>;

    /// The answer to a raw request of a kernel, by the protocol's rule of substitution; checks preimages.
    fn answer_raw(&self, raw: &[u8], last_input: Option<Level>) -> Result<Bytes, RevealError> {
        let request = RevealRequest::effective(raw, last_input, |level, kind| self.is_enabled(level, kind));
        match request {
            RevealRequest::Preimage(hash) if hash == well_known_hash() => Ok(Bytes::new()),
            RevealRequest::Preimage(hash) => {
                let data = self.answer(&request)?;
                if data.len() > MAX_PREIMAGE || RevealHash::of_data(&data) != hash {
                    return Err(RevealError::WrongPreimage(hash));
                }
                Ok(data)
            }
            _ => self.answer(&request),
        }
    }
}

/// Answers nothing: for machines whose kernels are known not to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoReveals;

impl Reveals for NoReveals {
    fn is_enabled(&self, _: Level, _: RevealKind) -> bool {
        true
    }

    fn answer(&self, request: &RevealRequest) -> Result<Bytes, RevealError> {
        match request {
            RevealRequest::Preimage(hash) => Err(RevealError::MissingPreimage(*hash)),
            other => Err(RevealError::Unavailable(format!("{other:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_do_not_decode_become_the_well_known_one() {
        let well_known = RevealRequest::Preimage(well_known_hash());
        let always = |_, _| true;
        for raw in [&[][..], &[0], &[0; 21], &[1, 0], &[4, 0, 0, 0, 1, 0, 0, 0, 5, 0], &[9], &[0, 1]] {
            assert_eq!(RevealRequest::effective(raw, Some(Level(1)), always), well_known, "{raw:?}");
        }
        assert_eq!(RevealRequest::effective(&[1], None, always), well_known);
        assert_eq!(RevealRequest::effective(&[1], Some(Level(1)), |_, _| false), well_known);
        assert_eq!(RevealRequest::effective(&[1], Some(Level(1)), always), RevealRequest::Metadata);
        assert_eq!(
            RevealRequest::decode(&[2, 0, 0, 0, 7, 3, 0, 5]).unwrap(),
            RevealRequest::DalPage(DalPage { published_level: Level(7), slot: 3, page: 5 })
        );
        assert_eq!(
            hex::encode(well_known_hash().0),
            "000e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
        );
    }
}
