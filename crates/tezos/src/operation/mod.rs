//! Operations: what an account signs and injects (`spec/protocol.md` §2.1–2.3).
//!
//! [`Operation`] is a batch of manager operations, in binary and JSON. Operations of other kinds are only met in JSON
//! blocks, see [`crate::receipt`].

mod body;
mod manager;

pub use body::{
    AddMessages, BlsProof, Cement, DalPublishCommitment, Delegation, ExecuteOutboxMessage, IncreasePaidStorage,
    Originate, Origination, Parameters, Publish, RecoverBond, Refute, RegisterGlobalConstant, Reveal, Script,
    SetDepositsLimit, Timeout, Transaction, TransferTicket, UpdateKey,
};
pub(crate) use manager::Wire;
pub use manager::{ManagerBody, ManagerOperation, UpdateCompanionKey};

use crate::codec::{Decode, Decoded, Encode, Problem, Reader};
use crate::hash::{BlockHash, OperationHash};
use crate::key::Signature;
use serde::{Deserialize, Serialize};

/// A batch of manager operations, signed or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// A recent block: the operation is valid on its chain for some blocks only.
    pub branch: BlockHash,
    /// What to do, in order.
    pub contents: Vec<ManagerOperation>,
    /// The signature; absent in simulations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// Tag of the pseudo-content that holds the front of a signature longer than 64 bytes.
const SIGNATURE_PREFIX: u8 = 0xff;
const SUFFIX: usize = 64;
const BLS_TAG: u8 = 3;
const BLS_PREFIX: usize = 32;

impl Operation {
    /// An operation not yet signed.
    pub fn unsigned(branch: BlockHash, contents: Vec<ManagerOperation>) -> Self {
        Operation { branch, contents, signature: None }
    }

    /// The bytes that are signed (behind the watermark `03`): branch and contents.
    pub fn unsigned_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.branch.encode(&mut out);
        self.contents.iter().for_each(|content| content.encode(&mut out));
        out
    }

    /// Hash of the signed bytes.
    pub fn hash(&self) -> OperationHash {
        OperationHash::of_bytes(&self.to_bytes())
    }

    /// Reads unsigned bytes: branch and contents up to the end.
    pub fn from_unsigned_bytes(bytes: &[u8]) -> Decoded<Operation> {
        let mut reader = Reader::new(bytes);
        let branch = BlockHash::decode(&mut reader)?;
        let contents = reader.until_end(ManagerOperation::decode)?;
        Ok(Operation { branch, contents, signature: None })
    }

    /// Reads signed bytes, and tells how many of them are signed: a signature is checked on the bytes as they were
    /// received, because a few values have more than one binary form.
    pub fn from_signed_bytes(bytes: &[u8]) -> Decoded<(Operation, usize)> {
        let (branch, contents, signature, signed) = decode_signed(&mut Reader::new(bytes), ManagerOperation::decode)?;
        Ok((Operation { branch, contents, signature }, signed))
    }
}

/// Reads a signed operation whose contents are read by `content`: branch, contents, signature, and how many of the bytes are
/// signed.
///
/// # Errors
/// When the bytes are none.
pub fn decode_signed<'a, C>(
    reader: &mut Reader<'a>,
    mut content: impl FnMut(&mut Reader<'a>) -> Decoded<C>,
) -> Decoded<(BlockHash, Vec<C>, Option<Signature>, usize)> {
    const WHAT: &str = "signed operation";
    let branch = reader.field("branch", BlockHash::decode)?;
    let Some(length) = reader.left().checked_sub(SUFFIX) else {
        return Err(reader.error(WHAT, Problem::TooShort { wanted: SUFFIX, left: reader.left() }));
    };
    let mut contents = Vec::new();
    let mut prefix = None;
    let mut signed = reader.offset();
    reader.front(length, WHAT, |inner| {
        while inner.left() > 0 {
            if inner.peek().first() == Some(&SIGNATURE_PREFIX) {
                inner.byte(WHAT)?;
                inner.case("Signature_prefix");
                let at = inner.clone();
                match inner.byte("signature prefix")? {
                    BLS_TAG => {
                        inner.case("Bls_prefix");
                        prefix = Some(inner.array::<BLS_PREFIX>("signature prefix")?);
                    }
                    tag => return Err(at.error("signature prefix", Problem::Tag(tag))),
                }
                inner.finish("signature prefix")?;
            } else {
                contents.push(content(inner)?);
                signed = inner.offset();
            }
        }
        Ok(())
    })?;
    let suffix = reader.field("signature", |reader| reader.array::<SUFFIX>("signature"))?;
    let signature = match prefix {
        Some(prefix) => {
            let mut whole = [0; BLS_PREFIX + SUFFIX];
            whole[..BLS_PREFIX].copy_from_slice(&prefix);
            whole[BLS_PREFIX..].copy_from_slice(&suffix);
            Some(Signature::Bls(whole))
        }
        None => Some(Signature::Generic(suffix)).filter(|signature| *signature != Signature::ZERO),
    };
    Ok((branch, contents, signature, signed))
}

/// Appends the signature of an operation behind its contents; 64 zero bytes stand for a missing one.
pub fn put_signature(out: &mut Vec<u8>, signature: Option<&Signature>) {
    let signature = signature.unwrap_or(&Signature::ZERO);
    let (prefix, suffix) = signature.as_bytes().split_at(signature.as_bytes().len().saturating_sub(SUFFIX));
    if matches!(signature, Signature::Bls(_)) {
        out.extend([SIGNATURE_PREFIX, BLS_TAG]);
        out.extend_from_slice(prefix);
    }
    out.extend_from_slice(suffix);
}

/// The signed form.
impl Encode for Operation {
    fn encode(&self, out: &mut Vec<u8>) {
        self.branch.encode(out);
        self.contents.iter().for_each(|content| content.encode(out));
        put_signature(out, self.signature.as_ref());
    }
}

impl Decode for Operation {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let (branch, contents, signature, _) = decode_signed(reader, ManagerOperation::decode)?;
        Ok(Operation { branch, contents, signature })
    }
}
