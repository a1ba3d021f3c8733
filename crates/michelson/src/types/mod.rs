//! The types of Michelson: shape, size, and what values of a type may be used for.

mod differences;
mod entrypoints;
mod parse;
mod rollup;

pub use differences::differences;
pub use entrypoints::{EntrypointType, Parameter, Side};
pub use parse::Allow;
pub use rollup::{check_outbox_parameter, check_rollup_parameter};

use soru_tezos::micheline::{Micheline, Prim};
use std::fmt;
use std::sync::Arc;

/// Largest size of a type (the number of its nodes).
pub const MAX_TYPE_SIZE: u32 = 2_001;

/// A type. Cheap to clone.
#[derive(Clone)]
pub struct Type(Arc<Inner>);

struct Inner {
    kind: Kind,
    size: u32,
    uses: Uses,
}

/// The shapes of types.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Unit,
    Never,
    Bool,
    Int,
    Nat,
    Mutez,
    Timestamp,
    String,
    Bytes,
    ChainId,
    KeyHash,
    Key,
    Signature,
    Address,
    Operation,
    BlsG1,
    BlsG2,
    BlsFr,
    Chest,
    ChestKey,
    SaplingState(u32),
    SaplingTransaction(u32),
    Pair(Type, Type),
    Or(Type, Type),
    Option(Type),
    List(Type),
    Set(Type),
    Map(Type, Type),
    BigMap(Type, Type),
    Lambda(Type, Type),
    Contract(Type),
    Ticket(Type),
}

/// What values of a type may be used for, and what the type contains. `contract` and `lambda` hide what they are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Uses {
    comparable: bool,
    lazy: bool,
    ticket: bool,
}

const COMPARABLE: Uses = Uses { comparable: true, lazy: false, ticket: false };
const PLAIN: Uses = Uses { comparable: false, ..COMPARABLE };

impl Uses {
    fn and(self, other: Uses) -> Uses {
        Uses {
            comparable: self.comparable && other.comparable,
            lazy: self.lazy || other.lazy,
            ticket: self.ticket || other.ticket,
        }
    }

    fn plain(self) -> Uses {
        Uses { comparable: false, ..self }
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.size == other.0.size && self.0.kind == other.0.kind)
    }
}

impl Eq for Type {}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::syntax::print_line(&self.to_micheline()))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

macro_rules! atoms {
    ($($name:ident => $kind:ident),* $(,)?) => {
        $(#[doc = concat!("The type `", stringify!($name), "`.")] pub fn $name() -> Type { Type::new(Kind::$kind) })*
    };
}

impl Type {
    fn new(kind: Kind) -> Type {
        let (size, uses) = match &kind {
            Kind::Unit
            | Kind::Never
            | Kind::Bool
            | Kind::Int
            | Kind::Nat
            | Kind::Mutez
            | Kind::Timestamp
            | Kind::String
            | Kind::Bytes
            | Kind::ChainId
            | Kind::KeyHash
            | Kind::Key
            | Kind::Signature
            | Kind::Address => (0, COMPARABLE),
            Kind::Operation => (0, PLAIN),
            Kind::SaplingState(_) => (0, Uses { lazy: true, ..PLAIN }),
            Kind::BlsG1 | Kind::BlsG2 | Kind::BlsFr | Kind::Chest | Kind::ChestKey | Kind::SaplingTransaction(_) => {
                (0, PLAIN)
            }
            Kind::Pair(a, b) | Kind::Or(a, b) => (a.0.size + b.0.size, a.0.uses.and(b.0.uses)),
            Kind::Option(a) => (a.0.size, a.0.uses),
            Kind::List(a) | Kind::Set(a) => (a.0.size, a.0.uses.plain()),
            Kind::Map(k, v) => (k.0.size + v.0.size, k.0.uses.and(v.0.uses).plain()),
            Kind::BigMap(k, v) => (k.0.size + v.0.size, Uses { lazy: true, ..k.0.uses.and(v.0.uses).plain() }),
            Kind::Lambda(a, b) => (a.0.size + b.0.size, PLAIN),
            Kind::Contract(a) => (a.0.size, PLAIN),
            Kind::Ticket(a) => (a.0.size, Uses { ticket: true, ..PLAIN }),
        };
        Type(Arc::new(Inner { kind, size: size.saturating_add(1), uses }))
    }

    atoms! {
        unit => Unit, never => Never, bool => Bool, int => Int, nat => Nat, mutez => Mutez, timestamp => Timestamp,
        string => String, bytes => Bytes, chain_id => ChainId, key_hash => KeyHash, key => Key,
        signature => Signature, address => Address, operation => Operation, bls_g1 => BlsG1, bls_g2 => BlsG2,
        bls_fr => BlsFr, chest => Chest, chest_key => ChestKey,
    }

    /// `pair a b`.
    pub fn pair(a: Type, b: Type) -> Type {
        Type::new(Kind::Pair(a, b))
    }

    /// `or a b`.
    pub fn or(a: Type, b: Type) -> Type {
        Type::new(Kind::Or(a, b))
    }

    /// `option a`.
    pub fn option(a: Type) -> Type {
        Type::new(Kind::Option(a))
    }

    /// `list a`.
    pub fn list(a: Type) -> Type {
        Type::new(Kind::List(a))
    }

    /// `set a`.
    pub fn set(a: Type) -> Type {
        Type::new(Kind::Set(a))
    }

    /// `map k v`.
    pub fn map(k: Type, v: Type) -> Type {
        Type::new(Kind::Map(k, v))
    }

    /// `big_map k v`.
    pub fn big_map(k: Type, v: Type) -> Type {
        Type::new(Kind::BigMap(k, v))
    }

    /// `lambda a b`.
    pub fn lambda(a: Type, b: Type) -> Type {
        Type::new(Kind::Lambda(a, b))
    }

    /// `contract a`.
    pub fn contract(a: Type) -> Type {
        Type::new(Kind::Contract(a))
    }

    /// `ticket a`.
    pub fn ticket(a: Type) -> Type {
        Type::new(Kind::Ticket(a))
    }

    /// The shape.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The number of nodes; above [`MAX_TYPE_SIZE`] the type is refused.
    pub fn size(&self) -> u32 {
        self.0.size
    }

    /// Whether values can be compared, and be keys of maps and elements of sets.
    pub fn is_comparable(&self) -> bool {
        self.0.uses.comparable
    }

    /// Whether values can be duplicated: there is no ticket in them.
    pub fn is_duplicable(&self) -> bool {
        !self.0.uses.ticket
    }

    /// Whether a value may contain a big map.
    pub fn has_big_map(&self) -> bool {
        self.0.uses.lazy
    }

    /// Whether a value may contain a ticket.
    pub fn has_ticket(&self) -> bool {
        self.0.uses.ticket
    }

    /// The type as Micheline, without annotations, every pair of two.
    pub fn unfolded(&self) -> Micheline {
        fn unfold(expr: Micheline) -> Micheline {
            let Micheline::Prim(mut app) = expr else { return expr };
            app.args = app.args.into_iter().map(unfold).collect();
            if app.prim == Prim::pair
                && let Some(last) = app.args.pop()
            {
                let firsts = app.args.into_iter().rev();
                return firsts.fold(last, |rest, first| Micheline::prim(Prim::pair, vec![first, rest]));
            }
            Micheline::Prim(app)
        }
        unfold(self.to_micheline())
    }

    /// The type as Micheline, without annotations, right combs flat.
    pub fn to_micheline(&self) -> Micheline {
        let word = |prim| Micheline::word(prim);
        let of = |prim, args: &[&Type]| Micheline::prim(prim, args.iter().map(|arg| arg.to_micheline()).collect());
        match self.kind() {
            Kind::Unit => word(Prim::unit),
            Kind::Never => word(Prim::never),
            Kind::Bool => word(Prim::bool),
            Kind::Int => word(Prim::int),
            Kind::Nat => word(Prim::nat),
            Kind::Mutez => word(Prim::mutez),
            Kind::Timestamp => word(Prim::timestamp),
            Kind::String => word(Prim::string),
            Kind::Bytes => word(Prim::bytes),
            Kind::ChainId => word(Prim::chain_id),
            Kind::KeyHash => word(Prim::key_hash),
            Kind::Key => word(Prim::key),
            Kind::Signature => word(Prim::signature),
            Kind::Address => word(Prim::address),
            Kind::Operation => word(Prim::operation),
            Kind::BlsG1 => word(Prim::bls12_381_g1),
            Kind::BlsG2 => word(Prim::bls12_381_g2),
            Kind::BlsFr => word(Prim::bls12_381_fr),
            Kind::Chest => word(Prim::chest),
            Kind::ChestKey => word(Prim::chest_key),
            Kind::SaplingState(memo) => Micheline::prim(Prim::sapling_state, vec![Micheline::int(*memo)]),
            Kind::SaplingTransaction(memo) => Micheline::prim(Prim::sapling_transaction, vec![Micheline::int(*memo)]),
            Kind::Pair(_, _) => {
                let (mut args, mut rest) = (Vec::new(), self);
                while let Kind::Pair(a, b) = rest.kind() {
                    args.push(a.to_micheline());
                    rest = b;
                }
                args.push(rest.to_micheline());
                Micheline::prim(Prim::pair, args)
            }
            Kind::Or(a, b) => of(Prim::or, &[a, b]),
            Kind::Option(a) => of(Prim::option, &[a]),
            Kind::List(a) => of(Prim::list, &[a]),
            Kind::Set(a) => of(Prim::set, &[a]),
            Kind::Map(k, v) => of(Prim::map, &[k, v]),
            Kind::BigMap(k, v) => of(Prim::big_map, &[k, v]),
            Kind::Lambda(a, b) => of(Prim::lambda, &[a, b]),
            Kind::Contract(a) => of(Prim::contract, &[a]),
            Kind::Ticket(a) => of(Prim::ticket, &[a]),
        }
    }
}
