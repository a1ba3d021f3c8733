//! What long-running commands log, and where: one line an event on the error stream. `SORU_LOG` (like
//! `info,soru_node=debug`) chooses; `TEZOS_LOG` of the reference is honoured as far as it names a level.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging; `requests` adds every request to a layer 1.
pub fn start(requests: bool) {
    let filter = match std::env::var("SORU_LOG") {
        Ok(rules) => rules,
        Err(_) => {
            let level = std::env::var("TEZOS_LOG").ok().and_then(|rules| level_of(&rules)).unwrap_or("info");
            let requests = if requests { ",soru_l1::rpc=debug" } else { "" };
            format!("{level}{requests}")
        }
    };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // a second start in one process changes nothing
    let colours = std::io::stderr().is_terminal();
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = logger.with_ansi(colours).with_target(false).try_init();
}

/// The level of the rule `* -> level`, in our words.
fn level_of(rules: &str) -> Option<&'static str> {
    let rule = rules.split(';').find(|rule| rule.trim_start().starts_with('*'))?;
    match rule.split("->").nth(1)?.trim() {
        "debug" => Some("debug"),
        "info" | "notice" => Some("info"),
        "warning" => Some("warn"),
        "error" | "fatal" => Some("error"),
        _ => None,
    }
}
