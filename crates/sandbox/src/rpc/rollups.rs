//! `/context/smart_rollups/…` (`spec/protocol.md` §9.3).

use super::answer::Answer;
use super::request::Request;
use crate::ledger::Ledger;

/// Answers a path below `smart_rollups`.
pub fn answer(_ledger: &Ledger, _path: &[&str], _request: &Request) -> Answer {
    Answer::NotFound
}
