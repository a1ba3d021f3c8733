//! Inbox messages: their kinds, the whole collect phase, and a kernel that reads and writes what it is given, in both engines.
//! The input is a list of messages, each preceded by two bytes: how its place differs from the last one's, and its length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soru_pvm::reveal::NoReveals;
use soru_pvm::state::{InputRequest, Parameters};
use soru_pvm::{FastConfig, FastEngine, InputPlace, Pvm, PvmError, Reveals, RunUntil, Tick, Version};
use soru_tezos::codec::Decode;
use soru_tezos::scalar::Level;
use std::sync::{Arc, OnceLock};

const TICKS: Tick = Tick(400_000);

/// Reads messages and writes each to the outbox and to the durable storage.
fn kernel() -> &'static [u8] {
    static KERNEL: OnceLock<Vec<u8>> = OnceLock::new();
    KERNEL.get_or_init(|| wat::parse_str(include_str!("../echo.wat")).expect("the kernel is well-formed"))
}

fn engine() -> &'static FastEngine {
    static ENGINE: OnceLock<FastEngine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        FastEngine::new(FastConfig { max_memory: 16 << 20, ..FastConfig::default() }).expect("the engine starts")
    })
}

struct Messages<'a> {
    bytes: &'a [u8],
    place: InputPlace,
}

impl<'a> Iterator for Messages<'a> {
    type Item = (InputPlace, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[moves, length], rest) = self.bytes.split_first_chunk()?;
        let (payload, rest) = rest.split_at(rest.len().min(length.into()));
        self.bytes = rest;
        let InputPlace { level: Level(level), counter } = self.place;
        self.place = match moves {
            0..=199 => InputPlace { level: Level(level), counter: counter.wrapping_add(1) },
            200..=230 => InputPlace { level: Level(level.saturating_add(i32::from(moves) - 199)), counter: 0 },
            231..=240 => InputPlace { level: Level(level), counter },
            241..=250 => InputPlace { level: Level((level - 1).max(0)), counter: u64::MAX },
            _ => InputPlace { level: Level(i32::MAX), counter: u64::MAX },
        };
        Some((self.place, payload))
    }
}

fn same(a: &Pvm, b: &Pvm, what: &str) {
    assert_eq!(a.state_hash().expect("a state"), b.state_hash().expect("a state"), "{what}");
}

fuzz_target!(|bytes: &[u8]| {
    _ = soru_tezos::rollup::InboxMessage::from_bytes(bytes);
    _ = soru_tezos::rollup::OutboxMessage::from_bytes(bytes);
    let parameters = Parameters {
        ticks_per_snapshot: TICKS,
        outbox_validity_period: 3,
        outbox_message_limit: 5,
        maximum_reboots_per_input: 3,
    };
    let mut pvm = Pvm::originate(Version::V0, kernel(), parameters).expect("the kernel can be originated");
    let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
    let mut runs = 0;
    for (place, payload) in (Messages { bytes, place: InputPlace { level: Level(0), counter: 0 } }) {
        match pvm.set_input(place, payload.to_vec().into()) {
            Ok(()) => {}
            Err(PvmError::Undecided { .. }) => return,
            Err(error) => panic!("an input is refused: {error}"),
        }
        let again = Pvm::from_tree(&pvm.tree().expect("a state")).expect("a state");
        same(&pvm, &again, "reading and writing changes the state");
        if pvm.info().expect("a state").request == InputRequest::Input || runs >= 3 {
            continue;
        }
        runs += 1;
        let mut exact = again;
        let fast = pvm.run(engine(), &reveals, RunUntil::Request);
        while exact.info().expect("a state").request == InputRequest::None {
            let made = exact.advance(Tick(u128::MAX)).expect("the exact machine goes on");
            if made == Tick(0) && exact.pad(Tick(u128::MAX)) == Tick(0) {
                exact.step().expect("a step at a boundary");
            }
        }
        fast.expect("the run comes to its end");
        same(&pvm, &exact, "the engines differ");
    }
});
