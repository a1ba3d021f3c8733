//! The table of host functions (`spec/pvm.md` §8.1).

use crate::version::Version;

/// Type of an argument or result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
}

/// Types of a host function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Of the arguments.
    pub params: &'static [ValueType],
    /// Of the results: at most one.
    pub results: &'static [ValueType],
}

use ValueType::{I32, I64};

macro_rules! host_functions {
    ($($(#[$doc:meta])* $name:ident $import:literal $stored:literal ($($param:ident)*) -> ($($result:ident)?) $since:ident;)*) => {
        /// A host function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum HostFunction { $($(#[$doc])* $name,)* }

        /// All host functions.
        pub const TABLE: &[HostFunction] = &[$(HostFunction::$name,)*];

        impl HostFunction {
            /// The name kernels import it by.
            pub const fn import(self) -> &'static str {
                match self { $(HostFunction::$name => $import,)* }
            }

            /// The name kept in function instances, part of the state.
            pub const fn stored_name(self) -> &'static str {
                match self { $(HostFunction::$name => $stored,)* }
            }

            /// Its types.
            pub const fn signature(self) -> Signature {
                match self { $(HostFunction::$name => Signature { params: &[$($param),*], results: &[$($result)?] },)* }
            }

            /// The first version that has it.
            pub const fn since(self) -> Version {
                match self { $(HostFunction::$name => Version::$since,)* }
            }
        }
    };
}

host_functions! {
    /// Takes the next message of the level.
    ReadInput "read_input" "tezos_read_input" (I32 I32 I32) -> (I32) V0;
    /// Appends a message to the outbox.
    WriteOutput "write_output" "tezos_write_output" (I32 I32) -> (I32) V0;
    /// Nothing, for the state.
    WriteDebug "write_debug" "tezos_write_debug" (I32 I32) -> () V0;
    /// Whether a key has a value, sub-keys, or both.
    StoreHas "store_has" "tezos_store_has" (I32 I32) -> (I32) V0;
    /// Number of entries of a directory.
    StoreListSize "store_list_size" "tezos_store_list_size" (I32 I32) -> (I64) V0;
    /// Name of an entry of a directory.
    StoreGetNthKey "store_get_nth_key" "tezos_store_get_nth_key_list" (I32 I32 I64 I32 I32) -> (I32) V0;
    /// Removes a value and everything below it.
    StoreDelete "store_delete" "tezos_store_delete" (I32 I32) -> (I32) V0;
    /// Copies a subtree.
    StoreCopy "store_copy" "tezos_store_copy" (I32 I32 I32 I32) -> (I32) V0;
    /// Moves a subtree.
    StoreMove "store_move" "tezos_store_move" (I32 I32 I32 I32) -> (I32) V0;
    /// Length of a value.
    StoreValueSize "store_value_size" "tezos_store_value_size" (I32 I32) -> (I32) V0;
    /// Reads from a value.
    StoreRead "store_read" "tezos_store_read" (I32 I32 I32 I32 I32) -> (I32) V0;
    /// Writes into a value; the stored name is the reference's.
    StoreWrite "store_write" "tezos_write_read" (I32 I32 I32 I32 I32) -> (I32) V0;
    /// Asks for the preimage of a hash.
    RevealPreimage "reveal_preimage" "tezos_reveal_preimage" (I32 I32 I32 I32) -> (I32) V0;
    /// Asks for the rollup's address and origination level.
    RevealMetadata "reveal_metadata" "tezos_reveal_metadata" (I32 I32) -> (I32) V0;
    /// Removes a value, not what is below it.
    StoreDeleteValue "store_delete_value" "tezos_store_delete_value" (I32 I32) -> (I32) V1;
    /// Hash of a directory.
    StoreGetHash "__internal_store_get_hash" "tezos_internal_store_get_hash" (I32 I32 I32 I32) -> (I32) V1;
    /// Creates a value of zeros.
    StoreCreate "store_create" "tezos_store_create" (I32 I32 I32) -> (I32) V1;
    /// Whether there is anything under a key.
    StoreExists "store_exists" "tezos_store_exists" (I32 I32) -> (I32) V2;
    /// Asks for an answer to any reveal request.
    Reveal "reveal" "tezos_reveal" (I32 I32 I32 I32) -> (I32) V3;
    /// New durable storage: grows or shrinks the registry.
    NdsRegistryResize "nds_registry_resize" "nds_registry_resize" (I64) -> (I32) V6;
    /// New durable storage: copies a database.
    NdsRegistryCopy "nds_registry_copy" "nds_registry_copy" (I64 I64) -> (I32) V6;
    /// New durable storage: moves a database.
    NdsRegistryMove "nds_registry_move" "nds_registry_move" (I64 I64) -> (I32) V6;
    /// New durable storage: empties a database.
    NdsRegistryClear "nds_registry_clear" "nds_registry_clear" (I64) -> (I32) V6;
    /// New durable storage: whether a key exists.
    NdsStoreExists "nds_store_exists" "nds_store_exists" (I64 I32 I32) -> (I32) V6;
    /// New durable storage: removes a key.
    NdsStoreDelete "nds_store_delete" "nds_store_delete" (I64 I32 I32) -> (I32) V6;
    /// New durable storage: length of a value.
    NdsStoreValueSize "nds_store_value_size" "nds_store_value_size" (I64 I32 I32) -> (I32) V6;
    /// New durable storage: reads from a value.
    NdsStoreRead "nds_store_read" "nds_store_read" (I64 I32 I32 I64 I32 I32) -> (I32) V6;
    /// New durable storage: writes into a value.
    NdsStoreWrite "nds_store_write" "nds_store_write" (I64 I32 I32 I64 I32 I32) -> (I32) V6;
    /// New durable storage: replaces a value.
    NdsStoreSet "nds_store_set" "nds_store_set" (I64 I32 I32 I32 I32) -> (I32) V6;
    /// New durable storage: hash of a database.
    NdsDatabaseGetHash "nds_database_get_hash" "nds_database_get_hash" (I64 I32 I32) -> (I32) V6;
}

impl HostFunction {
    /// Whether it belongs to the new durable storage (§9.3).
    pub fn is_nds(self) -> bool {
        self.since() == Version::V6
    }
}

/// The host function that `version` links under the name `import`.
pub fn by_import(version: Version, import: &str) -> Option<HostFunction> {
    TABLE.iter().copied().find(|function| function.import() == import && function.since() <= version)
}

/// The host function of the run-time registry of `version` under its stored name.
pub fn by_stored_name(version: Version, name: &str) -> Option<HostFunction> {
    TABLE.iter().copied().find(|function| function.stored_name() == name && function.since() <= version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_appear_with_their_version() {
        for (index, function) in TABLE.iter().enumerate() {
            let later = &TABLE[index + 1..];
            assert!(later.iter().all(|other| other.import() != function.import()));
            assert!(later.iter().all(|other| other.stored_name() != function.stored_name()));
        }
        assert_eq!(by_import(Version::V2, "reveal"), None);
        assert_eq!(by_import(Version::V3, "reveal"), Some(HostFunction::Reveal));
        assert_eq!(by_import(Version::Experimental, "nds_store_set"), Some(HostFunction::NdsStoreSet));
        assert_eq!(by_stored_name(Version::V0, "tezos_write_read"), Some(HostFunction::StoreWrite));
    }
}
