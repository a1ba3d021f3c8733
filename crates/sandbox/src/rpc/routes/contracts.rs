//! The context of a block: constants, accounts, contracts, delegates (`spec/protocol.md` §9.2).

use super::Route;
use super::schema::{Body, Shape};

macro_rules! context {
    ($path:literal) => {
        concat!("/chains/{chain}/blocks/{block}/context", $path)
    };
}

macro_rules! contract {
    ($path:literal) => {
        concat!("/chains/{chain}/blocks/{block}/context/contracts/{contract}", $path)
    };
}

macro_rules! delegate {
    ($path:literal) => {
        concat!("/chains/{chain}/blocks/{block}/context/delegates/{delegate}", $path)
    };
}

const PAGE: &[(&str, Shape)] = &[("offset", Shape::Number), ("length", Shape::Number)];

pub(super) const ROUTES: &[Route] = &[
    Route::get(context!("/constants"), Shape::Object, "All constants."),
    Route::get(context!("/constants/parametric"), Shape::Object, "Constants that a chain may choose."),
    Route::get(context!("/constants/errors"), Shape::Any, "Schemas of errors: none are kept."),
    Route::get(context!("/contracts"), Shape::List, "All contracts and accounts."),
    Route::get(contract!(""), Shape::Object, "Balance, counter, script."),
    Route::get(contract!("/balance"), Shape::Amount, "What it can spend, in mutez."),
    Route::get(contract!("/spendable"), Shape::Amount, "What it can spend, in mutez."),
    Route::get(contract!("/frozen_bonds"), Shape::Amount, "Its bonds, in mutez."),
    Route::get(contract!("/balance_and_frozen_bonds"), Shape::Amount, "What it owns, in mutez."),
    Route::get(contract!("/spendable_and_frozen_bonds"), Shape::Amount, "What it owns, in mutez."),
    Route::get(contract!("/full_balance"), Shape::Amount, "What it owns, in mutez."),
    Route::get(contract!("/staked_balance"), Shape::Any, "What it staked, in mutez."),
    Route::get(contract!("/unstaked_frozen_balance"), Shape::Any, "What it unstaked and waits for, in mutez."),
    Route::get(contract!("/unstaked_finalizable_balance"), Shape::Any, "What it unstaked and may take, in mutez."),
    Route::get(contract!("/unstake_requests"), Shape::Any, "Its requests to unstake: none."),
    Route::get(contract!("/estimated_own_pending_slashed_amount"), Shape::Amount, "What it may lose, in mutez."),
    Route::get(contract!("/counter"), Shape::Amount, "The number of its last operation."),
    Route::get(contract!("/manager_key"), Shape::Any, "Its key, when it is revealed."),
    Route::get(contract!("/delegate"), Shape::Text, "To whom it delegates."),
    Route::get(contract!("/script"), Shape::Object, "Code and storage."),
    Route::post(contract!("/script/normalized"), Body::Mode, Shape::Object, "Code and storage, with types in full."),
    Route::get(contract!("/storage"), Shape::Any, "The storage."),
    Route::post(contract!("/storage/normalized"), Body::Mode, Shape::Any, "The storage, in the way asked for."),
    Route::get(contract!("/storage/used_space"), Shape::Any, "Bytes it takes."),
    Route::get(contract!("/storage/paid_space"), Shape::Any, "Bytes it paid for."),
    Route::get(contract!("/entrypoints"), Shape::Object, "Its entrypoints with their types."),
    Route::get(contract!("/entrypoints/{entrypoint}"), Shape::Any, "The type of an entrypoint."),
    Route::post(contract!("/big_map_get"), Body::MapKey, Shape::Any, "An entry of its first big map."),
    Route::post(contract!("/ticket_balance"), Body::Ticket, Shape::Amount, "How many tickets of a kind it holds."),
    Route::get(contract!("/all_ticket_balances"), Shape::List, "All tickets it holds."),
    Route::get(context!("/big_maps/{id}"), Shape::List, "Values of a big map.").query(PAGE),
    Route::get(context!("/big_maps/{id}/{key}"), Shape::Any, "A value of a big map."),
    Route::get(context!("/delegates"), Shape::List, "All delegates.").query(&[("active", Shape::Flag)]),
    Route::get(delegate!(""), Shape::Object, "A delegate."),
    Route::get(delegate!("/deactivated"), Shape::Flag, "Whether it stopped baking."),
    Route::get(delegate!("/full_balance"), Shape::Amount, "What it owns, in mutez."),
    Route::get(delegate!("/own_full_balance"), Shape::Amount, "What it owns, in mutez."),
    Route::get(delegate!("/staking_balance"), Shape::Amount, "What is delegated to it, its own included, in mutez."),
    Route::get(delegate!("/delegated_balance"), Shape::Amount, "What others delegate to it, in mutez."),
    Route::get(delegate!("/delegated_contracts"), Shape::List, "Who delegates to it."),
    Route::get(delegate!("/delegators"), Shape::List, "Who delegates to it."),
    Route::get(delegate!("/grace_period"), Shape::Number, "The cycle after which it would be deactivated."),
    Route::get(delegate!("/voting_power"), Shape::Amount, "Its power in votes."),
    Route::get(delegate!("/current_voting_power"), Shape::Amount, "Its power in votes."),
    Route::get(delegate!("/voting_info"), Shape::Object, "Its part in votes."),
    Route::get(delegate!("/consensus_key"), Shape::Object, "The key it bakes with."),
    Route::get(context!("/issuance/current_yearly_rate"), Shape::Text, "Tez made in a year, in percent: none."),
    Route::get(context!("/issuance/current_yearly_rate_exact"), Shape::Object, "Tez made in a year, as a ratio: none."),
    Route::get(context!("/issuance/issuance_per_minute"), Shape::Amount, "Tez made in a minute: none."),
    Route::get(context!("/adaptive_issuance_launch_cycle"), Shape::Any, "The cycle of adaptive issuance."),
    Route::get(context!("/total_supply"), Shape::Amount, "All tez, in mutez."),
    Route::get(context!("/total_frozen_stake"), Shape::Amount, "All stake, in mutez: none."),
    Route::get(context!("/protocol/first_level"), Shape::Number, "The first level of the protocol."),
    Route::get(context!("/destination/{destination}/index"), Shape::Any, "The place in the registry of addresses."),
    Route::get(context!("/nonces/{level}"), Shape::Object, "Nonces: none."),
    Route::get(context!("/seed_computation"), Shape::Object, "Where the computation of the seed stands."),
    Route::get(context!("/denunciations"), Shape::List, "Denunciations: none."),
    Route::get(context!("/cache/contracts/all"), Shape::List, "Contracts in the cache: none."),
    Route::get(context!("/dal/commitments_history"), Shape::Object, "The history of slots."),
    Route::get(context!("/dal/published_slot_headers"), Shape::List, "Slots published: none.")
        .query(&[("level", Shape::Number)]),
    Route::get(context!("/dal/skip_list_cells_of_level"), Shape::List, "Cells of the history of slots: none."),
    Route::get(context!("/dal/shards"), Shape::List, "Shards by delegate: none."),
    Route::get(context!("/dal/past_parameters/{level}"), Shape::Object, "Parameters of the data availability layer."),
];
