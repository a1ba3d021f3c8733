//! The OpenAPI document of the table of routes.

use super::schema::{Body, Shape};
use super::{Route, all};
use serde_json::{Map, Value, json};

/// The whole document, version 3.0.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in all() {
        let path = paths.entry(route.path.to_owned()).or_insert_with(|| json!({"parameters": parameters(route.path)}));
        path[route.verb.name().to_lowercase()] = operation(route);
    }
    let mut schemas: Map<String, Value> = Body::ALL.iter().map(|body| (body.name(), body.schema())).collect();
    schemas.insert("Micheline".to_owned(), micheline());
    schemas.insert("Content".to_owned(), content());
    schemas.insert("UnparsingMode".to_owned(), json!({"enum": ["Readable", "Optimized", "Optimized_legacy"]}));
    schemas.insert("Errors".to_owned(), errors());
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "The RPC of a Tezos node, and what a sandbox has besides",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// The names in braces, each with an example that exists.
fn parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        json!({
            "name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1},
            "example": example(name),
        })
    };
    names.map(parameter).collect()
}

/// A value for a segment of a path, good on every sandbox.
fn example(name: &str) -> &'static str {
    match name {
        "chain" => "main",
        "block" => "head",
        "contract" | "account" | "delegate" | "staker" | "one" | "two" | "destination" => {
            "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx"
        }
        "rollup" => "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57",
        "commitment" => "src12UJzB8mg7yU6nWPzicH7ofJbFjyJEbHvwtZdfRXi8DQHNp1LY8",
        "key" => "expru5X1yxJG6ezR2uHMotwMLNmSzQyh5t1vUnhjx4cS6Pv9qE1Sdo",
        "entrypoint" => "default",
        "prefix" => "tz1K",
        _ => "1",
    }
}

fn operation(route: &Route) -> Value {
    let query = route.query.iter().map(|(name, shape)| json!({"name": name, "in": "query", "schema": shape.schema()}));
    let kind = if route.answer == Shape::Stream { "application/json; lines" } else { "application/json" };
    let mut shown = json!({
        "summary": route.summary,
        "parameters": query.collect::<Vec<_>>(),
        "responses": {
            "200": {"description": "The answer.", "content": {kind: {"schema": route.answer.schema()}}},
            "400": {"description": "The request cannot be understood; the body says why.", "content": {"text/plain": {}}},
            "404": {"description": "There is no such thing."},
            "405": {"description": "There is no such method."},
            "500": {
                "description": "Errors, the most general first, each with an id.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}},
            },
        },
    });
    if let Some(body) = route.body {
        let schema = json!({"$ref": format!("#/components/schemas/{}", body.name())});
        shown["requestBody"] =
            json!({"required": body.is_required(), "content": {"application/json": {"schema": schema}}});
    }
    if route.answer == Shape::Stream {
        shown["x-stream"] = json!(true);
    }
    shown
}

fn micheline() -> Value {
    let expression = json!({"$ref": "#/components/schemas/Micheline"});
    json!({"oneOf": [
        {"type": "object", "required": ["int"], "properties": {"int": {"type": "string", "pattern": "^-?[0-9]+$"}}},
        {"type": "object", "required": ["string"], "properties": {"string": {"type": "string"}}},
        {"type": "object", "required": ["bytes"], "properties": {"bytes": {"type": "string", "pattern": "^([0-9a-f]{2})*$"}}},
        {"type": "object", "required": ["prim"], "properties": {
            "prim": {"enum": ["Pair", "Unit", "Left", "Right", "Some", "None", "Elt", "int", "nat", "string", "pair", "list",
                "parameter", "storage", "code", "unit", "CAR", "CDR", "NIL", "operation", "DROP", "PUSH", "LOOP"]},
            "args": {"type": "array", "items": expression},
            "annots": {"type": "array", "items": {"type": "string"}},
        }},
        {"type": "array", "items": expression},
    ]})
}

fn content() -> Value {
    let amount = json!({"type": "string", "pattern": "^[0-9]{1,19}$"});
    json!({
        "type": "object",
        "required": ["kind", "source", "fee", "counter", "gas_limit", "storage_limit"],
        "properties": {
            "kind": {"enum": ["transaction", "reveal", "origination", "delegation", "smart_rollup_add_messages"]},
            "source": {"type": "string"}, "fee": amount, "counter": amount, "gas_limit": amount, "storage_limit": amount,
            "amount": amount, "destination": {"type": "string"}, "message": {"type": "array", "items": {"type": "string"}},
        },
    })
}

fn errors() -> Value {
    json!({"type": "array", "minItems": 1, "items": {
        "type": "object",
        "required": ["kind", "id"],
        "properties": {"kind": {"enum": ["permanent", "temporary", "branch"]}, "id": {"type": "string"}},
    }})
}
