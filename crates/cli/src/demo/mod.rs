//! `soru demo`: a rollup's whole life in under a minute, or (`--dispute`) a refutation game. It starts a layer 1 and rollup
//! nodes as programs of their own and from there uses public interfaces only: the client's commands and HTTP.

mod dispute;
mod network;
mod processes;
mod tour;

use crate::grammar::{CliError, Command, Invocation, Opt};
use crate::shutdown;

const OPTIONS: &[Opt] = &[
    Opt::switch("json", None, "print one machine-readable summary only"),
    Opt::switch("dispute", None, "show a refutation game instead: an honest operator against one who lies"),
    Opt::value("block-time", None, "seconds", "time between blocks (default: 0.25)"),
    Opt::value("keep", None, "dir", "keep chain, wallet and rollup node in this directory"),
];

/// The command.
pub fn command() -> Command {
    Command::new(
        "Tour",
        "demo",
        &[OPTIONS],
        "Show a rollup's life: origination, messages, commitments, an outbox message executed on the layer 1.",
        |i| Box::pin(run(i)),
    )
}

async fn run(invocation: Invocation) -> Result<(), CliError> {
    // dropping a story ends its processes, also when it is interrupted
    let story = async {
        if invocation.switch("dispute") { dispute::play(&invocation).await } else { tour::play(&invocation).await }
    };
    tokio::select! {
        result = story => result,
        () = shutdown::wait_for_signal() => Err(CliError::failed("interrupted: everything it started is stopped")),
    }
}
