//! The pieces of a binary form, one a row, in the three layouts of the reference (`slice`).

use serde_json::{Value, json};
use soru_tezos::codec::Slice;
use soru_tezos::json::pretty;
use std::fmt::Write;

/// How pieces are laid out.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    Pretty,
    Json,
    Waterfall,
}

impl std::str::FromStr for Layout {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pretty" => Ok(Layout::Pretty),
            "json" => Ok(Layout::Json),
            "waterfall" => Ok(Layout::Waterfall),
            _ => Err("Cannot decode --format argument, use 'json', 'pretty', or 'waterfall'."),
        }
    }
}

/// Column of the names in the pretty layout.
const NAMES: usize = 20;

/// The pieces of `bytes` as text.
pub(super) fn show(layout: Layout, slices: &[Slice], bytes: &[u8]) -> String {
    let digits = |slice: &Slice| hex::encode(bytes.get(slice.place.clone()).unwrap_or_default());
    match layout {
        Layout::Pretty => {
            let row = |slice: &Slice| {
                let digits = digits(slice);
                match digits.len() + 2 <= NAMES {
                    true => format!("{digits:NAMES$}{}", named(slice)),
                    false => format!("{digits}\n{:NAMES$}{}", "", named(slice)),
                }
            };
            slices.iter().map(row).collect::<Vec<_>>().join("\n")
        }
        Layout::Json => {
            let item = |slice: &Slice| {
                let raw = bytes.get(slice.place.clone()).unwrap_or_default();
                let raw = match std::str::from_utf8(raw) {
                    Ok(text) => text.into(),
                    Err(_) => json!({ "invalid_utf8_string": raw }),
                };
                let mut item = json!({ "name": slice.name, "raw-slice": raw, "hex-slice": digits(slice) });
                if !slice.value.is_empty() {
                    item["pretty"] = slice.value.as_str().into();
                }
                item
            };
            pretty(&slices.iter().map(item).collect::<Value>())
        }
        Layout::Waterfall => {
            let mut out = String::new();
            let mut margin = 0;
            for slice in slices {
                let digits = digits(slice);
                let _ = writeln!(out, "{}{digits}   {}", " ".repeat(margin), named(slice));
                margin += digits.len();
            }
            out
        }
    }
}

fn named(slice: &Slice) -> String {
    match slice.value.as_str() {
        "" => slice.name.clone(),
        value => format!("{} = {value}", slice.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> ([u8; 12], [Slice; 3]) {
        let slice = |name: &str, place, value: &str| Slice { name: name.to_owned(), place, value: value.to_owned() };
        let bytes = [0xff, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 0xfe];
        (bytes, [slice("A tag", 0..1, "255"), slice("\"b\" (int32)", 1..5, "9"), slice("c", 5..12, "")])
    }

    #[test]
    fn layouts() {
        let (bytes, slices) = pieces();
        let wanted = "ff                  A tag = 255\n00000009            \"b\" (int32) = 9\n010203040506fe      c";
        assert_eq!(show(Layout::Pretty, &slices, &bytes), wanted);
        let wanted = "ff   A tag = 255\n  00000009   \"b\" (int32) = 9\n          010203040506fe   c\n";
        assert_eq!(show(Layout::Waterfall, &slices, &bytes), wanted);
        let shown: Value = serde_json::from_str(&show(Layout::Json, &slices, &bytes)).unwrap();
        assert_eq!(shown[0]["raw-slice"], json!({"invalid_utf8_string": [255]}));
        assert_eq!(
            shown[1],
            json!({"name": "\"b\" (int32)", "raw-slice": "\0\0\0\t", "hex-slice": "00000009", "pretty": "9"})
        );
        assert!(shown[2].get("pretty").is_none());
        // what is long has a line of its own
        let long = [Slice { name: "d".to_owned(), place: 0..10, value: String::new() }];
        assert_eq!(show(Layout::Pretty, &long, &bytes), "ff000000090102030405\n                    d");
    }
}
