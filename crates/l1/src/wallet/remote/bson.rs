//! The little of BSON that errors of a signer need: the reference writes errors in binary as documents of it.

/// An error's text: its message or id; that it cannot be read when it is none.
pub(super) fn describe_error(document: &[u8]) -> String {
    let (id, message) = (text_field(document, "id"), text_field(document, "msg"));
    match (id, message) {
        // what has no id of its own
        (Some("failure") | None, Some(message)) => message.to_owned(),
        (Some(id), Some(message)) => format!("{id}: {message}"),
        (Some(id), None) => id.to_owned(),
        (None, None) => "an error that cannot be read".to_owned(),
    }
}

/// The value of a text field of the outermost document.
fn text_field<'a>(document: &'a [u8], wanted: &str) -> Option<&'a str> {
    let size = length(document)?;
    let mut rest = document.get(4..size)?;
    loop {
        // the kind of value, or the end of the document
        let (kind, named) = rest.split_first().filter(|(kind, _)| **kind != 0)?;
        let end = named.iter().position(|byte| *byte == 0)?;
        let (name, value) = (&named[..end], &named[end + 1..]);
        let size = match kind {
            0x02 => length(value)?.checked_add(4)?,
            0x03 | 0x04 => length(value)?,
            0x05 => length(value)?.checked_add(5)?,
            0x01 | 0x09 | 0x12 => 8,
            0x08 => 1,
            0x0a => 0,
            0x10 => 4,
            _ => return None,
        };
        let (value, after) = value.split_at_checked(size)?;
        if *kind == 0x02 && name == wanted.as_bytes() {
            // a length and a final zero around the text
            return std::str::from_utf8(value.get(4..size.checked_sub(1)?)?).ok();
        }
        rest = after;
    }
}

fn length(bytes: &[u8]) -> Option<usize> {
    let length: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(length)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(fields: &[&[u8]]) -> Vec<u8> {
        let content = fields.concat();
        let size = u32::try_from(content.len() + 5).unwrap();
        [&size.to_le_bytes()[..], &content, &[0]].concat()
    }

    const KIND: &[u8] = b"\x02kind\0\x0a\0\0\0temporary\0";
    const ID: &[u8] = b"\x02id\0\x08\0\0\0failure\0";
    const MESSAGE: &[u8] = b"\x02msg\0\x03\0\0\0no\0";

    #[test]
    fn the_message_is_found_behind_other_fields() {
        let inner = document(&[b"\x02msg\0\x06\0\0\0inner\0"]);
        let inner = [b"\x03at\0".as_slice(), &inner].concat();
        let numbers = b"\x10n\0\x01\0\0\0\x08b\0\x01\x0anil\0".as_slice();
        assert_eq!(describe_error(&document(&[KIND, &inner, numbers, ID, MESSAGE])), "no");
        assert_eq!(describe_error(&document(&[KIND, b"\x02id\0\x04\0\0\0a.b\0", MESSAGE])), "a.b: no");
        assert_eq!(describe_error(&document(&[KIND, b"\x02id\0\x04\0\0\0a.b\0"])), "a.b");
    }

    #[test]
    fn hostile_documents_are_no_errors_to_read() {
        let whole = document(&[KIND, ID, MESSAGE]);
        for end in 0..whole.len() {
            describe_error(&whole[..end]);
        }
        for place in 0..whole.len() {
            for byte in [0, 1, 2, 0x7f, 0xff] {
                let mut wrong = whole.clone();
                wrong[place] = byte;
                describe_error(&wrong);
            }
        }
        assert_eq!(describe_error(b"\x02id\0\xff\xff\xff\xff"), "an error that cannot be read");
    }
}
