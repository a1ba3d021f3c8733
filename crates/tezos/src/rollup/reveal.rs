//! What a rollup asks for: reveal requests and input requests (`spec/protocol.md` §5.7, §7.1).

use super::DalPageId;
use crate::codec::{Decode, Decoded, Encode, Problem, Reader, put_option};
use crate::contract::Contract;
use crate::hash::{RevealDataHash, RevealHash};
use crate::number::N;
use crate::scalar::Level;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A request for data from outside the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "reveal_kind", rename_all = "snake_case")]
pub enum RevealRequest {
    /// The preimage of a hash.
    #[serde(rename = "reveal_raw_data")]
    RawData {
        /// Hash of the wanted data.
        #[serde(rename = "input_hash", serialize_with = "scrrh_out", deserialize_with = "scrrh_in")]
        hash: RevealHash,
    },
    /// Address and origination level of the rollup.
    #[serde(rename = "reveal_metadata")]
    Metadata,
    /// A page of a DAL slot.
    #[serde(rename = "request_dal_page")]
    DalPage {
        /// Which page.
        page_id: DalPageId,
    },
    /// The DAL parameters in force.
    #[serde(rename = "reveal_dal_parameters")]
    DalParameters,
    /// A page with a condition on its attestation; no protocol enables it.
    #[serde(rename = "request_adaptive_dal_page")]
    AdaptiveDalPage {
        /// Which page.
        page_id: DalPageId,
        /// Wanted share of attested shards, in percent.
        attestation_threshold_percent: u8,
        /// Accepted publishers; any when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restricted_commitments_publishers: Option<Vec<Contract>>,
    },
}

/// In JSON a reveal hash is the `scrrh1…` text, elsewhere its hexadecimal digits.
fn scrrh_out<S: Serializer>(hash: &RevealHash, serializer: S) -> Result<S::Ok, S::Error> {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&hash.0[1..]);
    RevealDataHash(bytes).serialize(serializer)
}

fn scrrh_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RevealHash, D::Error> {
    let mut bytes = [0; 33];
    bytes[1..].copy_from_slice(&RevealDataHash::deserialize(deserializer)?.0);
    Ok(RevealHash(bytes))
}

const MAX_PUBLISHERS: usize = 10;

/// The titles of the kinds of requests, in traces.
const REVEAL_TITLES: [&str; 5] =
    ["Reveal_raw_data", "Reveal_metadata", "Request_dal_page", "Reveal_dal_parameters", "Request_adaptive_dal_page"];

impl Encode for RevealRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            RevealRequest::RawData { hash } => {
                out.push(0);
                hash.encode(out);
            }
            RevealRequest::Metadata => out.push(1),
            RevealRequest::DalPage { page_id } => {
                out.push(2);
                page_id.encode(out);
            }
            RevealRequest::DalParameters => out.push(3),
            RevealRequest::AdaptiveDalPage {
                page_id,
                attestation_threshold_percent,
                restricted_commitments_publishers,
            } => {
                out.push(4);
                page_id.encode(out);
                out.push(*attestation_threshold_percent);
                put_option(out, restricted_commitments_publishers.as_ref());
            }
        }
    }
}

impl Decode for RevealRequest {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        Ok(match reader.tag("reveal request", &REVEAL_TITLES)? {
            0 => RevealRequest::RawData { hash: reader.field("input_hash", Decode::decode)? },
            1 => RevealRequest::Metadata,
            2 => RevealRequest::DalPage { page_id: reader.field("page_id", Decode::decode)? },
            3 => RevealRequest::DalParameters,
            4 => {
                let page_id = reader.field("page_id", Decode::decode)?;
                let attestation_threshold_percent =
                    reader.field("attestation_threshold_percent", |reader| reader.byte("attestation threshold"))?;
                let restricted: Option<Vec<Contract>> =
                    reader.field("restricted_commitments_publishers", Decode::decode)?;
                if restricted.as_ref().is_some_and(|list| list.len() > MAX_PUBLISHERS) {
                    return Err(at.error("publishers of a reveal request", Problem::Limit));
                }
                RevealRequest::AdaptiveDalPage {
                    page_id,
                    attestation_threshold_percent,
                    restricted_commitments_publishers: restricted,
                }
            }
            tag => return Err(at.error("reveal request", Problem::Tag(tag))),
        })
    }
}

/// What a machine waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "input_request_kind", rename_all = "snake_case")]
pub enum InputRequest {
    /// Nothing: it computes.
    NoInputRequired,
    /// The first message of its inbox.
    Initial,
    /// The message after one it has read.
    FirstAfter {
        /// Level of the message read.
        level: Level,
        /// Its index in the level.
        counter: N,
    },
    /// The answer to a reveal.
    NeedsReveal {
        /// The request.
        reveal: RevealRequest,
    },
}

impl Encode for InputRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            InputRequest::NoInputRequired => out.push(0),
            InputRequest::Initial => out.push(1),
            InputRequest::FirstAfter { level, counter } => {
                out.push(2);
                level.encode(out);
                counter.encode(out);
            }
            InputRequest::NeedsReveal { reveal } => {
                out.push(3);
                reveal.encode(out);
            }
        }
    }
}

impl Decode for InputRequest {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        Ok(match reader.tag("input request", &["No_input_required", "Initial", "First_after", "Needs_reveal"])? {
            0 => InputRequest::NoInputRequired,
            1 => InputRequest::Initial,
            2 => InputRequest::FirstAfter {
                level: reader.field("level", Decode::decode)?,
                counter: reader.field("counter", Decode::decode)?,
            },
            3 => InputRequest::NeedsReveal { reveal: reader.field("reveal", Decode::decode)? },
            tag => return Err(at.error("input request", Problem::Tag(tag))),
        })
    }
}
