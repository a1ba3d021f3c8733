//! Micheline to types.

use super::{Kind, MAX_TYPE_SIZE, Type};
use crate::error::{Problem, Result};
use crate::node::Node;
use soru_tezos::micheline::{Micheline, Prim};

/// Which types are allowed in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    /// Big maps and sapling states.
    pub lazy: bool,
    /// Operations.
    pub operation: bool,
    /// Contracts.
    pub contract: bool,
    /// Tickets.
    pub ticket: bool,
}

impl Allow {
    /// Any type.
    pub const ANY: Allow = Allow { lazy: true, operation: true, contract: true, ticket: true };
    /// Types of what is passed to a contract.
    pub const PASSABLE: Allow = Allow { operation: false, ..Allow::ANY };
    /// Types of what is stored.
    pub const STORABLE: Allow = Allow { operation: false, contract: false, ..Allow::ANY };
    /// Types of values of a big map.
    pub const BIG_MAP_VALUE: Allow = Allow { lazy: false, ..Allow::STORABLE };
    /// Types of arguments and results of views.
    pub const VIEW: Allow = Allow { contract: true, ..Allow::NONE };
    /// None of these: types of what code may hold, and of what is unpacked.
    pub const NONE: Allow = Allow { lazy: false, operation: false, contract: false, ticket: false };
}

/// The primitives that are types.
const TYPES: &[Prim] = &[
    Prim::bls12_381_fr,
    Prim::bls12_381_g1,
    Prim::bls12_381_g2,
    Prim::bool,
    Prim::bytes,
    Prim::big_map,
    Prim::chain_id,
    Prim::chest,
    Prim::chest_key,
    Prim::contract,
    Prim::int,
    Prim::key,
    Prim::key_hash,
    Prim::lambda,
    Prim::list,
    Prim::map,
    Prim::mutez,
    Prim::nat,
    Prim::never,
    Prim::operation,
    Prim::option,
    Prim::or,
    Prim::pair,
    Prim::sapling_state,
    Prim::sapling_transaction,
    Prim::set,
    Prim::signature,
    Prim::string,
    Prim::ticket,
    Prim::timestamp,
    Prim::unit,
    Prim::address,
];

impl Type {
    /// Reads a type from an expression that is nothing else.
    pub fn of(expr: &Micheline, allow: Allow) -> Result<Type> {
        Type::parse(&Node::new(expr)?, allow)
    }

    /// Reads a type in a place where only some are allowed.
    pub fn parse(node: &Node<'_>, allow: Allow) -> Result<Type> {
        Type::parse_at(node, allow, false)
    }

    /// Reads a type; `field` tells whether it may have a field annotation.
    pub(super) fn parse_at(node: &Node<'_>, allow: Allow, field: bool) -> Result<Type> {
        let location = node.location;
        let Some((prim, args)) = node.as_prim() else { return Err(node.wrong_kind(&["primitiveApplication"]).into()) };
        crate::typecheck::check_type_annotations(node, field)?;
        let ty = match prim {
            Prim::pair => return Type::comb(node, args, allow),
            Prim::or => {
                let [a, b] = node.args()?;
                Type::or(Type::parse_at(a, allow, true)?, Type::parse_at(b, allow, true)?)
            }
            Prim::option => {
                let [a] = node.args()?;
                Type::option(Type::parse(a, allow)?)
            }
            Prim::list => {
                let [a] = node.args()?;
                Type::list(Type::parse(a, allow)?)
            }
            Prim::set => {
                let [a] = node.args()?;
                Type::set(Type::comparable(a)?)
            }
            Prim::map => {
                let [k, v] = node.args()?;
                Type::map(Type::comparable(k)?, Type::parse(v, allow)?)
            }
            Prim::big_map => {
                let [k, v] = node.args()?;
                if !allow.lazy {
                    return Err(Problem::UnexpectedLazyStorage { location }.into());
                }
                Type::big_map(Type::comparable(k)?, Type::parse(v, Allow::BIG_MAP_VALUE)?)
            }
            Prim::lambda => {
                let [a, b] = node.args()?;
                Type::lambda(Type::parse(a, Allow::ANY)?, Type::parse(b, Allow::ANY)?)
            }
            Prim::contract => {
                let [a] = node.args()?;
                if !allow.contract {
                    return Err(Problem::UnexpectedContract { location }.into());
                }
                Type::contract(Type::parse(a, Allow::PASSABLE)?)
            }
            Prim::ticket => {
                let [a] = node.args()?;
                if !allow.ticket {
                    return Err(Problem::UnexpectedTicket { location }.into());
                }
                Type::ticket(Type::comparable(a)?)
            }
            Prim::sapling_state | Prim::sapling_transaction => {
                let [memo] = node.args()?;
                let size = match memo.expr {
                    Micheline::Int(size) => u32::try_from(&size.0).ok().filter(|size| *size <= 0xffff),
                    _ => return Err(memo.wrong_kind(&["integer"]).into()),
                };
                let Some(size) = size else {
                    return Err(Problem::InvalidSyntacticConstant {
                        location: memo.location,
                        expected_form: "a positive 16-bit integer".to_owned(),
                        expression: memo.expr.clone(),
                    }
                    .into());
                };
                if prim == Prim::sapling_transaction {
                    Type::new(Kind::SaplingTransaction(size))
                } else if allow.lazy {
                    Type::new(Kind::SaplingState(size))
                } else {
                    return Err(Problem::UnexpectedLazyStorage { location }.into());
                }
            }
            _ => {
                let Some(atom) = atom(prim) else {
                    return Err(Problem::InvalidPrimitive { location, expected: TYPES.to_vec(), given: prim }.into());
                };
                let [] = node.args()?;
                if prim == Prim::operation && !allow.operation {
                    return Err(Problem::UnexpectedOperation { location }.into());
                }
                atom
            }
        };
        sized(ty, node)
    }

    fn comb(node: &Node<'_>, args: &[Node<'_>], allow: Allow) -> Result<Type> {
        let Some(([last], front)) = args.split_last().map(|(last, front)| ([last], front)).filter(|_| args.len() > 1)
        else {
            // the reference counts what follows the first argument
            let given = args.len().saturating_sub(1);
            return Err(Problem::InvalidArity { location: node.location, prim: Prim::pair, expected: 2, given }.into());
        };
        let mut ty = Type::parse_at(last, allow, true)?;
        for arg in front.iter().rev() {
            ty = sized(Type::pair(Type::parse_at(arg, allow, true)?, ty), node)?;
        }
        Ok(ty)
    }

    /// Reads a type that must be comparable.
    pub fn comparable(node: &Node<'_>) -> Result<Type> {
        let ty = Type::parse(node, Allow::ANY)?;
        ty.require_comparable(node)?;
        Ok(ty)
    }

    fn require_comparable(&self, node: &Node<'_>) -> Result<()> {
        if self.is_comparable() {
            return Ok(());
        }
        Err(Problem::ComparableTypeExpected { location: node.location, wrong_type: self.to_micheline() }.into())
    }
}

/// The type itself unless it is too large.
pub(super) fn sized(ty: Type, node: &Node<'_>) -> Result<Type> {
    if ty.size() > MAX_TYPE_SIZE {
        return Err(Problem::TypeTooLarge { location: node.location }.into());
    }
    Ok(ty)
}

fn atom(prim: Prim) -> Option<Type> {
    Some(match prim {
        Prim::unit => Type::unit(),
        Prim::never => Type::never(),
        Prim::bool => Type::bool(),
        Prim::int => Type::int(),
        Prim::nat => Type::nat(),
        Prim::mutez => Type::mutez(),
        Prim::timestamp => Type::timestamp(),
        Prim::string => Type::string(),
        Prim::bytes => Type::bytes(),
        Prim::chain_id => Type::chain_id(),
        Prim::key_hash => Type::key_hash(),
        Prim::key => Type::key(),
        Prim::signature => Type::signature(),
        Prim::address => Type::address(),
        Prim::operation => Type::operation(),
        Prim::bls12_381_g1 => Type::bls_g1(),
        Prim::bls12_381_g2 => Type::bls_g2(),
        Prim::bls12_381_fr => Type::bls_fr(),
        Prim::chest => Type::chest(),
        Prim::chest_key => Type::chest_key(),
        _ => return None,
    })
}
