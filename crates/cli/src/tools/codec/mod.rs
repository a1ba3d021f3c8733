//! `octez-codec`: JSON to binary and back for the encodings that rollups use, and their bytes in pieces (`spec/node.md`
//! Appendix C).

mod encodings;
mod output_proof;
mod slices;

use crate::grammar::{CliError, Command, Invocation, Opt, Tool};
use encodings::find;
use slices::Layout;
use soru_tezos::json::pretty;

const FORMAT: &[Opt] = &[Opt::value("format", None, "FORMAT", "the layout: pretty (the default), json or waterfall")];

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

/// The bytes of an argument in hexadecimal, given or in a file.
fn bytes(invocation: &Invocation) -> Result<Vec<u8>, CliError> {
    let text: String = literal_or_file(invocation.param("hex"))?.split_whitespace().collect();
    hex::decode(&text).map_err(|error| CliError::Usage(format!("Invalid hex string: {text}\n{error}")))
}

fn unreadable(error: String) -> CliError {
    CliError::Usage(format!("Cannot parse the binary with the given encoding\n{error}"))
}

async fn decode(invocation: Invocation) -> Result<(), CliError> {
    let encoding = invocation.read_param("id", find)?;
    let value = encoding.decode(&bytes(&invocation)?).map_err(unreadable)?;
    println!("{}", pretty(&value));
    Ok(())
}

async fn display_binary(invocation: Invocation) -> Result<(), CliError> {
    let encoding = invocation.read_param("id", find)?;
    let value = encoding.decode(&bytes(&invocation)?).map_err(unreadable)?;
    println!("{}", encoding.show(&value));
    Ok(())
}

async fn display_json(invocation: Invocation) -> Result<(), CliError> {
    let encoding = invocation.read_param("id", find)?;
    let json = literal_or_file(invocation.param("json"))?;
    // by way of the binary form, so that what is shown is a value of the encoding
    let value = encoding.encode(&json).and_then(|bytes| encoding.decode(&bytes)).map_err(CliError::Usage)?;
    println!("{}", encoding.show(&value));
    Ok(())
}

async fn slice(invocation: Invocation) -> Result<(), CliError> {
    let bytes = bytes(&invocation)?;
    let encoding = invocation.read_param("id", find)?;
    let layout = invocation.read_option("format", str::parse)?.unwrap_or(Layout::Pretty);
    let pieces = encoding.slice(&bytes).map_err(CliError::Usage)?;
    println!("{}\n", slices::show(layout, &pieces, &bytes));
    Ok(())
}

async fn slice_all(invocation: Invocation) -> Result<(), CliError> {
    let bytes = bytes(&invocation)?;
    let mut found = false;
    for encoding in encodings::all().iter().rev() {
        if let Ok(pieces) = encoding.slice(&bytes) {
            println!("{}:\n{}\n\n", encoding.id, slices::show(Layout::Pretty, &pieces, &bytes));
            found = true;
        }
    }
    if found { Ok(()) } else { Err(CliError::Usage("No matching encoding found".to_owned())) }
}

async fn list(_: Invocation) -> Result<(), CliError> {
    for encoding in encodings::all() {
        println!("{}:\n  {}", encoding.id, encoding.doc());
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
            Command::new(
                "Encodings",
                "display <id> from binary <hex>",
                &[],
                "A value as a person reads it, from hexadecimal bytes, given or in a file.",
                |i| Box::pin(display_binary(i)),
            ),
            Command::new(
                "Encodings",
                "display <id> from json <json>",
                &[],
                "A value as a person reads it, from a JSON value or file.",
                |i| Box::pin(display_json(i)),
            ),
            Command::new(
                "Encodings",
                "slice <hex>",
                &[],
                "The pieces of hexadecimal bytes by each encoding that they are of.",
                |i| Box::pin(slice_all(i)),
            ),
            Command::new(
                "Encodings",
                "slice <hex> with encoding <id>",
                &[FORMAT],
                "The pieces of hexadecimal bytes: what each is, and its value.",
                |i| Box::pin(slice(i)),
            ),
        ],
    }
}
