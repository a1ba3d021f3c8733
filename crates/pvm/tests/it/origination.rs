//! States at the origination (`spec/pvm.md` §1.6, §15).

use soru_pvm::state::initial_tree;
use soru_pvm::{Parameters, Pvm, Version};
use soru_tezos::blake2b::hash256;
use soru_tezos::hash::{CommitmentHash, StateHash};

#[test]
fn initial_states_have_the_hashes_of_the_protocols() {
    let expected = [
        (Version::V0, "srs11XQCynQfGtuUr4c47rAoazGeTfC33R5FmimBKbnMrWwntHURX1"),
        (Version::V1, "srs129wuRkckJpSyDhsqSvzE3qSVnvJZ7nD93r3b6oiBtPxa9LMBHu"),
        (Version::V2, "srs11qkRe5cbDBixB2fuumn4tfkvQcxUSuFXa94Lv5c6kdzzfpM9UF"),
        (Version::V3, "srs127FAyj2NkJYtN8RE8yPieBGpakvAH8MgwzRPUM4UnsCKB24rrA"),
        (Version::V4, "srs12fibdViazhEHChEE5vbkXcjrknR9mSk9YQSZceZrjcbpt9VeVh"),
        (Version::V5, "srs12eEvcaaUKzGBVe5p5kagD1WX34fkCZERKNWYupjdJcB3kndB4B"),
        (Version::V6, "srs123VBhwzwXwf4oyjhnfTgtBFc3THmj1LN5HutPcKZms3sBwshSW"),
    ];
    for (version, hash) in expected {
        let tree = initial_tree(version).unwrap();
        assert_eq!(StateHash(tree.hash().unwrap().0).to_string(), hash, "{version}");
    }
}

/// The example of the documentation: its kernel comes from a file named by `SORU_DOC_KERNEL` (hexadecimal or binary).
#[test]
fn genesis_commitment_of_the_documentation() {
    let Some(path) = std::env::var_os("SORU_DOC_KERNEL") else {
        println!("skipped: SORU_DOC_KERNEL does not name the documentation's kernel");
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    let kernel = match std::str::from_utf8(&bytes) {
        Ok(text) => hex::decode(text.trim()).unwrap(),
        Err(_) => bytes,
    };
    assert_eq!(hex::encode(hash256(&kernel)), "24df9e3c520dd9a9c49b447766e8a604d31138c1aacb4a67532499c6a8b348cc");
    let pvm = Pvm::originate(Version::V0, &kernel, Parameters::of_version(Version::V0)).unwrap();
    // compressed state, inbox level, predecessor, number of ticks
    let mut commitment = pvm.state_hash().unwrap().0.to_vec();
    commitment.extend_from_slice(&1495i32.to_be_bytes());
    commitment.extend_from_slice(&[0; 32]);
    commitment.extend_from_slice(&0i64.to_be_bytes());
    let hash = CommitmentHash(hash256(&commitment));
    assert_eq!(hash.to_string(), "src13wCGc2nMVfN7rD1rgeG3g1q7oXYX2m5MJY5ZRooVhLt7JwKXwX");
}
