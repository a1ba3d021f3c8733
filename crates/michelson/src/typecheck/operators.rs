//! Instructions that take their operands off the stack and put a result there: arithmetic, logic, comparison, strings,
//! collections, hashes, tickets, and what the chain says.

use super::{Judgement, Op, Stack, Typer, shown};
use crate::error::{Problem, Result};
use crate::node::Node;
use crate::types::{Kind, Type};
use soru_tezos::micheline::Prim;

/// What a plain instruction takes, from the top, and gives, from the top.
type Effect = Option<(usize, Vec<Type>)>;

impl Typer<'_> {
    /// Checks an instruction without arguments whose typing is a table.
    pub(super) fn plain(&mut self, node: &Node<'_>, prim: Prim, mut stack: Stack) -> Judgement {
        let [] = node.args()?;
        let effect = constant(prim).map(|ty| (0, vec![ty])).or_else(|| operator(prim, &stack, self.legacy));
        let effect = match effect {
            None => self.collection(node, prim, &stack)?,
            some => some,
        };
        let Some((taken, given)) = effect else { return self.undefined(node, prim, &stack) };
        let signed = stack.last().is_some_and(|ty| *ty.kind() == Kind::Int);
        stack.truncate(stack.len() - taken);
        for ty in given.into_iter().rev() {
            stack.push(self.sized(node, ty)?);
        }
        let op = if prim == Prim::BYTES { Op::NumberToBytes { signed } } else { Op::Plain(prim) };
        Ok((op, Some(stack)))
    }

    /// The error of an instruction that is not defined on this stack.
    fn undefined<T>(&self, node: &Node<'_>, prim: Prim, stack: &[Type]) -> Result<T> {
        let location = node.location;
        let portion = portion(prim);
        let top = |index: usize| stack.len().checked_sub(index + 1).map(|at| stack[at].to_micheline());
        Err(match (is_operator(prim), portion, top(0), top(1)) {
            (true, 2, Some(left), Some(right)) => Problem::UndefinedBinop { location, prim, left, right },
            (true, 1, Some(operand), _) => Problem::UndefinedUnop { location, prim, operand },
            _ => Problem::BadStack { location, prim, portion, stack: shown(stack) },
        }
        .into())
    }

    /// Instructions on sets, maps, lists and tickets, whose types must fit together.
    fn collection(&mut self, node: &Node<'_>, prim: Prim, stack: &[Type]) -> Result<Effect> {
        let mut top = stack.iter().rev();
        let (a, b, c) = (top.next(), top.next(), top.next());
        let Some(a) = a else { return Ok(None) };
        let location = node.location;
        let mut fits = |found: &Type, wanted: &Type, level: usize| {
            self.same_type(location, found, wanted).map_err(|error| {
                error.within(Problem::BadStackItem { level }).within(Problem::BadStack {
                    location,
                    prim,
                    portion: portion(prim),
                    stack: shown(stack),
                })
            })
        };
        Ok(match (prim, a.kind(), b, c) {
            (Prim::CONS, _, Some(list), _) => match list.kind() {
                Kind::List(item) => {
                    fits(a, item, 1)?;
                    Some((2, vec![list.clone()]))
                }
                _ => None,
            },
            (Prim::MEM, _, Some(b), _) => match b.kind() {
                Kind::Set(key) | Kind::Map(key, _) | Kind::BigMap(key, _) => {
                    fits(a, key, 1)?;
                    Some((2, vec![Type::bool()]))
                }
                _ => None,
            },
            (Prim::GET, _, Some(b), _) => match b.kind() {
                Kind::Map(key, value) | Kind::BigMap(key, value) => {
                    fits(a, key, 1)?;
                    if !value.is_duplicable() {
                        return Err(Problem::NonDupableType { location, ty: value.to_micheline() }.into());
                    }
                    Some((2, vec![Type::option(value.clone())]))
                }
                _ => None,
            },
            (Prim::UPDATE | Prim::GET_AND_UPDATE, _, Some(b), Some(c)) => match (prim, c.kind(), b.kind()) {
                (Prim::UPDATE, Kind::Set(key), Kind::Bool) => {
                    fits(a, key, 1)?;
                    Some((3, vec![c.clone()]))
                }
                (_, Kind::Map(key, value) | Kind::BigMap(key, value), Kind::Option(new)) => {
                    fits(a, key, 1)?;
                    fits(new, value, 2)?;
                    let kept = (prim == Prim::GET_AND_UPDATE).then(|| b.clone());
                    Some((3, kept.into_iter().chain([c.clone()]).collect()))
                }
                _ => None,
            },
            (Prim::COMPARE, _, Some(b), _) => {
                fits(a, b, 1)?;
                if !a.is_comparable() {
                    return Err(Problem::ComparableTypeExpected { location, wrong_type: a.to_micheline() }.into());
                }
                Some((2, vec![Type::int()]))
            }
            (Prim::JOIN_TICKETS, Kind::Pair(x, y), _, _) => match (x.kind(), y.kind()) {
                (Kind::Ticket(p), Kind::Ticket(q)) => {
                    self.same_type(location, p, q)?;
                    Some((1, vec![Type::option(x.clone())]))
                }
                _ => None,
            },
            _ => None,
        })
    }
}

/// Instructions that only push something.
fn constant(prim: Prim) -> Option<Type> {
    Some(match prim {
        Prim::UNIT => Type::unit(),
        Prim::NOW => Type::timestamp(),
        Prim::LEVEL | Prim::MIN_BLOCK_TIME | Prim::TOTAL_VOTING_POWER => Type::nat(),
        Prim::AMOUNT | Prim::BALANCE => Type::mutez(),
        Prim::CHAIN_ID => Type::chain_id(),
        Prim::SOURCE | Prim::SENDER | Prim::SELF_ADDRESS => Type::address(),
        _ => return None,
    })
}

/// Instructions whose result follows from the kinds of their operands.
fn operator(prim: Prim, stack: &[Type], legacy: bool) -> Effect {
    use Kind::{BlsFr, BlsG1, BlsG2, Bool, Bytes, Int, Mutez, Nat, String as Text, Timestamp};
    let mut top = stack.iter().rev();
    let a_type = top.next()?;
    let (a, b_type) = (a_type.kind(), top.next());
    if let Some(result) = unary(prim, a_type) {
        return Some((1, vec![result]));
    }
    let b_type = b_type?;
    let b = b_type.kind();
    let ediv = |quotient, rest| Type::option(Type::pair(quotient, rest));
    let result = match (prim, a, b) {
        (Prim::ADD, Nat, Nat) => Type::nat(),
        (Prim::ADD, Int | Nat, Int | Nat) => Type::int(),
        (Prim::ADD, Timestamp, Int) | (Prim::ADD, Int, Timestamp) => Type::timestamp(),
        (Prim::ADD, Mutez, Mutez) => Type::mutez(),
        (Prim::ADD, BlsG1, BlsG1) | (Prim::ADD, BlsG2, BlsG2) | (Prim::ADD, BlsFr, BlsFr) => a_type.clone(),
        (Prim::SUB, Int | Nat, Int | Nat) => Type::int(),
        (Prim::SUB, Timestamp, Int) => Type::timestamp(),
        (Prim::SUB, Timestamp, Timestamp) => Type::int(),
        (Prim::SUB, Mutez, Mutez) if legacy => Type::mutez(),
        (Prim::SUB_MUTEZ, Mutez, Mutez) => Type::option(Type::mutez()),
        (Prim::MUL, Nat, Nat) => Type::nat(),
        (Prim::MUL, Int | Nat, Int | Nat) => Type::int(),
        (Prim::MUL, Mutez, Nat) | (Prim::MUL, Nat, Mutez) => Type::mutez(),
        (Prim::MUL, BlsG1 | BlsG2 | BlsFr, BlsFr) => a_type.clone(),
        (Prim::MUL, Int | Nat, BlsFr) | (Prim::MUL, BlsFr, Int | Nat) => Type::bls_fr(),
        (Prim::EDIV, Nat, Nat) => ediv(Type::nat(), Type::nat()),
        (Prim::EDIV, Int | Nat, Int | Nat) => ediv(Type::int(), Type::nat()),
        (Prim::EDIV, Mutez, Nat) => ediv(Type::mutez(), Type::mutez()),
        (Prim::EDIV, Mutez, Mutez) => ediv(Type::nat(), Type::mutez()),
        (Prim::LSL | Prim::LSR, Nat, Nat) => Type::nat(),
        (Prim::LSL | Prim::LSR, Bytes, Nat) => Type::bytes(),
        (Prim::AND | Prim::OR | Prim::XOR, Bool, Bool) => Type::bool(),
        (Prim::AND | Prim::OR | Prim::XOR, Nat, Nat) => Type::nat(),
        (Prim::AND | Prim::OR | Prim::XOR, Bytes, Bytes) => Type::bytes(),
        (Prim::AND, Int, Nat) => Type::nat(),
        (Prim::CONCAT, Text, Text) => Type::string(),
        (Prim::CONCAT, Bytes, Bytes) => Type::bytes(),
        (Prim::SPLIT_TICKET, Kind::Ticket(_), Kind::Pair(x, y)) if *x.kind() == Nat && *y.kind() == Nat => {
            Type::option(Type::pair(a_type.clone(), a_type.clone()))
        }
        (Prim::SWAP, _, _) => return Some((2, vec![b_type.clone(), a_type.clone()])),
        (Prim::SLICE | Prim::CHECK_SIGNATURE, _, _) => {
            let c = top.next()?;
            return match (prim, a, b, c.kind()) {
                (Prim::SLICE, Nat, Nat, Text | Bytes) => Some((3, vec![Type::option(c.clone())])),
                (Prim::CHECK_SIGNATURE, Kind::Key, Kind::Signature, Bytes) => Some((3, vec![Type::bool()])),
                _ => None,
            };
        }
        _ => return None,
    };
    Some((2, vec![result]))
}

fn unary(prim: Prim, operand: &Type) -> Option<Type> {
    use Kind::{BlsFr, BlsG1, BlsG2, Bool, Bytes, Int, Nat, String as Text};
    Some(match (prim, operand.kind()) {
        (Prim::SOME, _) => Type::option(operand.clone()),
        (Prim::CAR, Kind::Pair(a, _)) => a.clone(),
        (Prim::CDR, Kind::Pair(_, b)) => b.clone(),
        (Prim::SIZE, Kind::List(_) | Kind::Set(_) | Kind::Map(..) | Text | Bytes) => Type::nat(),
        (Prim::NOT, Bool | Bytes) => operand.clone(),
        (Prim::NOT, Int | Nat) => Type::int(),
        (Prim::ABS, Int) => Type::nat(),
        (Prim::NEG, Int | Nat) => Type::int(),
        (Prim::NEG, BlsG1 | BlsG2 | BlsFr) => operand.clone(),
        (Prim::ISNAT, Int) => Type::option(Type::nat()),
        (Prim::INT, Nat | Bytes | BlsFr) => Type::int(),
        (Prim::NAT, Bytes) => Type::nat(),
        (Prim::BYTES, Nat | Int) => Type::bytes(),
        (Prim::EQ | Prim::NEQ | Prim::LT | Prim::GT | Prim::LE | Prim::GE, Int) => Type::bool(),
        (Prim::BLAKE2B | Prim::SHA256 | Prim::SHA512 | Prim::KECCAK | Prim::SHA3, Bytes) => Type::bytes(),
        (Prim::HASH_KEY, Kind::Key) => Type::key_hash(),
        (Prim::ADDRESS, Kind::Contract(_)) => Type::address(),
        (Prim::IMPLICIT_ACCOUNT, Kind::KeyHash) => Type::contract(Type::unit()),
        (Prim::IS_IMPLICIT_ACCOUNT, Kind::Address) => Type::option(Type::key_hash()),
        (Prim::INDEX_ADDRESS, Kind::Address) => Type::nat(),
        (Prim::GET_ADDRESS_INDEX, Kind::Address) => Type::option(Type::nat()),
        (Prim::VOTING_POWER, Kind::KeyHash) => Type::nat(),
        (Prim::SET_DELEGATE, Kind::Option(key)) if *key.kind() == Kind::KeyHash => Type::operation(),
        (Prim::PAIRING_CHECK, Kind::List(pair)) => match pair.kind() {
            Kind::Pair(a, b) if *a.kind() == BlsG1 && *b.kind() == BlsG2 => Type::bool(),
            _ => return None,
        },
        _ => return None,
    })
}

/// Whether errors speak of operands.
fn is_operator(prim: Prim) -> bool {
    matches!(
        prim,
        Prim::ADD
            | Prim::SUB
            | Prim::MUL
            | Prim::EDIV
            | Prim::AND
            | Prim::OR
            | Prim::XOR
            | Prim::LSL
            | Prim::LSR
            | Prim::NOT
            | Prim::ABS
            | Prim::NEG
            | Prim::CONCAT
            | Prim::EQ
            | Prim::NEQ
            | Prim::LT
            | Prim::GT
            | Prim::LE
            | Prim::GE
            | Prim::SIZE
    )
}

/// How much of the stack an instruction looks at.
fn portion(prim: Prim) -> usize {
    match prim {
        Prim::UPDATE | Prim::GET_AND_UPDATE | Prim::SLICE | Prim::CHECK_SIGNATURE => 3,
        Prim::ADD
        | Prim::SUB
        | Prim::SUB_MUTEZ
        | Prim::MUL
        | Prim::EDIV
        | Prim::AND
        | Prim::OR
        | Prim::XOR
        | Prim::LSL
        | Prim::LSR
        | Prim::CONCAT
        | Prim::COMPARE
        | Prim::CONS
        | Prim::MEM
        | Prim::GET
        | Prim::SWAP
        | Prim::SPLIT_TICKET => 2,
        _ => 1,
    }
}
