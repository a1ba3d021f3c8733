//! Executing outbox messages: the rules decide over the message, here its calls meet contracts and tickets
//! (`spec/protocol.md` §6.3).

use super::content::{Emitted, Outcome, Run};
use super::errors::script_trace;
use super::rollup::{env, refused};
use super::tickets::{balance_key, shown};
use num_bigint::{BigInt, BigUint};
use soru_michelson::ScriptError;
use soru_michelson::context::TicketToken;
use soru_michelson::gas::Gas;
use soru_michelson::types::{Allow, Type, check_outbox_parameter};
use soru_protocol::RollupError;
use soru_protocol::gas::{self, Work};
use soru_protocol::pvm::WasmOutputs;
use soru_protocol::rollup::OutboxCall;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::number::{N, Z};
use soru_tezos::operation::{ExecuteOutboxMessage, Parameters};
use soru_tezos::receipt::{
    Applied, ExecuteOutboxResult, InternalBody, InternalTransaction, TicketAccountUpdate, TicketUpdate,
};
use soru_tezos::rollup::WhitelistUpdate;
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Mutez, Nat};

/// Errors of the rules, of scripts and of tickets, as one trace.
struct Refusal(Trace);

impl From<RollupError> for Refusal {
    fn from(error: RollupError) -> Self {
        Refusal(refused(error))
    }
}

impl From<ScriptError> for Refusal {
    fn from(error: ScriptError) -> Self {
        Refusal(script_trace(&error))
    }
}

/// Tickets of one kind that calls carry.
struct Carried {
    token: TicketToken,
    /// How many go where.
    to: Vec<(Destination, BigUint)>,
}

/// What calls carry, and what became of it.
#[derive(Default)]
struct Moved {
    /// The type of each call's argument, and the tickets in it.
    arguments: Vec<(Type, Vec<(TicketToken, N)>)>,
    /// What the receipt shows.
    updates: Vec<TicketUpdate>,
    /// Bytes of the table to pay for.
    paid: u64,
}

impl Run<'_> {
    pub(super) fn execute_outbox_message(&mut self, execute: &ExecuteOutboxMessage) -> Outcome {
        let mut rollup = self.rollup(&execute.rollup)?;
        let constants = self.ledger.constants.clone();
        let env = env(self.ledger.protocol, &constants, self.block.level);
        let proof = execute.output_proof.as_ref();
        let mut moved = Moved::default();
        let executed = rollup
            .execute_outbox_message(&env, &execute.cemented_commitment, proof, &WasmOutputs, |calls| {
                moved = self.check_calls(execute.rollup, calls)?;
                Ok(())
            })
            .map_err(|Refusal(trace)| trace)?;
        // becoming public costs much less than the rules' price of a new list
        let whitelist = match &executed.whitelist_update {
            Some(WhitelistUpdate::Update { whitelist }) => Some(whitelist.len() as u64),
            _ => None,
        };
        self.gas.consume(gas::work(Work::ExecuteOutboxMessage {
            proof: proof.len() as u64,
            calls: executed.calls.len() as u64,
            whitelist,
        }))?;
        self.ledger.rollups.insert(execute.rollup, rollup);
        let source = Destination::SmartRollup(execute.rollup);
        let calls = executed.calls.into_iter().zip(moved.arguments);
        let emitted = calls.map(|(call, (ty, tickets))| {
            let body = InternalBody::Transaction(InternalTransaction {
                amount: Mutez(0),
                destination: Contract::Originated(call.destination).into(),
                parameters: Parameters { entrypoint: call.entrypoint, value: call.parameters },
            });
            let nonce = self.nonces.next_internal();
            Emitted { source, nonce, body, declared: Some(ty), tickets, contract: None }
        });
        let emitted = emitted.collect();
        let grown = u64::try_from(executed.paid_storage_size_diff).unwrap_or(0);
        let result = ExecuteOutboxResult {
            ticket_updates: moved.updates,
            whitelist_update: executed.whitelist_update,
            paid_storage_size_diff: Nat(grown.saturating_add(moved.paid)),
            ..Default::default()
        };
        Ok((Applied::SmartRollupExecuteOutboxMessage(result), emitted))
    }

    /// Typechecks calls and moves their tickets: first all arguments are read, then all types are looked at, and only then
    /// does anything move.
    fn check_calls(&mut self, rollup: SmartRollupAddress, calls: &[OutboxCall]) -> Result<Moved, Refusal> {
        let mut read = Vec::with_capacity(calls.len());
        for call in calls {
            read.push(self.read_call(call)?);
        }
        for (ty, _) in &read {
            check_outbox_parameter(ty)?;
        }
        let mut carried: Vec<Carried> = Vec::new();
        for (call, (_, tickets)) in calls.iter().zip(&read) {
            let to = Destination::Contract(Contract::Originated(call.destination));
            for (token, amount) in tickets {
                let same = match carried.iter_mut().find(|other| other.token == *token) {
                    Some(same) => &mut same.to,
                    None => {
                        carried.push(Carried { token: token.clone(), to: Vec::new() });
                        match carried.last_mut() {
                            Some(new) => &mut new.to,
                            None => continue,
                        }
                    }
                };
                match same.iter_mut().find(|(other, _)| *other == to) {
                    Some((_, sum)) => *sum += &amount.0,
                    None => same.push((to, amount.0.clone())),
                }
            }
        }
        let (updates, paid) = self.move_carried(rollup, carried).map_err(Refusal)?;
        Ok(Moved { arguments: read, updates, paid })
    }

    /// Reads the argument of a call. Gives its type and the tickets in it.
    fn read_call(&mut self, call: &OutboxCall) -> Result<(Type, Vec<(TicketToken, N)>), Refusal> {
        let ty = match &call.parameters_type {
            Some(ty) => Type::of(ty, Allow::ANY)?,
            None => {
                let contract = self.ledger.contracts.get(&call.destination).ok_or(RollupError::InvalidDestination)?;
                super::entrypoints::parameter_of(self.ledger, &contract.code)?.find(&call.entrypoint)?.ty
            }
        };
        let mut gas = Gas::new(self.gas.left().0);
        let (_, tickets) = soru_michelson::run::argument(&mut self.chain(), &call.parameters, &ty, &mut gas)?;
        Ok((ty, tickets))
    }

    /// Moves tickets of a rollup to contracts. Gives what the receipt shows, and bytes to pay for.
    fn move_carried(
        &mut self,
        rollup: SmartRollupAddress,
        mut carried: Vec<Carried>,
    ) -> Result<(Vec<TicketUpdate>, u64), Trace> {
        let rollup = Destination::SmartRollup(rollup);
        // in the order of the reference's table of kinds of tickets, from the last to the first
        carried.sort_by_cached_key(|kind| {
            std::cmp::Reverse(balance_key(&shown(&kind.token), Destination::Contract(kind.token.ticketer)))
        });
        let mut updates = Vec::with_capacity(carried.len());
        let mut paid = 0u64;
        for mut kind in carried {
            let token = shown(&kind.token);
            kind.to.sort_by_key(|(to, _)| *to);
            let mut total = BigInt::from(0);
            for (to, amount) in kind.to {
                let amount = BigInt::from(amount);
                paid = paid.saturating_add(self.transfer_tickets(rollup, to, &token, &amount)?);
                total += amount;
            }
            let update = TicketAccountUpdate { account: rollup.to_string(), amount: Z(-total) };
            updates.push(TicketUpdate { ticket_token: token, updates: vec![update] });
        }
        Ok((updates, paid))
    }
}
