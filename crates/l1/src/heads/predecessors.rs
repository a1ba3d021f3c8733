//! Which block comes before which: a bounded memory in front of the node (`spec/node.md` §4.2).

use crate::rpc::{RpcClient, RpcError, RpcResult};
use soru_tezos::hash::BlockHash;
use soru_tezos::header::BlockRef;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most pairs remembered.
const CAPACITY: usize = 65_536;
/// Blocks asked for at a time when the distance is not known.
const USUAL: u32 = 8;
/// Most blocks asked for at a time.
const MOST: u32 = 10_000;

#[derive(Default)]
struct Memory {
    predecessor: HashMap<BlockHash, BlockHash>,
    order: VecDeque<BlockHash>,
}

/// Predecessors, from memory or from the node.
pub struct Predecessors {
    client: RpcClient,
    memory: Mutex<Memory>,
}

impl Predecessors {
    /// Nothing remembered yet.
    pub fn new(client: RpcClient) -> Self {
        Predecessors { client, memory: Mutex::default() }
    }

    /// Remembers that `predecessor` comes before `block`.
    pub fn remember(&self, block: BlockHash, predecessor: BlockHash) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.predecessor.insert(block, predecessor).is_none() {
            memory.order.push_back(block);
            if memory.order.len() > CAPACITY
                && let Some(oldest) = memory.order.pop_front()
            {
                memory.predecessor.remove(&oldest);
            }
        }
    }

    fn known(&self, block: &BlockHash) -> Option<BlockHash> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).predecessor.get(block).copied()
    }

    /// The block before `block`. `distance` is how far back the caller will go on asking, if it knows: one request then
    /// brings them all.
    ///
    /// # Errors
    /// Those of the request, and [`RpcError::Decode`] when the node knows no predecessor (it prunes its history).
    pub async fn predecessor(&self, block: BlockRef, distance: Option<u32>) -> RpcResult<BlockRef> {
        let before = |hash| BlockRef { level: block.level.before(1), hash };
        if let Some(hash) = self.known(&block.hash) {
            return Ok(before(hash));
        }
        let length = distance.map_or(USUAL, |distance| distance.saturating_add(1)).clamp(2, MOST);
        let chain = self.client.ancestors(&block.hash, length).await?;
        for pair in chain.windows(2) {
            self.remember(pair[0], pair[1]);
        }
        self.known(&block.hash).map(before).ok_or_else(|| RpcError::Decode {
            url: self.client.endpoint().to_owned(),
            problem: format!(
                "it knows no predecessor of block {} at level {}; use an archive node, or one with --history-mode full:50",
                block.hash, block.level
            ),
        })
    }
}
