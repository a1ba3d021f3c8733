//! Commitments of a rollup to which nobody sends anything, and an operator that comes late with its key behind a password
//! (`spec/node.md` §4.8).

use crate::common::arena::{Arena, BOND};
use crate::common::manual::ACCOUNTS;
use crate::common::{ECHO, SORU, run, run_fed};
use serde_json::{Value, json};
use std::time::Duration;

/// Blocks of a commitment period.
const PERIOD: i64 = 2;
/// Ticks of a level whose kernel does not ask for another run, whatever it does: two whole runs.
const LEVEL_TICKS: i64 = 2 * 50_000_000_000_000;

fn cemented(arena: &Arena) -> i64 {
    arena.rollup("last_cemented_commitment_hash_with_level")["level"].as_i64().unwrap()
}

/// The inbox levels that an account has published for, each with the outcome.
fn publications(arena: &Arena, account: usize) -> Vec<(i64, String)> {
    let of_level = |level: i64| {
        let contents = arena.layer1.contents(level).into_iter();
        let own = contents.filter(|it| it["kind"] == "smart_rollup_publish" && it["source"] == ACCOUNTS[account].0);
        own.map(|it| {
            let status = it["metadata"]["operation_result"]["status"].as_str().unwrap().to_owned();
            (it["commitment"]["inbox_level"].as_i64().unwrap(), status)
        })
    };
    (arena.origination..=arena.layer1.level()).flat_map(of_level).collect()
}

#[test]
fn of_quiet_levels_and_of_a_late_operator() {
    let constants = json!({
        "smart_rollup_commitment_period_in_blocks": PERIOD, "smart_rollup_challenge_window_in_blocks": PERIOD
    });
    let mut arena = Arena::new(ECHO, constants);
    arena.reaction = Duration::from_millis(50);
    let early = arena.admit("b1", "maintenance", &["--history-mode", "archive"]);
    arena.start(early);
    let (first, third) = (arena.origination + PERIOD, arena.origination + 3 * PERIOD);
    arena.until("three periods are cemented", 30, |arena| cemented(arena) >= third);

    // without any message, each period is committed to all the same
    let mut predecessor = arena.rollup("genesis_info")["commitment_hash"].clone();
    for level in (first..=third).step_by(usize::try_from(PERIOD).unwrap()) {
        let block = arena.players[early].get(&format!("/global/block/{level}"));
        let commitment = &block["commitment"];
        assert_eq!(commitment["predecessor"], predecessor, "{commitment}");
        assert_eq!(commitment["number_of_ticks"], (PERIOD * LEVEL_TICKS).to_string(), "{commitment}");
        assert_eq!(commitment["compressed_state"], block["state_hash"]);
        predecessor = block["commitment_hash"].clone();
    }
    let known: Value = arena.rollup(&format!("commitment/{}", predecessor.as_str().unwrap()));
    assert_eq!(known["inbox_level"], third);

    // the key of the second operator is locked
    let (dir, secret) = (arena.layer1.dir(), format!("unencrypted:{}\np\np\n", ACCOUNTS[1].1));
    let printed = run_fed(SORU, &dir, &arena.layer1.client(&["encrypt", "secret", "key"]), &secret).ok();
    let locked = printed.split("Encrypted secret key ").nth(1).unwrap().trim();
    std::fs::write(dir.join("passwords"), "another\np\n").unwrap();
    let import = arena.layer1.client(&["-f", "passwords", "import", "secret", "key", "b2", locked, "--force"]);
    run(SORU, &dir, &import).ok();
    let late = arena.admit("b2", "operator", &[]);
    arena.run(late).fails_saying(&["encrypted"]);
    arena.players[late].words.splice(1..1, ["-f", "passwords"].map(str::to_owned));

    // it has seen none of what is cemented published, and publishes what comes after
    let before = cemented(&arena);
    arena.start(late);
    let applied = |publications: &[(i64, String)]| publications.iter().filter(|(_, it)| it == "applied").count();
    arena.until("the late operator has published twice", 60, |arena| applied(&publications(arena, 1)) >= 2);
    assert_eq!((arena.bond(0), arena.bond(1)), (BOND.to_owned(), BOND.to_owned()));
    let published = publications(&arena, 1);
    // one may fail because the other operator cements its level in the very same block
    assert!(published.iter().all(|(inbox_level, _)| *inbox_level > before), "{before}: {published:?}");
    let own = publications(&arena, 0);
    assert_eq!(applied(&own), own.len(), "{own:?}");
}
