//! Micheline to values, in every form the protocol accepts.

use super::{Address, BigMap, Body, Extent, Fr, G1, G2, Lambda, Ticket, TypedContract, Value, timestamp};
use crate::error::{Problem, Result};
use crate::gas::cost;
use crate::node::Node;
use crate::typecheck::Typer;
use crate::types::{Kind, Type};
use imbl::{OrdMap, OrdSet, Vector};
use num_bigint::{BigInt, Sign};
use soru_tezos::codec::{Decode, Reader};
use soru_tezos::contract::{Destination, Entrypoint};
use soru_tezos::key::Signature;
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::number::Z;
use soru_tezos::scalar::Mutez;
use std::str::FromStr;
use std::sync::Arc;

/// Most nodes of all expressions in an error about a value.
const MAX_TOLD: usize = 500_000;

impl Typer<'_> {
    /// Reads a value of type `ty` from an expression that is nothing else. With `forged`, tickets and ids of big maps
    /// are believed: right for what the chain itself has stored.
    pub fn parse_data(&mut self, expr: &Micheline, ty: &Type, forged: bool) -> Result<Value> {
        let node = Node::new(expr)?;
        self.told = 0;
        self.value(&node, ty, forged)
    }

    /// The same, errors wrapped as an operation's result shows them.
    pub fn parse_toplevel_data(&mut self, expr: &Micheline, ty: &Type, forged: bool) -> Result<Value> {
        self.parse_data(expr, ty, forged).map_err(|error| {
            error.within(Problem::IllTypedData { expected_type: ty.to_micheline(), expression: expr.clone() })
        })
    }

    /// Reads a value of type `ty`.
    pub(crate) fn value(&mut self, node: &Node<'_>, ty: &Type, forged: bool) -> Result<Value> {
        self.gas.take(cost::PARSE_NODE)?;
        self.depth_step()?;
        let value = self.value_of(node, ty, forged);
        self.depth -= 1;
        match value {
            Err(error) if is_traced(&error.trace, ty) && self.can_tell(node.expr) => {
                Err(error.within(Problem::InvalidConstant {
                    location: node.location,
                    expected_type: ty.to_micheline(),
                    expression: node.expr.clone(),
                }))
            }
            other => other,
        }
    }

    /// Whether an error may tell this expression, too. Every level of a value is told with all that is in it: what is larger
    /// than any operation is told on fewer levels.
    fn can_tell(&mut self, expr: &Micheline) -> bool {
        self.told = self.told.saturating_add(Extent::of(expr).nodes);
        self.told <= MAX_TOLD
    }

    fn value_of(&mut self, node: &Node<'_>, ty: &Type, forged: bool) -> Result<Value> {
        match ty.kind() {
            Kind::Pair(..) => self.comb(node, ty, forged),
            Kind::Or(a, b) => match node.as_prim() {
                Some((Prim::Left, _)) => Ok(Value::Left(Arc::new(self.only(node, a, forged)?))),
                Some((Prim::Right, _)) => Ok(Value::Right(Arc::new(self.only(node, b, forged)?))),
                _ => Err(wrong_prim(node, &[Prim::Left, Prim::Right])),
            },
            Kind::Option(a) => match node.as_prim() {
                Some((Prim::Some, _)) => Ok(Value::some(self.only(node, a, forged)?)),
                Some((Prim::None, _)) => node.args::<0>().map(|_| Value::None),
                _ => Err(wrong_prim(node, &[Prim::Some, Prim::None])),
            },
            Kind::List(a) => {
                let items = sequence(node)?;
                items.iter().map(|item| self.value(item, a, forged)).collect::<Result<Vector<_>>>().map(Value::List)
            }
            Kind::Set(a) => self.set(node, a),
            Kind::Map(k, v) => Ok(Value::Map(self.entries(node, sequence(node)?, k, v, forged)?)),
            Kind::BigMap(k, v) => self.big_map(node, k, v, forged),
            Kind::Lambda(a, b) => self.lambda_value(node, a, b),
            Kind::Contract(a) => self.contract_value(node, a),
            Kind::Ticket(a) => self.ticket(node, a, forged),
            _ => self.atom(node, ty),
        }
    }

    fn only(&mut self, node: &Node<'_>, ty: &Type, forged: bool) -> Result<Value> {
        let [inner] = node.args()?;
        self.value(inner, ty, forged)
    }

    /// A right comb in any of its forms: `Pair a b`, `Pair a b c`, `{ a ; b ; c }`.
    fn comb(&mut self, node: &Node<'_>, ty: &Type, forged: bool) -> Result<Value> {
        let items = match (node.as_prim(), node.as_seq()) {
            (Some((Prim::Pair, items)), _) if items.len() > 1 => items,
            (Some((Prim::Pair, _)), _) => return Err(node.wrong_arity(2).into()),
            (_, Some(items)) if items.len() > 1 => items,
            (_, Some(items)) => {
                let given = items.len();
                return Err(Problem::InvalidSequenceArity { location: node.location, expected: 2, given }.into());
            }
            _ => return Err(wrong_prim(node, &[Prim::Pair])),
        };
        let (mut firsts, mut rest) = (Vec::new(), ty.clone());
        for (index, item) in items.iter().enumerate() {
            let last = index + 1 == items.len();
            match rest.kind().clone() {
                Kind::Pair(a, b) if !last => {
                    firsts.push(self.value(item, &a, forged)?);
                    rest = b;
                }
                _ if last => {
                    let last = self.value(item, &rest, forged)?;
                    return Ok(firsts.into_iter().rev().fold(last, |rest, first| Value::pair(first, rest)));
                }
                _ => return Err(node.wrong_arity(index + 1).into()),
            }
        }
        Err(node.wrong_arity(2).into())
    }

    fn set(&mut self, node: &Node<'_>, ty: &Type) -> Result<Value> {
        let mut set: OrdSet<Value> = OrdSet::new();
        for item in sequence(node)? {
            let value = self.value(item, ty, false)?;
            if let Some(last) = set.get_max() {
                self.gas.take_compare(last, &value)?;
                let shown = || node.expr.clone();
                let location = node.location;
                match last.cmp(&value) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => {
                        return Err(Problem::DuplicateSetValues { location, value: shown() }.into());
                    }
                    std::cmp::Ordering::Greater => {
                        return Err(Problem::UnorderedSetLiteral { location, value: shown() }.into());
                    }
                }
            }
            set.insert(value);
        }
        Ok(Value::Set(set))
    }

    fn entries(
        &mut self,
        node: &Node<'_>,
        items: &[Node<'_>],
        key: &Type,
        value: &Type,
        forged: bool,
    ) -> Result<OrdMap<Value, Value>> {
        let mut map: OrdMap<Value, Value> = OrdMap::new();
        for item in items {
            let Some((Prim::Elt, _)) = item.as_prim() else { return Err(wrong_prim(item, &[Prim::Elt])) };
            let [k, v] = item.args()?;
            let k = self.value(k, key, false)?;
            let v = self.value(v, value, forged)?;
            if let Some((last, _)) = map.get_max() {
                self.gas.take_compare(last, &k)?;
                let (location, shown) = (item.location, || node.expr.clone());
                match last.cmp(&k) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => {
                        return Err(Problem::DuplicateMapKeys { location, item: shown() }.into());
                    }
                    std::cmp::Ordering::Greater => {
                        return Err(Problem::UnorderedMapLiteral { location, item: shown() }.into());
                    }
                }
            }
            map.insert(k, v);
        }
        Ok(map)
    }

    /// An id, entries, or an id with changed entries.
    fn big_map(&mut self, node: &Node<'_>, key: &Type, value: &Type, forged: bool) -> Result<Value> {
        let (id, changes) = match (node.expr, node.as_prim()) {
            (Micheline::Int(id), _) => (Some((id, node.location)), None),
            (Micheline::Seq(_), _) => {
                let entries = self.entries(node, &node.children, key, value, forged)?;
                (None, Some(entries.into_iter().map(|(k, v)| (k, Some(v))).collect::<Vec<_>>()))
            }
            (_, Some((Prim::Pair, [id, changes]))) => {
                let Micheline::Int(number) = id.expr else { return Err(id.wrong_kind(&["integer"]).into()) };
                let optional = Type::option(value.clone());
                let entries = self.entries(changes, sequence(changes)?, key, &optional, forged)?;
                let open = |(k, v): (Value, Value)| match v {
                    Value::Some(v) => (k, Some((*v).clone())),
                    _ => (k, None),
                };
                (Some((number, id.location)), Some(entries.into_iter().map(open).collect()))
            }
            _ => return Err(node.wrong_kind(&["sequence", "integer"]).into()),
        };
        if let Some((id, location)) = id {
            if !forged {
                return Err(Problem::UnexpectedForgedValue { location }.into());
            }
            self.gas.take(cost::STORAGE_READ)?;
            let Some((stored_key, stored_value)) = self.chain.big_map_types(id) else {
                return Err(Problem::InvalidBigMap { location, id: id.to_string() }.into());
            };
            for (stored, wanted) in [(stored_key, key), (stored_value, value)] {
                let stored = self.parse_type(&stored)?;
                self.same_type(location, &stored, wanted)?;
            }
        }
        let mut map = BigMap {
            id: id.map(|(id, _)| id.clone()),
            key_type: key.clone(),
            value_type: value.clone(),
            changes: OrdMap::new(),
        };
        for (key, value) in changes.unwrap_or_default() {
            let hash = self.key_hash(&key, &map.key_type)?;
            map.changes.insert(hash, (key, value));
        }
        Ok(Value::BigMap(Arc::new(map)))
    }

    fn lambda_value(&mut self, node: &Node<'_>, argument: &Type, result: &Type) -> Result<Value> {
        let (code, recursive) = match (node.as_seq(), node.as_prim()) {
            (Some(_), _) => (node, false),
            (_, Some((Prim::Lambda_rec, _))) => {
                let [code] = node.args()?;
                sequence(code)?;
                (code, true)
            }
            _ => return Err(node.wrong_kind(&["sequence"]).into()),
        };
        let typed = self.lambda(code, argument, result, recursive)?;
        let body = Body::Code { code: typed, expr: Arc::new(code.expr.clone()), recursive };
        Ok(Value::Lambda(Arc::new(Lambda { argument: argument.clone(), result: result.clone(), body })))
    }

    fn contract_value(&mut self, node: &Node<'_>, ty: &Type) -> Result<Value> {
        let address = self.address(node)?;
        self.check_contract(node.location, &address, ty)?;
        Ok(Value::Contract(Arc::new(TypedContract { address, ty: ty.clone() })))
    }

    fn ticket(&mut self, node: &Node<'_>, ty: &Type, forged: bool) -> Result<Value> {
        if !forged {
            return Err(Problem::UnexpectedForgedValue { location: node.location }.into());
        }
        let opened = Type::pair(Type::address(), Type::pair(ty.clone(), Type::nat()));
        let opened = if let Some((Prim::Ticket, _)) = node.as_prim() {
            let [ticketer, content_type, content, amount] = node.args()?;
            let found = Type::comparable(content_type)?;
            self.same_type(content_type.location, &found, ty)?;
            let content = self.value(content, ty, false)?;
            let amount = self.value(amount, &Type::nat(), false)?;
            Value::pair(self.value(ticketer, &Type::address(), false)?, Value::pair(content, amount))
        } else {
            self.comb(node, &opened, false)?
        };
        let Value::Pair(outer) = &opened else { return Err(node.wrong_arity(2).into()) };
        let (Value::Address(address), Value::Pair(inner)) = (&outer.0, &outer.1) else {
            return Err(node.wrong_arity(2).into());
        };
        let Destination::Contract(ticketer) = address.destination else {
            return Err(Problem::UnexpectedTicketOwner { ticketer: address.destination }.into());
        };
        let Value::Int(amount) = &inner.1 else { return Err(node.wrong_arity(2).into()) };
        match amount.to_biguint().filter(|_| amount.sign() == Sign::Plus) {
            Some(amount) => Ok(Value::Ticket(Arc::new(Ticket {
                ticketer,
                content_type: ty.clone(),
                content: inner.0.clone(),
                amount,
            }))),
            None => Err(Problem::ForbiddenZeroTicket.into()),
        }
    }

    /// Values without values in them.
    fn atom(&mut self, node: &Node<'_>, ty: &Type) -> Result<Value> {
        let form = |expected: &str| {
            Problem::InvalidSyntacticConstant {
                location: node.location,
                expected_form: expected.to_owned(),
                expression: node.expr.clone(),
            }
            .into()
        };
        match (ty.kind(), node.expr) {
            (Kind::Unit, _) => match node.as_prim() {
                Some((Prim::Unit, _)) => node.args::<0>().map(|_| Value::Unit),
                _ => Err(wrong_prim(node, &[Prim::Unit])),
            },
            (Kind::Bool, _) => match node.as_prim() {
                Some((Prim::True, _)) => node.args::<0>().map(|_| Value::Bool(true)),
                Some((Prim::False, _)) => node.args::<0>().map(|_| Value::Bool(false)),
                _ => Err(wrong_prim(node, &[Prim::True, Prim::False])),
            },
            (Kind::String, Micheline::String(text)) => {
                self.gas.take_for(cost::PARSE_NODE, cost::BYTES, text.len())?;
                if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
                    Ok(Value::string(text))
                } else {
                    Err(form("a printable ascii string"))
                }
            }
            (Kind::Bytes, Micheline::Bytes(bytes)) => {
                self.gas.take_for(cost::PARSE_NODE, cost::BYTES, bytes.len())?;
                Ok(Value::bytes(bytes.as_slice()))
            }
            (Kind::Int, Micheline::Int(value)) => Ok(Value::Int(value.0.clone())),
            (Kind::Nat, Micheline::Int(value)) => match value.0.sign() {
                Sign::Minus => Err(form("a non-negative integer")),
                _ => Ok(Value::Int(value.0.clone())),
            },
            (Kind::Mutez, Micheline::Int(value)) => match u64::try_from(&value.0) {
                Ok(amount) if amount <= Mutez::MAX.0 => Ok(Value::Mutez(Mutez(amount))),
                _ => Err(form("a valid mutez amount")),
            },
            (Kind::Timestamp, Micheline::Int(Z(seconds))) => Ok(Value::Int(seconds.clone())),
            (Kind::Timestamp, Micheline::String(text)) => {
                timestamp::of_text(text).map(Value::Int).ok_or_else(|| form("a valid timestamp"))
            }
            (Kind::ChainId, _) => {
                self.text_or_bytes(node).map(Value::ChainId).or_else(|e| e.or(|| form("a valid chain id")))
            }
            (Kind::KeyHash, _) => {
                self.text_or_bytes(node).map(Value::KeyHash).or_else(|e| e.or(|| form("a valid key hash")))
            }
            (Kind::Key, _) => self
                .text_or_bytes(node)
                .map(|key| Value::Key(Arc::new(key)))
                .or_else(|e| e.or(|| form("a valid public key"))),
            (Kind::Signature, _) => self.signature(node).or_else(|e| e.or(|| form("a valid signature"))),
            (Kind::Address, _) => self.address(node).map(|address| Value::Address(Arc::new(address))),
            (Kind::BlsG1, Micheline::Bytes(bytes)) => {
                self.gas.take(cost::BLS_POINT)?;
                let point = G1::from_bytes(bytes).ok_or_else(|| form("a valid BLS12-381 G1 element"))?;
                Ok(Value::BlsG1(Arc::new(point)))
            }
            (Kind::BlsG2, Micheline::Bytes(bytes)) => {
                self.gas.take(cost::BLS_POINT)?;
                let point = G2::from_bytes(bytes).ok_or_else(|| form("a valid BLS12-381 G2 element"))?;
                Ok(Value::BlsG2(Arc::new(point)))
            }
            (Kind::BlsFr, Micheline::Bytes(bytes)) => {
                let number = Fr::from_bytes(bytes).ok_or_else(|| form("a valid BLS12-381 field element"))?;
                Ok(Value::BlsFr(Arc::new(number)))
            }
            (Kind::BlsFr, Micheline::Int(value)) => {
                self.gas.take_for(cost::ARITHMETIC, cost::NUMBER_PRODUCTS, Value::Int(value.0.clone()).weight())?;
                Ok(Value::BlsFr(Arc::new(Fr::from(&value.0))))
            }
            (Kind::BlsG1 | Kind::BlsG2 | Kind::BlsFr, _) => Err(node.wrong_kind(&["bytes"]).into()),
            (Kind::Never, _) => Err(Problem::InvalidNever { location: node.location }.into()),
            (Kind::String, _) => Err(node.wrong_kind(&["string"]).into()),
            (Kind::Bytes, _) => Err(node.wrong_kind(&["bytes"]).into()),
            (Kind::Int | Kind::Nat | Kind::Mutez, _) => Err(node.wrong_kind(&["integer"]).into()),
            (Kind::Timestamp, _) => Err(node.wrong_kind(&["string", "integer"]).into()),
            (kind, _) => Err(Problem::Unsupported { location: node.location, prim: type_prim(kind) }.into()),
        }
    }

    fn text_or_bytes<T: FromStr + Decode>(&mut self, node: &Node<'_>) -> Result<T, Misread> {
        match node.expr {
            Micheline::String(text) => {
                self.gas.take(cost::BASE58).map_err(Misread::Error)?;
                text.parse().map_err(|_| Misread::Form)
            }
            Micheline::Bytes(bytes) => T::from_bytes(bytes).map_err(|_| Misread::Form),
            _ => Err(Misread::Error(node.wrong_kind(&["string", "bytes"]).into())),
        }
    }

    fn signature(&mut self, node: &Node<'_>) -> Result<Value, Misread> {
        let signature = match node.expr {
            Micheline::Bytes(bytes) => match (<[u8; 64]>::try_from(&bytes[..]), <[u8; 96]>::try_from(&bytes[..])) {
                (Ok(short), _) => Signature::Generic(short),
                (_, Ok(long)) => Signature::Bls(long),
                _ => return Err(Misread::Form),
            },
            Micheline::String(text) => {
                self.gas.take(cost::BASE58).map_err(Misread::Error)?;
                text.parse().map_err(|_| Misread::Form)?
            }
            _ => return Err(Misread::Error(node.wrong_kind(&["string", "bytes"]).into())),
        };
        if !is_signature(&signature) {
            return Err(Misread::Form);
        }
        Ok(Value::Signature(Arc::new(signature)))
    }

    fn address(&mut self, node: &Node<'_>) -> Result<Address> {
        let form = || {
            Problem::InvalidSyntacticConstant {
                location: node.location,
                expected_form: "a valid address".to_owned(),
                expression: node.expr.clone(),
            }
            .into()
        };
        match node.expr {
            Micheline::String(text) => {
                self.gas.take(cost::BASE58)?;
                text.parse().map_err(|_| form())
            }
            Micheline::Bytes(bytes) => address_of_bytes(bytes).ok_or_else(form),
            _ => Err(node.wrong_kind(&["string", "bytes"]).into()),
        }
    }
}

/// Why an atom was not read: its form is wrong, or something else.
enum Misread {
    Form,
    Error(crate::error::ScriptError),
}

impl Misread {
    fn or<T>(self, form: impl FnOnce() -> crate::error::ScriptError) -> Result<T> {
        match self {
            Misread::Form => Err(form()),
            Misread::Error(error) => Err(error),
        }
    }
}

/// The order of secp256k1, in which both numbers of a signature lie.
const SECP256K1_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// Whether bytes can be a signature of their scheme at all.
fn is_signature(signature: &Signature) -> bool {
    match signature {
        Signature::Secp256k1(bytes) => bytes.chunks_exact(32).all(|number| *number < SECP256K1_ORDER[..]),
        Signature::Bls(bytes) => blst::min_pk::Signature::sig_validate(bytes, false).is_ok(),
        _ => true,
    }
}

fn address_of_bytes(bytes: &[u8]) -> Option<Address> {
    let mut reader = Reader::new(bytes);
    let destination = Destination::decode(&mut reader).ok()?;
    let rest = std::str::from_utf8(reader.take_rest()).ok()?;
    let entrypoint = if rest.is_empty() { Entrypoint::default() } else { rest.parse().ok()? };
    if !rest.is_empty() && entrypoint.is_default() {
        return None;
    }
    Some(Address { destination, entrypoint })
}

fn sequence<'n, 'a>(node: &'n Node<'a>) -> Result<&'n [Node<'a>]> {
    node.as_seq().ok_or_else(|| node.wrong_kind(&["sequence"]).into())
}

fn wrong_prim(node: &Node<'_>, expected: &[Prim]) -> crate::error::ScriptError {
    let location = node.location;
    match node.as_prim().map(|(given, _)| (given, crate::typecheck::namespace(given))) {
        Some((given, "constant")) => Problem::InvalidPrimitive { location, expected: expected.to_vec(), given }.into(),
        Some((prim, given)) => Problem::InvalidNamespace { location, prim, expected: "constant", given }.into(),
        None => node.wrong_kind(&["primitiveApplication"]).into(),
    }
}

/// Whether an error about a part of a value of type `ty` is told as one about the whole, too. The protocol does so at every
/// level, but for what is inside tickets and for types of stored big maps.
fn is_traced(trace: &[Problem], ty: &Type) -> bool {
    match (ty.kind(), trace.first()) {
        (Kind::Ticket(_), Some(Problem::ForbiddenZeroTicket | Problem::UnexpectedForgedValue { .. })) => true,
        (Kind::Ticket(_), _) => false,
        (Kind::BigMap(..), Some(Problem::InconsistentTypes { .. })) => false,
        (_, Some(Problem::Unsupported { .. })) => false,
        _ => true,
    }
}

fn type_prim(kind: &Kind) -> Prim {
    match kind {
        Kind::Operation => Prim::operation,
        Kind::Chest => Prim::chest,
        Kind::ChestKey => Prim::chest_key,
        Kind::SaplingState(_) => Prim::sapling_state,
        Kind::SaplingTransaction(_) => Prim::sapling_transaction,
        _ => Prim::never,
    }
}

/// A number as `int`.
impl From<BigInt> for Value {
    fn from(value: BigInt) -> Self {
        Value::Int(value)
    }
}
