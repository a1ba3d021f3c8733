//! Tickets: who holds how many of which (`spec/protocol.md` §6.3, §10.2). A script's storage and the operations it emits
//! tell what moved.

use super::Ledger;
use super::content::{Emitted, Run};
use super::errors::permanent;
use num_bigint::{BigInt, Sign};
use serde::Serialize;
use soru_michelson::context::{TicketChange, TicketToken};
use soru_tezos::blake2b;
use soru_tezos::codec::Encode;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::{ContractHash, ScriptExprHash};
use soru_tezos::micheline::Micheline;
use soru_tezos::number::{N, Z};
use soru_tezos::receipt::{self, InternalBody, TicketAccountUpdate, TicketUpdate};
use soru_tezos::rpc_error::Trace;
use std::fmt;

/// Bytes an entry of the table takes besides its number.
const ENTRY_SIZE: i64 = 65;

/// A kind of ticket and its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TicketKey {
    /// Who holds them.
    pub holder: Destination,
    /// Hash of issuer, type and content.
    pub token: [u8; 32],
}

impl fmt::Display for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.holder, hex::encode(self.token))
    }
}

/// How many tickets of a kind somebody holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// The kind.
    pub token: receipt::TicketToken,
    /// How many.
    pub amount: N,
}

/// The kind of a ticket as receipts show it.
pub fn shown(token: &TicketToken) -> receipt::TicketToken {
    receipt::TicketToken {
        ticketer: token.ticketer.to_string(),
        content_type: token.content_type.clone(),
        content: token.content.clone(),
    }
}

/// The hash under which a kind of ticket is kept.
pub fn token_hash(token: &receipt::TicketToken) -> [u8; 32] {
    let parts = [token.ticketer.as_bytes(), &token.content_type.to_bytes(), &token.content.to_bytes()];
    let lengths = parts.map(|part| (part.len() as u64).to_be_bytes());
    blake2b::digest(&[&lengths[0], parts[0], &lengths[1], parts[1], parts[2]])
}

/// The hash under which the reference keeps how many tickets of a kind somebody holds. Errors name it.
pub fn balance_key(token: &receipt::TicketToken, holder: Destination) -> ScriptExprHash {
    let owner = Micheline::Bytes(holder.to_bytes());
    let ticketer = match token.ticketer.parse::<Contract>() {
        Ok(ticketer) => Micheline::Bytes(Destination::Contract(ticketer).to_bytes()),
        Err(_) => Micheline::string(token.ticketer.clone()),
    };
    let parts = vec![ticketer, token.content_type.clone(), token.content.clone(), owner];
    ScriptExprHash(blake2b::hash256(&Micheline::Seq(parts).to_bytes()))
}

impl Ledger {
    /// How many tickets of a kind somebody holds.
    pub fn tickets_of(&self, holder: Destination, token: &receipt::TicketToken) -> N {
        let key = TicketKey { holder, token: token_hash(token) };
        self.tickets.get(&key).map(|held| held.amount.clone()).unwrap_or_default()
    }
}

impl Run<'_> {
    /// Changes what somebody holds; gives by how many bytes the table grew.
    pub(super) fn change_tickets(
        &mut self,
        holder: Destination,
        token: &receipt::TicketToken,
        change: &BigInt,
    ) -> Result<i64, Trace> {
        let key = TicketKey { holder, token: token_hash(token) };
        let old = self.ledger.tickets.get(&key).map(|held| BigInt::from(held.amount.0.clone()));
        let new = old.clone().unwrap_or_default() + change;
        let size = |number: &BigInt| i64::try_from(Z(number.clone()).to_bytes().len()).unwrap_or(i64::MAX) + ENTRY_SIZE;
        let before = old.as_ref().map_or(0, size);
        match new.sign() {
            Sign::Minus => Err(vec![
                permanent("Negative_ticket_balance")
                    .with("key", balance_key(token, holder).to_string())
                    .with("balance", new.to_string()),
            ]),
            Sign::NoSign => {
                self.ledger.tickets.remove(&key);
                Ok(-before)
            }
            Sign::Plus => {
                let grown = size(&new) - before;
                let amount = N(new.into_parts().1);
                self.ledger.tickets.insert(key, Held { token: token.clone(), amount });
                Ok(grown)
            }
        }
    }

    /// Moves tickets from one holder to another; gives bytes to pay for.
    pub(super) fn transfer_tickets(
        &mut self,
        from: Destination,
        to: Destination,
        token: &receipt::TicketToken,
        amount: &BigInt,
    ) -> Result<u64, Trace> {
        let mut grown = self.change_tickets(from, token, &-amount)?;
        grown += self.change_tickets(to, token, amount)?;
        Ok(self.pay_ticket_table(grown))
    }

    /// Bytes of the table that are not paid for yet, after it grew.
    pub(super) fn pay_ticket_table(&mut self, grown: i64) -> u64 {
        self.ledger.ticket_space.used = self.ledger.ticket_space.used.saturating_add(grown);
        let unpaid = self.ledger.ticket_space.used.saturating_sub(self.ledger.ticket_space.paid).max(0);
        self.ledger.ticket_space.paid += unpaid;
        u64::try_from(unpaid).unwrap_or(0)
    }

    /// Accounts for the tickets of a call: those its storage gained or lost, less those that came with the argument (its
    /// sender has accounted for them), and those it sends on. Gives what the receipt shows, and bytes to pay for.
    pub(super) fn account_tickets(
        &mut self,
        contract: ContractHash,
        stored: &[TicketChange],
        received: &[(TicketToken, N)],
        emitted: &[Emitted],
    ) -> Result<(Vec<TicketUpdate>, u64), Trace> {
        let me = Destination::Contract(Contract::Originated(contract));
        let mut grown = 0i64;
        let mut updates = Vec::new();
        for change in stored {
            let token = shown(&change.token);
            grown += self.change_tickets(me, &token, &change.amount.0)?;
            let update = TicketAccountUpdate { account: me.to_string(), amount: change.amount.clone() };
            updates.push(TicketUpdate { ticket_token: token, updates: vec![update] });
        }
        for (token, amount) in received {
            grown += self.change_tickets(me, &shown(token), &-BigInt::from(amount.0.clone()))?;
        }
        for operation in emitted {
            let holder = match &operation.body {
                InternalBody::Transaction(transaction) => transaction.destination,
                InternalBody::Origination(_) => match operation.contract {
                    Some(contract) => Destination::Contract(Contract::Originated(contract)),
                    None => continue,
                },
                _ => continue,
            };
            for (token, amount) in &operation.tickets {
                grown += self.change_tickets(holder, &shown(token), &BigInt::from(amount.0.clone()))?;
            }
        }
        Ok((updates, self.pay_ticket_table(grown)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key in a recorded refusal of a transfer of tickets that nobody holds.
    #[test]
    fn keys_are_those_of_the_reference() {
        let token = receipt::TicketToken {
            ticketer: "KT1QQ7aqdwvTofzCwxtj8kpqvp23MenhvP6r".to_owned(),
            content_type: Micheline::word(soru_tezos::micheline::Prim::string),
            content: Micheline::string("a"),
        };
        let holder: Contract = "tz1faswCTDciRzE4oJ9jn2Vm2dvjeyA9fUzU".parse().unwrap();
        assert_eq!(
            balance_key(&token, holder.into()).to_string(),
            "exprte2U5eDNEx6cTuCfVGf6MgcVAZxo8iBBVYaFsMaKKKF5CHjNBk"
        );
    }
}
