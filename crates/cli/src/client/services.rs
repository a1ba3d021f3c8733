//! What a node answers to, and which protocols the client knows: `rpc list`, `rpc schema`, `rpc format` (`spec/node.md` §10.3). They
//! read the node's OpenAPI document, which our sandbox serves at `/openapi.json`, or what a node of the reference says of itself
//! under `/describe`.

use super::context::{Context, rpc_failed};
use super::rpc_tree::{self, METHODS, Tree};
use crate::grammar::{CliError, Command, Invocation};
use serde_json::{Map, Value, json};
use soru_tezos::json::pretty;
use std::collections::BTreeMap;

const RPC: &str = "Commands for the low level RPC layer";
const MISC: &str = "Miscellaneous commands";

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(
            MISC,
            "list understood protocols",
            &[],
            "List the protocol versions that this client understands.",
            |i| Box::pin(protocols(i)),
        ),
        Command::new(RPC, "rpc list", &[], "Alias to `rpc list /`.", |i| Box::pin(list(i))),
        Command::new(RPC, "rpc list <url>", &[], "List RPCs under a given URL prefix.", |i| Box::pin(list(i))),
        Command::new(
            RPC,
            "rpc schema <HTTP method> <url>",
            &[],
            "Get the input and output JSON schemas of an RPC.",
            |i| Box::pin(schema(i)),
        ),
        Command::new(
            RPC,
            "rpc format <HTTP method> <url>",
            &[],
            "Get the humanoid readable input and output formats of an RPC.",
            |i| Box::pin(format(i)),
        ),
    ]
}

async fn protocols(_: Invocation) -> Result<(), CliError> {
    for protocol in soru_protocol::Protocol::ALL {
        println!("{}", protocol.hash_text().chars().take(SHORT_HASH).collect::<String>());
    }
    Ok(())
}

/// Letters of a protocol's hash that name it.
const SHORT_HASH: usize = 12;

/// The parts of a path; a part in braces stands for any one.
fn parts(path: &str) -> Vec<&str> {
    path.split('?').next().unwrap_or_default().split('/').filter(|part| !part.is_empty()).collect()
}

fn is_parameter(part: &str) -> bool {
    part.starts_with('{')
}

fn fits(template: &[&str], path: &[&str]) -> bool {
    template.iter().zip(path).all(|(wanted, part)| is_parameter(wanted) || wanted == part)
}

/// How a node describes itself.
enum Described {
    /// By an OpenAPI document.
    Document(Value),
    /// By the tree of services below a path.
    Tree(Value),
}

/// What the node says of the services below a path; of all that is there, or of the path alone.
async fn described(context: &Context, path: &[&str], all: bool) -> Result<Described, CliError> {
    if let Some(document) = context.rpc.get_optional("/openapi.json").await.map_err(rpc_failed)? {
        return Ok(Described::Document(document));
    }
    let recurse = if all { "yes" } else { "no" };
    let path = [&["describe"][..], path].concat().join("/");
    let tree = context.rpc.get_optional(&format!("/{path}?recurse={recurse}")).await.map_err(rpc_failed)?;
    tree.map(Described::Tree).ok_or_else(|| {
        CliError::failed(
            "this node does not describe itself here: there is no OpenAPI document at /openapi.json, and nothing under \
             /describe for this URL",
        )
    })
}

/// The paths of a document with what can be done there.
fn paths(document: &Value) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.filter_map(|(path, operations)| Some((path, operations.as_object()?)))
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let prefix = parts(invocation.param("url"));
    let mut tree = Tree::default();
    let mut docs = BTreeMap::new();
    match described(&context, &prefix, true).await? {
        Described::Document(document) => {
            for (path, operations) in paths(&document) {
                let template = parts(path);
                if template.len() < prefix.len() || !fits(&template, &prefix) {
                    continue;
                }
                for method in METHODS.iter().filter(|method| operations.contains_key(**method)) {
                    let summary = operations[*method]["summary"].as_str().unwrap_or_default();
                    tree.add(&template[prefix.len()..], &method.to_uppercase(), summary);
                }
                for parameter in operations.get("parameters").and_then(Value::as_array).into_iter().flatten() {
                    let name = parameter["name"].as_str().unwrap_or_default();
                    docs.entry(name.to_owned()).or_insert_with(|| parameter_doc(parameter));
                }
            }
        }
        Described::Tree(described) => tree.describe(&described, &mut docs),
    }
    if tree.is_empty() {
        return Err(CliError::failed("No service found at this URL"));
    }
    let (services, arguments) = rpc_tree::render(&tree, &prefix);
    println!("\nAvailable services:\n  \n{services}");
    if !arguments.is_empty() {
        let mut rows = String::new();
        for name in &arguments {
            rows += &format!("  <{name}>\n");
            rpc_tree::paragraph(&mut rows, docs.get(name).map_or("", String::as_str), 6);
        }
        println!("\nDynamic parameter description:\n  \n{rows}");
    }
    Ok(())
}

/// What a document says about a parameter of paths.
fn parameter_doc(parameter: &Value) -> String {
    match (parameter["description"].as_str(), parameter["example"].as_str()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(example)) => format!("for example {example}"),
        (None, None) => String::new(),
    }
}

/// Schemas of what a service takes, if it takes anything, and answers.
struct Service {
    input: Option<Value>,
    output: Value,
}

async fn service(invocation: &Invocation) -> Result<Service, CliError> {
    let method = invocation.read_param("HTTP method", |text| {
        let method = text.to_lowercase();
        let known = METHODS.contains(&method.as_str());
        known.then_some(method).ok_or("give one of GET, POST, DELETE, PUT, PATCH")
    })?;
    let context = Context::new(invocation)?;
    let path = parts(invocation.param("url"));
    let found = match described(&context, &path, false).await? {
        Described::Document(document) => in_document(&document, &method, &path),
        Described::Tree(tree) => in_tree(&tree, &method),
    };
    found.map_err(|is_prefix| {
        CliError::failed(match is_prefix {
            true => "No service found at this URL (but this is a valid prefix)",
            false => "No service found at this URL",
        })
    })
}

/// A service of a document, or else whether there are services below its path.
fn in_document(document: &Value, method: &str, path: &[&str]) -> Result<Service, bool> {
    let mut is_prefix = false;
    for (template, operations) in paths(document) {
        let template = parts(template);
        if template.len() < path.len() || !fits(&template, path) {
            continue;
        }
        is_prefix = true;
        if let Some(operation) = operations.get(method).filter(|_| template.len() == path.len()) {
            let input = operation["requestBody"]["content"]["application/json"].get("schema").cloned();
            let answers = operation["responses"]["200"]["content"].as_object();
            let output = answers.and_then(|kinds| kinds.values().next()).map(|kind| kind["schema"].clone());
            let whole = |schema: Value| with_definitions(document, schema);
            return Ok(Service { input: input.map(whole), output: whole(output.unwrap_or_default()) });
        }
    }
    Err(is_prefix)
}

/// The same at the root of a tree.
fn in_tree(tree: &Value, method: &str) -> Result<Service, bool> {
    let service = tree["static"].get(format!("{method}_service")).ok_or(true)?;
    let input = service.get("input").map(|input| input["json_schema"].clone());
    Ok(Service { input, output: service["output"]["json_schema"].clone() })
}

/// A schema, with those it refers to beside it.
fn with_definitions(document: &Value, schema: Value) -> Value {
    let mut definitions = Map::new();
    let mut open = referred(&schema);
    while let Some(name) = open.pop() {
        if !definitions.contains_key(&name) {
            let definition = document["components"]["schemas"][&name].clone();
            open.extend(referred(&definition));
            definitions.insert(name, definition);
        }
    }
    match (schema, definitions.is_empty()) {
        (Value::Object(mut schema), false) => {
            schema.insert("components".to_owned(), json!({ "schemas": definitions }));
            Value::Object(schema)
        }
        (schema, _) => schema,
    }
}

/// Names of the schemas that a schema refers to.
fn referred(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                match value.as_str().and_then(|text| text.strip_prefix("#/components/schemas/")) {
                    Some(target) if name == "$ref" => vec![target.to_owned()],
                    _ => referred(value),
                }
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(referred).collect(),
        _ => Vec::new(),
    }
}

async fn schema(invocation: Invocation) -> Result<(), CliError> {
    let Service { input, output } = service(&invocation).await?;
    let shown = match input {
        Some(input) => json!({ "input": input, "output": output }),
        None => json!({ "output": output }),
    };
    println!("{}", pretty(&shown));
    Ok(())
}

async fn format(invocation: Invocation) -> Result<(), CliError> {
    let Service { input, output } = service(&invocation).await?;
    if let Some(input) = input {
        println!("Input format:\n{}", indented(&outline(&input)));
    }
    println!("Output format:\n{}", indented(&outline(&output)));
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// A schema as a person reads it: the shape of the values.
fn outline(schema: &Value) -> String {
    let list = |name: &str| schema[name].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or(name).to_owned() + &definitions(schema);
    }
    let alternatives = [list("oneOf"), list("anyOf")].concat();
    if !alternatives.is_empty() {
        return alternatives.iter().map(outline).collect::<Vec<_>>().join("\n|| ") + &definitions(schema);
    }
    let words = list("enum");
    if !words.is_empty() {
        return words.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    let shape = match schema["type"].as_str() {
        Some("object") => {
            let required: Vec<&str> = list("required").iter().filter_map(Value::as_str).collect();
            let fields = schema["properties"].as_object().into_iter().flatten();
            let rows: Vec<String> = fields
                .map(|(name, value)| {
                    let mark = if required.contains(&name.as_str()) { "" } else { "?" };
                    format!("\"{name}\"{mark}: {}", outline(value).replace('\n', "\n  "))
                })
                .collect();
            if rows.is_empty() { "object".to_owned() } else { format!("{{ {} }}", rows.join(",\n  ")) }
        }
        Some("array") => format!("[ {} ... ]", outline(&schema["items"]).replace('\n', "\n  ")),
        Some("string") => match schema["pattern"].as_str() {
            Some(pattern) => format!("string /{pattern}/"),
            None => "string".to_owned(),
        },
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    };
    shape + &definitions(schema)
}

/// The outlines of the schemas that stand beside one.
fn definitions(schema: &Value) -> String {
    let beside = schema["components"]["schemas"].as_object().into_iter().flatten();
    beside.map(|(name, schema)| format!("\n{name}:\n{}", indented(&outline(schema)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_outlined() {
        let document = json!({"components": {"schemas": {
            "Tree": {"type": "object", "required": ["leaf"], "properties": {
                "leaf": {"type": "integer"}, "twigs": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
            }},
        }}});
        let schema = with_definitions(&document, json!({"$ref": "#/components/schemas/Tree"}));
        assert_eq!(outline(&schema), "Tree\nTree:\n  { \"leaf\": integer,\n    \"twigs\"?: [ Tree ... ] }");
    }
}
