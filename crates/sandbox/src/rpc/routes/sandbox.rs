//! What a real layer 1 does not have: see [`super::super::control`].

use super::Route;
use super::schema::{Body, Shape};

pub(super) const ROUTES: &[Route] = &[
    Route::post("/sandbox/bake", Body::Bake, Shape::Object, "Makes blocks."),
    Route::get("/sandbox/time", Shape::Object, "The clock of the chain."),
    Route::post("/sandbox/time", Body::Time, Shape::Object, "Moves the clock of the chain forward."),
    Route::get("/sandbox/snapshot", Shape::List, "The snapshots there are."),
    Route::post("/sandbox/snapshot", Body::Nothing, Shape::Object, "Remembers the chain as it is."),
    Route::post("/sandbox/revert", Body::SnapshotId, Shape::Object, "Takes the chain back to a snapshot."),
    Route::post("/sandbox/reorg", Body::Reorg, Shape::Object, "Replaces the newest blocks by a longer branch."),
    Route::post("/sandbox/fund", Body::Fund, Shape::Object, "Gives tez to an account or a contract."),
    Route::post("/sandbox/set-constants", Body::Constants, Shape::Object, "Changes constants from the next block on."),
];
