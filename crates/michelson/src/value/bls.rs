//! The curve BLS12-381: points of both groups, numbers modulo their order, and the check of pairings.

use blst::blst_fp12;
use num_bigint::{BigInt, BigUint};
use num_integer::Integer;
use num_traits::Zero;
use std::ops::{Add, Mul, Neg};

/// The order of both groups, big-endian.
const ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53, 0xbd, 0xa4,
    0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];
/// Bit of the first byte that tells the compressed form.
const COMPRESSED: u8 = 0x80;
/// Bit of the first byte that tells the point at infinity.
const INFINITY: u8 = 0x40;
/// Bit of the first byte of the compressed form that tells which of two points it is.
const LARGER: u8 = 0x20;

fn order() -> BigUint {
    BigUint::from_bytes_be(&ORDER)
}

/// A number modulo the order of the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fr(BigUint);

impl Fr {
    /// Bytes of the written form.
    pub const SIZE: usize = 32;

    /// Reads at most 32 bytes, little-endian; none when they are too many or the number is not below the order.
    pub fn from_bytes(bytes: &[u8]) -> Option<Fr> {
        let value = BigUint::from_bytes_le(bytes);
        (bytes.len() <= Self::SIZE && value < order()).then_some(Fr(value))
    }

    /// The 32 bytes, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.to_bytes_le();
        bytes.resize(Self::SIZE, 0);
        bytes
    }

    /// The number itself, from 0.
    pub fn to_int(&self) -> BigInt {
        self.0.clone().into()
    }
}

impl From<&BigInt> for Fr {
    fn from(value: &BigInt) -> Fr {
        Fr(value.mod_floor(&order().into()).magnitude().clone())
    }
}

impl Add for &Fr {
    type Output = Fr;
    fn add(self, other: &Fr) -> Fr {
        Fr((&self.0 + &other.0) % order())
    }
}

impl Mul for &Fr {
    type Output = Fr;
    fn mul(self, other: &Fr) -> Fr {
        Fr((&self.0 * &other.0) % order())
    }
}

impl Neg for &Fr {
    type Output = Fr;
    fn neg(self) -> Fr {
        Fr((order() - &self.0) % order())
    }
}

/// A group. The library calls its points signatures, in one of its two arrangements.
macro_rules! group {
    ($name:ident, $arrangement:ident, $size:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(blst::$arrangement::Signature);

        impl $name {
            /// Bytes of the written form: the coordinates, not compressed.
            pub const SIZE: usize = $size;

            /// Reads a point; none unless it is one of the group, in its one form.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                if bytes.len() != Self::SIZE || bytes[0] & COMPRESSED != 0 {
                    return None;
                }
                let point = blst::$arrangement::Signature::deserialize(bytes).ok()?;
                point.subgroup_check().then_some($name(point))
            }

            /// The coordinates.
            pub fn to_bytes(&self) -> Vec<u8> {
                self.0.serialize().to_vec()
            }

            /// The point at infinity.
            pub fn infinity() -> Option<Self> {
                let mut bytes = [0; $size];
                bytes[0] = INFINITY;
                Self::from_bytes(&bytes)
            }

            /// Whether this is the point at infinity.
            pub fn is_infinity(&self) -> bool {
                self.0.serialize()[0] & INFINITY != 0
            }

            /// The sum of two points.
            pub fn plus(&self, other: &Self) -> Self {
                let mut sum = blst::$arrangement::AggregateSignature::from_signature(&self.0);
                sum.add_aggregate(&blst::$arrangement::AggregateSignature::from_signature(&other.0));
                $name(sum.to_signature())
            }

            /// The point so many times; none only if the library does not know infinity.
            pub fn times(&self, factor: &Fr) -> Option<Self> {
                if factor.0.is_zero() || self.is_infinity() {
                    return Self::infinity();
                }
                let one = blst::$arrangement::AggregateSignature::from_signature(&self.0);
                let mut sum = one;
                for bit in (0..factor.0.bits() - 1).rev() {
                    let doubled = sum;
                    sum.add_aggregate(&doubled);
                    if factor.0.bit(bit) {
                        sum.add_aggregate(&one);
                    }
                }
                Some($name(sum.to_signature()))
            }

            /// The point with which the sum is infinity.
            pub fn negated(&self) -> Option<Self> {
                if self.is_infinity() {
                    return Some(self.clone());
                }
                let mut bytes = self.0.compress();
                bytes[0] ^= LARGER;
                blst::$arrangement::Signature::uncompress(&bytes).ok().map($name)
            }
        }
    };
}

group!(G1, min_sig, 96, "A point of the first group.");
group!(G2, min_pk, 192, "A point of the second group.");

/// Whether the product of the pairings of all pairs is one.
pub fn pairings_cancel<'p>(pairs: impl Iterator<Item = (&'p G1, &'p G2)>) -> bool {
    let mut product = blst_fp12::default();
    // the pairing with infinity is one
    for (a, b) in pairs.filter(|(a, b)| !a.is_infinity() && !b.is_infinity()) {
        product *= blst_fp12::miller_loop((&b.0).into(), (&a.0).into());
    }
    product.final_exp() == blst_fp12::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generators as everybody writes them down.
    const ONE1: &str = "17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb\
                        08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1";
    const ONE2: &str = "13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e\
                        024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8\
                        0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be\
                        0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801";

    fn one1() -> G1 {
        G1::from_bytes(&hex::decode(ONE1).unwrap()).unwrap()
    }

    fn one2() -> G2 {
        G2::from_bytes(&hex::decode(ONE2).unwrap()).unwrap()
    }

    fn fr(value: i64) -> Fr {
        Fr::from(&BigInt::from(value))
    }

    #[test]
    fn numbers() {
        assert_eq!(&fr(-1) + &fr(1), fr(0));
        assert_eq!(&fr(-2) * &fr(-3), fr(6));
        assert_eq!(-&fr(5), fr(-5));
        assert_eq!(-&fr(0), fr(0));
        assert_eq!(Fr::from_bytes(&[7]), Some(fr(7)));
        assert_eq!(Fr::from_bytes(&fr(-7).to_bytes()), Some(fr(-7)));
        let mut too_large = ORDER;
        too_large.reverse();
        assert_eq!(Fr::from_bytes(&too_large), None);
        assert_eq!(Fr::from_bytes(&[0; 33]), None);
    }

    #[test]
    fn points() {
        let infinity = G1::infinity().unwrap();
        let (one, two) = (one1(), one1().plus(&one1()));
        assert_eq!(one.times(&fr(2)).unwrap(), two);
        assert_eq!(one.times(&fr(5)).unwrap(), two.plus(&two).plus(&one));
        assert_eq!(one.plus(&infinity), one);
        assert_eq!(infinity.plus(&one), one);
        assert_eq!(one.plus(&one.negated().unwrap()), infinity);
        assert_eq!(one.times(&fr(-1)), one.negated());
        assert_eq!(two.times(&fr(0)).unwrap(), infinity);
        assert_eq!(G1::from_bytes(&two.to_bytes()), Some(two));
        assert!(infinity.is_infinity() && infinity.negated().unwrap().is_infinity());
        let mut wrong = one2().to_bytes();
        assert!(G2::from_bytes(&wrong).is_some());
        wrong[100] ^= 1;
        assert!(G2::from_bytes(&wrong).is_none());
        assert_eq!(one2().times(&fr(-1)), one2().negated());
        assert!(G1::from_bytes(&one.0.compress()).is_none());
    }

    #[test]
    fn pairings() {
        let (a, b) = (one1(), one2());
        let (a6, b3) = (a.times(&fr(-6)).unwrap(), b.times(&fr(3)).unwrap());
        let a2 = a.times(&fr(2)).unwrap();
        assert!(pairings_cancel([(&a6, &b), (&a2, &b3)].into_iter()));
        assert!(!pairings_cancel([(&a6, &b), (&a, &b3)].into_iter()));
        assert!(pairings_cancel(std::iter::empty()));
        assert!(pairings_cancel([(&G1::infinity().unwrap(), &b)].into_iter()));
    }
}
