//! First station: from a block's operations to the messages they put into the shared inbox (`spec/node.md` §4.5).

use super::PipelineError;
use soru_protocol::inbox::messages_of_block;
use soru_tezos::block::Block;
use soru_tezos::rollup::InboxMessage;

/// The messages of all applied operations, in order. A receipt that is not there is an error, not an operation without
/// messages.
pub fn collect(block: &Block) -> Result<Vec<InboxMessage>, PipelineError> {
    let mut receipts = block.manager_operations().iter().flat_map(|operation| operation.managers());
    if block.metadata.is_none() || receipts.any(|receipt| receipt.metadata.is_none()) {
        return Err(PipelineError::NoMetadata(block.hash));
    }
    Ok(messages_of_block(block))
}
