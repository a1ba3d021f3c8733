//! Services that compute on the state after a block: forging, simulation, scripts, rights (`spec/protocol.md` §9.2).

use super::Route;
use super::schema::{Body, Shape};

macro_rules! helper {
    ($path:literal) => {
        concat!("/chains/{chain}/blocks/{block}/helpers", $path)
    };
}

macro_rules! script {
    ($path:literal) => {
        concat!("/chains/{chain}/blocks/{block}/helpers/scripts", $path)
    };
}

const VERSION: &[(&str, Shape)] = &[("version", Shape::Text)];
const SIMULATE: &[(&str, Shape)] = &[("version", Shape::Text), ("successor_level", Shape::Flag)];
const RIGHTS: &[(&str, Shape)] = &[
    ("level", Shape::Number),
    ("cycle", Shape::Number),
    ("delegate", Shape::Text),
    ("max_round", Shape::Number),
    ("all", Shape::Flag),
];

pub(super) const ROUTES: &[Route] = &[
    Route::post(helper!("/forge/operations"), Body::Operation, Shape::Text, "The bytes of an operation, unsigned."),
    Route::post(helper!("/parse/operations"), Body::RawOperations, Shape::List, "The operations in bytes.")
        .query(VERSION),
    Route::post(
        helper!("/preapply/operations"),
        Body::SignedOperations,
        Shape::List,
        "What the next block would make of them.",
    )
    .query(VERSION),
    Route::post(
        helper!("/preapply/block"),
        Body::NewBlock,
        Shape::Object,
        "The header of a block of these operations.",
    )
    .query(&[("sort", Shape::Flag), ("timestamp", Shape::Number)]),
    Route::post(script!("/run_operation"), Body::Simulation, Shape::Object, "What an operation would do.")
        .query(VERSION),
    Route::post(script!("/simulate_operation"), Body::Simulation, Shape::Object, "What an operation would do.")
        .query(SIMULATE),
    Route::post(script!("/run_code"), Body::RunCode, Shape::Object, "Runs a script."),
    Route::post(script!("/trace_code"), Body::RunCode, Shape::Object, "Runs a script and tells each step."),
    Route::post(script!("/run_instruction"), Body::Instruction, Shape::Object, "Runs code on a stack."),
    Route::post(script!("/run_view"), Body::RunView, Shape::Object, "Runs a view that is an entrypoint (TZIP-4)."),
    Route::post(script!("/run_script_view"), Body::RunView, Shape::Object, "Runs a view of a contract."),
    Route::post(script!("/typecheck_code"), Body::Program, Shape::Object, "Checks a script."),
    Route::post(script!("/typecheck_data"), Body::Typed, Shape::Object, "Checks a value."),
    Route::post(script!("/pack_data"), Body::Typed, Shape::Object, "Packs a value."),
    Route::post(script!("/normalize_data"), Body::Typed, Shape::Object, "Shows a value in the way asked for."),
    Route::post(script!("/normalize_stack"), Body::Stack, Shape::Object, "Shows a stack in the way asked for."),
    Route::post(script!("/normalize_type"), Body::Type, Shape::Object, "Shows a type in full."),
    Route::post(script!("/normalize_script"), Body::Script, Shape::Object, "Shows a script with types in full."),
    Route::post(script!("/script_size"), Body::Program, Shape::Object, "Bytes a script takes in memory."),
    Route::post(script!("/entrypoints"), Body::Script, Shape::Object, "The entrypoints of a script."),
    Route::post(script!("/entrypoint"), Body::Script, Shape::Object, "The type of an entrypoint of a script."),
    Route::get(helper!("/current_level"), Shape::Object, "Where the level stands in its cycle.")
        .query(&[("offset", Shape::Number)]),
    Route::get(helper!("/levels_in_current_cycle"), Shape::Object, "The levels of the cycle.")
        .query(&[("offset", Shape::Number)]),
    Route::get(helper!("/baking_rights"), Shape::List, "Who bakes.").query(RIGHTS),
    Route::get(helper!("/attestation_rights"), Shape::List, "Who attests.").query(RIGHTS),
    Route::get(helper!("/validators"), Shape::List, "Who attests, with rounds.").query(RIGHTS),
    Route::get(helper!("/round"), Shape::Number, "The round of the block."),
    Route::get(helper!("/total_baking_power"), Shape::Amount, "The power of all bakers."),
    Route::get(helper!("/consecutive_round_zero"), Shape::Number, "Blocks at round 0 in a row."),
    Route::get(helper!("/complete/{prefix}"), Shape::List, "Addresses that begin so."),
];
