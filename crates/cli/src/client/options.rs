//! The options that the client's commands share (`spec/node.md` §10.1–10.2).

use crate::grammar::Opt;

/// Passwords of encrypted keys.
pub const PASSWORD_FILE: Opt =
    Opt::value("password-filename", Some('f'), "path", "file with passwords of encrypted keys, one a line");
/// Where keys kept as `remote:…` are.
pub const REMOTE_SIGNER: Opt = Opt::value(
    "remote-signer",
    Some('R'),
    "uri",
    "signer of keys kept as remote:tz…: http://…, https://…, tcp://host:port or unix:/path (default: TEZOS_SIGNER_UNIX_PATH, or _HOST and _PORT of TEZOS_SIGNER_TCP, TEZOS_SIGNER_HTTP, TEZOS_SIGNER_HTTPS)",
);

/// Options of every client command.
pub const GLOBALS: &[Opt] = &[
    Opt::value(
        "base-dir",
        Some('d'),
        "path",
        "directory of the wallet (default: TEZOS_CLIENT_DIR, else ~/.tezos-client)",
    ),
    Opt::switch("no-base-dir-warnings", Some('n'), "accepted, without effect"),
    Opt::value(
        "config-file",
        Some('c'),
        "path",
        "configuration file of the client (default: config in the base directory)",
    ),
    Opt::switch("timings", Some('t'), "accepted, without effect").hide(),
    Opt::value("chain", None, "hash|tag", "chain to act on (default: main)"),
    Opt::value("block", Some('b'), "hash|level|tag", "block on which commands look at the chain (default: head)"),
    Opt::value(
        "wait",
        Some('w'),
        "none|int",
        "how many blocks to wait for on top of an operation (default: 0; none: do not wait)",
    ),
    Opt::value("protocol", Some('p'), "hash", "use the commands of this protocol: a prefix of its hash is enough"),
    Opt::switch("log-requests", Some('l'), "log the requests to the node"),
    Opt::switch("better-errors", None, "accepted, without effect").hide(),
    Opt::value("endpoint", Some('E'), "uri", "RPC of the layer 1 (default: http://localhost:8732)"),
    Opt::value("addr", Some('A'), "host", "old way to give the host of the endpoint").hide(),
    Opt::value("port", Some('P'), "number", "old way to give the port of the endpoint").hide(),
    Opt::switch("tls", Some('S'), "old way to ask for https").hide(),
    Opt::value("media-type", Some('m'), "json|any", "kind of the answers that are asked for: always JSON"),
    REMOTE_SIGNER,
    PASSWORD_FILE,
    Opt::value("mode", Some('M'), "client", "only client is known").hide(),
];

/// Options of commands that inject operations.
pub const OPERATION: &[Opt] = &[
    Opt::value("fee", None, "tez", "fee to pay the baker (default: estimated)"),
    Opt::switch("dry-run", Some('D'), "do everything but injecting"),
    Opt::switch("verbose-signing", None, "show what is signed"),
    Opt::switch("simulation", None, "only simulate"),
    Opt::value("minimal-fees", None, "tez", "fee below which bakers do not include operations (default: 0.0001)"),
    Opt::value("minimal-nanotez-per-byte", None, "nanotez", "fee per byte bakers want (default: 1000)"),
    Opt::value("minimal-nanotez-per-gas-unit", None, "nanotez", "fee per unit of gas bakers want (default: 100)"),
    Opt::switch("force-low-fee", None, "inject with a fee below what bakers want"),
    Opt::value("fee-cap", None, "tez", "never pay a higher fee than this (default: 1)"),
    Opt::value("burn-cap", None, "tez", "never burn more than this (default: 0)"),
    Opt::value("storage-limit", Some('S'), "bytes", "limit of new storage (default: estimated)"),
    Opt::value("counter", Some('C'), "number", "counter of the operation (default: the next one)"),
    Opt::value("gas-limit", Some('G'), "units", "limit of gas (default: estimated)"),
    Opt::value("safety-guard", None, "units", "gas added to the estimate (default: 100)"),
];

/// Overwriting what exists.
pub const FORCE: &[Opt] = &[Opt::switch("force", Some('f'), "overwrite what exists")];
