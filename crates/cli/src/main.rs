//! The one binary: it acts by the name it is called by (`octez-client`, `octez-smart-rollup-node`, …) or by its first
//! word (`soru client …`).

mod client;
mod demo;
mod grammar;
mod http;
mod logging;
mod shutdown;
mod tools;

use grammar::{CliError, Request};
use std::process::ExitCode;

/// States are many small nodes, made and freed over and over.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    end_quietly_with_the_reader();
    let mut argv = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let called_as = argv.next().unwrap_or_default();
    let (tool, words) = tools::choose(&called_as, argv.collect());
    match grammar::parse(&tool, &words).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `soru … | head` is an ordinary command line: when the reader closes the pipe there is nothing more to do. The print
/// macros panic then, which is caught here before it says anything.
fn end_quietly_with_the_reader() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if message.starts_with("failed printing to stdout") {
            std::process::exit(0);
        }
        default(panic);
    }));
}

fn run(request: Request) -> Result<(), CliError> {
    match request {
        Request::Print(text) => {
            print_to_pipe(&text);
            Ok(())
        }
        Request::Run(handler, invocation) => {
            let runtime = tokio::runtime::Runtime::new().map_err(CliError::failed)?;
            let result = runtime.block_on(handler(*invocation));
            // a blocked helper thread must not keep a finished command alive
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
            result
        }
    }
}

/// Prints text; a reader that closed the pipe early is no error.
fn print_to_pipe(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
