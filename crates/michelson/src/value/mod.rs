//! The values of Michelson: tagged, cheap to clone, ordered.

mod bls;
mod compare;
mod parse;
mod timestamp;
mod unparse;

pub use bls::{Fr, G1, G2, pairings_cancel};
pub use unparse::Mode;

use crate::context::InternalOperation;
use crate::lazy::LazyStorageItem;
use crate::typecheck::Code;
use crate::types::Type;
use imbl::{OrdMap, OrdSet, Vector};
use num_bigint::{BigInt, BigUint};
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::hash::{ChainId, ScriptExprHash};
use soru_tezos::key::{PublicKey, PublicKeyHash, Signature};
use soru_tezos::micheline::Micheline;
use soru_tezos::number::Z;
use soru_tezos::scalar::Mutez;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A value. `int`, `nat` and `timestamp` are all [`Value::Int`]; the typechecker has told them apart.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum Value {
    Unit,
    Bool(bool),
    Int(BigInt),
    Mutez(Mutez),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    ChainId(ChainId),
    KeyHash(PublicKeyHash),
    Key(Arc<PublicKey>),
    Signature(Arc<Signature>),
    Address(Arc<Address>),
    Contract(Arc<TypedContract>),
    Operation(Arc<EmittedOperation>),
    Pair(Arc<(Value, Value)>),
    Left(Arc<Value>),
    Right(Arc<Value>),
    None,
    Some(Arc<Value>),
    List(Vector<Value>),
    Set(OrdSet<Value>),
    Map(OrdMap<Value, Value>),
    BigMap(Arc<BigMap>),
    Lambda(Arc<Lambda>),
    Ticket(Arc<Ticket>),
    BlsG1(Arc<G1>),
    BlsG2(Arc<G2>),
    BlsFr(Arc<Fr>),
}

/// An address of Michelson: who, and which entrypoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The account or rollup.
    pub destination: Destination,
    /// The entrypoint.
    pub entrypoint: Entrypoint,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.destination)?;
        if self.entrypoint.is_default() { Ok(()) } else { write!(f, "%{}", self.entrypoint) }
    }
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (account, entrypoint) = text.split_once('%').unwrap_or((text, "default"));
        if text.ends_with("%default") || entrypoint.is_empty() {
            return Err(format!("'{text}': the default entrypoint is not written out"));
        }
        Ok(Address {
            destination: account.parse().map_err(|error| format!("{error}"))?,
            entrypoint: entrypoint.parse().map_err(|error| format!("{error}"))?,
        })
    }
}

/// A contract of known parameter type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedContract {
    /// Its address.
    pub address: Address,
    /// The type its entrypoint takes.
    pub ty: Type,
}

/// An operation with the changes of big maps its argument brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmittedOperation {
    /// The operation.
    pub operation: InternalOperation,
    /// Big maps in the argument.
    pub lazy_storage_diff: Vec<LazyStorageItem>,
}

/// A big map: where it is stored, if it is, and what was changed since.
#[derive(Debug, Clone)]
pub struct BigMap {
    /// Its id, when it is stored.
    pub id: Option<Z>,
    /// Type of keys.
    pub key_type: Type,
    /// Type of values.
    pub value_type: Type,
    /// Changed entries by the hash of their key; no value when removed.
    pub changes: OrdMap<ScriptExprHash, (Value, Option<Value>)>,
}

/// A function.
#[derive(Debug, Clone)]
pub struct Lambda {
    /// Type of the argument.
    pub argument: Type,
    /// Type of the result.
    pub result: Type,
    /// What it does.
    pub body: Body,
}

/// What a function does.
#[derive(Debug, Clone)]
pub enum Body {
    /// Code, typed and as written. A recursive function finds itself below its argument.
    Code {
        /// Typed.
        code: Code,
        /// As written.
        expr: Arc<Micheline>,
        /// Whether it is recursive.
        recursive: bool,
    },
    /// A function whose first argument is known.
    Applied {
        /// Type of that argument.
        ty: Type,
        /// The argument.
        value: Value,
        /// The argument in its optimized form.
        expr: Arc<Micheline>,
        /// The size of that form.
        extent: Extent,
        /// The function.
        inner: Arc<Lambda>,
    },
}

/// How large an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Deepest nesting.
    pub depth: usize,
    /// Number of nodes.
    pub nodes: usize,
}

impl Extent {
    /// Measures an expression.
    pub fn of(expr: &Micheline) -> Extent {
        let below = match expr {
            Micheline::Seq(items) => items,
            Micheline::Prim(app) => &app.args,
            _ => return Extent { depth: 1, nodes: 1 },
        };
        let sum = below.iter().map(Extent::of).fold(Extent { depth: 0, nodes: 0 }, |sum, item| Extent {
            depth: sum.depth.max(item.depth),
            nodes: sum.nodes.saturating_add(item.nodes),
        });
        Extent { depth: sum.depth + 1, nodes: sum.nodes + 1 }
    }
}

/// A ticket.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Who issued it.
    pub ticketer: Contract,
    /// Type of the content.
    pub content_type: Type,
    /// The content.
    pub content: Value,
    /// How many.
    pub amount: BigUint,
}

impl Value {
    /// A number.
    pub fn int(value: impl Into<BigInt>) -> Value {
        Value::Int(value.into())
    }

    /// A string.
    pub fn string(text: &str) -> Value {
        Value::String(text.into())
    }

    /// Bytes.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Value {
        Value::Bytes(bytes.into())
    }

    /// A pair.
    pub fn pair(a: Value, b: Value) -> Value {
        Value::Pair(Arc::new((a, b)))
    }

    /// `Some` value.
    pub fn some(value: Value) -> Value {
        Value::Some(Arc::new(value))
    }

    /// `Some` or `None`.
    pub fn option(value: Option<Value>) -> Value {
        value.map_or(Value::None, Value::some)
    }

    /// An address.
    pub fn address(destination: impl Into<Destination>, entrypoint: Entrypoint) -> Value {
        Value::Address(Arc::new(Address { destination: destination.into(), entrypoint }))
    }

    /// Bytes the value takes, roughly: for costs of comparing and copying.
    pub fn weight(&self) -> usize {
        match self {
            Value::Int(value) => usize::try_from(value.bits() / 8 + 1).unwrap_or(usize::MAX),
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Pair(pair) => pair.0.weight().saturating_add(pair.1.weight()),
            Value::Left(value) | Value::Right(value) | Value::Some(value) => value.weight().saturating_add(1),
            Value::Key(_) | Value::Signature(_) | Value::Address(_) | Value::KeyHash(_) => 64,
            _ => 1,
        }
    }
}
