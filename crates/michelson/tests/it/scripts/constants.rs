//! Global constants: registering them, and scripts that use them.

use super::world::World;
use super::{call, data, deploy};
use soru_michelson::constants::{expand, register};
use soru_michelson::error::Problem;
use soru_michelson::gas::Gas;
use soru_michelson::run::parameter;
use soru_michelson::syntax::print_line;
use soru_michelson::{Chain, ScriptError};

/// Registers an expression; its name.
fn add(world: &mut World, text: &str) -> Result<String, ScriptError> {
    let value = data(text);
    let made = register(&value, &mut Gas::new(1_040_000_000), &|name| world.global_constant(name))?;
    world.constants.insert(made.name, value);
    Ok(made.name.to_string())
}

#[test]
fn the_name_is_the_hash_of_the_expression() {
    let mut world = World::default();
    // as recorded from the reference: the key under which it keeps 999 is 74e7b7c4…
    let value = data("999");
    let made = register(&value, &mut Gas::unlimited(), &|_| None).unwrap();
    assert_eq!(hex::encode(made.name.0), "74e7b7c46bc84c10ab191f72680f0e98bdd3757f041bf1dbb26b8d5ae71fffcc");
    assert_eq!(made.bytes, 3);
    assert!(add(&mut world, "constant \"expruQN5r2umbZVHy6WynYM8f71F8zS4AERz9bugF8UkPBEqrHLuU8\"").is_err());
}

#[test]
fn code_types_and_views_may_be_constants() {
    let mut world = World::default();
    let body = add(&mut world, "{ UNPAIR ; ADD }").unwrap();
    let whole = add(&mut world, &format!("{{ constant \"{body}\" ; NIL operation ; PAIR }}")).unwrap();
    let ty = add(&mut world, "or (int %add) (unit %nothing)").unwrap();
    let seven = add(&mut world, "7").unwrap();
    let code = format!(
        "parameter int ; storage int ; code (constant \"{whole}\") ; view \"seven\" unit int {{ DROP ; PUSH int (constant \"{seven}\") }}"
    );
    deploy(&mut world, &code, &format!("constant \"{seven}\"")).unwrap();
    assert_eq!(print_line(&call(&mut world, "default", "3").unwrap().storage), "10");
    let script = super::contract();
    assert!(print_line(&world.scripts[&script].code).contains(&whole), "what is stored keeps the constant");

    let typed = data(&format!("{{ parameter (constant \"{ty}\") ; storage unit ; code {{}} }}"));
    let found = parameter(&typed, &|name| world.global_constant(name)).unwrap();
    let names: Vec<String> = found.entrypoints.iter().map(|entry| entry.name.to_string()).collect();
    assert_eq!(names, ["add", "nothing"]);
}

#[test]
fn wrong_constants() {
    let mut world = World::default();
    let id = |error: ScriptError| error.trace[0].parts().0;
    let unknown = "constant \"expruQN5r2umbZVHy6WynYM8f71F8zS4AERz9bugF8UkPBEqrHLuU8\"";
    for (text, wanted) in [
        (unknown, "Nonexistent_global"),
        ("constant \"nothing\"", "Badly_formed_constant_expression"),
        ("constant 1", "Badly_formed_constant_expression"),
        ("constant", "Badly_formed_constant_expression"),
    ] {
        assert_eq!(id(add(&mut world, text).unwrap_err()), wanted, "{text}");
        let script = format!("parameter unit ; storage unit ; code {{ {text} }}");
        assert_eq!(id(deploy(&mut world, &script, "Unit").unwrap_err()), wanted, "{text}");
    }
    // each doubles the one before: what they stand for grows too large long before their texts do
    let mut name = add(&mut world, "{ UNIT ; DROP }").unwrap();
    let refused =
        (0..40).find_map(|_| match add(&mut world, &format!("{{ constant \"{name}\" ; constant \"{name}\" }}")) {
            Ok(next) => {
                name = next;
                None
            }
            Err(error) => Some(error),
        });
    assert_eq!(refused.unwrap().trace, [Problem::GlobalTooLarge]);
    let nested = data(&format!("{} {}", "{ ".repeat(990), "}".repeat(990)));
    assert!(expand(&nested, &mut Gas::unlimited(), &|_| None).is_ok());
}
