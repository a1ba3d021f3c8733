//! `transfer_ticket`: an account sends tickets it holds to another account or to a contract (`spec/protocol.md` §2.3).

use super::content::{Emitted, Outcome, Run};
use super::errors::{permanent, script_trace};
use super::gas;
use super::tickets::shown;
use num_bigint::BigInt;
use soru_michelson::context::TicketToken;
use soru_michelson::gas::Gas;
use soru_michelson::types::{Allow, Type};
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::number::Z;
use soru_tezos::operation::{Parameters, TransferTicket};
use soru_tezos::receipt::{
    Applied, InternalBody, InternalTransaction, TicketAccountUpdate, TicketUpdate, TransferTicketResult,
};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Milligas, Mutez, Nat};

impl Run<'_> {
    pub(super) fn transfer_ticket(&mut self, source: &Contract, transfer: &TransferTicket) -> Outcome {
        let to_contract = matches!(transfer.destination, Contract::Originated(_));
        if !to_contract && !transfer.entrypoint.is_default() {
            let name = transfer.entrypoint.to_string();
            return Err(vec![permanent("michelson_v1.no_such_entrypoint").with("entrypoint", name)]);
        }
        self.gas.consume(gas::TRANSFER)?;
        let (value, ty, kind) = self.ticket_value(transfer)?;
        let token = shown(&kind);
        let amount = BigInt::from(transfer.ticket_amount.0.clone());
        let (from, to) = (Destination::Contract(*source), Destination::Contract(transfer.destination));
        let emitted = if to_contract { vec![self.carrier(from, transfer, (value, ty, kind))] } else { Vec::new() };
        let paid = self.transfer_tickets(from, to, &token, &amount)?;
        let update = |account: Destination, amount| TicketAccountUpdate { account: account.to_string(), amount };
        let mut updates = vec![update(from, Z(-&amount))];
        if !to_contract {
            // what a contract gets is told by the receipt of its call
            updates.push(update(to, Z(amount)));
        }
        let result = TransferTicketResult {
            ticket_updates: vec![TicketUpdate { ticket_token: token, updates }],
            paid_storage_size_diff: Nat(paid),
            ..Default::default()
        };
        Ok((Applied::TransferTicket(result), emitted))
    }

    /// The tickets as an argument in its optimized form, its type, and their kind.
    fn ticket_value(&mut self, transfer: &TransferTicket) -> Result<(Micheline, Type, TicketToken), Trace> {
        let mut gas = Gas::new(self.gas.left().0);
        let ticketer = Micheline::String(transfer.ticket_ticketer.to_string());
        let amount = Micheline::Int(Z(BigInt::from(transfer.ticket_amount.0.clone())));
        let inner = Micheline::prim(Prim::Pair, vec![transfer.ticket_contents.clone(), amount]);
        let value = Micheline::prim(Prim::Pair, vec![ticketer, inner]);
        let ty = Micheline::prim(Prim::ticket, vec![transfer.ticket_ty.clone()]);
        let read = Type::of(&ty, Allow::ANY).and_then(|ty| {
            let (value, tickets) = soru_michelson::run::argument(&mut self.chain(), &value, &ty, &mut gas)?;
            Ok((value, ty, tickets))
        });
        self.gas.consume(Milligas(gas.used()))?;
        let (value, ty, tickets) = read.map_err(|error| script_trace(&error))?;
        let token = tickets.into_iter().next().map(|(token, _)| token);
        let token = token.ok_or_else(|| vec![permanent("michelson_v1.forbidden_zero_amount_ticket")])?;
        Ok((value, ty, token))
    }

    /// The call that brings the tickets to a contract.
    fn carrier(
        &mut self,
        from: Destination,
        transfer: &TransferTicket,
        (value, ty, token): (Micheline, Type, TicketToken),
    ) -> Emitted {
        Emitted {
            source: from,
            nonce: self.nonces.next_internal(),
            body: InternalBody::Transaction(InternalTransaction {
                amount: Mutez(0),
                destination: transfer.destination.into(),
                parameters: Parameters { entrypoint: transfer.entrypoint.clone(), value },
            }),
            declared: Some(ty),
            tickets: vec![(token, transfer.ticket_amount.clone())],
            contract: None,
        }
    }
}
