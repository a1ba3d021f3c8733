//! A level replayed from the state before it, whole or in pieces, ends where the pipeline ended: also with kernels that do
//! not run, trap, or get stuck.

use crate::recorded_games::evaluate;
use crate::support::recording::{Chain, folder};
use soru_node::config::LoserMode;
use soru_node::pipeline::machine;
use soru_node::pipeline::replay::{LevelReplay, Position};
use soru_pvm::Tick;
use soru_tezos::scalar::Level;

const KERNELS: [(&str, &str); 4] = [
    ("no entry", r#"(module (memory (export "mem") 1))"#),
    ("a trap", r#"(module (memory (export "mem") 1) (func (export "kernel_run") unreachable))"#),
    ("stuck", r#"(module (memory (export "mem") 1) (func $f (export "kernel_run") (call $f)))"#),
    (
        "no such import",
        r#"(module (import "smart_rollup_core" "nothing" (func)) (memory (export "mem") 1) (func (export "kernel_run")))"#,
    ),
];

#[test]
fn levels_end_where_the_pipeline_ended() {
    let Some(folder) = folder("s3_game_inbox_3_0_0") else { return };
    let chain = Chain::load(&folder);
    for (name, text) in KERNELS {
        let node = evaluate(&chain, LoserMode::default(), 6, Some(wat::parse_str(text).unwrap()));
        let evaluator = &node.evaluator;
        for level in (3..=6).map(Level) {
            let block = |level| evaluator.store.block_of_level(level).unwrap().unwrap();
            let (before, after) = (block(level.before(1)), block(level));
            let payloads = evaluator.store.messages(&after.witness()).unwrap().unwrap();
            let replay = LevelReplay {
                level,
                payloads: &payloads,
                spoilt_after: None,
                engine: &evaluator.engine,
                reveals: &evaluator.reveals,
            };
            let start = machine(&evaluator.store, &before).unwrap();
            let mut whole = Position::start(start.clone());
            replay.advance(&mut whole, Tick(u128::MAX), &mut |_| ()).unwrap();
            assert_eq!(whole.tick(), after.final_tick(), "{name}: ticks of level {level}");
            assert_eq!(whole.pvm().state_hash().unwrap(), after.state_hash, "{name}: level {level}");
            // stopped now and then, and written to the tree and back
            let mut pieces = Position::start(start);
            let ticks = u128::try_from(after.ticks.0).unwrap();
            for part in 1..=7 {
                let target = before.final_tick().after(Tick(ticks * part / 7));
                replay.advance(&mut pieces, target, &mut |_| ()).unwrap();
                assert_eq!(pieces.tick(), target, "{name}: level {level}");
                pieces = pieces.settled().unwrap();
            }
            assert_eq!(pieces.pvm().state_hash().unwrap(), after.state_hash, "{name}: level {level} in pieces");
        }
    }
}
