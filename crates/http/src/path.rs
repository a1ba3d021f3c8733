//! Percent encoding of paths and queries.

/// Undoes percent encoding; what is not encoded right stays as it is, what is no UTF-8 is replaced.
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let digit = |byte: u8| (byte as char).to_digit(16);
    while let Some((first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                digit(*high).zip(digit(*low)).map(|(high, low)| ((high << 4 | low) as u8, tail))
            }
            _ => None,
        };
        let (byte, tail) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_wrong_stays() {
        for (text, decoded) in [
            ("%2fboot%2Fwasm", "/boot/wasm"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%+1", "%zz%+1"),
            ("%ff", "\u{fffd}"),
            ("%C3%A9", "é"),
            ("", ""),
        ] {
            assert_eq!(percent_decoded(text), decoded, "{text}");
        }
    }
}
