//! `/helpers/scripts/…`: running and checking scripts outside of any operation.

use super::answer::Answer;
use super::request::Request;
use crate::ledger::Ledger;
use soru_tezos::block::Block;

/// Answers a path below `helpers/scripts`, other than simulations of operations.
pub fn answer(_ledger: &Ledger, _block: &Block, _path: &[&str], _request: &Request) -> Answer {
    Answer::NotFound
}
