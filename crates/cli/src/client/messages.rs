//! The `<messages>` of `send smart rollup message` (`spec/node.md` §10.2): `bin:path`, `text:[…]`, `hex:[…]`, `file:path`.

use crate::grammar::CliError;
use serde_json::Value;
use soru_tezos::codec::HexBytes;

/// Largest content of an external message: 4,096 bytes with its tag (`spec/protocol.md` §3.1).
pub const MAX_MESSAGE: usize = 4095;

/// Why a text gave no messages: the argument is malformed, or its content is.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Argument(String),
    Content(String),
}

/// Reads messages; without a prefix the text is tried as a list of texts, then of hexadecimal texts, then as a file.
pub fn parse(index: usize, text: &str) -> Result<Vec<HexBytes>, CliError> {
    let messages = read(text).map_err(|refusal| match refusal {
        Refusal::Argument(why) => CliError::argument(index, text, why),
        Refusal::Content(why) => CliError::Failed(why),
    })?;
    if let Some(long) = messages.iter().find(|message| message.0.len() > MAX_MESSAGE) {
        return Err(CliError::Failed(format!(
            "a message of {} bytes is too long: the inbox takes at most {MAX_MESSAGE}",
            long.0.len()
        )));
    }
    Ok(messages)
}

fn read(text: &str) -> Result<Vec<HexBytes>, Refusal> {
    match text.split_once(':') {
        Some(("bin", path)) => file(path).map(|bytes| vec![HexBytes(bytes)]),
        Some(("text", json)) => texts(&self::json(json)?),
        Some(("hex", json)) => hexes(&self::json(json)?),
        Some(("file", path)) => json_file(path),
        _ => match json(text) {
            Ok(value) => texts(&value).or_else(|_| hexes(&value)),
            Err(refusal) if std::path::Path::new(text).is_file() => {
                json_file(text).or_else(|_| file(text).map(|bytes| vec![HexBytes(bytes)])).map_err(|_: Refusal| refusal)
            }
            Err(refusal) => Err(refusal),
        },
    }
}

fn file(path: &str) -> Result<Vec<u8>, Refusal> {
    std::fs::read(path).map_err(|error| Refusal::Argument(format!("cannot read file {path} ({error})")))
}

fn json_file(path: &str) -> Result<Vec<HexBytes>, Refusal> {
    let value = json(&String::from_utf8_lossy(&file(path)?))?;
    hexes(&value).or_else(|_| texts(&value))
}

fn json(text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|_| {
        let shown: String = text.chars().take(100).collect();
        Refusal::Argument(format!("Given text is not valid JSON: '{shown}'"))
    })
}

fn strings(value: &Value) -> Result<Vec<&str>, Refusal> {
    let expected = || Refusal::Content("Could not read list of messages (expected list of bytes)".to_owned());
    value.as_array().ok_or_else(expected)?.iter().map(|item| item.as_str().ok_or_else(expected)).collect()
}

fn texts(value: &Value) -> Result<Vec<HexBytes>, Refusal> {
    Ok(strings(value)?.into_iter().map(|text| HexBytes(text.as_bytes().to_vec())).collect())
}

fn hexes(value: &Value) -> Result<Vec<HexBytes>, Refusal> {
    let bytes = |text: &str| hex::decode(text).map(HexBytes);
    strings(value)?
        .into_iter()
        .map(|text| bytes(text).map_err(|_| Refusal::Content(format!("'{text}' is not a valid hex encoded message"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(read(r#"hex:[ "00ff" ]"#), Ok(vec![HexBytes(vec![0, 255])]));
        assert_eq!(read(r#"text:["hello"]"#), Ok(vec![HexBytes(b"hello".to_vec())]));
        assert_eq!(read(r#"["hello"]"#), Ok(vec![HexBytes(b"hello".to_vec())]));
        assert_eq!(read(r#"hex:["zz"]"#), Err(Refusal::Content("'zz' is not a valid hex encoded message".into())));
        assert_eq!(
            read("text:[1]"),
            Err(Refusal::Content("Could not read list of messages (expected list of bytes)".into()))
        );
        assert_eq!(read("text:nope"), Err(Refusal::Argument("Given text is not valid JSON: 'nope'".into())));
        assert!(matches!(read("file:/no/such/file"), Err(Refusal::Argument(why)) if why.contains("cannot read file")));
        assert!(parse(5, &format!(r#"hex:["{}"]"#, "00".repeat(4096))).unwrap_err().to_string().contains("too long"));
    }
}
