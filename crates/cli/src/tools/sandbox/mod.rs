//! Running the embedded layer 1: `soru sandbox run`, and `octez-node … --network sandbox`; [`control`] talks to a running
//! one.

mod control;

use crate::grammar::{CliError, Command, Invocation, Opt, Tool};
use crate::shutdown;
use serde_json::{Value, json};
use soru_sandbox::{
    BOOTSTRAP, BOOTSTRAP_BALANCE, FundedAccount, MAX_ACCOUNTS, SandboxConfig, Upgrade, made_account, parse_protocol,
};
use soru_tezos::json::pretty;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

const DATA_DIR: Opt = Opt::value("data-dir", Some('d'), "path", "where the chain is kept (default: ~/.tezos-node)");
const RPC_ADDR: Opt = Opt::value(
    "rpc-addr",
    None,
    "addr[:port]",
    "where the RPC listens (default: 127.0.0.1:8732; port 0 takes a free one)",
);

/// Options of a new or continued chain.
pub const CHAIN: &[Opt] = &[
    DATA_DIR,
    RPC_ADDR,
    Opt::value("block-time", None, "seconds|manual|on-operation", "when blocks are made (default: 1)"),
    Opt::value(
        "preset",
        None,
        "mainnet|dailynet|test",
        "constants of a new chain (default: dailynet, with a challenge window of 40 blocks)",
    ),
    Opt::value(
        "constants",
        None,
        "file",
        "JSON object of constants in place of the preset's, by the names that 025 has in /context/constants",
    ),
    Opt::value(
        "accounts",
        None,
        "number",
        "accounts of a new chain besides bootstrap1 to bootstrap5, as rich as these",
    ),
    Opt::value("protocol", None, "016…025", "protocol of a new chain (default: 025)"),
    Opt::value(
        "migrate-at",
        None,
        "level:protocol",
        "upgrade of a new chain after the block of a level; may be given more than once, in order",
    )
    .repeat(),
    shutdown::WITH_STDIN,
];

/// Options of `octez-node` that change nothing here, kept so that scripts run.
const IGNORED: &[Opt] = &[
    Opt::switch("allow-all-rpc", None, "").hide().repeat(),
    Opt::value("history-mode", None, "mode", "").hide().repeat(),
    Opt::value("net-addr", None, "addr", "").hide().repeat(),
    Opt::value("synchronisation-threshold", None, "n", "").hide().repeat(),
    Opt::value("connections", None, "n", "").hide().repeat(),
    Opt::switch("private-mode", None, "").hide().repeat(),
    Opt::switch("no-bootstrap-peers", None, "").hide().repeat(),
    Opt::switch("singleprocess", None, "").hide().repeat(),
];

const NETWORK: &[Opt] = &[Opt::value("network", None, "name", "the network: sandbox is the one there is")];
const INIT: &[Opt] = &[DATA_DIR, RPC_ADDR];

/// The home directory, in which default directories lie.
pub fn home() -> PathBuf {
    std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Reads `ADDR`, `ADDR:PORT` or `:PORT`.
pub fn parse_address(text: &str, default_port: u16) -> Result<SocketAddr, String> {
    let text = text.strip_prefix("http://").unwrap_or(text);
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => {
            (host, port.parse().map_err(|_| format!("'{port}' is not a port: 0 to 65535"))?)
        }
        _ => (text, default_port),
    };
    let ip = match host {
        "" | "localhost" => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        host => host
            .trim_matches(['[', ']'])
            .parse()
            .map_err(|_| format!("'{host}' is not an IP address (give one, like 127.0.0.1)"))?,
    };
    Ok(SocketAddr::new(ip, port))
}

fn data_dir(invocation: &Invocation) -> PathBuf {
    invocation.option("data-dir").map_or_else(|| home().join(".tezos-node"), PathBuf::from)
}

/// The configuration file that `config init` writes and `run` reads.
fn config_file(data_dir: &Path) -> PathBuf {
    data_dir.join("config.json")
}

fn configuration(invocation: &Invocation) -> Result<SandboxConfig, CliError> {
    let data_dir = data_dir(invocation);
    let mut config = SandboxConfig::new(&data_dir);
    if let Some(address) = saved_address(&config_file(&data_dir))? {
        config.rpc_addr = address;
    }
    let port = soru_sandbox::DEFAULT_RPC_ADDRESS.port();
    if let Some(address) = invocation.read_option("rpc-addr", |text| parse_address(text, port))? {
        config.rpc_addr = address;
    }
    if let Some(block_time) = invocation.parse_option("block-time")? {
        config.block_time = block_time;
    }
    if let Some(preset) = invocation.parse_option("preset")? {
        config.preset = preset;
    }
    if let Some(path) = invocation.option("constants") {
        let text = std::fs::read_to_string(path).map_err(|error| CliError::option("constants", path, error))?;
        config.constants = serde_json::from_str(&text).map_err(|error| CliError::option("constants", path, error))?;
    }
    if let Some(number) = invocation.parse_option::<u32>("accounts")? {
        if number > MAX_ACCOUNTS {
            return Err(CliError::option(
                "accounts",
                &number.to_string(),
                format!("at most {MAX_ACCOUNTS} can be made"),
            ));
        }
        for number in 1..=number {
            let public_key = made_account(number).map_err(CliError::failed)?.public_key();
            config.accounts.push(FundedAccount { public_key, balance: BOOTSTRAP_BALANCE });
        }
    }
    if let Some(protocol) = invocation.read_option("protocol", parse_protocol)? {
        config.protocol = protocol;
    }
    for text in invocation.options("migrate-at") {
        config.upgrades.push(text.parse::<Upgrade>().map_err(|error| CliError::option("migrate-at", text, error))?);
    }
    Ok(config)
}

fn saved_address(path: &Path) -> Result<Option<SocketAddr>, CliError> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    let wrong = |why: String| CliError::Usage(format!("{} is not a configuration of this node: {why}", path.display()));
    let config: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let port = soru_sandbox::DEFAULT_RPC_ADDRESS.port();
    match config["rpc"]["listen-addrs"][0].as_str() {
        Some(text) => parse_address(text, port).map(Some).map_err(wrong),
        None => Ok(None),
    }
}

async fn run(invocation: Invocation) -> Result<(), CliError> {
    network(&invocation)?;
    crate::logging::start(invocation.switch("log-requests"));
    let config = configuration(&invocation)?;
    let data_dir = config.data_dir.clone();
    let block_time = config.block_time;
    let shutdown = shutdown::token(&invocation);
    let sandbox = soru_sandbox::Sandbox::start(config).await.map_err(CliError::failed)?;
    println!("Sandbox layer 1 in {}: chain {}, block time {block_time}", data_dir.display(), sandbox.node().chain_id());
    for account in BOOTSTRAP {
        println!("  {} {} unencrypted:{}", account.alias, account.address, account.secret_key);
    }
    let funded = &sandbox.node().start().accounts;
    for number in 1..=MAX_ACCOUNTS {
        let key = made_account(number).map_err(CliError::failed)?;
        if !funded.iter().any(|account| account.public_key == key.public_key()) {
            break;
        }
        println!("  account{number} {} unencrypted:{}", key.public_key_hash(), key.to_base58());
    }
    println!("RPC server listening on {}", sandbox.url());
    tokio::select! {
        () = shutdown.cancelled() => {
            sandbox.stop().await;
            Ok(())
        }
        error = sandbox.failed() => Err(CliError::failed(error)),
    }
}

fn network(invocation: &Invocation) -> Result<(), CliError> {
    match invocation.option("network") {
        None | Some("sandbox") => Ok(()),
        Some(other) => Err(CliError::option(
            "network",
            other,
            "This binary holds one network, 'sandbox'. For a public network run its node, and give our rollup node its endpoint with -E.",
        )),
    }
}

async fn init(invocation: Invocation) -> Result<(), CliError> {
    network(&invocation)?;
    let data_dir = data_dir(&invocation);
    let port = soru_sandbox::DEFAULT_RPC_ADDRESS.port();
    let address = invocation
        .read_option("rpc-addr", |text| parse_address(text, port))?
        .unwrap_or(soru_sandbox::DEFAULT_RPC_ADDRESS);
    let path = config_file(&data_dir);
    let config = json!({
        "data-dir": data_dir, "rpc": { "listen-addrs": [address] }, "p2p": {}, "network": "sandbox"
    });
    let failed = |error: std::io::Error| CliError::failed(format!("cannot write {}: {error}", path.display()));
    std::fs::create_dir_all(&data_dir).map_err(failed)?;
    if path.exists() {
        return Err(CliError::Usage(format!("{} exists already: remove it to start anew", path.display())));
    }
    std::fs::write(&path, format!("{}\n", pretty(&config))).map_err(failed)?;
    println!("Created {}", path.display());
    Ok(())
}

/// The commands of `soru` itself.
pub fn commands() -> Vec<Command> {
    let run = Command::new(
        "Layer 1",
        "sandbox run",
        &[CHAIN],
        "Run the embedded layer 1: a chain of protocol 025 with the accounts bootstrap1 to bootstrap5.",
        |i| Box::pin(run(i)),
    );
    let mut commands = vec![run];
    commands.extend(control::commands());
    commands
}

/// The tool `octez-node`.
pub fn tool(name: String) -> Tool {
    Tool {
        name,
        doc: "The embedded layer 1 under the reference node's command lines.",
        version: super::version(),
        globals: &[],
        commands: vec![
            Command::new("Node", "config init", &[INIT, NETWORK, IGNORED], "Write <data-dir>/config.json.", |i| {
                Box::pin(init(i))
            }),
            Command::new("Node", "run", &[CHAIN, NETWORK, IGNORED], "Run the embedded layer 1.", |i| Box::pin(run(i))),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read = |text| parse_address(text, 8732).map(|address| address.to_string());
        assert_eq!(read("127.0.0.1"), Ok("127.0.0.1:8732".into()));
        assert_eq!(read("127.0.0.1:9"), Ok("127.0.0.1:9".into()));
        assert_eq!(read(":0"), Ok("127.0.0.1:0".into()));
        assert_eq!(read("localhost:80"), Ok("127.0.0.1:80".into()));
        assert_eq!(read("[::1]:80"), Ok("[::1]:80".into()));
        assert_eq!(read("::1"), Ok("[::1]:8732".into()));
        assert!(read("127.0.0.1:99999").is_err());
        assert!(read("nowhere.example").is_err());
    }
}
