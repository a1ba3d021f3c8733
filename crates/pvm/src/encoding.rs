//! The primitive encodings of leaves that only the PVM uses (`spec/pvm.md` §0): numbers in groups of seven bits that fit
//! 128 bits. All others come from `soru_tezos::codec`.

use soru_tezos::codec::{Decode, Decoded, Problem, Reader};

/// Appends a natural (`n`): groups of seven bits, least significant first.
pub fn put_natural(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bytes of an integer (`z`): the first byte carries the sign and six bits.
pub fn integer(value: i128) -> Vec<u8> {
    let mut rest = value.unsigned_abs();
    let mut first = (rest & 0x3f) as u8;
    if value < 0 {
        first |= 0x40;
    }
    rest >>= 6;
    if rest == 0 {
        return vec![first];
    }
    let mut out = vec![first | 0x80];
    put_natural(&mut out, rest);
    out
}

/// Reads a natural that must fit 128 bits.
pub fn read_natural(reader: &mut Reader<'_>, what: &'static str) -> Decoded<u128> {
    let at = reader.clone();
    groups(reader, what)?.ok_or_else(|| at.error(what, Problem::Number))
}

/// Groups of seven bits; nothing when they do not fit or end in a redundant zero.
fn groups(reader: &mut Reader<'_>, what: &'static str) -> Decoded<Option<u128>> {
    let mut value: u128 = 0;
    let mut shift: u32 = 0;
    loop {
        let byte = reader.byte(what)?;
        let group = u128::from(byte & 0x7f);
        if shift >= 128 || (group << shift) >> shift != group || (byte == 0 && shift > 0) {
            return Ok(None);
        }
        value |= group << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
        shift += 7;
    }
}

/// Reads an integer whose absolute value must fit 120 bits.
pub fn read_integer(reader: &mut Reader<'_>, what: &'static str) -> Decoded<i128> {
    let at = reader.clone();
    let first = reader.byte(what)?;
    let mut value = u128::from(first & 0x3f);
    if first & 0x80 != 0 {
        let rest = groups(reader, what)?.filter(|rest| *rest != 0 && *rest < 1 << 114);
        value |= rest.ok_or_else(|| at.error(what, Problem::Number))? << 6;
    }
    let value = value as i128;
    Ok(if first & 0x40 != 0 { -value } else { value })
}

/// Reads a value that takes up all of `bytes`.
pub fn exactly<T>(bytes: &[u8], what: &'static str, read: impl FnOnce(&mut Reader<'_>) -> Decoded<T>) -> Decoded<T> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader)?;
    reader.finish(what)?;
    Ok(value)
}

/// Reads a four-byte signed integer that takes up all of `bytes`.
pub fn int32(bytes: &[u8], what: &'static str) -> Decoded<i32> {
    exactly(bytes, what, i32::decode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn natural(value: u128) -> Vec<u8> {
        let mut out = Vec::new();
        put_natural(&mut out, value);
        out
    }

    #[test]
    fn numbers_of_the_specification() {
        assert_eq!(natural(300), [0xac, 0x02]);
        assert_eq!(integer(100), [0xa4, 0x01]);
        assert_eq!(integer(2), [0x02]);
        assert_eq!(integer(0), [0x00]);
        assert_eq!(integer(-1), [0x41]);
    }

    #[test]
    fn redundant_and_endless_numbers_are_refused() {
        assert!(exactly(&[0x80, 0x00], "n", |r| read_natural(r, "n")).is_err());
        assert!(exactly(&[0x80; 40], "n", |r| read_natural(r, "n")).is_err());
        assert!(exactly(&[0x80, 0x00], "z", |r| read_integer(r, "z")).is_err());
        assert!(exactly(&[0x80], "z", |r| read_integer(r, "z")).is_err());
    }

    proptest! {
        #[test]
        fn naturals_round_trip(value: u128) {
            prop_assert_eq!(exactly(&natural(value), "n", |r| read_natural(r, "n")).unwrap(), value);
        }

        #[test]
        fn integers_round_trip(value in -(1i128 << 100)..(1i128 << 100)) {
            prop_assert_eq!(exactly(&integer(value), "z", |r| read_integer(r, "z")).unwrap(), value);
        }
    }
}
