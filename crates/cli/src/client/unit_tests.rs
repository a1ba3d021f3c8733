//! `run unit tests from`: unit tests of Michelson in the TZT format, run by the client itself (`spec/protocol.md` §10.4).

use crate::grammar::{CliError, Command, Invocation};
use soru_michelson::tzt;
use std::path::{Path, PathBuf};

const GROUP: &str = "Commands for managing the library of known scripts";

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![Command::new(
        GROUP,
        "run unit tests from [tests]",
        &[],
        "Run Michelson unit tests (the TZT format) from files or literals.",
        |i| Box::pin(async move { run(&i) }),
    )]
}

/// A test with what it is called in the report.
struct Test {
    name: String,
    text: Result<String, String>,
}

fn run(invocation: &Invocation) -> Result<(), CliError> {
    let tests = tests(invocation.rest())?;
    if tests.is_empty() {
        eprintln!("Warning:\n  No test file was specified on the command line");
        return Ok(());
    }
    let mut failed = 0;
    for Test { name, text } in &tests {
        let outcome = text.as_ref().map_err(String::clone).and_then(|text| tzt::run(text).map_err(|e| e.to_string()));
        if let Err(why) = outcome {
            failed += 1;
            println!("{name}:\n{why}\n");
        }
    }
    println!("Test results: Passed:{} Failed:{failed} Total:{}", tests.len() - failed, tests.len());
    if failed > 0 {
        return Err(CliError::Failed("Some tests have failed".to_owned()));
    }
    println!("All tests have passed");
    Ok(())
}

/// The tests the arguments name: files, folders of files, and literals.
fn tests(arguments: &[(usize, String)]) -> Result<Vec<Test>, CliError> {
    let mut tests = Vec::new();
    let mut literals = 0;
    for (index, argument) in arguments {
        let path = argument.strip_prefix("file:").or_else(|| Path::new(argument).exists().then_some(argument));
        let Some(path) = path else {
            literals += 1;
            let text = argument.strip_prefix("text:").unwrap_or(argument).to_owned();
            tests.push(Test { name: format!("Literal script {literals}"), text: Ok(text) });
            continue;
        };
        let unreadable =
            |error: std::io::Error| CliError::argument(*index, argument, format!("cannot read {path} ({error})"));
        let kind = std::fs::metadata(path).map_err(unreadable)?;
        let files = if kind.is_dir() { folder(path).map_err(unreadable)? } else { vec![path.into()] };
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot read this file ({error})"));
            tests.push(Test { name: file.display().to_string(), text });
        }
    }
    Ok(tests)
}

/// The tests in a folder, by name.
fn folder(path: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "tzt") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
