//! Small schema macros for the enums that live inside leaves (`spec/pvm.md` §4.3).

/// An enum of constants, written as its rank in one byte.
macro_rules! leaf_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            const ALL: &'static [$name] = &[$($name::$variant),+];
        }

        impl soru_tezos::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }
        }

        impl soru_tezos::codec::Decode for $name {
            fn decode(reader: &mut soru_tezos::codec::Reader<'_>) -> soru_tezos::codec::Decoded<Self> {
                let tag = reader.byte(stringify!($name))?;
                $name::ALL
                    .get(usize::from(tag))
                    .copied()
                    .ok_or_else(|| reader.error(stringify!($name), soru_tezos::codec::Problem::Tag(tag)))
            }
        }
    };
}

/// An enum whose cases all have a payload, written as a tag byte and the payload.
macro_rules! leaf_union {
    ($(#[$meta:meta])* pub enum $name:ident $(<$g:ident>)? {
        $($(#[$vmeta:meta])* $variant:ident($type:ty) = $tag:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name $(<$g>)? { $($(#[$vmeta])* $variant($type)),+ }

        impl $(<$g: soru_tezos::codec::Encode>)? soru_tezos::codec::Encode for $name $(<$g>)? {
            fn encode(&self, out: &mut Vec<u8>) {
                match self { $( $name::$variant(payload) => { out.push($tag); payload.encode(out) } )+ }
            }
        }

        impl $(<$g: soru_tezos::codec::Decode>)? soru_tezos::codec::Decode for $name $(<$g>)? {
            fn decode(reader: &mut soru_tezos::codec::Reader<'_>) -> soru_tezos::codec::Decoded<Self> {
                match reader.byte(stringify!($name))? {
                    $( $tag => Ok($name::$variant(soru_tezos::codec::Decode::decode(reader)?)), )+
                    tag => Err(reader.error(stringify!($name), soru_tezos::codec::Problem::Tag(tag))),
                }
            }
        }
    };
}

pub(crate) use {leaf_enum, leaf_union};
