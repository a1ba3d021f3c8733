//! Bytes that differ between the protocols (`spec/protocol.md` §8.4): the types of `soru-tezos` are those of 025, here older
//! protocols read and write theirs.

use crate::protocol::Protocol;
use soru_tezos::codec::{Decode, Decoded, Encode, HexBytes, Problem, Reader, put_within};
use soru_tezos::hash::CommitmentHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{Cement, Originate};
use soru_tezos::rollup::{InboxMessage, OutboxMessage, PvmKind, RevealRequest};

impl Protocol {
    /// Whether an origination carries a proof of its first state, and a cementation names its commitment (016 and 017).
    pub fn has_origination_proofs(self) -> bool {
        self < Protocol::Oxford
    }

    /// The last tag of internal inbox messages.
    pub fn last_inbox_tag(self) -> u8 {
        match self {
            Protocol::Mumbai => 3,
            Protocol::Ushuaia => 5,
            _ => 4,
        }
    }

    /// The last tag of outbox messages.
    pub fn last_outbox_tag(self) -> u8 {
        match self {
            Protocol::Mumbai => 0,
            Protocol::Nairobi => 1,
            Protocol::Ushuaia => 3,
            _ => 2,
        }
    }

    /// The last tag of reveal requests.
    pub fn last_reveal_tag(self) -> u8 {
        if self >= Protocol::Tallinn {
            4
        } else if self >= Protocol::Oxford {
            3
        } else {
            2
        }
    }
}

/// The body of `smart_rollup_originate`. `proof` is that of the first state, which only 016 and 017 write; these have no
/// whitelists.
pub fn originate_to_bytes(protocol: Protocol, originate: &Originate, proof: &HexBytes) -> Vec<u8> {
    if !protocol.has_origination_proofs() {
        return originate.to_bytes();
    }
    let mut out = Vec::new();
    originate.pvm_kind.encode(&mut out);
    originate.kernel.encode(&mut out);
    proof.encode(&mut out);
    put_within(&mut out, |out| originate.parameters_ty.encode(out));
    out
}

/// Reads the body of `smart_rollup_originate`, and the proof of the first state where the protocol writes one.
///
/// # Errors
/// When the bytes are none, or name a kind of PVM that the protocol does not know.
pub fn originate_of_bytes(protocol: Protocol, bytes: &[u8]) -> Decoded<(Originate, Option<HexBytes>)> {
    if !protocol.has_origination_proofs() {
        return Ok((Originate::from_bytes(bytes)?, None));
    }
    let mut reader = Reader::new(bytes);
    let at = reader.clone();
    let pvm_kind = PvmKind::decode(&mut reader)?;
    if pvm_kind == PvmKind::Riscv {
        return Err(at.error("kind of PVM", Problem::Tag(2)));
    }
    let kernel = HexBytes::decode(&mut reader)?;
    let proof = HexBytes::decode(&mut reader)?;
    let parameters_ty = reader.within("parameter type", Micheline::decode)?;
    reader.finish("origination")?;
    Ok((Originate { pvm_kind, kernel, parameters_ty, whitelist: None }, Some(proof)))
}

/// The body of `smart_rollup_cement`; only 016 and 017 write the commitment.
pub fn cement_to_bytes(protocol: Protocol, cement: &Cement, commitment: &CommitmentHash) -> Vec<u8> {
    let mut out = cement.to_bytes();
    if protocol.has_origination_proofs() {
        commitment.encode(&mut out);
    }
    out
}

/// Reads the body of `smart_rollup_cement`, and the commitment where the protocol writes it.
///
/// # Errors
/// When the bytes are none.
pub fn cement_of_bytes(protocol: Protocol, bytes: &[u8]) -> Decoded<(Cement, Option<CommitmentHash>)> {
    let mut reader = Reader::new(bytes);
    let cement = Cement::decode(&mut reader)?;
    let commitment = match protocol.has_origination_proofs() {
        true => Some(CommitmentHash::decode(&mut reader)?),
        false => None,
    };
    reader.finish("cementation")?;
    Ok((cement, commitment))
}

/// Refuses a tag that a protocol does not know yet.
fn known(bytes: &[u8], place: usize, last: u8, what: &'static str) -> Decoded<()> {
    match bytes.get(place) {
        Some(tag) if *tag > last => Err(Reader::new(bytes).error(what, Problem::Tag(*tag))),
        _ => Ok(()),
    }
}

/// Reads a message of the inbox.
///
/// # Errors
/// When the bytes are none of that protocol.
pub fn inbox_message(protocol: Protocol, bytes: &[u8]) -> Decoded<InboxMessage> {
    if bytes.first() == Some(&0) {
        known(bytes, 1, protocol.last_inbox_tag(), "internal inbox message")?;
    }
    InboxMessage::from_bytes(bytes)
}

/// Reads a message of an outbox.
///
/// # Errors
/// When the bytes are none of that protocol.
pub fn outbox_message(protocol: Protocol, bytes: &[u8]) -> Decoded<OutboxMessage> {
    known(bytes, 0, protocol.last_outbox_tag(), "outbox message")?;
    OutboxMessage::from_bytes(bytes)
}

/// Reads a reveal request.
///
/// # Errors
/// When the bytes are none of that protocol.
pub fn reveal_request(protocol: Protocol, bytes: &[u8]) -> Decoded<RevealRequest> {
    known(bytes, 0, protocol.last_reveal_tag(), "reveal request")?;
    RevealRequest::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use soru_tezos::hash::SmartRollupAddress;
    use soru_tezos::micheline::Prim;

    #[test]
    fn bodies_of_each_protocol() {
        let originate = Originate {
            pvm_kind: PvmKind::Wasm200,
            kernel: HexBytes(vec![1, 2]),
            parameters_ty: Micheline::word(Prim::string),
            whitelist: None,
        };
        let proof = HexBytes(vec![3]);
        let cement = Cement { rollup: SmartRollupAddress([4; 20]) };
        let commitment = CommitmentHash([5; 32]);
        for protocol in Protocol::ALL {
            let old = protocol <= Protocol::Nairobi;
            let bytes = originate_to_bytes(protocol, &originate, &proof);
            let wanted = if old { "01000000020102000000010300000002" } else { "01000000020102000000020368" };
            assert!(hex::encode(&bytes).starts_with(wanted), "{protocol}");
            assert_eq!(bytes.len(), if old { 18 } else { 14 }, "{protocol}");
            let read = originate_of_bytes(protocol, &bytes).unwrap();
            assert_eq!(read, (originate.clone(), old.then(|| proof.clone())));
            let bytes = cement_to_bytes(protocol, &cement, &commitment);
            assert_eq!(bytes.len(), if old { 52 } else { 20 });
            assert_eq!(cement_of_bytes(protocol, &bytes).unwrap(), (cement.clone(), old.then_some(commitment)));
            let riscv = Originate { pvm_kind: PvmKind::Riscv, ..originate.clone() };
            let riscv = originate_to_bytes(protocol, &riscv, &proof);
            assert_eq!(originate_of_bytes(protocol, &riscv).is_ok(), !old);
        }
    }

    #[test]
    fn messages_come_with_their_protocol() {
        let first = |read: &dyn Fn(Protocol) -> bool| Protocol::ALL.into_iter().find(|protocol| read(*protocol));
        let migration = [0, 4, 0, 0, 0, 0];
        assert_eq!(first(&|protocol| inbox_message(protocol, &migration).is_ok()), Some(Protocol::Nairobi));
        let typed = [1, 0, 0, 0, 0];
        assert_eq!(first(&|protocol| outbox_message(protocol, &typed).is_ok()), Some(Protocol::Nairobi));
        assert_eq!(first(&|protocol| outbox_message(protocol, &[2, 0]).is_ok()), Some(Protocol::Oxford));
        let signal = [3, 0, 0, 0, 0];
        assert_eq!(first(&|protocol| outbox_message(protocol, &signal).is_ok()), Some(Protocol::Ushuaia));
        assert_eq!(first(&|protocol| reveal_request(protocol, &[3]).is_ok()), Some(Protocol::Oxford));
        assert_eq!(first(&|protocol| reveal_request(protocol, &[1]).is_ok()), Some(Protocol::Mumbai));
    }
}
