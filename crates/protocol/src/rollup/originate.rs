//! Originating a rollup (`spec/protocol.md` §2.6, §4.2, §4.6).

use super::{Env, Rollup, Whitelist};
use crate::constants::RollupConstants;
use crate::error::RollupError;
use imbl::OrdMap;
use soru_tezos::codec::Encode;
use soru_tezos::hash::{SmartRollupAddress, StateHash};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::rollup::{Commitment, GenesisInfo, PvmKind};

/// What an origination asks for, and the state its PVM starts in.
#[derive(Debug, Clone, Copy)]
pub struct Origination<'a> {
    /// Address, from the operation and its number of originations before.
    pub address: SmartRollupAddress,
    /// Kind of PVM.
    pub kind: PvmKind,
    /// Type of the parameter contracts can send.
    pub parameters_type: &'a Micheline,
    /// State of the PVM with the kernel installed.
    pub genesis_state: StateHash,
    /// Who may publish; nothing for a public rollup.
    pub whitelist: Option<&'a [PublicKeyHash]>,
}

/// Bytes an origination adds to the storage, as its receipt shows and its source pays.
pub fn origination_size(constants: &RollupConstants, parameters_type: &Micheline) -> u64 {
    /// Kind of PVM, as the size is reckoned at origination.
    const KIND: u64 = 2;
    /// Address, twice.
    const ADDRESSES: u64 = 40;
    /// Kind of PVM, as it is stored.
    const STORED_KIND: u64 = 1;
    /// Level and hash of the genesis commitment.
    const GENESIS_INFO: u64 = 36;
    /// Last cemented commitment; the commitment, when it was added, the first publication and the list of its level.
    const COMMITMENT: u64 = 32 + 77 + 4 + 4 + 36;
    let base = u64::try_from(constants.origination_size).unwrap_or(0);
    let parameters = 4 + parameters_type.to_bytes().len() as u64;
    base + KIND + ADDRESSES + parameters + STORED_KIND + GENESIS_INFO + COMMITMENT
}

impl Rollup {
    /// The checks made when the operation is validated: is that kind of PVM allowed?
    ///
    /// # Errors
    /// When it is not.
    pub fn check_kind(constants: &RollupConstants, kind: PvmKind) -> Result<(), RollupError> {
        match kind {
            PvmKind::Arith if !constants.arith_pvm_enable => Err(RollupError::ArithDisabled),
            PvmKind::Riscv if !constants.riscv_pvm_enable => Err(RollupError::RiscvDisabled),
            _ => Ok(()),
        }
    }

    /// A new rollup. Its parameter type must have been checked by the caller.
    ///
    /// # Errors
    /// When it cannot have the whitelist it asks for.
    pub fn originate(env: &Env<'_>, origination: &Origination<'_>) -> Result<Rollup, RollupError> {
        let address = origination.address;
        let whitelist = match origination.whitelist {
            Some(_) if !env.constants.private_enable => return Err(RollupError::WhitelistDisabled),
            Some(keys) => Some(Whitelist::originate(address, keys, env.level)?),
            None => None,
        };
        let genesis = Commitment::genesis(origination.genesis_state, env.level);
        let hash = genesis.hash();
        Ok(Rollup {
            address,
            kind: origination.kind,
            parameters_type: origination.parameters_type.clone(),
            genesis_info: GenesisInfo { level: env.level, commitment_hash: hash },
            last_cemented_commitment: hash,
            commitments: OrdMap::unit(hash, genesis),
            commitment_added: OrdMap::unit(hash, env.level),
            first_publication: OrdMap::unit(env.level, env.level),
            commitments_per_level: OrdMap::unit(env.level, vec![hash]),
            commitment_stakers: OrdMap::new(),
            next_staker_index: 0,
            stakers: OrdMap::new(),
            games: OrdMap::new(),
            applied_messages: OrdMap::new(),
            whitelist,
        })
    }

    /// The genesis commitment, as it was; it may no longer be stored.
    pub fn genesis_commitment(&self) -> Option<&Commitment> {
        self.commitments.get(&self.genesis_info.commitment_hash)
    }
}
