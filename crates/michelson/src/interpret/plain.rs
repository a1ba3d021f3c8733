//! Instructions whose operands tell all, and those that carry types.

use super::Machine;
use crate::error::{Problem, Result, ScriptError};
use crate::gas::cost;
use crate::typecheck::Op;
use crate::types::Type;
use crate::value::{Address, TypedContract, Value};
use imbl::{OrdMap, OrdSet, Vector};
use num_bigint::BigInt;
use soru_tezos::codec::Decode;
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::sign::Watermark;
use std::cmp::Ordering;
use std::sync::Arc;

/// The first byte of what `PACK` gives.
const PACKED: u8 = 5;

impl Machine<'_> {
    pub(super) fn plain(&mut self, prim: Prim) -> Result<()> {
        match prim {
            Prim::ADD | Prim::SUB | Prim::SUB_MUTEZ | Prim::MUL | Prim::EDIV => return self.arithmetic(prim),
            Prim::AND | Prim::OR | Prim::XOR | Prim::LSL | Prim::LSR => return self.bitwise(prim),
            Prim::NOT
            | Prim::ABS
            | Prim::NEG
            | Prim::ISNAT
            | Prim::INT
            | Prim::NAT
            | Prim::EQ
            | Prim::NEQ
            | Prim::LT
            | Prim::GT
            | Prim::LE
            | Prim::GE => return self.unary(prim),
            Prim::MEM | Prim::GET | Prim::UPDATE | Prim::GET_AND_UPDATE => return self.collection(prim),
            Prim::CONCAT => return self.concat(),
            Prim::SLICE => return self.slice(),
            Prim::SIZE => return self.size(),
            Prim::BLAKE2B | Prim::SHA256 | Prim::SHA512 | Prim::KECCAK | Prim::SHA3 => return self.hash(prim),
            Prim::READ_TICKET | Prim::SPLIT_TICKET | Prim::JOIN_TICKETS => return self.ticket(prim),
            Prim::SET_DELEGATE => return self.set_delegate(),
            Prim::PAIRING_CHECK => return self.pairing_check(),
            Prim::SWAP => {
                let top = self.stack.len();
                if top < 2 {
                    return self.inconsistent();
                }
                self.stack.swap(top - 1, top - 2);
                return Ok(());
            }
            _ => {}
        }
        let value = match prim {
            Prim::UNIT => Value::Unit,
            Prim::NONE => Value::None,
            Prim::NIL => Value::List(Vector::new()),
            Prim::EMPTY_SET => Value::Set(OrdSet::new()),
            Prim::EMPTY_MAP => Value::Map(OrdMap::new()),
            Prim::SOME => Value::some(self.pop()?),
            Prim::LEFT => Value::Left(Arc::new(self.pop()?)),
            Prim::RIGHT => Value::Right(Arc::new(self.pop()?)),
            Prim::CAR => {
                let pair = self.pop()?;
                self.split(pair)?.0
            }
            Prim::CDR => {
                let pair = self.pop()?;
                self.split(pair)?.1
            }
            Prim::CONS => {
                self.typer.gas.take(3 * cost::ELEMENT)?;
                let (item, list) = (self.pop()?, self.pop()?);
                let Value::List(mut list) = list else { return self.inconsistent() };
                list.push_front(item);
                Value::List(list)
            }
            Prim::COMPARE => {
                let (a, b) = (self.pop()?, self.pop()?);
                self.typer.gas.take_compare(&a, &b)?;
                Value::int(match a.cmp(&b) {
                    Ordering::Less => -1,
                    Ordering::Equal => 0,
                    Ordering::Greater => 1,
                })
            }
            Prim::CHECK_SIGNATURE => self.check_signature()?,
            Prim::HASH_KEY => {
                let Value::Key(key) = self.pop()? else { return self.inconsistent() };
                self.typer.gas.take(cost::HASH)?;
                Value::KeyHash(key.hash())
            }
            other => return self.about_chain(other),
        };
        self.push(value);
        Ok(())
    }

    fn check_signature(&mut self) -> Result<Value> {
        let (key, signature, bytes) = (self.pop()?, self.pop()?, self.pop()?);
        let (Value::Key(key), Value::Signature(signature), Value::Bytes(bytes)) = (key, signature, bytes) else {
            return self.inconsistent();
        };
        let base = match key.scheme() {
            soru_tezos::key::Scheme::Bls => cost::BLS_SIGNATURE,
            _ => cost::SIGNATURE,
        };
        self.typer.gas.take_for(base, cost::HASH_BYTES, bytes.len())?;
        Ok(Value::Bool(key.verify(Watermark::None, &bytes, &signature)))
    }

    /// What the chain and the call say.
    fn about_chain(&mut self, prim: Prim) -> Result<()> {
        let chain = &self.typer.chain;
        let plain_address = |destination| Value::address(destination, Entrypoint::default());
        let value = match prim {
            Prim::NOW => Value::int(chain.now().0),
            Prim::LEVEL => Value::int(chain.level().0),
            Prim::CHAIN_ID => Value::ChainId(chain.chain_id()),
            Prim::MIN_BLOCK_TIME => Value::int(chain.min_block_time()),
            Prim::TOTAL_VOTING_POWER => Value::int(chain.total_voting_power()),
            Prim::AMOUNT => Value::Mutez(self.environment.amount),
            Prim::BALANCE => Value::Mutez(self.environment.balance),
            Prim::SOURCE => plain_address(Destination::Contract(Contract::Implicit(self.environment.source))),
            Prim::SENDER => plain_address(self.environment.sender),
            Prim::SELF_ADDRESS => plain_address(self.self_address()),
            Prim::VOTING_POWER => {
                self.typer.gas.take(cost::STORAGE_READ)?;
                let Value::KeyHash(delegate) = self.pop()? else { return self.inconsistent() };
                Value::int(self.typer.chain.voting_power(&delegate))
            }
            Prim::ADDRESS => match self.pop()? {
                Value::Contract(contract) => Value::Address(Arc::new(contract.address.clone())),
                _ => return self.inconsistent(),
            },
            Prim::IMPLICIT_ACCOUNT => {
                let Value::KeyHash(hash) = self.pop()? else { return self.inconsistent() };
                let destination = Destination::Contract(Contract::Implicit(hash));
                let address = Address { destination, entrypoint: Entrypoint::default() };
                Value::Contract(Arc::new(TypedContract { address, ty: Type::unit() }))
            }
            Prim::IS_IMPLICIT_ACCOUNT => {
                let Value::Address(address) = self.pop()? else { return self.inconsistent() };
                match address.destination {
                    Destination::Contract(Contract::Implicit(hash)) => Value::some(Value::KeyHash(hash)),
                    _ => Value::None,
                }
            }
            Prim::INDEX_ADDRESS | Prim::GET_ADDRESS_INDEX => {
                let Value::Address(address) = self.pop()? else { return self.inconsistent() };
                self.typer.gas.take(cost::STORAGE_READ)?;
                if prim == Prim::INDEX_ADDRESS {
                    self.typer.gas.take(cost::STORAGE_WRITE)?;
                    Value::Int(self.typer.chain.index_address(&address.destination).0.into())
                } else {
                    let index = self.typer.chain.address_index(&address.destination);
                    Value::option(index.map(|index| Value::Int(BigInt::from(index.0))))
                }
            }
            _ => return self.inconsistent(),
        };
        self.push(value);
        Ok(())
    }

    /// Instructions that carry types.
    pub(super) fn typed(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Pack(ty) => {
                let value = self.pop()?;
                let packed = self.typer.pack(&value, ty)?;
                self.push(Value::bytes(packed));
            }
            Op::Unpack(ty) => {
                let Value::Bytes(bytes) = self.pop()? else { return self.inconsistent() };
                let value = self.unpack(&bytes, ty)?;
                self.push(Value::option(value));
            }
            Op::ConcatList { bytes } => return self.concat_list(*bytes),
            Op::NumberToBytes { signed } => return self.number_to_bytes(*signed),
            Op::SelfContract(entrypoint, ty) => {
                let address = Address { destination: self.self_address(), entrypoint: entrypoint.clone() };
                self.push(Value::Contract(Arc::new(TypedContract { address, ty: ty.clone() })));
            }
            Op::Contract(ty, entrypoint) => {
                let Value::Address(address) = self.pop()? else { return self.inconsistent() };
                let found = self.contract(&address, entrypoint.as_ref(), ty)?;
                self.push(Value::option(found));
            }
            Op::View { name, input, output } => return self.view(name, input, output),
            Op::CreateContract { code, storage } => return self.create_contract(code, storage),
            Op::TransferTokens(ty) => return self.transfer_tokens(ty),
            Op::Emit { tag, ty, expr } => return self.emit(tag, ty, expr),
            Op::Ticket(content) => return self.issue_ticket(content, false),
            Op::TicketDeprecated(content) => return self.issue_ticket(content, true),
            _ => return self.inconsistent(),
        }
        Ok(())
    }

    fn unpack(&mut self, bytes: &[u8], ty: &Type) -> Result<Option<Value>> {
        self.typer.gas.take_for(cost::ARITHMETIC, 20 * cost::BYTES, bytes.len())?;
        let Some((&PACKED, rest)) = bytes.split_first() else { return Ok(None) };
        let Ok(expr) = Micheline::from_bytes(rest) else { return Ok(None) };
        let (depth, place) = (self.typer.depth, std::mem::take(&mut self.typer.place));
        let value = self.typer.parse_data(&expr, ty, false);
        self.typer.depth = depth;
        self.typer.place = place;
        unless_gas(value)
    }

    fn contract(&mut self, address: &Address, entrypoint: Option<&Entrypoint>, ty: &Type) -> Result<Option<Value>> {
        let entrypoint = match (entrypoint, address.entrypoint.is_default()) {
            (None, _) => address.entrypoint.clone(),
            (Some(entrypoint), true) => entrypoint.clone(),
            (Some(entrypoint), false) if entrypoint.is_default() => address.entrypoint.clone(),
            _ => return Ok(None),
        };
        let address = Address { destination: address.destination, entrypoint };
        let checked = self.typer.check_contract(self.location, &address, ty);
        Ok(unless_gas(checked)?.map(|()| Value::Contract(Arc::new(TypedContract { address, ty: ty.clone() }))))
    }
}

/// Nothing instead of an error, except when gas has run out.
fn unless_gas<T>(result: Result<T>) -> Result<Option<T>> {
    let exhausted = |error: &ScriptError| error.trace.contains(&Problem::GasExhausted);
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if exhausted(&error) => Err(error),
        Err(_) => Ok(None),
    }
}
