//! What every client command needs: the node's address, the wallet, and the client's own options.

use super::config::{self, ConfigFile};
use crate::grammar::{CliError, Invocation};
use soru_l1::rpc::{BlockId, RpcClient, RpcError};
use soru_l1::wallet::{Access, Signer, Wallet, WalletError};
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

/// Whether the command line says anything about the endpoint.
pub fn names_endpoint(invocation: &Invocation) -> bool {
    ["endpoint", "addr", "port"].iter().any(|name| invocation.option(name).is_some())
}

/// The endpoint: from the command line, else from the configuration file, else the default.
pub fn endpoint(invocation: &Invocation, config: Option<&ConfigFile>) -> String {
    match config.and_then(ConfigFile::endpoint) {
        Some(endpoint) if !names_endpoint(invocation) => endpoint,
        _ => endpoint_option(invocation),
    }
}

/// The endpoint an invocation names with `-E`, or with the old `-A`, `-P`, `-S`.
pub fn endpoint_option(invocation: &Invocation) -> String {
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

/// The wallet's directory by the command line: `-d`, else `TEZOS_CLIENT_DIR`, else `~/.tezos-client`.
pub fn base_dir_option(invocation: &Invocation) -> PathBuf {
    invocation
        .option("base-dir")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("TEZOS_CLIENT_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from))
        .unwrap_or_else(|| crate::tools::sandbox::home().join(".tezos-client"))
}

/// The wallet of a client command.
pub fn wallet(invocation: &Invocation) -> Result<Wallet, CliError> {
    wallet_of(invocation, config::load(invocation)?.as_ref())
}

/// The wallet with the passwords of `-f` and the signer of `-R`; what the command line does not say, the configuration file
/// may.
pub fn wallet_of(invocation: &Invocation, config: Option<&ConfigFile>) -> Result<Wallet, CliError> {
    let directory = match (invocation.option("base-dir"), config) {
        (None, Some(config)) => config.base_dir.clone(),
        _ => base_dir_option(invocation),
    };
    let mut access = Access::default().asking(Box::new(|prompt| super::password::ask(prompt).ok()));
    // as the reference's, a file that does not exist yet is no error
    if let Some(file) = invocation
        .option("password-filename")
        .map(PathBuf::from)
        .or_else(|| config?.password_filename.clone())
        .filter(|file| file.exists())
    {
        access = access.with_password_file(&file).map_err(|error| CliError::Usage(error.to_string()))?;
    }
    if let Some(signer) = invocation
        .option("remote-signer")
        .map(str::to_owned)
        .or_else(|| config?.remote_signer.clone())
        .or_else(signer_of_environment)
    {
        access = access.with_remote_signer(signer);
    }
    Ok(Wallet::new(directory).with_access(access))
}

/// The remote signer that the environment names.
fn signer_of_environment() -> Option<String> {
    let address = |scheme: &str, prefix: &str, port: &str| {
        let host = std::env::var(format!("{prefix}_HOST")).ok()?;
        let port = std::env::var(format!("{prefix}_PORT")).unwrap_or_else(|_| port.to_owned());
        Some(format!("{scheme}://{host}:{port}"))
    };
    let socket = std::env::var("TEZOS_SIGNER_UNIX_PATH").ok().map(|path| format!("unix:{path}"));
    socket
        .or_else(|| address("tcp", "TEZOS_SIGNER_TCP", "7732"))
        .or_else(|| address("http", "TEZOS_SIGNER_HTTP", "6732"))
        .or_else(|| address("https", "TEZOS_SIGNER_HTTPS", "443"))
}

impl Context {
    /// Reads the surroundings from the options.
    pub fn new(invocation: &Invocation) -> Result<Context, CliError> {
        let config = config::load(invocation)?;
        let endpoint = endpoint(invocation, config.as_ref());
        let rpc = RpcClient::new(&endpoint).map_err(|error| CliError::option("endpoint", &endpoint, error))?;
        let wait = invocation.read_option("wait", |text| match text {
            "none" => Ok(None),
            number => number.parse().map(Some).map_err(|_| "give a number of blocks, or none"),
        })?;
        let configured = |config: &ConfigFile| config.confirmations.and_then(|blocks| u32::try_from(blocks).ok());
        let wait = wait.unwrap_or_else(|| config.as_ref().map_or(Some(0), configured));
        if let Some(protocol) = invocation.option("protocol") {
            check_protocol(protocol)?;
        }
        if let Some(mode) = invocation.option("mode").filter(|mode| *mode != "client") {
            return Err(CliError::option("mode", mode, "only 'client' is known here"));
        }
        invocation.read_option("media-type", |text| match text {
            "json" | "any" => Ok(()),
            "binary" => Err("answers are read in JSON only: give json or any"),
            _ => Err("give json or any"),
        })?;
        let block = invocation.read_option("block", parse_block)?.unwrap_or(BlockId::HEAD);
        if invocation.switch("log-requests") {
            crate::logging::start(true);
        }
        let tool = invocation.tool.clone();
        Ok(Context { rpc, wallet: wallet_of(invocation, config.as_ref())?, wait, block, tool })
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
    pub async fn signer(&self, invocation: &Invocation, name: &str) -> Result<Arc<dyn Signer>, CliError> {
        let signer = self.wallet.signer(invocation.param(name)).await;
        invocation.read_param(name, |_| signer)
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
