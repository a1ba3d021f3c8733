//! Whole recorded states, built leaf by leaf, have the recorded hashes.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{shared, tree_of, trees_in};

#[test]
fn whole_states_have_the_recorded_hashes() {
    let Some(folder) = shared("trees") else {
        return;
    };
    let mut states = 0;
    for (case, recorded) in trees_in(&folder) {
        for state in recorded {
            let tree = tree_of(&state.leaves);
            assert_eq!(tree.hash().unwrap(), state.hash, "{case} tick {}", state.tick);
            states += 1;
        }
    }
    assert_eq!(states, 539);
}
