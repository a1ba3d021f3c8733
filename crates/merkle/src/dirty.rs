//! Directories with pending changes. A change is only noted here; when a hash is asked for, the net changes are worked into
//! the trie in byte order of their steps. Both the speed of batches and the loads of a proof (`spec/pvm.md` §2.2) rest on it.

use std::sync::{Arc, OnceLock};

use imbl::OrdMap;

use crate::error::TreeError;
use crate::hash::NodeHash;
use crate::inode;
use crate::node::{Entry, Inode, Node, bury, free_here};
use crate::proof::ShownNode;
use crate::step::Step;

/// A directory `base` with changes on top. `folded` caches the result of working them in.
#[derive(Clone)]
pub(crate) struct Dirty {
    base: Base,
    pending: Pending,
    /// How many pending changes are additions (the others are removals).
    additions: usize,
    /// Entries now, minus entries of `base`.
    growth: i64,
    folded: OnceLock<Arc<Inode>>,
}

/// The directory that changes are made to.
#[derive(Clone)]
pub(crate) enum Base {
    Inode(Arc<Inode>),
    /// One that a proof shows.
    Shown(ShownNode),
}

impl Base {
    /// The root inode, as one that can be changed.
    pub(crate) fn inode(&self) -> Arc<Inode> {
        match self {
            Base::Inode(inode) => inode.clone(),
            Base::Shown(shown) => shown.inode(),
        }
    }

    pub(crate) fn hash(&self) -> NodeHash {
        match self {
            Base::Inode(inode) => inode.hash(),
            Base::Shown(shown) => shown.hash(),
        }
    }

    /// Whether this is part of a proof, being produced or verified, where each load counts.
    pub(crate) fn is_partial(&self) -> bool {
        match self {
            Base::Inode(inode) => inode.is_partial(),
            Base::Shown(_) => true,
        }
    }

    pub(crate) fn is_known_empty(&self) -> bool {
        match self {
            Base::Inode(inode) => inode.is_known_empty(),
            Base::Shown(_) => false,
        }
    }

    fn count(&self) -> Result<u64, TreeError> {
        match self {
            Base::Inode(inode) => inode.count(),
            Base::Shown(shown) => shown.count(),
        }
    }
}

/// Net change of a step: its new node, or `None` when it goes.
pub(crate) type Change = Option<Node>;

/// Changes in byte order of their steps: a short list, or a persistent map when there are many.
#[derive(Clone)]
enum Pending {
    Few(Vec<(Step, Change)>),
    Many(OrdMap<Step, Change>),
}

const FEW: usize = 16;

impl Dirty {
    pub(crate) fn new(base: Base) -> Dirty {
        Dirty { base, pending: Pending::Few(Vec::new()), additions: 0, growth: 0, folded: OnceLock::new() }
    }

    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// Number of pending changes.
    pub(crate) fn changes(&self) -> usize {
        self.pending.len()
    }

    /// Visits the pending changes in byte order of their steps.
    pub(crate) fn for_each<'a>(
        &'a self,
        f: impl FnMut(&'a Step, &'a Change) -> Result<(), TreeError>,
    ) -> Result<(), TreeError> {
        self.pending.for_each(f)
    }

    pub(crate) fn folded(&self) -> Option<&Arc<Inode>> {
        self.folded.get()
    }

    /// The pending change of `step`, if there is one.
    pub(crate) fn change(&self, step: &[u8]) -> Option<&Change> {
        self.pending.get(step)
    }

    /// A pending new node, to be changed in place. The caller changes it: what was folded before no longer holds.
    pub(crate) fn pending_mut(&mut self, step: &[u8]) -> Option<&mut Node> {
        self.pending.get_mut(step)?.as_mut()
    }

    /// Forgets the folded form, after a change below.
    pub(crate) fn touch(&mut self) {
        self.folded.take();
    }

    /// Notes that `step` is now `change`; `existed` tells whether it was bound before.
    pub(crate) fn set(&mut self, step: &[u8], change: Change, existed: bool) {
        self.touch();
        self.growth += i64::from(change.is_some()) - i64::from(existed);
        self.additions += usize::from(change.is_some());
        let old = if change.is_none() && self.base.is_known_empty() {
            // nothing below: a removal leaves nothing to remember
            self.pending.remove(step).flatten()
        } else {
            std::mem::replace(self.pending.slot(step), change)
        };
        self.additions -= usize::from(old.is_some());
    }

    /// Whether this is a small directory made from nothing.
    pub(crate) fn is_new(&self) -> bool {
        matches!(&self.pending, Pending::Few(_)) && self.base.is_known_empty()
    }

    /// Binds `step` to `node`, which is not empty, in a directory made from nothing. Gives whether that changed anything.
    pub(crate) fn put(&mut self, step: &[u8], node: Node) -> bool {
        let slot = self.pending.slot(step);
        match slot {
            Some(old) if old.is_same(&node) => return false,
            Some(_) => {}
            None => {
                self.growth += 1;
                self.additions += 1;
            }
        }
        *slot = Some(node);
        self.touch();
        true
    }

    /// Whether no entry is left. Loads what the reference loads (§2.2.5).
    pub(crate) fn is_empty(&self) -> Result<bool, TreeError> {
        if self.additions > 0 {
            return Ok(false);
        }
        let count = self.base.count()?;
        if count == 0 || count > self.pending.len() as u64 {
            return Ok(count == 0);
        }
        let mut empty = true;
        self.base.inode().visit(0, u64::MAX, &mut |entry| {
            empty = self.pending.get(&entry.step).is_some();
            empty
        })?;
        Ok(empty)
    }

    /// The number of entries. On a directory of a proof this folds, as the reference does, for the loads that come with it.
    pub(crate) fn count(self: &Arc<Self>) -> Result<u64, TreeError> {
        if self.base.is_partial() {
            self.fold()?;
        }
        Ok(self.base.count()?.saturating_add_signed(self.growth))
    }

    /// Works the pending changes into the trie, here and in all pending directories below, without recursion over paths.
    pub(crate) fn fold(self: &Arc<Self>) -> Result<&Arc<Inode>, TreeError> {
        if self.folded.get().is_none() {
            let mut stack = vec![self.clone()];
            while let Some(top) = stack.last().cloned() {
                let height = stack.len();
                if top.folded.get().is_none() {
                    top.pending.for_each(|_, change| {
                        if let Some(Node::Dirty(child)) = change
                            && child.folded.get().is_none()
                        {
                            stack.push(child.clone());
                        }
                        Ok(())
                    })?;
                    if stack.len() > height {
                        continue;
                    }
                    let _ = top.folded.set(top.replay()?);
                }
                stack.truncate(height - 1);
            }
        }
        // set by the last round of the loop
        self.folded.get().ok_or(TreeError::TrieTooDeep)
    }

    fn replay(&self) -> Result<Arc<Inode>, TreeError> {
        let root = if self.base.is_known_empty() { self.grow()? } else { self.replay_on_base()? };
        if self.pending.len() >= FEW {
            root.hash_all();
        }
        root.hash();
        Ok(root)
    }

    /// A directory that was made from nothing: all changes are additions.
    fn grow(&self) -> Result<Arc<Inode>, TreeError> {
        let mut entries = Vec::with_capacity(self.pending.len());
        self.pending.for_each(|step, change| {
            match change {
                Some(Node::Dirty(child)) => {
                    let folded = child.folded.get().ok_or(TreeError::TrieTooDeep)?;
                    entries.push(Entry { step: step.clone(), node: Node::Dir(folded.clone()) });
                }
                Some(node) => entries.push(Entry { step: step.clone(), node: node.clone() }),
                None => {}
            }
            Ok(())
        })?;
        Ok(Arc::new(Inode::new(inode::grown(entries, 0)?, true)))
    }

    fn replay_on_base(&self) -> Result<Arc<Inode>, TreeError> {
        let mut root = self.base.inode();
        self.pending.for_each(|step, change| match change {
            Some(Node::Dirty(child)) => match child.folded.get() {
                Some(folded) => inode::add(&mut root, step, Node::Dir(folded.clone())),
                None => Err(TreeError::TrieTooDeep),
            },
            Some(node) => inode::add(&mut root, step, node.clone()),
            None => inode::remove(&mut root, step),
        })?;
        Ok(root)
    }

    /// Takes all directories out, for [`bury`].
    pub(crate) fn uproot(&mut self, queue: &mut Vec<Node>) {
        if let Base::Inode(base) = &mut self.base {
            queue.push(Node::Dir(std::mem::replace(base, Inode::empty())));
        }
        if let Some(folded) = self.folded.take() {
            queue.push(Node::Dir(folded));
        }
        match std::mem::replace(&mut self.pending, Pending::Few(Vec::new())) {
            Pending::Few(changes) => queue.extend(changes.into_iter().filter_map(|(_, change)| change)),
            // the map may be shared with another tree: hold its directories while our part of it goes
            Pending::Many(changes) => {
                let directories = changes.values().flatten().filter(|node| !matches!(node, Node::Leaf(_)));
                queue.extend(directories.cloned());
            }
        }
    }
}

impl Drop for Dirty {
    fn drop(&mut self) {
        let freed = free_here(|| {
            self.folded = OnceLock::new();
            self.pending = Pending::Few(Vec::new());
        });
        if !freed {
            let mut queue = Vec::new();
            self.uproot(&mut queue);
            bury(queue);
        }
    }
}

impl Pending {
    fn len(&self) -> usize {
        match self {
            Pending::Few(changes) => changes.len(),
            Pending::Many(changes) => changes.len(),
        }
    }

    fn position(changes: &[(Step, Change)], step: &[u8]) -> Result<usize, usize> {
        changes.binary_search_by(|(s, _)| s.as_bytes().cmp(step))
    }

    fn get(&self, step: &[u8]) -> Option<&Change> {
        match self {
            Pending::Few(changes) => Self::position(changes, step).ok().map(|i| &changes[i].1),
            Pending::Many(changes) => changes.get(step),
        }
    }

    fn get_mut(&mut self, step: &[u8]) -> Option<&mut Change> {
        match self {
            Pending::Few(changes) => Self::position(changes, step).ok().map(|i| &mut changes[i].1),
            Pending::Many(changes) => changes.get_mut(step),
        }
    }

    /// The change of `step`; a removal if there was none yet.
    fn slot(&mut self, step: &[u8]) -> &mut Change {
        if let Pending::Few(changes) = self
            && changes.len() > FEW
        {
            *self = Pending::Many(std::mem::take(changes).into_iter().collect());
        }
        match self {
            Pending::Few(changes) => {
                let at = Self::position(changes, step).unwrap_or_else(|at| {
                    changes.insert(at, (step.into(), None));
                    at
                });
                &mut changes[at].1
            }
            Pending::Many(changes) => changes.entry(step.into()).or_insert(None),
        }
    }

    fn remove(&mut self, step: &[u8]) -> Option<Change> {
        match self {
            Pending::Few(changes) => Self::position(changes, step).ok().map(|i| changes.remove(i).1),
            Pending::Many(changes) => changes.remove(step),
        }
    }

    fn for_each<'a>(
        &'a self,
        mut f: impl FnMut(&'a Step, &'a Change) -> Result<(), TreeError>,
    ) -> Result<(), TreeError> {
        match self {
            Pending::Few(changes) => changes.iter().try_for_each(|(step, change)| f(step, change)),
            Pending::Many(changes) => changes.iter().try_for_each(|(step, change)| f(step, change)),
        }
    }
}
