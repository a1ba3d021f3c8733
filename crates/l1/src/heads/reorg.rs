//! The way from one head to another (`spec/node.md` §4.2).

use soru_tezos::header::BlockRef;
use std::future::Future;

/// Two branches from the last block they share, both oldest first; the shared block is in neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reorg {
    /// Blocks to leave.
    pub old_chain: Vec<BlockRef>,
    /// Blocks to go to.
    pub new_chain: Vec<BlockRef>,
}

/// Computes the way from `old` to `new`. The predecessors of the old branch may come from another source than those of
/// the new one: a layer 1 forgets blocks it has left.
///
/// # Errors
/// Those of the two sources.
pub async fn reorg<E, OldFuture, NewFuture>(
    old: BlockRef,
    new: BlockRef,
    mut old_predecessor: impl FnMut(BlockRef) -> OldFuture,
    mut new_predecessor: impl FnMut(BlockRef) -> NewFuture,
) -> Result<Reorg, E>
where
    OldFuture: Future<Output = Result<BlockRef, E>>,
    NewFuture: Future<Output = Result<BlockRef, E>>,
{
    let (mut old, mut new) = (old, new);
    let mut way = Reorg::default();
    while old.hash != new.hash {
        if old.level >= new.level {
            way.old_chain.push(old);
        }
        let step_new = new.level >= old.level;
        if old.level >= new.level {
            old = old_predecessor(old).await?;
        }
        if step_new {
            way.new_chain.push(new);
            new = new_predecessor(new).await?;
        }
    }
    way.old_chain.reverse();
    way.new_chain.reverse();
    Ok(way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use soru_tezos::hash::BlockHash;
    use soru_tezos::scalar::Level;

    /// Block `level` of a branch that forks off after `fork`.
    fn block(branch: u8, fork: i32, level: i32) -> BlockRef {
        let mut hash = [0; 32];
        hash[0] = if level > fork { branch } else { 0 };
        hash[1..5].copy_from_slice(&level.to_be_bytes());
        BlockRef { level: Level(level), hash: BlockHash(hash) }
    }

    proptest! {
        #[test]
        fn finds_the_fork(fork in 0..20i32, old in 0..20i32, new in 0..20i32) {
            let (old_head, new_head) = (block(1, fork, fork + old), block(2, fork, fork + new));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let way = runtime.block_on(reorg::<(), _, _>(
                old_head,
                new_head,
                async |b: BlockRef| Ok(block(1, fork, b.level.0 - 1)),
                async |b: BlockRef| Ok(block(2, fork, b.level.0 - 1)),
            )).unwrap();
            let expected = |branch, length| (1..=length).map(|i| block(branch, fork, fork + i)).collect::<Vec<_>>();
            prop_assert_eq!(way, Reorg { old_chain: expected(1, old), new_chain: expected(2, new) });
        }
    }

    #[test]
    fn the_errors_of_the_sources_come_through() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let way = runtime.block_on(reorg(
            block(1, 0, 2),
            block(2, 0, 2),
            async |_| Err("forgotten"),
            async |b: BlockRef| Ok(block(2, 0, b.level.0 - 1)),
        ));
        assert_eq!(way, Err("forgotten"));
    }
}
