//! The messages that a block's operations put into the inbox, read from their receipts (`spec/protocol.md` §3.2).

use soru_tezos::block::Block;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::{InternalBody, InternalReceipt, ManagerReceipt, OperationResult};
use soru_tezos::rollup::{InboxMessage, InternalMessage, Transfer};

/// External messages and transfers to rollups, in the order of their application. What failed or was rolled back adds
/// nothing.
pub fn messages_of_block(block: &Block) -> Vec<InboxMessage> {
    let contents = block.operations.iter().flatten().flat_map(|operation| &operation.contents);
    let mut messages = Vec::new();
    for receipt in contents.filter_map(|content| content.manager()) {
        push_messages(receipt, &mut messages);
    }
    messages
}

/// The messages of one operation.
pub fn push_messages(receipt: &ManagerReceipt, messages: &mut Vec<InboxMessage>) {
    let Some(metadata) = &receipt.metadata else { return };
    if !matches!(metadata.operation_result, OperationResult::Applied(_)) {
        return;
    }
    if let ManagerBody::SmartRollupAddMessages(body) = &receipt.operation.body {
        messages.extend(body.message.iter().cloned().map(InboxMessage::External));
    }
    let transfers = metadata.internal_operation_results.iter();
    let transfers = transfers.filter_map(|internal| transfer_of(internal, receipt.operation.source));
    messages.extend(transfers.map(|transfer| InboxMessage::Internal(InternalMessage::Transfer(transfer))));
}

/// The call of a rollup that an internal operation of an operation of `source` made.
fn transfer_of(internal: &InternalReceipt, source: PublicKeyHash) -> Option<Transfer> {
    let OperationResult::Applied(_) = internal.result else { return None };
    let InternalBody::Transaction(transaction) = &internal.body else { return None };
    let Destination::SmartRollup(destination) = transaction.destination else { return None };
    let Destination::Contract(Contract::Originated(sender)) = internal.source else { return None };
    Some(Transfer { payload: transaction.parameters.value.clone(), sender, source, destination })
}
