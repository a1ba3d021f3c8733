//! How long-running commands end: on Ctrl-C, on a termination signal, or with the process that started them.

use crate::grammar::{Invocation, Opt};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Lets a parent process tie the command to its own life: when it dies, its end of the pipe closes.
pub const WITH_STDIN: Opt = Opt::switch("stop-with-stdin", None, "stop when the standard input closes").hide();

/// A token that is cancelled when the command should end.
pub fn token(invocation: &Invocation) -> CancellationToken {
    let token = CancellationToken::new();
    let on_signal = token.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        on_signal.cancel();
    });
    if invocation.switch(WITH_STDIN.long) {
        let on_close = token.clone();
        // a blocking read of a pipe cannot be abandoned by the runtime, a thread of its own can
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            on_close.cancel();
        });
    }
    token
}

/// Returns at the first Ctrl-C or termination signal.
pub async fn wait_for_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
