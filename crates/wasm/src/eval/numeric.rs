//! Operators on numbers (`spec/pvm.md` §5.6). Operands are checked only here: the parser accepts ill-typed code.

use crate::exception::{StepError, Stepped};
use crate::operator::{IntBinary, IntCompare, IntConvert, IntTest, IntUnary, PackSize, Width};
use crate::types::Num;

/// Why an operator gives no result.
#[derive(Debug)]
pub enum Failure {
    /// The program traps, with this message.
    Trap(&'static str),
    /// The machine gets stuck.
    Error(StepError),
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Failure::Error(error)
    }
}

/// The failure of an operand of the wrong type.
pub(super) fn type_error(position: u32, value: Num, expected: &str) -> StepError {
    let got = value.type_name();
    StepError::message(format!("type error, expected {expected} as operand {position}, got {got}"))
}

pub(super) fn as_i32(position: u32, value: Num) -> Stepped<i32> {
    match value {
        Num::I32(value) => Ok(value),
        other => Err(type_error(position, other, "i32")),
    }
}

pub(super) fn as_i64(position: u32, value: Num) -> Stepped<i64> {
    match value {
        Num::I64(value) => Ok(value),
        other => Err(type_error(position, other, "i64")),
    }
}

const OVERFLOW: Failure = Failure::Trap("integer overflow");
const BY_ZERO: Failure = Failure::Trap("integer divide by zero");

macro_rules! integer_operators {
    ($unary:ident, $binary:ident, $compare:ident, $signed:ty, $unsigned:ty) => {
        #[inline]
        pub(crate) fn $unary(op: IntUnary, x: $signed) -> $signed {
            match op {
                IntUnary::Clz => x.leading_zeros() as $signed,
                IntUnary::Ctz => x.trailing_zeros() as $signed,
                IntUnary::Popcnt => x.count_ones() as $signed,
                IntUnary::ExtendS(PackSize::Pack8) => x as i8 as $signed,
                IntUnary::ExtendS(PackSize::Pack16) => x as i16 as $signed,
                IntUnary::ExtendS(PackSize::Pack32) => x as i32 as $signed,
                IntUnary::ExtendS(PackSize::Pack64) => x,
            }
        }

        #[inline]
        pub(crate) fn $binary(op: IntBinary, a: $signed, b: $signed) -> Result<$signed, Failure> {
            Ok(match op {
                IntBinary::Add => a.wrapping_add(b),
                IntBinary::Sub => a.wrapping_sub(b),
                IntBinary::Mul => a.wrapping_mul(b),
                IntBinary::DivS if b == 0 => return Err(BY_ZERO),
                IntBinary::DivS => a.checked_div(b).ok_or(OVERFLOW)?,
                IntBinary::DivU => (a as $unsigned).checked_div(b as $unsigned).ok_or(BY_ZERO)? as $signed,
                IntBinary::RemS if b == 0 => return Err(BY_ZERO),
                IntBinary::RemS => a.wrapping_rem(b),
                IntBinary::RemU => (a as $unsigned).checked_rem(b as $unsigned).ok_or(BY_ZERO)? as $signed,
                IntBinary::And => a & b,
                IntBinary::Or => a | b,
                IntBinary::Xor => a ^ b,
                IntBinary::Shl => a.wrapping_shl(b as u32),
                IntBinary::ShrS => a.wrapping_shr(b as u32),
                IntBinary::ShrU => (a as $unsigned).wrapping_shr(b as u32) as $signed,
                IntBinary::Rotl => a.rotate_left((b as u32) % <$signed>::BITS),
                IntBinary::Rotr => a.rotate_right((b as u32) % <$signed>::BITS),
            })
        }

        #[inline]
        pub(crate) fn $compare(op: IntCompare, a: $signed, b: $signed) -> bool {
            let (x, y) = (a as $unsigned, b as $unsigned);
            match op {
                IntCompare::Eq => a == b,
                IntCompare::Ne => a != b,
                IntCompare::LtS => a < b,
                IntCompare::LtU => x < y,
                IntCompare::GtS => a > b,
                IntCompare::GtU => x > y,
                IntCompare::LeS => a <= b,
                IntCompare::LeU => x <= y,
                IntCompare::GeS => a >= b,
                IntCompare::GeU => x >= y,
            }
        }
    };
}

integer_operators!(unary32, binary32, compare32, i32, u32);
integer_operators!(unary64, binary64, compare64, i64, u64);

/// A test of one number.
pub fn test(op: &Width<IntTest>, value: Num) -> Stepped<bool> {
    match op {
        Width::I32(IntTest::Eqz) => Ok(as_i32(1, value)? == 0),
        Width::I64(IntTest::Eqz) => Ok(as_i64(1, value)? == 0),
    }
}

/// A comparison of two numbers. Of two ill-typed operands the second is reported.
pub fn compare(op: &Width<IntCompare>, a: Num, b: Num) -> Stepped<bool> {
    match op {
        Width::I32(op) => {
            let b = as_i32(2, b)?;
            Ok(compare32(*op, as_i32(1, a)?, b))
        }
        Width::I64(op) => {
            let b = as_i64(2, b)?;
            Ok(compare64(*op, as_i64(1, a)?, b))
        }
    }
}

/// An operator on one number.
pub fn unary(op: &Width<IntUnary>, value: Num) -> Stepped<Num> {
    match op {
        Width::I32(op) => Ok(Num::I32(unary32(*op, as_i32(1, value)?))),
        Width::I64(op) => Ok(Num::I64(unary64(*op, as_i64(1, value)?))),
    }
}

/// An operator on two numbers. Of two ill-typed operands the second is reported.
pub fn binary(op: &Width<IntBinary>, a: Num, b: Num) -> Result<Num, Failure> {
    match op {
        Width::I32(op) => {
            let b = as_i32(2, b)?;
            Ok(Num::I32(binary32(*op, as_i32(1, a)?, b)?))
        }
        Width::I64(op) => {
            let b = as_i64(2, b)?;
            Ok(Num::I64(binary64(*op, as_i64(1, a)?, b)?))
        }
    }
}

/// A conversion. Those from floats never find an operand of their type.
pub fn convert(op: &Width<IntConvert>, value: Num) -> Stepped<Num> {
    use IntConvert as C;
    let float = |op: C, same: &'static str| match op {
        C::TruncSF32 | C::TruncUF32 | C::TruncSatSF32 | C::TruncSatUF32 => "f32",
        C::TruncSF64 | C::TruncUF64 | C::TruncSatSF64 | C::TruncSatUF64 => "f64",
        _ => same,
    };
    match op {
        Width::I32(C::WrapI64) => Ok(Num::I32(as_i64(1, value)? as i32)),
        Width::I64(C::ExtendSI32) => Ok(Num::I64(as_i32(1, value)?.into())),
        Width::I64(C::ExtendUI32) => Ok(Num::I64((as_i32(1, value)? as u32).into())),
        Width::I32(C::ExtendSI32 | C::ExtendUI32) => Err(type_error(1, value, "i32")),
        Width::I64(C::WrapI64) => Err(type_error(1, value, "i64")),
        Width::I32(op) => Err(type_error(1, value, float(*op, "f32"))),
        Width::I64(op) => Err(type_error(1, value, float(*op, "f64"))),
    }
}
