//! Tickets: issuing, reading, splitting, joining.

use super::Machine;
use crate::error::Result;
use crate::gas::cost;
use crate::types::Type;
use crate::value::{Ticket, Value};
use num_bigint::{BigInt, BigUint, Sign};
use soru_tezos::contract::{Contract, Entrypoint};
use soru_tezos::micheline::Prim;
use std::sync::Arc;

impl Machine<'_> {
    pub(super) fn issue_ticket(&mut self, content_type: &Type, deprecated: bool) -> Result<()> {
        let (content, amount) = (self.pop()?, self.pop()?);
        let Value::Int(amount) = amount else { return self.inconsistent() };
        let (sign, amount) = amount.into_parts();
        if sign != Sign::Plus && !deprecated {
            self.push(Value::None);
            return Ok(());
        }
        if sign != Sign::Plus {
            return Err(crate::error::Problem::ForbiddenZeroTicket.into());
        }
        let ticketer = Contract::Originated(self.environment.contract);
        let ticket = Ticket { ticketer, content_type: content_type.clone(), content, amount };
        let ticket = Value::Ticket(Arc::new(ticket));
        self.push(if deprecated { ticket } else { Value::some(ticket) });
        Ok(())
    }

    pub(super) fn ticket(&mut self, prim: Prim) -> Result<()> {
        let value = self.pop()?;
        match (prim, value) {
            (Prim::READ_TICKET, Value::Ticket(ticket)) => {
                let amount = Value::Int(BigInt::from(ticket.amount.clone()));
                let address = Value::address(ticket.ticketer, Entrypoint::default());
                let opened = Value::pair(address, Value::pair(ticket.content.clone(), amount));
                self.push(Value::Ticket(ticket));
                self.push(opened);
            }
            (Prim::SPLIT_TICKET, Value::Ticket(ticket)) => {
                let amounts = self.pop()?;
                let (Value::Int(a), Value::Int(b)) = self.split(amounts)? else { return self.inconsistent() };
                self.typer.gas.take_for(cost::ARITHMETIC, cost::NUMBER_BYTES, ticket.amount.bits() as usize / 8)?;
                let (a, b) = (a.magnitude().clone(), b.magnitude().clone());
                let zero = BigUint::default();
                let parts = (a != zero && b != zero && &a + &b == ticket.amount).then(|| {
                    let part = |amount| {
                        let mut part = (*ticket).clone();
                        part.amount = amount;
                        Value::Ticket(Arc::new(part))
                    };
                    Value::pair(part(a), part(b))
                });
                self.push(Value::option(parts));
            }
            (Prim::JOIN_TICKETS, value) => {
                let (Value::Ticket(a), Value::Ticket(b)) = self.split(value)? else { return self.inconsistent() };
                self.typer.gas.take_compare(&a.content, &b.content)?;
                let alike = a.ticketer == b.ticketer && a.content == b.content;
                let joined = alike.then(|| {
                    let mut joined = Arc::unwrap_or_clone(a);
                    joined.amount += &b.amount;
                    Value::Ticket(Arc::new(joined))
                });
                self.push(Value::option(joined));
            }
            _ => return self.inconsistent(),
        }
        Ok(())
    }
}
