//! The shell's services, and blocks (`spec/protocol.md` §9.2).

use super::schema::{Body, Shape};
use super::{Route, Verb};

macro_rules! block {
    ($path:literal) => {
        concat!("/chains/{chain}/blocks/{block}", $path)
    };
}

const METADATA: &[(&str, Shape)] = &[("metadata", Shape::Text), ("version", Shape::Text)];
const HEADS: &[(&str, Shape)] = &[("protocol", Shape::Text), ("next_protocol", Shape::Text)];
const CLASSES: &[(&str, Shape)] = &[
    ("version", Shape::Text),
    ("validated", Shape::Flag),
    ("refused", Shape::Flag),
    ("outdated", Shape::Flag),
    ("branch_refused", Shape::Flag),
    ("branch_delayed", Shape::Flag),
    ("validation_pass", Shape::Number),
    ("source", Shape::Text),
];

pub(super) const ROUTES: &[Route] = &[
    Route::get("/openapi.json", Shape::Object, "This document."),
    Route::get("/version", Shape::Object, "Version of the node and of its network."),
    Route::get("/health", Shape::Object, "Whether blocks are made."),
    Route::get("/protocols", Shape::List, "Protocols the node knows."),
    Route::get("/config/history_mode", Shape::Object, "How much history is kept: all."),
    Route::get("/config/network/user_activated_upgrades", Shape::List, "Upgrades of the protocol at chosen levels."),
    Route::get("/config/network/user_activated_protocol_overrides", Shape::List, "Protocols that stand for others."),
    Route::get("/network/connections", Shape::List, "Connections to other nodes: none."),
    Route::get("/network/peers", Shape::List, "Known nodes: none."),
    Route::get("/network/points", Shape::List, "Known addresses of nodes: none."),
    Route::get("/monitor/heads/{chain}", Shape::Stream, "The head now, and every one that follows.").query(HEADS),
    Route::get("/monitor/bootstrapped", Shape::Stream, "The head, as the node has caught up."),
    Route::get("/monitor/validated_blocks", Shape::Stream, "Blocks from now on.").query(&[("chain", Shape::Text)]),
    Route::get("/monitor/applied_blocks", Shape::Stream, "Blocks from now on.").query(&[("chain", Shape::Text)]),
    Route::get("/monitor/valid_blocks", Shape::Stream, "Blocks from now on.").query(&[("chain", Shape::Text)]),
    Route::get("/monitor/protocols", Shape::Stream, "Protocols as the node learns of them: never."),
    Route::post("/injection/operation", Body::Hex, Shape::Text, "Takes in a signed operation.")
        .query(&[("async", Shape::Flag), ("chain", Shape::Text)]),
    Route::post("/injection/block", Body::RawBlock, Shape::Text, "Refused: the sandbox makes its own blocks."),
    Route {
        verb: Verb::Patch,
        ..Route::post(
            "/chains/{chain}",
            Body::Bootstrapped,
            Shape::Object,
            "Nothing to set: the node always has caught up.",
        )
    },
    Route::get("/chains/{chain}/chain_id", Shape::Text, "The id of the chain."),
    Route::get("/chains/{chain}/is_bootstrapped", Shape::Object, "Whether the node has caught up: always."),
    Route::get("/chains/{chain}/invalid_blocks", Shape::List, "Blocks that were refused: none."),
    Route::get(
        "/chains/{chain}/protocols",
        Shape::List,
        "Protocols of the chain, with the level from which each holds.",
    ),
    Route::get("/chains/{chain}/levels/checkpoint", Shape::Object, "The newest final block."),
    Route::get("/chains/{chain}/levels/savepoint", Shape::Object, "The oldest block with its receipts."),
    Route::get("/chains/{chain}/levels/caboose", Shape::Object, "The oldest block."),
    Route::get("/chains/{chain}/mempool/filter", Shape::Object, "The fees the mempool wants.")
        .query(&[("include_default", Shape::Flag)]),
    Route::get("/chains/{chain}/mempool/pending_operations", Shape::Object, "Operations that wait for a block.")
        .query(CLASSES),
    Route::get("/chains/{chain}/mempool/monitor_operations", Shape::Stream, "Operations as they come in.")
        .query(CLASSES),
    Route::get("/chains/{chain}/blocks", Shape::List, "Hashes of blocks, newest first, a list a head.").query(&[
        ("length", Shape::Number),
        ("head", Shape::Text),
        ("min_date", Shape::Text),
    ]),
    Route::get("/chains/{chain}/blocks/{block}", Shape::Object, "A block.").query(METADATA),
    Route::get(block!("/hash"), Shape::Text, "Its hash."),
    Route::get(block!("/header"), Shape::Object, "Its header, with protocol, chain and hash."),
    Route::get(block!("/header/shell"), Shape::Object, "The shell's part of its header."),
    Route::get(block!("/header/raw"), Shape::Text, "Its header in binary."),
    Route::get(block!("/header/protocol_data"), Shape::Object, "The protocol's part of its header."),
    Route::get(block!("/header/protocol_data/raw"), Shape::Text, "The protocol's part of its header in binary."),
    Route::get(block!("/metadata"), Shape::Object, "What applying it did.").query(METADATA),
    Route::get(block!("/protocols"), Shape::Object, "The protocol that applied it, and the one for the next."),
    Route::get(block!("/resulting_context_hash"), Shape::Text, "The hash of the state after it."),
    Route::get(block!("/live_blocks"), Shape::List, "Blocks an operation may name as its branch."),
    Route::get(block!("/operations"), Shape::List, "Its operations, a list a pass.").query(METADATA),
    Route::get(block!("/operations/{pass}"), Shape::List, "Operations of a pass.").query(METADATA),
    Route::get(block!("/operations/{pass}/{place}"), Shape::Object, "An operation.").query(METADATA),
    Route::get(block!("/operation_hashes"), Shape::List, "Hashes of its operations, a list a pass."),
    Route::get(block!("/operation_hashes/{pass}"), Shape::List, "Hashes of the operations of a pass."),
    Route::get(block!("/operation_hashes/{pass}/{place}"), Shape::Text, "The hash of an operation."),
    Route::get(block!("/votes/current_period"), Shape::Object, "The voting period."),
    Route::get(block!("/votes/successor_period"), Shape::Object, "The voting period of the next block."),
    Route::get(block!("/votes/current_quorum"), Shape::Number, "The quorum, in hundredths of a percent."),
    Route::get(block!("/votes/current_proposal"), Shape::Any, "The proposal that is voted on: none."),
    Route::get(block!("/votes/proposals"), Shape::List, "Proposals: none."),
    Route::get(block!("/votes/ballots"), Shape::Object, "Ballots: none."),
    Route::get(block!("/votes/ballot_list"), Shape::List, "Who voted: nobody."),
    Route::get(block!("/votes/listings"), Shape::List, "Delegates with their power."),
    Route::get(block!("/votes/total_voting_power"), Shape::Amount, "The power of all delegates."),
];
