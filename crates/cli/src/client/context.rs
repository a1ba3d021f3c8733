//! What every client command needs: the node's address, the wallet, and the client's own options.

use crate::grammar::{CliError, Invocation};
use soru_l1::rpc::{BlockId, RpcClient, RpcError};
use soru_l1::wallet::{Signer, Wallet, WalletError};
use soru_tezos::contract::Contract;
use soru_tezos::hash::{BlockHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::scalar::Level;
use std::path::PathBuf;
use std::sync::Arc;

/// The layer 1's address when none is given.
pub const DEFAULT_ENDPOINT: &str = "http://localhost:8732";

/// The surroundings of a command.
pub struct Context {
    /// The layer 1.
    pub rpc: RpcClient,
    /// Aliases and keys.
    pub wallet: Wallet,
    /// How many blocks to wait for on top of an operation's; nothing: do not wait.
    pub wait: Option<u32>,
    /// The block at which the chain is looked at.
    pub block: BlockId,
    /// Name of the tool, for the commands it suggests.
    pub tool: String,
}

/// The endpoint an invocation names with `-E`, or with the old `-A`, `-P`, `-S`.
pub fn endpoint(invocation: &Invocation) -> String {
    let part = |name| invocation.option(name);
    match (part("endpoint"), part("addr"), part("port")) {
        (Some(endpoint), _, _) => endpoint.to_owned(),
        (None, None, None) => DEFAULT_ENDPOINT.to_owned(),
        (None, host, port) => {
            let scheme = if invocation.switch("tls") { "https" } else { "http" };
            format!("{scheme}://{}:{}", host.unwrap_or("localhost"), port.unwrap_or("8732"))
        }
    }
}

/// The wallet's directory: `-d`, else `TEZOS_CLIENT_DIR`, else `~/.tezos-client`.
pub fn wallet(invocation: &Invocation) -> Wallet {
    let given = invocation.option("base-dir").map(PathBuf::from);
    let directory = given
        .or_else(|| std::env::var_os("TEZOS_CLIENT_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from))
        .unwrap_or_else(|| crate::tools::sandbox::home().join(".tezos-client"));
    Wallet::new(directory)
}

impl Context {
    /// Reads the surroundings from the options.
    pub fn new(invocation: &Invocation) -> Result<Context, CliError> {
        let endpoint = endpoint(invocation);
        let rpc = RpcClient::new(&endpoint).map_err(|error| CliError::option("endpoint", &endpoint, error))?;
        let wait = invocation.read_option("wait", |text| match text {
            "none" => Ok(None),
            number => number.parse().map(Some).map_err(|_| "give a number of blocks, or none"),
        })?;
        if let Some(protocol) = invocation.option("protocol") {
            check_protocol(protocol)?;
        }
        if let Some(mode) = invocation.option("mode").filter(|mode| *mode != "client") {
            return Err(CliError::option("mode", mode, "only 'client' is known here"));
        }
        let block = invocation.read_option("block", parse_block)?.unwrap_or(BlockId::HEAD);
        if invocation.switch("log-requests") {
            crate::logging::start(true);
        }
        let tool = invocation.tool.clone();
        Ok(Context { rpc, wallet: wallet(invocation), wait: wait.unwrap_or(Some(0)), block, tool })
    }

    /// The address in a parameter.
    pub fn address(&self, invocation: &Invocation, name: &str) -> Result<PublicKeyHash, CliError> {
        invocation.read_param(name, |text| self.wallet.address(text))
    }

    /// The account or contract in a parameter.
    pub fn contract(&self, invocation: &Invocation, name: &str) -> Result<Contract, CliError> {
        invocation.read_param(name, |text| {
            self.wallet.contract(text).map_err(|error| match error {
                WalletError::NeitherAliasNorValue { .. } => {
                    format!(
                        "bad contract notation\nInvalid contract notation \"{text}\"\nno contract or key named {text}"
                    )
                }
                other => other.to_string(),
            })
        })
    }

    /// The rollup in a parameter.
    pub fn rollup(&self, invocation: &Invocation, name: &str) -> Result<SmartRollupAddress, CliError> {
        invocation.read_param(name, |text| {
            self.wallet.smart_rollup(text).map_err(|error| match error {
                WalletError::NeitherAliasNorValue { problem, .. } => {
                    format!("bad smart rollup address notation\nno smart rollup alias named {text}\n{problem}")
                }
                other => other.to_string(),
            })
        })
    }

    /// The key that signs for the account in a parameter.
    pub fn signer(&self, invocation: &Invocation, name: &str) -> Result<Arc<dyn Signer>, CliError> {
        invocation.read_param(name, |text| self.wallet.signer(text))
    }
}

/// A request's failure as the client reports it.
pub fn rpc_failed(error: RpcError) -> CliError {
    match error.trace() {
        [] => CliError::failed(error),
        trace => CliError::Usage(super::errors::describe_all(trace)),
    }
}

/// Protocols whose commands these are: the layer 1 we speak to, by any prefix of at least two letters.
fn check_protocol(prefix: &str) -> Result<(), CliError> {
    let known = soru_protocol::Protocol::ALL.iter().any(|protocol| protocol.hash_text().starts_with(prefix));
    if (known && prefix.len() > 1) || prefix == "alpha" || prefix.starts_with("ProtoALpha") {
        Ok(())
    } else {
        Err(CliError::Usage(format!(
            "Wrong value for command line option --protocol.\nValue {prefix} does not correspond to any known protocol."
        )))
    }
}

/// Reads a block as `--block` names it.
fn parse_block(text: &str) -> Result<BlockId, String> {
    let (base, before) = match text.split_once(['~', '-']) {
        Some((base, before)) => (base, before.parse().map_err(|_| format!("'{before}' is not a number of blocks"))?),
        None => (text, 0),
    };
    match base {
        "head" => Ok(BlockId::Head(before)),
        "genesis" => Ok(BlockId::Genesis),
        level if level.bytes().all(|byte| byte.is_ascii_digit()) => {
            let level: i32 = level.parse().map_err(|_| format!("{level} is not a level"))?;
            Ok(BlockId::Level(Level(level.saturating_sub_unsigned(before))))
        }
        hash => hash.parse::<BlockHash>().map(|hash| BlockId::Hash(hash, before)).map_err(|error| error.to_string()),
    }
}
