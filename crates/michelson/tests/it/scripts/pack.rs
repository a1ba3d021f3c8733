//! `PACK` and hashes of values against PyTezos (`data/pack.json`), and reading back what was written.

use super::world::World;
use proptest::prelude::*;
use soru_michelson::gas::Gas;
use soru_michelson::run::pack;
use soru_michelson::syntax::parse_expression;
use soru_michelson::typecheck::Typer;
use soru_michelson::types::{Allow, Type};
use soru_michelson::value::Mode;
use soru_tezos::codec::Decode;
use soru_tezos::micheline::Micheline;

fn ty(text: &str) -> Type {
    Type::of(&parse_expression(text).unwrap().expr, Allow::ANY).unwrap()
}

#[test]
fn packed_as_by_pytezos() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pack.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let data = parse_expression(text("value")).unwrap().expr;
        let packed = pack(&mut World::default(), &data, &ty(text("type")), &mut Gas::unlimited()).unwrap();
        assert_eq!(hex::encode(&packed), text("packed"), "{}", text("value"));
        let hash = soru_tezos::hash::ScriptExprHash(soru_tezos::blake2b::hash256(&packed));
        assert_eq!(hash.to_string(), text("hash"));
        let mut world = World::default();
        let mut gas = Gas::unlimited();
        let mut typer = Typer::new(&mut world, &mut gas);
        let ty = ty(text("type"));
        let value = typer.parse_data(&Micheline::from_bytes(&packed[1..]).unwrap(), &ty, false).unwrap();
        for mode in [Mode::Readable, Mode::Optimized, Mode::OptimizedLegacy] {
            let written = typer.unparse(&value, &ty, mode).unwrap();
            let again = typer.parse_data(&written, &ty, false).unwrap();
            assert_eq!(typer.pack(&again, &ty).unwrap(), packed, "{mode:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_unpack_or_not(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut world = World::default();
        let mut gas = Gas::unlimited();
        let mut typer = Typer::new(&mut world, &mut gas);
        if let Ok(expr) = Micheline::from_bytes(&bytes) {
            for ty in ["address", "lambda unit unit", "map int (pair string bytes)", "timestamp", "key"].map(ty) {
                let _ = typer.parse_data(&expr, &ty, false);
            }
        }
    }
}
