//! Unkeyed BLAKE2b with the digest sizes Tezos uses (`spec/protocol.md` §1).

/// BLAKE2b with an `N`-byte digest over the concatenation of `parts`. `N` is at most 64.
pub fn digest<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut state = blake2b_simd::Params::new().hash_length(N).to_state();
    for part in parts {
        state.update(part);
    }
    let mut out = [0; N];
    out.copy_from_slice(state.finalize().as_bytes());
    out
}

/// BLAKE2b-256 of one byte string.
pub fn hash256(bytes: &[u8]) -> [u8; 32] {
    digest(&[bytes])
}

/// BLAKE2b-160 of one byte string: key hashes and addresses.
pub fn hash160(bytes: &[u8]) -> [u8; 20] {
    digest(&[bytes])
}

/// Merkle root over `leaves` as the layer 1 uses it for operation lists (`spec/protocol.md` §1): leaves are hashed,
/// the list is filled up to a power of two with its last leaf; the empty list is the hash of nothing.
pub fn merkle_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut row: Vec<[u8; 32]> = leaves.iter().map(|leaf| hash256(leaf)).collect();
    let Some(&last) = row.last() else { return hash256(&[]) };
    row.resize(row.len().next_power_of_two(), last);
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| digest(&[&pair[0], &pair[1]])).collect();
    }
    row[0]
}
