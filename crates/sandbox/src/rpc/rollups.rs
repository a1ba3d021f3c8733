//! `/context/smart_rollups/…` (`spec/protocol.md` §9.3).

use super::answer::Answer;
use super::contracts::ticket_balance;
use super::request::Request;
use crate::ledger::errors::permanent;
use crate::ledger::{Ledger, env};
use serde_json::json;
use soru_protocol::protocol::Protocol;
use soru_protocol::rollup::{Conflict, curve_name};
use soru_protocol::{Env, Rollup, RollupError};
use soru_tezos::contract::Destination;
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::rollup::Stakers;
use soru_tezos::scalar::Level;
use std::str::FromStr;

/// Answers a path below `smart_rollups`.
pub fn answer(ledger: &Ledger, path: &[&str], request: &Request) -> Answer {
    match path {
        ["all"] => {
            let mut all: Vec<&SmartRollupAddress> = ledger.rollups.keys().collect();
            // the reference lists them from the last to the first of its table
            all.reverse();
            Answer::json(&all)
        }
        ["all", "inbox"] => Answer::json(&ledger.inbox),
        ["smart_rollup", address, rest @ ..] => {
            let place = request.path.len() - rest.len();
            let address = match segment::<SmartRollupAddress>(request, place, address, "smart_rollup_address") {
                Ok(address) => address,
                Err(answer) => return answer,
            };
            of_rollup(ledger, &address, rest, request).unwrap_or_else(|answer| answer)
        }
        _ => Answer::NotFound,
    }
}

/// A path segment, or the reference's words for one that does not parse.
fn segment<T: FromStr<Err = soru_tezos::base58::Base58Error>>(
    request: &Request,
    place: usize,
    text: &str,
    kind: &str,
) -> Result<T, Answer> {
    text.parse().map_err(|error: T::Err| Answer::bad_segment(&request.path, place, &error.to_string(), kind))
}

fn refused(error: &RollupError) -> Answer {
    Answer::trace(&error.trace(Protocol::Ushuaia))
}

/// What the reference answers where it looks for a list that is not in its context.
fn missing(rollup: &Rollup, path: &[&str]) -> Answer {
    let mut key = vec!["smart_rollup".to_owned(), "index".to_owned(), hex::encode(rollup.address.0)];
    key.extend(path.iter().map(|&step| step.to_owned()));
    key.push("len".to_owned());
    Answer::trace(&[permanent("context.storage_error").with("missing_key", key).with("function", "get")])
}

fn of_rollup(
    ledger: &Ledger,
    address: &SmartRollupAddress,
    path: &[&str],
    request: &Request,
) -> Result<Answer, Answer> {
    if let ["ticket_balance"] = path {
        return ticket_balance(ledger, Destination::SmartRollup(*address), request);
    }
    let start = request.path.len() - path.len();
    let key = |offset: usize, text: &str| segment::<PublicKeyHash>(request, start + offset, text, "pkh");
    let commitment = |text: &str| segment::<CommitmentHash>(request, start + 2, text, "commitment_hash");
    let env = env(ledger.protocol, &ledger.constants, ledger.level);
    let found = ledger.rollups.get(address);
    // lists of a rollup that does not exist are empty; everything else is refused
    let rollup = || found.ok_or_else(|| refused(&RollupError::DoesNotExist { rollup: *address }));
    Ok(match path {
        ["kind"] => Answer::json(&rollup()?.kind),
        ["genesis_info"] => Answer::json(&rollup()?.genesis_info),
        ["last_cemented_commitment_hash_with_level"] => {
            let (hash, commitment) = rollup()?.last_cemented().map_err(|error| refused(&error))?;
            Answer::json(&json!({"hash": hash, "level": commitment.inbox_level}))
        }
        ["commitment", hash, rest @ ..] => of_commitment(rollup()?, &env, &commitment(hash)?, rest)?,
        ["stakers"] => Answer::json(&found.map(Rollup::staker_keys).unwrap_or_default()),
        ["staker", staker, rest @ ..] => of_staker(rollup()?, &env, &key(2, staker)?, rest)?,
        ["staker1", one, "staker2", two, what] => {
            let stakers = Stakers::new(key(2, one)?, key(4, two)?);
            match *what {
                "timeout" => {
                    let running = found.and_then(|rollup| rollup.games.get(&stakers));
                    Answer::json(&running.map(|running| running.timeout))
                }
                "timeout_reached" => Answer::json(&found.and_then(|rollup| rollup.timeout_result(&env, &stakers).ok())),
                _ => Answer::NotFound,
            }
        }
        ["inbox_level", level, "commitments"] => {
            let level = level
                .parse::<i32>()
                .map_err(|_| Answer::bad_segment(&request.path, start + 2, "not a level", "block_level"))?;
            Answer::json(&found.and_then(|rollup| rollup.commitments_at(Level(level))))
        }
        ["whitelist"] => {
            Answer::json(&found.and_then(|rollup| rollup.whitelist.as_ref()).map(|whitelist| whitelist.listed()))
        }
        ["last_whitelist_update"] => {
            let last = found.and_then(|rollup| rollup.whitelist.as_ref());
            Answer::json(&last.map(|whitelist| whitelist.last_update.to_json()))
        }
        ["consumed_outputs", level] => {
            let level = level
                .parse::<i32>()
                .map_err(|_| Answer::bad_segment(&request.path, start + 2, "not a level", "block_level"))?;
            Answer::json(&found.map(|rollup| rollup.consumed_outputs(&env, Level(level))).unwrap_or_default())
        }
        _ => Answer::NotFound,
    })
}

fn of_commitment(rollup: &Rollup, env: &Env<'_>, hash: &CommitmentHash, path: &[&str]) -> Result<Answer, Answer> {
    Ok(match path {
        [] => Answer::json(rollup.commitment(hash).map_err(|error| refused(&error))?),
        ["stakers_indexes"] => {
            let unknown = || missing(rollup, &["commitments_stakers", &hex::encode(hash.0)]);
            let indexes = rollup.stakers_of(hash).ok_or_else(unknown)?;
            Answer::json(&indexes.iter().map(u64::to_string).collect::<Vec<_>>())
        }
        ["can_be_cemented"] => Answer::json(&rollup.can_be_cemented(env, hash)),
        _ => Answer::NotFound,
    })
}

fn of_staker(rollup: &Rollup, env: &Env<'_>, staker: &PublicKeyHash, path: &[&str]) -> Result<Answer, Answer> {
    Ok(match path {
        ["staked_on_commitment"] => match rollup.staked_on(staker).map_err(|error| refused(&error))? {
            None => Answer::json(&json!(null)),
            Some(hash) => {
                let commitment = rollup.commitment(&hash).map_err(|error| refused(&error))?;
                Answer::json(&soru_tezos::rollup::HashedCommitment { hash, commitment: *commitment })
            }
        },
        ["index"] => {
            let unknown = || missing(rollup, &["staker_index", curve_name(staker), &hex::encode(staker.hash)]);
            Answer::json(&rollup.staker(staker).map_err(|_| unknown())?.index.to_string())
        }
        ["games"] => {
            let games = rollup.games_of(staker).map(
                |(stakers, running)| json!({"game": running.game, "alice": stakers.alice(), "bob": stakers.bob()}),
            );
            Answer::json(&games.collect::<Vec<_>>())
        }
        ["conflicts"] => {
            let conflicts: Vec<Conflict> = rollup.conflicts(env, staker);
            Answer::json(&conflicts)
        }
        _ => Answer::NotFound,
    })
}
