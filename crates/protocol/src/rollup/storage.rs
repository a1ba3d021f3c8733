//! The stored form of a rollup's state: for whoever keeps a chain on disk. It is ours, not the layer 1's.

use super::{AppliedMessages, Rollup, Staker, Whitelist};
use crate::error::LastWhitelistUpdate;
use imbl::{OrdMap, OrdSet};
use soru_tezos::binary_struct;
use soru_tezos::codec::{Decode, Decoded, Encode, Reader, put_within};
use soru_tezos::number::N;

binary_struct!(Staker { index, level, bond });
binary_struct!(LastWhitelistUpdate { message_index, outbox_level });

impl Encode for AppliedMessages {
    fn encode(&self, out: &mut Vec<u8>) {
        self.level.encode(out);
        N(self.bitset.clone()).encode(out);
    }
}

impl Decode for AppliedMessages {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(AppliedMessages { level: Decode::decode(reader)?, bitset: N::decode(reader)?.0 })
    }
}

impl Encode for Whitelist {
    fn encode(&self, out: &mut Vec<u8>) {
        put_within(out, |out| self.members.iter().for_each(|key| key.encode(out)));
        self.last_update.encode(out);
    }
}

impl Decode for Whitelist {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let members = reader.list("whitelist", Decode::decode)?;
        Ok(Whitelist { members: OrdSet::from(members), last_update: Decode::decode(reader)? })
    }
}

fn put_map<K: Encode + Ord + Clone, V: Encode + Clone>(out: &mut Vec<u8>, map: &OrdMap<K, V>) {
    put_within(out, |out| {
        for (key, value) in map {
            key.encode(out);
            value.encode(out);
        }
    });
}

fn map<K: Decode + Ord + Clone, V: Decode + Clone>(reader: &mut Reader<'_>) -> Decoded<OrdMap<K, V>> {
    Ok(reader.list("map", |reader| Ok((K::decode(reader)?, V::decode(reader)?)))?.into_iter().collect())
}

impl Encode for Rollup {
    fn encode(&self, out: &mut Vec<u8>) {
        self.address.encode(out);
        self.kind.encode(out);
        self.parameters_type.encode(out);
        self.genesis_info.encode(out);
        self.last_cemented_commitment.encode(out);
        put_map(out, &self.commitments);
        put_map(out, &self.commitment_added);
        put_map(out, &self.first_publication);
        put_map(out, &self.commitments_per_level);
        put_map(out, &self.commitment_stakers);
        self.next_staker_index.encode(out);
        put_map(out, &self.stakers);
        put_map(out, &self.games);
        put_map(out, &self.applied_messages);
        self.whitelist.encode(out);
    }
}

impl Decode for Rollup {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Rollup {
            address: Decode::decode(reader)?,
            kind: Decode::decode(reader)?,
            parameters_type: Decode::decode(reader)?,
            genesis_info: Decode::decode(reader)?,
            last_cemented_commitment: Decode::decode(reader)?,
            commitments: map(reader)?,
            commitment_added: map(reader)?,
            first_publication: map(reader)?,
            commitments_per_level: map(reader)?,
            commitment_stakers: map(reader)?,
            next_staker_index: Decode::decode(reader)?,
            stakers: map(reader)?,
            games: map(reader)?,
            applied_messages: map(reader)?,
            whitelist: Decode::decode(reader)?,
        })
    }
}
