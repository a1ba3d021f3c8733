//! Operations and views: what reaches out of the contract.

use super::{Frame, Machine};
use crate::context::{InternalKind, InternalOperation};
use crate::error::{Problem, Result};
use crate::gas::cost;
use crate::lazy::LazyStorageItem;
use crate::store;
use crate::typecheck::{Script, section};
use crate::types::Type;
use crate::value::{EmittedOperation, Mode, Value};
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::micheline::{Micheline, Prim};
use std::sync::Arc;

impl Machine<'_> {
    fn push_operation(&mut self, kind: InternalKind, lazy_storage_diff: Vec<LazyStorageItem>) -> Result<()> {
        self.typer.gas.take(cost::OPERATION)?;
        let nonce = self.typer.chain.fresh_nonce();
        let operation = InternalOperation { source: self.environment.contract, nonce, kind };
        self.push(Value::Operation(Arc::new(EmittedOperation { operation, lazy_storage_diff })));
        Ok(())
    }

    pub(super) fn transfer_tokens(&mut self, ty: &Type) -> Result<()> {
        let (argument, amount, contract) = (self.pop()?, self.pop()?, self.pop()?);
        let (Value::Mutez(amount), Value::Contract(contract)) = (amount, contract) else {
            return self.inconsistent();
        };
        let (destination, entrypoint) = (contract.address.destination, contract.address.entrypoint.clone());
        if matches!(destination, Destination::SmartRollup(_)) {
            if amount.0 != 0 {
                return Err(Problem::RollupAmount.into());
            }
            if !entrypoint.is_default() {
                return Err(Problem::RollupEntrypoint.into());
            }
        }
        let (argument, diff) = store::extract(&mut self.typer, &argument, ty, &store::Owner::Temporary)?;
        let parameter = self.typer.unparse(&argument, ty, Mode::Optimized)?;
        let tickets = store::tickets(&mut self.typer, &argument, ty)?;
        let parameter_type = ty.to_micheline();
        let kind = InternalKind::Transaction { amount, destination, entrypoint, parameter, parameter_type, tickets };
        self.push_operation(kind, diff)
    }

    pub(super) fn set_delegate(&mut self) -> Result<()> {
        let delegate = match self.pop()? {
            Value::None => None,
            Value::Some(hash) => match *hash {
                Value::KeyHash(hash) => Some(hash),
                _ => return self.inconsistent(),
            },
            _ => return self.inconsistent(),
        };
        self.push_operation(InternalKind::Delegation { delegate }, Vec::new())
    }

    pub(super) fn create_contract(&mut self, code: &Micheline, ty: &Type) -> Result<()> {
        let (delegate, balance, initial) = (self.pop()?, self.pop()?, self.pop()?);
        let delegate = match delegate {
            Value::Some(hash) => match *hash {
                Value::KeyHash(hash) => Some(hash),
                _ => return self.inconsistent(),
            },
            _ => None,
        };
        let Value::Mutez(balance) = balance else { return self.inconsistent() };
        let (initial, diff) = store::extract(&mut self.typer, &initial, ty, &store::Owner::Temporary)?;
        let storage = self.typer.unparse(&initial, ty, Mode::Optimized)?;
        let code = self.typer.unparse_code(code, Mode::Optimized, 0)?;
        let tickets = store::tickets(&mut self.typer, &initial, ty)?;
        let contract = self.typer.chain.fresh_contract();
        self.push(Value::address(Contract::Originated(contract), Entrypoint::default()));
        let kind = InternalKind::Origination { balance, delegate, code, storage, contract, tickets };
        self.push_operation(kind, diff)
    }

    pub(super) fn emit(&mut self, tag: &Entrypoint, ty: &Type, expr: &Micheline) -> Result<()> {
        let value = self.pop()?;
        let payload = self.typer.unparse(&value, ty, Mode::Optimized)?;
        self.push_operation(InternalKind::Event { ty: expr.clone(), tag: tag.clone(), payload }, Vec::new())
    }

    pub(super) fn view(&mut self, name: &str, input: &Type, output: &Type) -> Result<()> {
        let (argument, address) = (self.pop()?, self.pop()?);
        let Value::Address(address) = address else { return self.inconsistent() };
        let Destination::Contract(Contract::Originated(contract)) = address.destination else {
            self.push(Value::None);
            return Ok(());
        };
        self.typer.gas.take(2 * cost::STORAGE_READ)?;
        let Some(stored) = self.typer.chain.script(&contract) else {
            self.push(Value::None);
            return Ok(());
        };
        let code = self.typer.expand_toplevel(stored.code)?;
        if !has_view(&code, name) {
            self.push(Value::None);
            return Ok(());
        }
        let script = Script::check(&mut self.typer, &code)?;
        let view = script.views.get(name).filter(|view| view.input == *input && view.output == *output);
        let Some(view) = view else {
            self.push(Value::None);
            return Ok(());
        };
        let storage = self.typer.parse_data(&stored.storage, &script.storage, true)?;
        let caller = std::mem::replace(&mut self.stack, vec![Value::pair(argument, storage)]);
        let balance = self.typer.chain.balance(&contract);
        let mut environment = self.environment.clone();
        environment.sender = self.self_address();
        environment.contract = contract;
        environment.amount = Default::default();
        environment.balance = balance;
        let outer = std::mem::replace(&mut self.environment, environment);
        self.push_frame(Frame::ReturnFromView(caller, Box::new(outer)))?;
        self.call(&view.code)
    }
}

/// Whether a script has a view of that name: cheaper to know than whether the whole is well typed.
fn has_view(code: &Micheline, name: &str) -> bool {
    let Micheline::Seq(sections) = code else { return false };
    section(code, Prim::code).is_some()
        && sections.iter().any(|field| match field.as_prim() {
            Some((Prim::view, [Micheline::String(found), ..])) => found == name,
            _ => false,
        })
}
