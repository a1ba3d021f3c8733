//! `octez-smart-rollup-node`: running the rollup node and writing its configuration (`spec/node.md` §1).

use crate::client::config::beside_wallet;
use crate::client::context::{endpoint, wallet_of};
use crate::client::options::{PASSWORD_FILE, REMOTE_SIGNER};
use crate::grammar::{CliError, Command, Invocation, Opt, Tool};
use crate::shutdown;
use soru_l1::wallet::Wallet;
use soru_node::NodeConfig;
use soru_node::config::{Config, OperatorArgument, Options};
use std::path::PathBuf;

const GLOBALS: &[Opt] = &[
    Opt::value(
        "base-dir",
        Some('d'),
        "path",
        "directory of the wallet with the operators' keys (default: TEZOS_CLIENT_DIR, else ~/.tezos-client)",
    ),
    PASSWORD_FILE,
    REMOTE_SIGNER,
    Opt::value("endpoint", Some('E'), "uri", "RPC of the layer 1 (default: http://localhost:8732)"),
    Opt::switch("log-requests", Some('l'), "log the requests to the layer 1"),
    Opt::value("protocol", Some('p'), "hash", "accepted, without effect").hide(),
    Opt::value("addr", Some('A'), "host", "old way to give the host of the endpoint").hide(),
    Opt::value("port", Some('P'), "number", "old way to give the port of the endpoint").hide(),
    Opt::switch("tls", Some('S'), "old way to ask for https").hide(),
    Opt::switch("no-base-dir-warnings", Some('n'), "accepted, without effect").hide(),
    Opt::value("media-type", Some('m'), "type", "accepted, without effect").hide(),
];

pub(super) const DATA_DIR: Opt =
    Opt::value("data-dir", None, "path", "the node's data directory (default: ~/.tezos-smart-rollup-node)");

const NO_PERFORMANCE_METRICS: Opt =
    Opt::switch("disable-performance-metrics", None, "leave out what the process uses of the machine");

const CONFIGURATION: &[Opt] = &[
    DATA_DIR,
    Opt::value("config-file", None, "path", "the configuration file (default: <data-dir>/config.json)"),
    Opt::value("rpc-addr", None, "addr", "address the RPC listens on (default: 127.0.0.1)"),
    Opt::value("rpc-port", None, "port", "port the RPC listens on (default: 8932; 0 takes a free one)"),
    Opt::value("acl-override", None, "secure|allow-all", "which requests are answered"),
    Opt::value("metrics-addr", None, "addr:port", "address of the metrics server (default: none; port 9933)"),
    NO_PERFORMANCE_METRICS,
    Opt::switch("enable-performance-metrics", None, "accepted, without effect").hide(),
    Opt::value("reconnection-delay", None, "seconds", "first delay before reconnecting to the layer 1 (default: 2)"),
    Opt::value("pre-images-endpoint", None, "uri", "service to ask for preimages that are not on disk"),
    Opt::value("boot-sector-file", None, "path", "kernel of a rollup that exists since the chain began"),
    Opt::value("injector-attempts", None, "number", "attempts per operation (default: 10)"),
    Opt::value("injection-ttl", None, "blocks", "blocks after which an operation is injected anew (default: 120)"),
    Opt::value("history-mode", None, "archive|full", "what is kept (default: full)"),
    Opt::value(
        "gc-frequency",
        None,
        "blocks",
        "blocks between two garbage collections (default: challenge window / 5)",
    ),
    Opt::switch("no-degraded", None, "exit instead of going on degraded"),
    Opt::switch("bail-on-disagree", None, "exit when a commitment on the layer 1 is not ours"),
    Opt::switch("apply-unsafe-patches", None, "confirm the unsafe patches of a private rollup's first state"),
    Opt::switch("l1-monitor-finalized", None, "only process finalized blocks"),
    Opt::value("loser-mode", None, "plan", "planned failures, to test games: <level> <message> <tick> …").hide(),
    Opt::switch("log-kernel-debug", None, "log what the kernel writes with write_debug"),
];

const FORCE: &[Opt] = &[Opt::switch("force", None, "overwrite the configuration file")];
const RUN: &[Opt] = &[shutdown::WITH_STDIN];
const LEGACY: &[Opt] = &[
    Opt::value("mode", None, "mode", "what the node does, when there is no configuration file"),
    Opt::value("rollup", None, "address", "the rollup, when there is no configuration file"),
];

pub(super) fn data_dir(invocation: &Invocation) -> PathBuf {
    let default = || super::sandbox::home().join(".tezos-smart-rollup-node");
    invocation.option("data-dir").map_or_else(default, PathBuf::from)
}

fn config_file(invocation: &Invocation) -> PathBuf {
    invocation.option("config-file").map_or_else(|| data_dir(invocation).join("config.json"), PathBuf::from)
}

/// The options of the command line; sentence parameters included.
fn options(invocation: &Invocation, wallet: &Wallet) -> Result<Options, CliError> {
    let text = |name: &str| invocation.option(name).map(str::to_owned);
    let mode = match invocation.param("mode") {
        "" => invocation.parse_option("mode")?,
        _ => Some(invocation.parse_param("mode")?),
    };
    let rollup = match invocation.param("smart-rollup-address") {
        "" => invocation.read_option("rollup", |text| wallet.smart_rollup(text))?,
        _ => Some(invocation.read_param("smart-rollup-address", |text| wallet.smart_rollup(text))?),
    };
    let operators = invocation.rest().iter().map(|(index, text)| {
        let argument = OperatorArgument::parse(text);
        argument.resolve(|key| wallet.address(key)).map_err(|error| CliError::argument(*index, text, error))
    });
    Ok(Options {
        mode,
        rollup,
        operators: operators.collect::<Result<_, _>>()?,
        rpc_addr: text("rpc-addr"),
        rpc_port: invocation.parse_option("rpc-port")?,
        acl_override: invocation.parse_option("acl-override")?,
        metrics_addr: text("metrics-addr"),
        disable_performance_metrics: invocation.switch("disable-performance-metrics"),
        loser_mode: invocation.parse_option("loser-mode")?,
        reconnection_delay: invocation.parse_option("reconnection-delay")?,
        pre_images_endpoint: text("pre-images-endpoint"),
        injector_attempts: invocation.parse_option("injector-attempts")?,
        injection_ttl: invocation.parse_option("injection-ttl")?,
        boot_sector_file: text("boot-sector-file"),
        history_mode: invocation.parse_option("history-mode")?,
        gc_frequency: invocation.parse_option("gc-frequency")?,
        no_degraded: invocation.switch("no-degraded"),
        bail_on_disagree: invocation.switch("bail-on-disagree"),
        apply_unsafe_patches: invocation.switch("apply-unsafe-patches"),
        monitor_finalized: invocation.switch("l1-monitor-finalized"),
        log_kernel_debug: invocation.switch("log-kernel-debug"),
        ..Options::default()
    })
}

async fn init(invocation: Invocation) -> Result<(), CliError> {
    let wallet = wallet_of(&invocation, beside_wallet(&invocation)?.as_ref())?;
    let (config, unused) = options(&invocation, &wallet)?.over(None).map_err(usage)?;
    warn_unused(&unused);
    let path = config_file(&invocation);
    config.save(&path, invocation.switch("force")).map_err(usage)?;
    println!("Smart rollup node configuration written in {}", path.display());
    Ok(())
}

fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

fn warn_unused<P: std::fmt::Debug>(unused: &[P]) {
    if !unused.is_empty() {
        eprintln!("[Warning]: Unused operators for {unused:?}");
    }
}

async fn run(invocation: Invocation) -> Result<(), CliError> {
    crate::logging::start(invocation.switch("log-requests"));
    let client = beside_wallet(&invocation)?;
    let wallet = wallet_of(&invocation, client.as_ref())?;
    let file = Config::load(&config_file(&invocation)).map_err(usage)?;
    let (config, unused) = options(&invocation, &wallet)?.over(file).map_err(usage)?;
    warn_unused(&unused);
    let config = NodeConfig {
        config,
        data_dir: data_dir(&invocation),
        endpoint: endpoint(&invocation, client.as_ref()),
        wallet,
    };
    let shutdown = shutdown::token(&invocation);
    soru_node::run(config, async move { shutdown.cancelled().await }).await.map_err(CliError::failed)
}

async fn protocols(_: Invocation) -> Result<(), CliError> {
    soru_protocol::Protocol::ALL.iter().for_each(|protocol| println!("{}", protocol.hash_text()));
    Ok(())
}

async fn list_metrics(invocation: Invocation) -> Result<(), CliError> {
    print!("{}", soru_node::metrics::listing(!invocation.switch("disable-performance-metrics")));
    Ok(())
}

async fn dump_metrics(_: Invocation) -> Result<(), CliError> {
    print!("{}", soru_node::metrics::table());
    Ok(())
}

/// The tool.
pub fn tool(name: String) -> Tool {
    let group = "Commands for the rollup node";
    Tool {
        name,
        doc: "The smart rollup node: follows a layer 1, runs a rollup's kernel, publishes and cements its commitments.",
        version: super::version(),
        globals: GLOBALS,
        commands: [
            Command::new(
                group,
                "run <mode> for <smart-rollup-address> with operators [operator]",
                &[CONFIGURATION, RUN],
                "Run the rollup node in a mode (operator, maintenance, observer, accuser, bailout, batcher, custom:<kinds>).",
                |i| Box::pin(run(i)),
            ),
            Command::new(
                group,
                "run <mode> for <smart-rollup-address>",
                &[CONFIGURATION, RUN],
                "The same without operators.",
                |i| Box::pin(run(i)),
            ),
            Command::new(
                group,
                "run",
                &[CONFIGURATION, RUN, LEGACY],
                "Run the node as its configuration file says.",
                |i| Box::pin(run(i)),
            ),
            Command::new(
                group,
                "init <mode> config for <smart-rollup-address> with operators [operator]",
                &[CONFIGURATION, FORCE],
                "Write the configuration file.",
                |i| Box::pin(init(i)),
            ),
            Command::new(group, "show supported protocols", &[], "List the protocols, one a line.", |i| {
                Box::pin(protocols(i))
            }),
            Command::new(
                group,
                "list metrics",
                &[&[NO_PERFORMANCE_METRICS]],
                "List the metrics as their server does.",
                |i| Box::pin(list_metrics(i)),
            ),
            Command::new(group, "dump-metrics", &[], "List the metrics as a table (CSV).", |i| {
                Box::pin(dump_metrics(i))
            }),
        ]
        .into_iter()
        .chain(super::snapshot::commands(group))
        .collect(),
    }
}
