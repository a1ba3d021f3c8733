//! A proof's bytes: decoding, encoding, and the verification of step proofs and output proofs. The hash a proof starts from is
//! put right first, so that what lies behind it is reached: a machine in any state that a tree can show.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soru_merkle::{Proof, ProofError};
use soru_pvm::InputPlace;
use soru_pvm::exact::{StepInput, verify_step};
use soru_pvm::output_proof::{Output, verify_output_proof};
use soru_pvm::step::NdsGate;
use soru_tezos::codec::Encode;
use soru_tezos::scalar::Level;

fn inputs() -> [Option<StepInput>; 4] {
    let message = |payload: &'static [u8]| StepInput::Message {
        place: InputPlace { level: Level(77), counter: 3 },
        payload: payload.into(),
    };
    [None, Some(message(&[0, 1])), Some(message(&[0, 2])), Some(StepInput::Reveal(vec![7; 40].into()))]
}

fuzz_target!(|bytes: &[u8]| {
    _ = verify_output_proof(bytes.to_vec());
    let Ok(mut proof) = Proof::decode(bytes.to_vec()) else { return };
    let again = proof.encode().expect("what was decoded can be encoded");
    assert_eq!(Proof::decode(again).expect("and decoded again"), proof);
    _ = proof.to_string();

    proof.version = Proof::VERSION;
    if let Err(ProofError::Before { actual, .. }) = proof.check_before() {
        proof.before = actual;
    }
    for input in inputs() {
        let gate = NdsGate::default();
        let bytes = |proof: &Proof| proof.to_bytes().expect("a proof once decoded");
        if let Err(ProofError::After { actual, .. }) = verify_step(&bytes(&proof), input.clone(), gate) {
            // a step that can be made must be proved by what it leads to
            let right = Proof { after: actual, ..proof.clone() };
            match verify_step(&bytes(&right), input, gate) {
                Ok(_) | Err(ProofError::After { .. }) => {}
                Err(error) => panic!("the same step fails: {error}"),
            }
        }
    }
    let proof = proof.cast_read_only();
    for (level, index) in [(0, 0), (1, 0), (77, 2)] {
        let mut bytes = proof.encode().expect("a proof once decoded");
        Output { level: Level(level), index, message: Default::default() }.encode(&mut bytes);
        _ = verify_output_proof(bytes);
    }
});
