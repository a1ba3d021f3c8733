//! The schema language: one description of a type gives the type, its reading and its writing.

/// Types whose place in the tree is a single leaf, with the bytes of their `Encode` and `Decode`.
#[macro_export]
macro_rules! tree_leaf {
    ($($type:ty),+ $(,)?) => { $(
        impl $crate::containers::TreeValue for $type {
            fn write<W: $crate::containers::Writer>(
                &self,
                to: &mut W,
                path: &[&str],
            ) -> Result<(), $crate::containers::ContainerError> {
                Ok(to.leaf(path, |out| ::soru_tezos::codec::Encode::encode(self, out))?)
            }

            fn read(tree: &$crate::Tree, path: &[&str]) -> Result<Self, $crate::containers::ContainerError> {
                match tree.read(path, <$type as ::soru_tezos::codec::Decode>::from_bytes)? {
                    Some(value) => Ok(value?),
                    None => Err($crate::containers::ContainerError::KeyNotFound(path.join("/"))),
                }
            }
        }
    )+ };
}

/// A struct whose fields stand below the given steps of its directory; no step at all merges a field into the directory.
#[macro_export]
macro_rules! tree_record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(<$($g:ident),+>)? {
        $( $(#[$fmeta:meta])* $field:ident : $type:ty = [$($key:literal),*] ),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        $vis struct $name $(<$($g),+>)? { $( $(#[$fmeta])* pub $field: $type ),+ }

        impl $(<$($g: $crate::containers::TreeValue + Clone),+>)? $crate::containers::TreeValue for $name $(<$($g),+>)? {
            fn write<W: $crate::containers::Writer>(
                &self,
                to: &mut W,
                path: &[&str],
            ) -> Result<(), $crate::containers::ContainerError> {
                to.directory(path, |to| {
                    $( $crate::containers::TreeValue::write(&self.$field, to, &[$($key),*])?; )+
                    Ok(())
                })
            }

            fn read(tree: &$crate::Tree, path: &[&str]) -> Result<Self, $crate::containers::ContainerError> {
                let sub = $crate::containers::subtree(tree, path)?;
                Ok($name { $( $field: $crate::containers::TreeValue::read(&sub, &[$($key),*])? ),+ })
            }
        }
    };
}

/// An enum written as the leaf `tag` and a payload below `value`. The payload `()` is an empty leaf, `Nothing` is nothing.
#[macro_export]
macro_rules! tree_union {
    ($(#[$meta:meta])* $vis:vis enum $name:ident $(<$($g:ident),+>)? {
        $( $(#[$vmeta:meta])* $variant:ident ($type:ty) = $tag:literal ),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        $vis enum $name $(<$($g),+>)? { $( $(#[$vmeta])* $variant($type) ),+ }

        impl $(<$($g: $crate::containers::TreeValue + Clone),+>)? $crate::containers::TreeValue for $name $(<$($g),+>)? {
            fn write<W: $crate::containers::Writer>(
                &self,
                to: &mut W,
                path: &[&str],
            ) -> Result<(), $crate::containers::ContainerError> {
                match self { $( $name::$variant(payload) => $crate::containers::write_union(to, path, $tag, payload), )+ }
            }

            fn read(tree: &$crate::Tree, path: &[&str]) -> Result<Self, $crate::containers::ContainerError> {
                let (tag, sub) = $crate::containers::read_union(tree, path)?;
                let Some(tag) = tag else { return Err($crate::containers::ContainerError::KeyNotFound("tag".to_owned())) };
                $(
                    if tag.as_bytes() == $tag.as_bytes() {
                        return Ok($name::$variant($crate::containers::TreeValue::read(&sub, &["value"])?));
                    }
                )+
                Err($crate::containers::ContainerError::UnknownTag(::std::string::String::from_utf8_lossy(&tag).into_owned()))
            }
        }
    };
}
