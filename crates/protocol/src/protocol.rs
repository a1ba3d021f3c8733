//! The protocols of the layer 1 that know smart rollups, 016 Mumbai to 025 Ushuaia, and what differs between them
//! (`spec/protocol.md` §8.1, §8.4; `spec/pvm.md` §9.2).

use soru_tezos::base58::Base58Error;
use soru_tezos::hash::ProtocolHash;
use std::fmt;

/// A protocol of the layer 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// 016, the first one with smart rollups.
    Mumbai,
    /// 017.
    Nairobi,
    /// 018.
    Oxford,
    /// 019, Paris B.
    ParisB,
    /// 020, Paris C.
    ParisC,
    /// 021.
    Quebec,
    /// 022.
    Rio,
    /// 023.
    Seoul,
    /// 024.
    Tallinn,
    /// 025.
    Ushuaia,
}

/// How a protocol originates `wasm_2_0_0` rollups and dissects their executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WasmParameters {
    /// The version written to the durable storage at origination.
    pub version: &'static str,
    /// The version set by the migration message to this protocol; none when the protocol sends no such message.
    pub migration_version: Option<&'static str>,
    /// Ticks of one `kernel_run`, and the alignment of dissections.
    pub ticks_per_snapshot: u64,
    /// Levels for which an outbox stays readable in the state.
    pub outbox_validity_period: i32,
    /// Messages in the outbox of one level.
    pub outbox_message_limit: u32,
}

/// What does not change a rule but a name or a number, one row a protocol.
struct Row {
    protocol: Protocol,
    hash: &'static str,
    name: &'static str,
    version_value: &'static str,
    wasm_version: &'static str,
    migration_version: Option<&'static str>,
}

const V0: &str = "2.0.0";
const V1: &str = "2.0.0-r1";
const V2: &str = "2.0.0-r2";
const V3: &str = "2.0.0-r3";
const V4: &str = "2.0.0-r4";
const V5: &str = "2.0.0-r5";
const V6: &str = "2.0.0-r6";

macro_rules! rows {
    ($($protocol:ident $hash:literal $name:literal $value:literal $version:ident $migration:expr;)*) => {
        [$(Row { protocol: Protocol::$protocol, hash: $hash, name: $name, version_value: $value, wasm_version: $version,
            migration_version: $migration }),*]
    };
}

const TABLE: [Row; 10] = rows! {
    Mumbai  "PtMumbai2TmsJHNGRkD8v8YDbtao7BLUC3wjASn1inAKLFCjaH1" "Mumbai" "mumbai_016" V0 None;
    Nairobi "PtNairobiyssHuh87hEhfVBGCVrK3WnS8Z2FT4ymB5tAa4r1nQf" "Nairobi" "nairobi_017" V1 Some(V1);
    Oxford  "ProxfordYmVfjWnRcgjWH36fW6PArwqykTFzotUxRs6gmTcZDuH" "Oxford" "oxford_018" V3 Some(V2);
    ParisB  "PtParisBxoLz5gzMmn3d9WBQNoPSZakgnkMC2VNuQ3KXfUtUQeZ" "Paris B" "paris_019" V4 Some(V4);
    ParisC  "PsParisCZo7KAh1Z1smVd9ZMZ1HHn5gkzbM94V3PLCpknFWhUAi" "Paris C" "paris_020" V4 Some(V4);
    Quebec  "PsQuebecnLByd3JwTiGadoG4nGWi3HYiLXUjkibeFV8dCFeVMUg" "Quebec" "quebec_021" V5 Some(V5);
    Rio     "PsRiotumaAMotcRoDWW1bysEhQy2n1M5fy8JgRp8jjRfHGmfeA7" "Rio" "r022_022" V5 Some(V5);
    Seoul   "PtSeouLouXkxhg39oWzjxDWaCydNfR3RxCUrNe4Q9Ro8BTehcbh" "Seoul" "s023_023" V5 Some(V5);
    Tallinn "PtTALLiNtPec7mE7yY4m3k26J8Qukef3E3ehzhfXgFZKGtDdAXu" "Tallinn" "t024_024" V5 Some(V5);
    Ushuaia "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY" "Ushuaia" "u025_025" V6 Some(V6);
};

impl Protocol {
    /// All of them, oldest first.
    pub const ALL: [Protocol; 10] = [
        Protocol::Mumbai,
        Protocol::Nairobi,
        Protocol::Oxford,
        Protocol::ParisB,
        Protocol::ParisC,
        Protocol::Quebec,
        Protocol::Rio,
        Protocol::Seoul,
        Protocol::Tallinn,
        Protocol::Ushuaia,
    ];

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The protocol of that hash, when it is one of these.
    pub fn from_hash(hash: &ProtocolHash) -> Option<Protocol> {
        let text = hash.to_base58();
        TABLE.iter().find(|row| row.hash == text).map(|row| row.protocol)
    }

    /// The base58check text of the hash.
    pub fn hash_text(self) -> &'static str {
        self.row().hash
    }

    /// The hash.
    ///
    /// # Errors
    /// None for the protocols of this table; the type is that of reading the text.
    pub fn hash(self) -> Result<ProtocolHash, Base58Error> {
        self.row().hash.parse()
    }

    /// The number the community counts protocols by: 16 to 25.
    pub fn number(self) -> u8 {
        16 + self as u8
    }

    /// The name: `Ushuaia`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The first eight letters of the hash, the suffix of the reference's programs: `PsUshuai`.
    pub fn short_hash(self) -> &'static str {
        &self.row().hash[..8]
    }

    /// The name used in error ids: `025-PsUshuai`.
    pub fn error_name(self) -> String {
        format!("{:03}-{}", self.number(), self.short_hash())
    }

    /// The text of the migration message (`spec/protocol.md` §3.1): `u025_025`.
    pub fn version_value(self) -> &'static str {
        self.row().version_value
    }

    /// Whether the inbox announces an upgrade to this protocol (017 and later).
    pub fn sends_migration_message(self) -> bool {
        self >= Protocol::Nairobi
    }

    /// Whether a refutation game may start no earlier than a commitment period after the level in conflict (025).
    pub fn delays_game_start(self) -> bool {
        self >= Protocol::Ushuaia
    }

    /// Whether rollups can be private and outboxes update whitelists (018 and later).
    pub fn has_whitelists(self) -> bool {
        self >= Protocol::Oxford
    }

    /// How `wasm_2_0_0` rollups are originated and dissected.
    pub fn wasm(self) -> WasmParameters {
        let long = self >= Protocol::ParisB;
        WasmParameters {
            version: self.row().wasm_version,
            migration_version: self.row().migration_version,
            ticks_per_snapshot: if long { 50_000_000_000_000 } else { 11_000_000_000 },
            outbox_validity_period: if long { 241_920 } else { 80_640 },
            outbox_message_limit: 100,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_their_protocol_says() {
        for (index, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(TABLE[index].protocol, protocol);
            assert_eq!(Protocol::from_hash(&protocol.hash().unwrap()), Some(protocol));
            assert!(protocol.version_value().ends_with(&format!("{:03}", protocol.number())));
        }
        assert_eq!(Protocol::Ushuaia.error_name(), "025-PsUshuai");
    }
}
