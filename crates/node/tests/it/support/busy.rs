//! Levels with many messages, made of a recorded one.

use soru_tezos::block::Block;
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::BlockHash;
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::Content;

/// Messages of a level.
pub const MESSAGES: usize = 100;

/// A recorded block whose operation adds messages, made the successor of another.
pub fn successor(template: &Block, of: &Block) -> Block {
    let mut block = template.clone();
    block.header.shell.level = of.level().after(1);
    block.header.shell.predecessor = of.hash;
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&block.header.shell.level.0.to_be_bytes());
    block.hash = BlockHash(hash);
    for operation in &mut block.operations[3] {
        for content in &mut operation.contents {
            let Content::Manager(receipt) = content else { continue };
            if let ManagerBody::SmartRollupAddMessages(body) = &mut receipt.operation.body {
                let level = block.header.shell.level.0;
                body.message = (0..MESSAGES).map(|i| HexBytes(format!("{level} {i}").into_bytes())).collect();
            }
        }
    }
    block
}
