//! Smart rollups in the context of a block (`spec/protocol.md` §9.3).

use super::Route;
use super::schema::{Body, Shape};

macro_rules! all {
    ($path:literal) => {
        concat!("/chains/{chain}/blocks/{block}/context/smart_rollups/all", $path)
    };
}

macro_rules! rollup {
    ($path:literal) => {
        concat!("/chains/{chain}/blocks/{block}/context/smart_rollups/smart_rollup/{rollup}", $path)
    };
}

pub(super) const ROUTES: &[Route] = &[
    Route::get(all!(""), Shape::List, "All rollups."),
    Route::get(all!("/inbox"), Shape::Object, "The inbox they share."),
    Route::get(rollup!("/kind"), Shape::Text, "The kind of its machine."),
    Route::get(rollup!("/genesis_info"), Shape::Object, "Where and with which commitment it began."),
    Route::get(rollup!("/last_cemented_commitment_hash_with_level"), Shape::Object, "Its last cemented commitment."),
    Route::get(rollup!("/commitment/{commitment}"), Shape::Object, "A commitment."),
    Route::get(rollup!("/commitment/{commitment}/stakers_indexes"), Shape::List, "Who staked on a commitment."),
    Route::get(rollup!("/commitment/{commitment}/can_be_cemented"), Shape::Flag, "Whether it can be cemented now."),
    Route::get(rollup!("/stakers"), Shape::List, "Who staked."),
    Route::get(rollup!("/staker/{staker}/staked_on_commitment"), Shape::Any, "The newest commitment of a staker."),
    Route::get(rollup!("/staker/{staker}/index"), Shape::Amount, "The number of a staker."),
    Route::get(rollup!("/staker/{staker}/games"), Shape::List, "The games of a staker."),
    Route::get(rollup!("/staker/{staker}/conflicts"), Shape::List, "Who disagrees with a staker, and where."),
    Route::get(rollup!("/staker1/{one}/staker2/{two}/timeout"), Shape::Any, "The clocks of a game."),
    Route::get(
        rollup!("/staker1/{one}/staker2/{two}/timeout_reached"),
        Shape::Any,
        "The outcome if somebody's time is up.",
    ),
    Route::get(rollup!("/inbox_level/{level}/commitments"), Shape::Any, "Commitments for a level."),
    Route::get(rollup!("/whitelist"), Shape::Any, "Who may stake, on a private rollup."),
    Route::get(rollup!("/last_whitelist_update"), Shape::Any, "The message that last changed the whitelist."),
    Route::get(rollup!("/consumed_outputs/{level}"), Shape::List, "Messages of an outbox that were executed."),
    Route::post(rollup!("/ticket_balance"), Body::Ticket, Shape::Amount, "How many tickets of a kind it holds."),
];
