//! The input of a step on the command line, both ways.

use bytes::Bytes;
use soru_pvm::InputPlace;
use soru_pvm::exact::StepInput;
use soru_pvm::input::START_OF_LEVEL;
use soru_tezos::scalar::Level;

/// How an input is written.
pub const DOC: &str = "what the proven step is given: inbox:LEVEL:COUNTER:HEX for an inbox message, first:LEVEL for the first message \
                       of an inbox level, reveal:HEX for the answer to a reveal; none for a step that computes";

/// Reads an input.
pub fn parse(text: &str) -> Result<StepInput, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "inbox" => {
            let mut parts = rest.splitn(3, ':');
            let mut part = |name: &str| parts.next().ok_or_else(|| format!("The {name} is missing: give {FORMS}."));
            let (level, counter, payload) = (part("level")?, part("counter")?, part("message")?);
            let counter = counter.parse().map_err(|error| format!("The counter '{counter}' is no number: {error}."))?;
            let place = InputPlace { level: parse_level(level)?, counter };
            Ok(StepInput::Message { place, payload: parse_hex(payload)? })
        }
        "first" => {
            let place = InputPlace { level: parse_level(rest)?, counter: 0 };
            Ok(StepInput::Message { place, payload: Bytes::from_static(&START_OF_LEVEL) })
        }
        "reveal" => Ok(StepInput::Reveal(parse_hex(rest)?)),
        _ => Err(format!("There is no input of that kind: give {FORMS}.")),
    }
}

const FORMS: &str = "inbox:LEVEL:COUNTER:HEX, first:LEVEL or reveal:HEX";

fn parse_level(text: &str) -> Result<Level, String> {
    text.parse().map(Level).map_err(|error| format!("The level '{text}' is no number: {error}."))
}

fn parse_hex(text: &str) -> Result<Bytes, String> {
    hex::decode(text).map(Bytes::from).map_err(|error| format!("The bytes are not hexadecimal: {error}."))
}

/// Writes an input as [`parse`] reads it.
pub fn print(input: &StepInput) -> String {
    match input {
        StepInput::Message { place, payload } => {
            format!("inbox:{}:{}:{}", place.level, place.counter, hex::encode(payload))
        }
        StepInput::Reveal(answer) => format!("reveal:{}", hex::encode(answer)),
    }
}
