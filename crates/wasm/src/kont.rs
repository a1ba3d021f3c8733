//! Generic continuations: loops over vectors, one element a tick (`spec/pvm.md` §4.6).

use soru_merkle::containers::{TreeValue, Vector};
use soru_merkle::{tree_record, tree_union};

use crate::exception::{StepError, Stepped};

tree_record! {
    /// Two vectors being joined.
    pub struct Concat<T> {
        /// First.
        left: Vector<T> = ["lv"],
        /// Second.
        right: Vector<T> = ["rv"],
        /// Both, as far as done.
        result: Vector<T> = ["res"],
        /// Elements done.
        offset: i32 = ["offset"],
    }
}

impl<T: TreeValue + Clone> Concat<T> {
    /// Before the first element.
    pub fn new(left: Vector<T>, right: Vector<T>) -> Stepped<Self> {
        let (a, b) = (left.signed_length() as i32, right.signed_length() as i32);
        let length = a.wrapping_add(b);
        if (length as u32) < a as u32 || (length as u32) < b as u32 {
            return Err(StepError::named("Tezos_lazy_containers.Lazy_vector.SizeOverflow", None));
        }
        Ok(Concat { left, right, result: Vector::create(length.into()), offset: 0 })
    }

    /// Whether all elements are done.
    pub fn is_complete(&self) -> bool {
        let total = (self.left.signed_length() as i32).wrapping_add(self.right.signed_length() as i32);
        total <= self.offset
    }

    /// One element.
    pub fn step(mut self) -> Stepped<Self> {
        let left = self.left.signed_length() as i32;
        let element = if self.offset < left {
            self.left.get(self.offset.into())?
        } else {
            self.right.get(self.offset.wrapping_sub(left).into())?
        };
        self.result.set(self.offset.into(), element)?;
        self.offset = self.offset.wrapping_add(1);
        Ok(self)
    }
}

tree_record! {
    /// A vector being mapped to another.
    pub struct MapKont<O, D> {
        /// From here.
        origin: O = ["origin"],
        /// To here.
        destination: D = ["destination"],
        /// Elements done.
        offset: i32 = ["offset"],
    }
}

tree_union! {
    /// Vectors being joined into one.
    pub enum Join<T> {
        /// Before.
        Init(Vector<Vector<T>>) = "J_Init",
        /// At work.
        Next(JoinNext<T>) = "J_Next",
        /// Done.
        Stop(Vector<T>) = "J_Stop",
    }
}

tree_record! {
    /// Vectors being joined.
    pub struct JoinNext<T> {
        /// What is joined with the next one.
        kont: Concat<T> = ["kont"],
        /// The rest.
        rest: Vector<Vector<T>> = ["acc"],
    }
}

impl<T: TreeValue + Clone> Join<T> {
    /// The result, if there is one.
    pub fn completed(&self) -> Option<Vector<T>> {
        match self {
            Join::Init(vectors) if vectors.is_empty() => Some(Vector::create(0)),
            Join::Stop(vector) => Some(vector.clone()),
            _ => None,
        }
    }

    /// One tick. Must not be called on a completed join.
    pub fn step(self) -> Stepped<Self> {
        match self {
            Join::Init(mut vectors) if vectors.signed_length() > 1 => {
                let first = vectors.pop()?;
                let second = vectors.pop()?;
                Ok(Join::Next(JoinNext { kont: Concat::new(first, second)?, rest: vectors }))
            }
            Join::Init(vectors) if vectors.signed_length() == 1 => Ok(Join::Stop(vectors.get(0)?)),
            Join::Next(JoinNext { kont, rest }) if kont.is_complete() && rest.is_empty() => Ok(Join::Stop(kont.result)),
            Join::Next(JoinNext { kont, mut rest }) if kont.is_complete() => {
                let next = rest.pop()?;
                Ok(Join::Next(JoinNext { kont: Concat::new(kont.result, next)?, rest }))
            }
            Join::Next(JoinNext { kont, rest }) => Ok(Join::Next(JoinNext { kont: kont.step()?, rest })),
            Join::Init(_) | Join::Stop(_) => {
                Err(StepError::named("Tezos_webassembly_interpreter.Eval.Init_step_error(3)", Some("Join_step")))
            }
        }
    }
}
