//! Whole recorded states, built leaf by leaf, have the recorded hashes.

use crate::common::{data, shared, states_of, tree_of, trees_in};

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

#[test]
fn own_states_have_the_recorded_hashes() {
    let (case, states) = states_of(&data("states.json.gz"));
    assert_eq!(states.len(), 12);
    for state in states {
        assert_eq!(tree_of(&state.leaves).hash().unwrap(), state.hash, "{case} tick {}", state.tick);
    }
}
