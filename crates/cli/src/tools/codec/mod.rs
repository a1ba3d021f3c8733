//! `octez-codec`: JSON to binary and back for the encodings that rollups use (`spec/node.md` Appendix C).

mod encodings;
mod output_proof;

use crate::grammar::{CliError, Command, Invocation, Tool};
use encodings::find;
use soru_tezos::json::pretty;

/// The text of an argument: a literal, or the content of the file it names.
fn literal_or_file(text: &str) -> Result<String, CliError> {
    match text.strip_prefix("file:").or_else(|| std::path::Path::new(text).is_file().then_some(text)) {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| CliError::failed(format!("cannot read {path}: {error}")))
        }
        None => Ok(text.to_owned()),
    }
}

async fn encode(invocation: Invocation) -> Result<(), CliError> {
    let encoding = invocation.read_param("id", find)?;
    let json = literal_or_file(invocation.param("json"))?;
    let bytes = encoding.encode(&json).map_err(CliError::Usage)?;
    println!("{}", hex::encode(bytes));
    Ok(())
}

async fn decode(invocation: Invocation) -> Result<(), CliError> {
    let encoding = invocation.read_param("id", find)?;
    let text: String = literal_or_file(invocation.param("hex"))?.split_whitespace().collect();
    let bytes = hex::decode(&text).map_err(|error| CliError::Usage(format!("Invalid hex string: {text}\n{error}")))?;
    let value = encoding
        .decode(&bytes)
        .map_err(|error| CliError::Usage(format!("Cannot parse the binary with the given encoding\n{error}")))?;
    println!("{}", pretty(&value));
    Ok(())
}

async fn list(_: Invocation) -> Result<(), CliError> {
    for (id, encoding) in encodings::all() {
        println!("{id}:\n  {}", encoding.doc());
    }
    Ok(())
}

/// The tool `octez-codec`.
pub fn tool(name: String) -> Tool {
    Tool {
        name,
        doc: "Encodes and decodes values of Tezos and its rollups.",
        version: super::version(),
        globals: &[],
        commands: vec![
            Command::new("Encodings", "list encodings", &[], "List the encodings.", |i| Box::pin(list(i))),
            Command::new(
                "Encodings",
                "encode <id> from <json>",
                &[],
                "Binary form (hexadecimal) of a JSON value or file.",
                |i| Box::pin(encode(i)),
            ),
            Command::new(
                "Encodings",
                "decode <id> from <hex>",
                &[],
                "JSON form of hexadecimal bytes, given or in a file.",
                |i| Box::pin(decode(i)),
            ),
        ],
    }
}
