//! Reading the kernel by position, with the reference's checks and texts (`spec/pvm.md` §5.2).

use soru_merkle::containers::ChunkedBytes;

use crate::exception::{StepError, Stepped};
use crate::types::{GlobalType, Limits, Mutability, RefType, TableType, ValueType};

/// The kernel's bytes and a position among them.
#[derive(Debug)]
pub struct Stream<'a> {
    bytes: &'a ChunkedBytes,
    pos: i64,
}

const END: &str = "unexpected end of section or function";

/// A parser error.
pub fn error<T>(message: &str) -> Stepped<T> {
    Err(StepError::message(message))
}

/// A parser error unless `condition` holds.
pub fn require(condition: bool, message: &str) -> Stepped<()> {
    if condition { Ok(()) } else { error(message) }
}

/// The error of everything that has to do with floats.
pub fn no_floats<T>() -> Stepped<T> {
    error("float instructions are forbidden")
}

impl<'a> Stream<'a> {
    /// The bytes of the kernel, from `pos` on.
    pub fn new(bytes: &'a ChunkedBytes, pos: i64) -> Self {
        Stream { bytes, pos }
    }

    /// Length of the kernel.
    pub fn len(&self) -> i64 {
        self.bytes.length() as i64
    }

    /// Position of the next byte.
    pub fn pos(&self) -> i64 {
        self.pos
    }

    /// The next byte, if there is one, without consuming it.
    pub fn peek(&self) -> Stepped<Option<u8>> {
        if self.pos == self.len() { Ok(None) } else { Ok(Some(self.byte_at_pos()?)) }
    }

    fn byte_at_pos(&self) -> Stepped<u8> {
        let pos = u64::try_from(self.pos).unwrap_or(u64::MAX);
        self.bytes.byte(pos).map_err(crate::module::chunk_error)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Stepped<u8> {
        require(self.pos < self.len(), END)?;
        let byte = self.byte_at_pos()?;
        self.pos += 1;
        Ok(byte)
    }

    /// Passes over one byte that was peeked at.
    pub fn skip_byte(&mut self) -> Stepped<()> {
        require(self.pos < self.len(), END)?;
        self.pos += 1;
        Ok(())
    }

    /// Reads `count` bytes one by one and forgets them.
    pub fn read_over(&mut self, count: i64) -> Stepped<()> {
        require(count >= 0 && count <= self.len() - self.pos, END)?;
        // each chunk counts as read once, however many of its bytes are
        let end = self.pos + count;
        while self.pos < end {
            self.byte_at_pos()?;
            self.pos = end.min((self.pos / 512 + 1) * 512);
        }
        Ok(())
    }

    /// A byte that must be `expected`.
    pub fn expect(&mut self, expected: u8, message: &str) -> Stepped<()> {
        let byte = self.byte()?;
        require(byte == expected, message)
    }

    /// The `end` opcode.
    pub fn end(&mut self) -> Stepped<()> {
        self.expect(0x0b, "END opcode expected")
    }

    /// A zero byte.
    pub fn zero(&mut self) -> Stepped<()> {
        self.expect(0x00, "zero byte expected")
    }

    /// A 32-bit number, little-endian.
    pub fn fixed32(&mut self) -> Stepped<u32> {
        let mut bytes = [0; 4];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(u32::from_le_bytes(bytes))
    }

    fn unsigned(&mut self, mut bits: i32) -> Stepped<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            require(bits > 0, "integer representation too long")?;
            let byte = self.byte()?;
            require(bits >= 7 || u32::from(byte & 0x7f) < 1 << bits, "integer too large")?;
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            (bits, shift) = (bits - 7, shift + 7);
        }
    }

    fn signed(&mut self, mut bits: i32) -> Stepped<i64> {
        let (mut value, mut shift) = (0_i64, 0);
        loop {
            require(bits > 0, "integer representation too long")?;
            let byte = self.byte()?;
            let mask = if bits >= 7 { 0 } else { (0x7f << (bits - 1)) & 0x7f };
            require(bits >= 7 || byte & mask == 0 || byte & mask == mask, "integer too large")?;
            value |= i64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                if byte & 0x40 != 0 && shift + 7 < 64 {
                    value |= -1_i64 << (shift + 7);
                }
                return Ok(value);
            }
            (bits, shift) = (bits - 7, shift + 7);
        }
    }

    /// An unsigned number of 32 bits.
    pub fn u32(&mut self) -> Stepped<u32> {
        Ok(self.unsigned(32)? as u32)
    }

    /// An index.
    pub fn index(&mut self) -> Stepped<i32> {
        Ok(self.u32()? as i32)
    }

    /// A signed number of 32 bits.
    pub fn s32(&mut self) -> Stepped<i32> {
        Ok(self.signed(32)? as i32)
    }

    /// A signed number of 33 bits, cut to 32.
    pub fn s33(&mut self) -> Stepped<i32> {
        Ok(self.signed(33)? as i32)
    }

    /// A signed number of 64 bits.
    pub fn s64(&mut self) -> Stepped<i64> {
        self.signed(64)
    }

    /// A signed number of 7 bits.
    pub fn s7(&mut self) -> Stepped<i64> {
        self.signed(7)
    }

    /// A length, which must be at most the number of bytes from its own first byte to the end of the kernel.
    pub fn length(&mut self) -> Stepped<i32> {
        let left = self.len() - self.pos;
        let length = self.u32()?;
        require(length <= left as u32, "length out of bounds")?;
        Ok(length as i32)
    }

    /// The type of a reference.
    pub fn ref_type(&mut self) -> Stepped<RefType> {
        match self.s7()? {
            -0x10 => Ok(RefType::Func),
            -0x11 => Ok(RefType::Extern),
            _ => error("malformed reference type"),
        }
    }

    /// The type of a value.
    pub fn value_type(&mut self) -> Stepped<ValueType> {
        match self.peek()? {
            Some(byte) if byte >= 0x7c => match self.s7()? {
                -0x01 => Ok(ValueType::I32),
                -0x02 => Ok(ValueType::I64),
                -0x03 | -0x04 => no_floats(),
                _ => error("malformed number type"),
            },
            Some(byte) if byte >= 0x71 => match self.s7()? {
                -0x05 => Ok(ValueType::V128),
                _ => error("malformed vector type"),
            },
            _ => Ok(match self.ref_type()? {
                RefType::Func => ValueType::FuncRef,
                RefType::Extern => ValueType::ExternRef,
            }),
        }
    }

    /// Bounds.
    pub fn limits(&mut self) -> Stepped<Limits> {
        let has_max = self.unsigned(1)? == 1;
        let min = self.index()?;
        let max = if has_max { Some(self.index()?) } else { None };
        Ok(Limits { min, max: soru_merkle::containers::OptionLeaf(max) })
    }

    /// The type of a table.
    pub fn table_type(&mut self) -> Stepped<TableType> {
        let element = self.ref_type()?;
        Ok(TableType { limits: self.limits()?, element })
    }

    /// The type of a global.
    pub fn global_type(&mut self) -> Stepped<GlobalType> {
        let value = self.value_type()?;
        let mutability = match self.byte()? {
            0 => Mutability::Immutable,
            1 => Mutability::Mutable,
            _ => return error("malformed mutability"),
        };
        Ok(GlobalType { value, mutability })
    }

    /// One UTF-8 character, appended to `out`; returns how many bytes it has.
    pub fn character(&mut self, out: &mut Vec<u8>) -> Stepped<i32> {
        const MALFORMED: &str = "malformed UTF-8 encoding";
        let start = out.len();
        let mut next = |stream: &mut Self| -> Stepped<u32> {
            require(stream.pos < stream.len(), MALFORMED)?;
            let byte = stream.byte()?;
            out.push(byte);
            Ok(byte.into())
        };
        let tail = |byte: u32| if byte & 0xc0 == 0x80 { Ok(byte & 0x3f) } else { Err(StepError::message(MALFORMED)) };
        let first = next(self)?;
        let code = match first {
            0..0x80 => first,
            0x80..0xc0 => return error(MALFORMED),
            0xc0..0xe0 => {
                let code = ((first & 0x1f) << 6) + tail(next(self)?)?;
                require(code >= 0x80, MALFORMED)?;
                code
            }
            0xe0..0xf0 => {
                let (second, third) = (next(self)?, next(self)?);
                let code = ((first & 0x0f) << 12) + (tail(second)? << 6) + tail(third)?;
                require(code >= 0x800, MALFORMED)?;
                code
            }
            _ => {
                let (second, third, fourth) = (next(self)?, next(self)?, next(self)?);
                require(first < 0xf8, MALFORMED)?;
                let code = ((first & 0x07) << 18) + (tail(second)? << 12) + (tail(third)? << 6) + tail(fourth)?;
                require(code >= 0x1_0000, MALFORMED)?;
                code
            }
        };
        require(!(0xd800..0xe000).contains(&code) && code < 0x11_0000, MALFORMED)?;
        Ok((out.len() - start) as i32)
    }
}
