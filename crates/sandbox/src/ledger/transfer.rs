//! Transfers of tez and calls, by accounts and by contracts.

use super::content::{Outcome, Run};
use super::errors::{branch, permanent};
use super::gas;
use super::tickets::shown;
use num_bigint::BigInt;
use soru_michelson::context::TicketToken;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::{N, Z};
use soru_tezos::operation::Parameters;
use soru_tezos::receipt::{Applied, Balance, BalanceUpdate, TicketAccountUpdate, TicketUpdate, TransactionResult};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::Mutez;

impl Run<'_> {
    /// A transfer or call, dispatched on its destination. `tickets` are those sent along by a script; none for an operation
    /// of an account.
    pub(super) fn transaction(
        &mut self,
        sender: Destination,
        amount: Mutez,
        destination: Destination,
        parameters: &Parameters,
        tickets: Option<&[(TicketToken, N)]>,
    ) -> Outcome {
        match destination {
            Destination::Contract(Contract::Implicit(account)) => match tickets {
                Some([(token, number)]) => self.bring_ticket(sender, amount, account, parameters, (token, number)),
                _ => self.pay_account(sender, amount, account, parameters),
            },
            Destination::Contract(Contract::Originated(contract)) => {
                let sent = tickets.unwrap_or_default();
                self.call_contract(sender, amount, contract, parameters, sent, tickets.is_some())
            }
            Destination::SmartRollup(rollup) => {
                self.send_to_rollup(sender, rollup, &parameters.value, tickets.unwrap_or_default())
            }
        }
    }

    /// A transfer to an account with a key.
    fn pay_account(
        &mut self,
        sender: Destination,
        amount: Mutez,
        account: PublicKeyHash,
        parameters: &Parameters,
    ) -> Outcome {
        let destination = Contract::Implicit(account);
        match parameters.entrypoint.as_str() {
            "default" => {}
            staking @ ("stake" | "unstake" | "finalize_unstake" | "set_delegate_parameters") => {
                return Err(super::errors::unsupported(staking));
            }
            other => return Err(vec![permanent("michelson_v1.no_such_entrypoint").with("entrypoint", other)]),
        }
        if parameters.value != Micheline::unit() {
            return Err(vec![
                permanent("michelson_v1.bad_contract_parameter").with("contract", destination.to_string()),
            ]);
        }
        if amount == Mutez(0) {
            return Err(vec![branch("contract.empty_transaction").with("contract", destination.to_string())]);
        }
        self.gas.consume(gas::TRANSFER)?;
        let allocated_destination_contract = !self.ledger.is_allocated(&destination);
        let balance_updates = self.move_tez(sender, &destination, amount)?;
        let result = TransactionResult { balance_updates, allocated_destination_contract, ..Default::default() };
        Ok((Applied::Transaction(result), Vec::new()))
    }

    /// A ticket that a script sends to an account with a key. It was credited when it was emitted.
    fn bring_ticket(
        &mut self,
        sender: Destination,
        amount: Mutez,
        account: PublicKeyHash,
        parameters: &Parameters,
        (token, number): (&TicketToken, &N),
    ) -> Outcome {
        let destination = Contract::Implicit(account);
        if !parameters.entrypoint.is_default() {
            let name = parameters.entrypoint.as_str();
            return Err(vec![permanent("michelson_v1.no_such_entrypoint").with("entrypoint", name)]);
        }
        self.gas.consume(gas::TRANSFER)?;
        let allocated_destination_contract = !self.ledger.is_allocated(&destination);
        let balance_updates = self.move_tez(sender, &destination, amount)?;
        let update =
            TicketAccountUpdate { account: destination.to_string(), amount: Z(BigInt::from(number.0.clone())) };
        let result = TransactionResult {
            balance_updates,
            ticket_updates: vec![TicketUpdate { ticket_token: shown(token), updates: vec![update] }],
            allocated_destination_contract,
            ..Default::default()
        };
        Ok((Applied::Transaction(result), Vec::new()))
    }

    /// Moves tez from a sender to an account; rollups have none to send.
    pub(super) fn move_tez(
        &mut self,
        sender: Destination,
        destination: &Contract,
        amount: Mutez,
    ) -> Result<Vec<BalanceUpdate>, Trace> {
        let Destination::Contract(sender) = sender else {
            return if amount == Mutez(0) {
                Ok(Vec::new())
            } else {
                Err(vec![branch("contract.non_empty_transaction_from_source").with("source", sender.to_string())])
            };
        };
        self.ledger.debit(&sender, amount)?;
        self.ledger.credit(destination, amount)?;
        Ok(BalanceUpdate::movement(Balance::Contract(sender), Balance::Contract(*destination), amount, self.origin))
    }
}
