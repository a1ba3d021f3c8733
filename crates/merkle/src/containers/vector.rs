//! Lazy vectors (`spec/pvm.md` §3.3): a lazy map, the key of the first element and a length. Bindings outside the range are
//! kept and hashed: splitting keeps the whole map on both sides.

use std::marker::PhantomData;

use super::key::{IndexEncoding, Int32Key, ZKey};
use super::map::LazyMap;
use super::value::{ContainerError, TreeValue};
use super::writer::Writer;
use crate::Tree;

/// A vector with 32-bit keys.
pub type Vector<V> = LazyVector<V, Int32Key>;
/// A vector with unbounded keys.
pub type ZVector<V> = LazyVector<V, ZKey>;

/// A vector whose elements are read from the tree when asked for. Persistent: a clone is O(1) and independent.
#[derive(Debug)]
pub struct LazyVector<V, I> {
    first: i64,
    length: i64,
    map: LazyMap<i64, V>,
    index: PhantomData<I>,
}

impl<V, I> Clone for LazyVector<V, I> {
    fn clone(&self) -> Self {
        LazyVector { first: self.first, length: self.length, map: self.map.clone(), index: PhantomData }
    }
}

impl<V: TreeValue + Clone, I: IndexEncoding> Default for LazyVector<V, I> {
    fn default() -> Self {
        LazyVector::create(0)
    }
}

impl<V: TreeValue + Clone, I: IndexEncoding> LazyVector<V, I> {
    /// A vector of `length` elements, none of which is bound.
    pub fn create(length: i64) -> Self {
        LazyVector { first: 0, length: I::add(0, length), map: LazyMap::new(), index: PhantomData }
    }

    /// The elements of a list, bound from key 0 on.
    pub fn from_list(list: impl IntoIterator<Item = V>) -> Self {
        let mut vector = LazyVector::create(0);
        for value in list {
            vector.append(value);
        }
        vector
    }

    /// Number of elements, as stored: 32-bit lengths beyond 2³¹ are negative.
    pub fn signed_length(&self) -> i64 {
        self.length
    }

    /// Number of elements.
    pub fn length(&self) -> u64 {
        I::unsigned(self.length)
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Key of the first element.
    pub fn head(&self) -> i64 {
        self.first
    }

    fn key(&self, index: i64) -> Result<i64, ContainerError> {
        match I::unsigned(index) < I::unsigned(self.length) {
            true => Ok(I::add(self.first, index)),
            false => Err(ContainerError::Bounds),
        }
    }

    /// Element number `index`.
    pub fn get(&self, index: i64) -> Result<V, ContainerError> {
        self.map.get(&self.key(index)?)
    }

    /// Replaces element number `index`.
    pub fn set(&mut self, index: i64, value: V) -> Result<(), ContainerError> {
        let key = self.key(index)?;
        self.map.set(key, value);
        Ok(())
    }

    /// Adds an element at the end and returns its number.
    pub fn append(&mut self, value: V) -> i64 {
        let index = self.length;
        self.map.set(I::add(self.first, index), value);
        self.length = I::add(self.length, 1);
        index
    }

    /// Adds an element in front.
    pub fn cons(&mut self, value: V) {
        self.first = I::add(self.first, -1);
        self.map.set(self.first, value);
        self.length = I::add(self.length, 1);
    }

    /// Takes the first element away.
    pub fn pop(&mut self) -> Result<V, ContainerError> {
        let value = self.get(0)?;
        self.drop_first()?;
        Ok(value)
    }

    /// Drops the first element without reading it.
    pub fn drop_first(&mut self) -> Result<(), ContainerError> {
        let key = self.key(0)?;
        self.map.remove(&key);
        self.first = I::add(self.first, 1);
        self.length = I::add(self.length, -1);
        Ok(())
    }

    /// The first `at` elements, and the rest; both keep all bindings.
    pub fn split(self, at: i64) -> Result<(Self, Self), ContainerError> {
        if I::unsigned(at) > I::unsigned(self.length) {
            return Err(ContainerError::Bounds);
        }
        let mut left = self.clone();
        left.length = at;
        let mut right = self;
        right.first = I::add(right.first, at);
        right.length = I::add(right.length, -at);
        Ok((left, right))
    }

    /// Lengthens by `delta` unbound elements.
    pub fn grow(&mut self, delta: i64) {
        self.length = I::add(self.length, delta);
    }

    /// Whether both are known to be the same vector without looking at elements: one is an unchanged clone of the other.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.first, self.length) == (other.first, other.length) && self.map.is_same(&other.map)
    }

    /// The same bindings, seen through the range of `length` keys from `first` on.
    pub fn reframed(mut self, first: i64, length: i64) -> Self {
        (self.first, self.length) = (I::add(first, 0), I::add(length, 0));
        self
    }

    /// Binds `key`, whether or not it lies in the range.
    pub fn bind(&mut self, key: i64, value: V) {
        self.map.set(key, value);
    }

    /// Unbinds `key`, whether or not it lies in the range.
    pub fn unbind(&mut self, key: i64) {
        self.map.remove(&key);
    }

    /// All elements, in order.
    pub fn to_list(&self) -> Result<Vec<V>, ContainerError> {
        (0..self.length() as i64).map(|index| self.get(index)).collect()
    }
}

impl<V: TreeValue + Clone, I: IndexEncoding> TreeValue for LazyVector<V, I> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        match self.map.unchanged_whole([self.first, self.length]) {
            Some(whole) if !path.is_empty() => Ok(to.tree(path, whole.clone())?),
            _ => to.directory(path, |to| {
                self.map.write(to, &["contents"])?;
                I::write(self.length, to, &["length"])?;
                I::write(self.first, to, &["head"])
            }),
        }
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        let sub = super::value::subtree(tree, path)?;
        let contents = super::value::subtree(&sub, &["contents"])?;
        let length = I::read(&sub, &["length"])?;
        let first = I::read(&sub, &["head"])?;
        let map = LazyMap::part_of(sub, contents, [first, length], 2)?;
        Ok(LazyVector { first, length, map, index: PhantomData })
    }
}
