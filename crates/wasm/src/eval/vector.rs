//! Operators on 128-bit vectors (`spec/pvm.md` §5.6). Lanes are handled as sign-extended 64-bit integers of a given width.

use super::numeric::{as_i32, as_i64};
use crate::exception::{StepError, Stepped};
use crate::operator::{
    BitsBinary, Extension, Extract, Lanes, PackShape, PackSize, Replace, VecBinary, VecCompare, VecConvert,
    VecExtension, VecShift, VecSimpleBinary, VecUnary,
};
use crate::types::{Num, V128};

/// Width of a lane, in bits.
fn width<T>(shape: &Lanes<T>) -> (u32, &T) {
    match shape {
        Lanes::I8x16(op) => (8, op),
        Lanes::I16x8(op) => (16, op),
        Lanes::I32x4(op) => (32, op),
        Lanes::I64x2(op) => (64, op),
    }
}

fn lanes(bits: u32, V128(bytes): V128) -> Vec<i64> {
    bytes
        .chunks_exact(bits as usize / 8)
        .map(|lane| {
            let mut wide = [0; 8];
            wide[..lane.len()].copy_from_slice(lane);
            sign(bits, i64::from_le_bytes(wide))
        })
        .collect()
}

fn vector(bits: u32, lanes: impl IntoIterator<Item = i64>) -> V128 {
    let size = bits as usize / 8;
    let mut bytes = [0; 16];
    for (place, lane) in bytes.chunks_exact_mut(size).zip(lanes) {
        place.copy_from_slice(&lane.to_le_bytes()[..size]);
    }
    V128(bytes)
}

fn sign(bits: u32, value: i64) -> i64 {
    value << (64 - bits) >> (64 - bits)
}

fn zero(bits: u32, value: i64) -> u64 {
    (value as u64) << (64 - bits) >> (64 - bits)
}

fn saturate_s(bits: u32, value: i64) -> i64 {
    let max = i64::MAX >> (64 - bits);
    value.clamp(-max - 1, max)
}

fn saturate_u(bits: u32, value: i64) -> i64 {
    value.clamp(0, (u64::MAX >> (64 - bits)) as i64)
}

/// Whether all lanes are non-zero.
pub fn all_true<T>(shape: &Lanes<T>, v: V128) -> bool {
    lanes(width(shape).0, v).iter().all(|lane| *lane != 0)
}

/// Whether any bit is set.
pub fn any_true(V128(bytes): V128) -> bool {
    bytes != [0; 16]
}

/// The sign bits of the lanes.
pub fn bitmask<T>(shape: &Lanes<T>, v: V128) -> i32 {
    lanes(width(shape).0, v).iter().enumerate().fold(0, |mask, (at, lane)| mask | i32::from(*lane < 0) << at)
}

/// An operator on the lanes of one vector.
pub fn unary(op: &Lanes<VecUnary>, v: V128) -> V128 {
    let (bits, op) = width(op);
    let apply = |lane: i64| match op {
        VecUnary::Abs => lane.wrapping_abs(),
        VecUnary::Neg => lane.wrapping_neg(),
        VecUnary::Popcnt => zero(bits, lane).count_ones().into(),
    };
    vector(bits, lanes(bits, v).into_iter().map(apply))
}

/// A comparison of lanes; all bits of a lane are set where it holds.
pub fn compare(op: &Lanes<VecCompare>, a: V128, b: V128) -> V128 {
    let (bits, op) = width(op);
    let holds = |a: i64, b: i64| {
        let (x, y) = (zero(bits, a), zero(bits, b));
        match op {
            VecCompare::Eq => a == b,
            VecCompare::Ne => a != b,
            VecCompare::LtS => a < b,
            VecCompare::LtU => x < y,
            VecCompare::LeS => a <= b,
            VecCompare::LeU => x <= y,
            VecCompare::GtS => a > b,
            VecCompare::GtU => x > y,
            VecCompare::GeS => a >= b,
            VecCompare::GeU => x >= y,
        }
    };
    let pairs = lanes(bits, a).into_iter().zip(lanes(bits, b));
    vector(bits, pairs.map(|(a, b)| -i64::from(holds(a, b))))
}

/// An operator on the lanes of two vectors.
pub fn binary(op: &Lanes<VecBinary>, a: V128, b: V128) -> Stepped<V128> {
    let (bits, op) = width(op);
    match op {
        VecBinary::Simple(op) => simple(bits, *op, a, b),
        VecBinary::Shuffle(chosen) => {
            let both = [a.0, b.0].concat();
            let mut bytes = [0; 16];
            for (place, lane) in bytes.iter_mut().zip(chosen.0.iter()) {
                *place = *both.get(usize::from(*lane)).ok_or_else(no_such_lane)?;
            }
            Ok(V128(bytes))
        }
        VecBinary::NarrowS | VecBinary::NarrowU => {
            let narrow = |lane| match op {
                VecBinary::NarrowS => saturate_s(bits, lane),
                _ => saturate_u(bits, lane),
            };
            // the operands' lanes are twice as wide as the result's
            let wide = [lanes(bits * 2, a), lanes(bits * 2, b)].concat();
            Ok(vector(bits, wide.into_iter().map(narrow)))
        }
    }
}

/// The exception of a lane number out of range, which only a validated module could not have.
fn no_such_lane() -> StepError {
    StepError::unknown("Failure(\"nth\")")
}

fn simple(bits: u32, op: VecSimpleBinary, a: V128, b: V128) -> Stepped<V128> {
    use VecSimpleBinary as B;
    let apply = |a: i64, b: i64| {
        let (x, y) = (zero(bits, a), zero(bits, b));
        match op {
            B::Add => a.wrapping_add(b),
            B::Sub => a.wrapping_sub(b),
            B::Mul => a.wrapping_mul(b),
            B::MinS => a.min(b),
            B::MinU => x.min(y) as i64,
            B::MaxS => a.max(b),
            B::MaxU => x.max(y) as i64,
            B::AvgrU => (u128::from(x) + u128::from(y)).div_ceil(2) as i64,
            B::AddSatS => saturate_s(bits, a.saturating_add(b)),
            B::AddSatU => x.saturating_add(y).min(u64::MAX >> (64 - bits)) as i64,
            B::SubSatS => saturate_s(bits, a.saturating_sub(b)),
            B::SubSatU => x.saturating_sub(y) as i64,
            B::Q15MulRSatS => saturate_s(bits, (a.wrapping_mul(b).wrapping_add(0x4000)) >> 15),
            _ => 0,
        }
    };
    match op {
        B::DotS => {
            let products: Vec<i64> = lanes(16, a).into_iter().zip(lanes(16, b)).map(|(a, b)| a * b).collect();
            Ok(vector(32, products.chunks_exact(2).map(|pair| pair[0] + pair[1])))
        }
        B::ExtMulLowS | B::ExtMulHighS | B::ExtMulLowU | B::ExtMulHighU => {
            let high = matches!(op, B::ExtMulHighS | B::ExtMulHighU);
            let signed = matches!(op, B::ExtMulLowS | B::ExtMulHighS);
            let pairs = half(bits, high, signed, a).into_iter().zip(half(bits, high, signed, b));
            Ok(vector(bits, pairs.map(|(a, b)| a.wrapping_mul(b))))
        }
        B::Swizzle => {
            let from = a.0;
            Ok(V128(b.0.map(|lane| from.get(usize::from(lane)).copied().unwrap_or(0))))
        }
        _ => Ok(vector(bits, lanes(bits, a).into_iter().zip(lanes(bits, b)).map(|(a, b)| apply(a, b)))),
    }
}

/// The lower or upper half of the lanes of half the width `bits`, widened.
fn half(bits: u32, high: bool, signed: bool, v: V128) -> Vec<i64> {
    let narrow = lanes(bits / 2, v);
    let (low, upper) = narrow.split_at(narrow.len() / 2);
    let chosen = if high { upper } else { low };
    chosen.iter().map(|lane| if signed { *lane } else { zero(bits / 2, *lane) as i64 }).collect()
}

/// A conversion of lanes. The ones from floats read the lanes as such.
pub fn convert(op: &Lanes<VecConvert>, v: V128) -> V128 {
    use VecConvert as C;
    let (bits, op) = width(op);
    let floats = || v.0.chunks_exact(4).map(|lane| f32::from_le_bytes([lane[0], lane[1], lane[2], lane[3]]));
    let doubles = || lanes(64, v).into_iter().map(|lane| f64::from_bits(lane as u64));
    match op {
        C::ExtendLowS => vector(bits, half(bits, false, true, v)),
        C::ExtendLowU => vector(bits, half(bits, false, false, v)),
        C::ExtendHighS => vector(bits, half(bits, true, true, v)),
        C::ExtendHighU => vector(bits, half(bits, true, false, v)),
        C::ExtAddPairwiseS => vector(bits, lanes(bits / 2, v).chunks_exact(2).map(|pair| pair[0] + pair[1])),
        C::ExtAddPairwiseU => {
            let unsigned = |lane: i64| zero(bits / 2, lane) as i64;
            vector(bits, lanes(bits / 2, v).chunks_exact(2).map(|pair| unsigned(pair[0]) + unsigned(pair[1])))
        }
        C::TruncSatSF32x4 => vector(32, floats().map(|lane| i64::from(lane as i32))),
        C::TruncSatUF32x4 => vector(32, floats().map(|lane| i64::from(lane as u32))),
        C::TruncSatSZeroF64x2 => vector(32, doubles().map(|lane| i64::from(lane as i32))),
        C::TruncSatUZeroF64x2 => vector(32, doubles().map(|lane| i64::from(lane as u32))),
    }
}

/// A shift of lanes.
pub fn shift(op: &Lanes<VecShift>, v: V128, by: Num) -> Stepped<V128> {
    let (bits, op) = width(op);
    let by = as_i32(2, by)? as u32 % bits;
    let apply = |lane: i64| match op {
        VecShift::Shl => lane << by,
        VecShift::ShrS => lane >> by,
        VecShift::ShrU => (zero(bits, lane) >> by) as i64,
    };
    Ok(vector(bits, lanes(bits, v).into_iter().map(apply)))
}

/// All bits inverted.
pub fn not(V128(bytes): V128) -> V128 {
    V128(bytes.map(|byte| !byte))
}

/// An operator on the bits of two vectors.
pub fn bits(op: BitsBinary, a: V128, b: V128) -> V128 {
    let (a, b) = (u128::from_le_bytes(a.0), u128::from_le_bytes(b.0));
    let result = match op {
        BitsBinary::And => a & b,
        BitsBinary::Or => a | b,
        BitsBinary::Xor => a ^ b,
        BitsBinary::AndNot => a & !b,
    };
    V128(result.to_le_bytes())
}

/// The bits of `a` where `mask` is set, those of `b` elsewhere.
pub fn bitselect(a: V128, b: V128, mask: V128) -> V128 {
    let [a, b, mask] = [a, b, mask].map(|v| u128::from_le_bytes(v.0));
    V128((a & mask | b & !mask).to_le_bytes())
}

/// A number in all lanes.
pub fn splat<T>(shape: &Lanes<T>, value: Num) -> Stepped<V128> {
    let (bits, _) = width(shape);
    let lane = if bits == 64 { as_i64(1, value)? } else { as_i32(1, value)?.into() };
    Ok(vector(bits, std::iter::repeat(lane)))
}

/// One lane.
pub fn extract(op: &Extract, v: V128) -> Stepped<Num> {
    let (lane, shape, extension) = match op {
        Extract::Narrow(lane, shape, extension) => (lane, shape, Some(*extension)),
        Extract::Wide(lane, shape) => (lane, shape, None),
    };
    let (bits, ()) = width(shape);
    let value = lane_at(bits, lane.0, v)?;
    Ok(match extension {
        Some(Extension::Zero) => Num::I32(zero(bits, value) as i32),
        _ if bits == 64 => Num::I64(value),
        _ => Num::I32(value as i32),
    })
}

/// Lane number `lane` of the lanes of width `bits`.
pub fn lane_at(bits: u32, lane: i32, v: V128) -> Stepped<i64> {
    lanes(bits, v).get(lane as usize).copied().ok_or_else(no_such_lane)
}

/// One lane replaced. A lane that does not exist is not replaced.
pub fn replace_lane(bits: u32, lane: i32, v: V128, value: i64) -> V128 {
    let mut all = lanes(bits, v);
    if let Some(place) = all.get_mut(lane as usize) {
        *place = value;
    }
    vector(bits, all)
}

/// One lane replaced by a number.
pub fn replace(op: &Lanes<Replace>, v: V128, value: Num) -> Stepped<V128> {
    let (bits, Replace::Replace(lane)) = width(op);
    let value = if bits == 64 { as_i64(1, value)? } else { as_i32(1, value)?.into() };
    Ok(replace_lane(bits, lane.0, v, value))
}

/// What a narrow load makes of the number it loaded.
pub fn load_extended(size: PackSize, extension: VecExtension, value: u64) -> V128 {
    let low = vector(64, [value as i64]);
    match extension {
        VecExtension::Zero => low,
        VecExtension::Splat => vector(size.bytes() * 8, std::iter::repeat(value as i64)),
        VecExtension::Lane(shape, extension) => {
            let bits = match shape {
                PackShape::Pack8x8 => 16,
                PackShape::Pack16x4 => 32,
                PackShape::Pack32x2 => 64,
            };
            vector(bits, half(bits, false, extension == Extension::Signed, low))
        }
    }
}
