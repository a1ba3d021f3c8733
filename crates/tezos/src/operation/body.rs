//! The bodies of all kinds of manager operations (`spec/protocol.md` §2.3). Field order is that of both forms.

use crate::codec::{
    Decode, Decoded, Encode, HexBytes, Reader, put_dynamic, put_flag, put_list, put_option, put_within,
};
use crate::contract::{Contract, Entrypoint};
use crate::fields::is_default;
use crate::hash::{CommitmentHash, ContractHash, SmartRollupAddress};
use crate::key::{PublicKey, PublicKeyHash};
use crate::micheline::Micheline;
use crate::number::{N, Z};
use crate::rollup::{Commitment, DalSlotHeader, PvmKind, Refutation, Stakers};
use crate::scalar::Mutez;
use crate::{base58_bytes, binary_struct};
use serde::{Deserialize, Serialize};

base58_bytes!(
    /// Proof that the owner of a BLS key knows its secret.
    BlsProof, 96, [40, 171, 64, 207], "BLS proof of possession (BLsig…)", "Bls12_381_signature"
);

/// Micheline behind a length: scripts, parameters and types inside operations.
fn put_micheline(out: &mut Vec<u8>, value: &Micheline) {
    put_within(out, |out| value.encode(out));
}

fn micheline(reader: &mut Reader<'_>, what: &'static str) -> Decoded<Micheline> {
    reader.within(what, Micheline::decode)
}

fn put_proof(out: &mut Vec<u8>, proof: Option<&BlsProof>) {
    put_flag(out, proof.is_some());
    if let Some(proof) = proof {
        put_dynamic(out, &proof.0);
    }
}

fn proof(reader: &mut Reader<'_>) -> Decoded<Option<BlsProof>> {
    reader.option("proof of possession", |reader| reader.within("proof of possession", BlsProof::decode))
}

/// Reveals the public key of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reveal {
    /// The key.
    pub public_key: PublicKey,
    /// Wanted for BLS keys, refused for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<BlsProof>,
}

impl Encode for Reveal {
    fn encode(&self, out: &mut Vec<u8>) {
        self.public_key.encode(out);
        put_proof(out, self.proof.as_ref());
    }
}

impl Decode for Reveal {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Reveal { public_key: reader.field("public_key", Decode::decode)?, proof: reader.field("proof", proof)? })
    }
}

/// Entrypoint and argument of a call. `default` with `Unit`, a mere transfer, is left out of both forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// The entrypoint.
    pub entrypoint: Entrypoint,
    /// The argument.
    pub value: Micheline,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { entrypoint: Entrypoint::default(), value: Micheline::unit() }
    }
}

impl Encode for Parameters {
    fn encode(&self, out: &mut Vec<u8>) {
        self.entrypoint.encode(out);
        put_micheline(out, &self.value);
    }
}

impl Decode for Parameters {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Parameters {
            entrypoint: reader.field("entrypoint", Decode::decode)?,
            value: reader.field("value", |reader| micheline(reader, "parameters"))?,
        })
    }
}

/// A transfer or call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Amount sent along.
    pub amount: Mutez,
    /// Who gets it; a rollup can only be reached from a contract.
    pub destination: Contract,
    /// What to call.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parameters: Parameters,
}

impl Encode for Transaction {
    fn encode(&self, out: &mut Vec<u8>) {
        self.amount.encode(out);
        self.destination.encode(out);
        put_option(out, Some(&self.parameters).filter(|parameters| !is_default(*parameters)));
    }
}

impl Decode for Transaction {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Transaction {
            amount: reader.field("amount", Decode::decode)?,
            destination: reader.field("destination", Decode::decode)?,
            parameters: reader
                .field("parameters", |reader| reader.option("parameters", Parameters::decode))?
                .unwrap_or_default(),
        })
    }
}

/// A contract's code and first storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The code.
    pub code: Micheline,
    /// The storage.
    pub storage: Micheline,
}

impl Encode for Script {
    fn encode(&self, out: &mut Vec<u8>) {
        put_micheline(out, &self.code);
        put_micheline(out, &self.storage);
    }
}

impl Decode for Script {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Script {
            code: reader.field("code", |reader| micheline(reader, "code"))?,
            storage: reader.field("storage", |reader| micheline(reader, "storage"))?,
        })
    }
}

/// Creates a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origination {
    /// Its first balance.
    pub balance: Mutez,
    /// Its delegate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<PublicKeyHash>,
    /// Its script.
    pub script: Script,
}

binary_struct!(Origination { balance, delegate, script });

/// Sets the delegate of the source; none removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The delegate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<PublicKeyHash>,
}

binary_struct!(Delegation { delegate });

/// Registers a global constant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterGlobalConstant {
    /// The expression.
    pub value: Micheline,
}

impl Encode for RegisterGlobalConstant {
    fn encode(&self, out: &mut Vec<u8>) {
        put_micheline(out, &self.value);
    }
}

impl Decode for RegisterGlobalConstant {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(RegisterGlobalConstant { value: reader.field("value", |reader| micheline(reader, "value"))? })
    }
}

/// Limits the deposits of a delegate; none removes the limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetDepositsLimit {
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Mutez>,
}

binary_struct!(SetDepositsLimit { limit });

/// Pays for storage in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncreasePaidStorage {
    /// Bytes to pay for.
    pub amount: Z,
    /// The contract.
    pub destination: ContractHash,
}

impl Encode for IncreasePaidStorage {
    fn encode(&self, out: &mut Vec<u8>) {
        self.amount.encode(out);
        Contract::Originated(self.destination).encode(out);
    }
}

impl Decode for IncreasePaidStorage {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(IncreasePaidStorage {
            amount: reader.field("amount", Decode::decode)?,
            destination: reader.field("destination", ContractHash::decode_contract)?,
        })
    }
}

/// A new consensus or companion key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateKey {
    /// The key.
    pub pk: PublicKey,
    /// Wanted for BLS keys, refused for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<BlsProof>,
}

impl Encode for UpdateKey {
    fn encode(&self, out: &mut Vec<u8>) {
        self.pk.encode(out);
        put_proof(out, self.proof.as_ref());
    }
}

impl Decode for UpdateKey {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(UpdateKey { pk: reader.field("pk", Decode::decode)?, proof: reader.field("proof", proof)? })
    }
}

/// Sends tickets from an implicit account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferTicket {
    /// Content of the tickets.
    pub ticket_contents: Micheline,
    /// Type of the content.
    pub ticket_ty: Micheline,
    /// The contract that issued them.
    pub ticket_ticketer: Contract,
    /// How many.
    pub ticket_amount: N,
    /// Who gets them.
    pub destination: Contract,
    /// The entrypoint that takes them.
    pub entrypoint: Entrypoint,
}

impl Encode for TransferTicket {
    fn encode(&self, out: &mut Vec<u8>) {
        put_micheline(out, &self.ticket_contents);
        put_micheline(out, &self.ticket_ty);
        self.ticket_ticketer.encode(out);
        self.ticket_amount.encode(out);
        self.destination.encode(out);
        self.entrypoint.encode_simple(out);
    }
}

impl Decode for TransferTicket {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(TransferTicket {
            ticket_contents: reader.field("ticket_contents", |reader| micheline(reader, "ticket content"))?,
            ticket_ty: reader.field("ticket_ty", |reader| micheline(reader, "ticket type"))?,
            ticket_ticketer: reader.field("ticket_ticketer", Decode::decode)?,
            ticket_amount: reader.field("ticket_amount", Decode::decode)?,
            destination: reader.field("destination", Decode::decode)?,
            entrypoint: reader.field("entrypoint", Entrypoint::decode_simple)?,
        })
    }
}

/// Creates a smart rollup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Originate {
    /// Kind of its machine.
    pub pvm_kind: PvmKind,
    /// Its kernel.
    pub kernel: HexBytes,
    /// Type of the transfers it accepts.
    pub parameters_ty: Micheline,
    /// Who may stake; everybody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitelist: Option<Vec<PublicKeyHash>>,
}

impl Encode for Originate {
    fn encode(&self, out: &mut Vec<u8>) {
        self.pvm_kind.encode(out);
        self.kernel.encode(out);
        put_micheline(out, &self.parameters_ty);
        self.whitelist.encode(out);
    }
}

impl Decode for Originate {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Originate {
            pvm_kind: reader.field("pvm_kind", Decode::decode)?,
            kernel: reader.field("kernel", Decode::decode)?,
            parameters_ty: reader.field("parameters_ty", |reader| micheline(reader, "parameter type"))?,
            whitelist: reader.field("whitelist", Decode::decode)?,
        })
    }
}

/// Adds messages to the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddMessages {
    /// The messages, without the byte `01` that the inbox puts before each.
    pub message: Vec<HexBytes>,
}

impl Encode for AddMessages {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.message);
    }
}

impl Decode for AddMessages {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(AddMessages { message: reader.field("message", Decode::decode)? })
    }
}

/// Cements the next commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cement {
    /// The rollup.
    pub rollup: SmartRollupAddress,
}

binary_struct!(Cement { rollup });

/// Publishes a commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The rollup.
    pub rollup: SmartRollupAddress,
    /// The commitment.
    pub commitment: Commitment,
}

binary_struct!(Publish { rollup, commitment });

/// Starts a game or moves in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refute {
    /// The rollup.
    pub rollup: SmartRollupAddress,
    /// The other player.
    pub opponent: PublicKeyHash,
    /// The move.
    pub refutation: Refutation,
}

binary_struct!(Refute { rollup, opponent, refutation });

/// Ends a game whose player is late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeout {
    /// The rollup.
    pub rollup: SmartRollupAddress,
    /// The players.
    pub stakers: Stakers,
}

binary_struct!(Timeout { rollup, stakers });

/// Executes an outbox message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecuteOutboxMessage {
    /// The rollup.
    pub rollup: SmartRollupAddress,
    /// The cemented commitment whose state the proof is about.
    pub cemented_commitment: CommitmentHash,
    /// Proof of the message, made by the rollup node.
    pub output_proof: HexBytes,
}

binary_struct!(ExecuteOutboxMessage { rollup, cemented_commitment, output_proof });

/// Gives a staker its bond back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoverBond {
    /// The rollup.
    pub rollup: SmartRollupAddress,
    /// The staker.
    pub staker: PublicKeyHash,
}

binary_struct!(RecoverBond { rollup, staker });

/// Publishes the commitment of a DAL slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DalPublishCommitment {
    /// The slot.
    pub slot_header: DalSlotHeader,
}

binary_struct!(DalPublishCommitment { slot_header });
