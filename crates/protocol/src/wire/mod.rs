//! Bytes that differ between the protocols (`spec/protocol.md` §8.4): the types of `soru-tezos` are those of 025, here older
//! protocols read and write theirs.

mod operations;
mod since;

pub use operations::{Contents, ContentsError, Dropped};
pub use since::{Dated, NotYet, Since};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;
    use serde_json::{Value, json};
    use soru_tezos::codec::{Decode, Reader};
    use soru_tezos::micheline::{Micheline, Prim};
    use soru_tezos::rollup::{InboxMessage, OutboxMessage, PvmKind, RevealRequest};

    /// The header of all operations below, but for the tag.
    const HEADER: &str = "0002298c03ed7d454a101eb7022bc95f7e5f41ac7801020300";

    fn operation(kind: &str, fields: Value) -> Value {
        let mut json = json!({
            "kind": kind, "source": "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx", "fee": "1", "counter": "2", "gas_limit": "3",
            "storage_limit": "0",
        });
        for (key, value) in fields.as_object().unwrap() {
            json[key] = value.clone();
        }
        json
    }

    /// Writes and reads an operation; gives tag and body in hexadecimal, or what is wrong.
    fn body(protocol: Protocol, json: &Value) -> Result<String, String> {
        let contents = Contents::from_json(protocol, json.clone()).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        contents.encode(protocol, &mut bytes).map_err(|error| error.to_string())?;
        let mut reader = Reader::new(&bytes);
        let read = Contents::decode(protocol, &mut reader).unwrap();
        assert_eq!((&read, reader.left()), (&contents, 0));
        assert_eq!(read.to_json(protocol).unwrap().to_string(), json.to_string(), "the order of fields counts too");
        let hex = hex::encode(bytes);
        assert_eq!(hex[2..].get(..HEADER.len()), Some(HEADER));
        Ok(format!("{} {}", &hex[..2], &hex[2 + HEADER.len()..]))
    }

    #[test]
    fn originations_and_cementations_of_016_and_017() {
        let rollup = "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57";
        let commitment = "src12UJzB8mg7yU6nWPzicH7ofJbFjyJEbHvwtZdfRXi8DQHNp1LY8";
        let new = operation("smart_rollup_cement", json!({"rollup": rollup}));
        let old = operation("smart_rollup_cement", json!({"rollup": rollup, "commitment": commitment}));
        let zero = "00".repeat(20);
        for protocol in Protocol::ALL {
            if protocol <= Protocol::Nairobi {
                assert_eq!(body(protocol, &old).unwrap(), format!("ca {zero}{}", "00".repeat(32)));
                assert!(body(protocol, &new).unwrap_err().contains("missing field `commitment`"));
            } else {
                assert_eq!(body(protocol, &new).unwrap(), format!("ca {zero}"));
            }
        }
        let ty = json!({"prim": "string"});
        let old = json!({"pvm_kind": "arith", "kernel": "0102", "origination_proof": "03", "parameters_ty": ty});
        let old = operation("smart_rollup_originate", old);
        assert_eq!(body(Protocol::Mumbai, &old).unwrap(), "c8 000000000201020000000103000000020368");
        let new =
            operation("smart_rollup_originate", json!({"pvm_kind": "arith", "kernel": "0102", "parameters_ty": ty}));
        assert_eq!(body(Protocol::Oxford, &new).unwrap(), "c8 0000000002010200000002036800");
        let riscv =
            operation("smart_rollup_originate", json!({"pvm_kind": "riscv", "kernel": "", "parameters_ty": ty}));
        let refused = body(Protocol::Nairobi, &riscv).unwrap_err();
        assert_eq!(refused, "017-PtNairob does not know the PVM riscv, which came with 018-Proxford");
    }

    #[test]
    fn fields_and_tags_that_came_later() {
        let key = "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav";
        let reveal = operation("reveal", json!({"public_key": key}));
        let update = operation("update_consensus_key", json!({"pk": key}));
        let companion = operation("update_companion_key", json!({"pk": key}));
        let stake = json!({"amount": "0", "destination": "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx",
            "parameters": {"entrypoint": "stake", "value": {"prim": "Unit"}}});
        let stake = operation("transaction", stake);
        for protocol in Protocol::ALL {
            // tag, scheme and key, and the presence byte of the proof
            assert_eq!(body(protocol, &reveal).unwrap().len(), if protocol < Protocol::Seoul { 69 } else { 71 });
            assert_eq!(body(protocol, &update).unwrap().len(), if protocol < Protocol::Rio { 69 } else { 71 });
            assert_eq!(body(protocol, &companion).is_ok(), protocol >= Protocol::Seoul);
            let called = if protocol < Protocol::Oxford { "ff057374616b65" } else { "06" };
            let wanted = format!("6c 00000002298c03ed7d454a101eb7022bc95f7e5f41ac78ff{called}00000002030b");
            assert_eq!(body(protocol, &stake).unwrap(), wanted, "{protocol}");
        }
        // the tag of an entrypoint that 017 does not know
        let bytes = format!("6c{HEADER}00000002298c03ed7d454a101eb7022bc95f7e5f41ac78ff0600000002030b");
        let bytes = hex::decode(bytes).unwrap();
        assert!(Contents::decode(Protocol::Nairobi, &mut Reader::new(&bytes)).is_err());
        assert!(Contents::decode(Protocol::Oxford, &mut Reader::new(&bytes)).is_ok());
    }

    #[test]
    fn the_publication_of_slots_by_its_names() {
        let header = json!({"slot_index": 7, "commitment": "sh1u3tr3YKPDYUp2wWKCfmV5KZb82FREhv8GtDeR3EJccsBerWGwJYKufsDNH8rk4XqGrXdooZ",
            "commitment_proof": "00".repeat(96)});
        let mut dated = json!({"published_level": 9});
        for (key, value) in header.as_object().unwrap() {
            dated[key] = value.clone();
        }
        let new = operation("dal_publish_commitment", json!({"slot_header": header}));
        let old = operation("dal_publish_slot_header", json!({"slot_header": header}));
        let first = operation("dal_publish_slot_header", json!({"slot_header": dated}));
        assert!(body(Protocol::Mumbai, &first).unwrap().starts_with("e6 0000000907"));
        assert!(body(Protocol::Mumbai, &old).unwrap_err().contains("published_level"));
        assert!(body(Protocol::Oxford, &old).unwrap().starts_with("e6 07"));
        assert!(body(Protocol::Oxford, &new).unwrap_err().contains("the kind is 'dal_publish_slot_header' here"));
        assert!(body(Protocol::ParisB, &new).unwrap().starts_with("e6 07"));
        assert!(body(Protocol::ParisB, &old).is_err());
    }

    #[test]
    fn messages_come_with_their_protocol() {
        fn since<T: Dated + Decode>(bytes: &[u8]) -> Protocol {
            T::from_bytes(bytes).unwrap().since().protocol
        }
        assert_eq!(since::<InboxMessage>(&[0, 1]), Protocol::Mumbai);
        assert_eq!(since::<InboxMessage>(&[0, 4, 0, 0, 0, 0]), Protocol::Nairobi);
        assert_eq!(since::<OutboxMessage>(&[0, 0, 0, 0, 0]), Protocol::Mumbai);
        assert_eq!(since::<OutboxMessage>(&[1, 0, 0, 0, 0]), Protocol::Nairobi);
        assert_eq!(since::<OutboxMessage>(&[2, 0]), Protocol::Oxford);
        assert_eq!(since::<OutboxMessage>(&[3, 0, 0, 0, 0]), Protocol::Ushuaia);
        assert_eq!(since::<RevealRequest>(&[1]), Protocol::Mumbai);
        assert_eq!(since::<RevealRequest>(&[3]), Protocol::Oxford);
        assert_eq!(since::<RevealRequest>(&[4, 0, 0, 0, 1, 0, 0, 0, 50, 0]), Protocol::Rio);
        assert_eq!(PvmKind::Riscv.since().protocol, Protocol::Oxford);
        let code = Micheline::Seq(vec![Micheline::word(Prim::UNIT), Micheline::word(Prim::INDEX_ADDRESS)]);
        let refused = code.check(Protocol::Seoul).unwrap_err().to_string();
        assert_eq!(refused, "023-PtSeouLo does not know INDEX_ADDRESS, which came with 024-PtTALLiN");
        assert!(code.check(Protocol::Tallinn).is_ok());
    }
}
