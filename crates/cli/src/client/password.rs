//! Asking for passwords: unseen on a terminal, else a line of what is piped in.

use crate::grammar::CliError;
use std::io::{BufRead, Error, ErrorKind, IsTerminal, Write, stdin, stdout};

/// Asks for a password.
///
/// # Errors
/// When there is nobody to ask: the input has ended.
pub fn ask(prompt: &str) -> std::io::Result<String> {
    print!("{prompt}");
    stdout().flush()?;
    if stdin().is_terminal() {
        return console::Term::stdout().read_secure_line();
    }
    let mut line = String::new();
    match stdin().lock().read_line(&mut line)? {
        0 => Err(Error::new(ErrorKind::UnexpectedEof, "no password was given")),
        _ => {
            println!();
            Ok(line.trim_end_matches(['\n', '\r']).to_owned())
        }
    }
}

/// Asks for a new password until it is given twice alike.
pub fn ask_new() -> Result<String, CliError> {
    loop {
        let password = ask("Enter password to encrypt your key: ").map_err(CliError::failed)?;
        if ask("Confirm password: ").map_err(CliError::failed)? == password {
            return Ok(password);
        }
        println!("Passwords do not match.");
    }
}
