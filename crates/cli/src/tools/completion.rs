//! `soru completion <shell>`: what a shell needs to complete command lines, under all names of the binary.

use super::{complete, program_names};
use crate::grammar::{CliError, Command, Invocation};

const GROUP: &str = "Installation";

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(
            GROUP,
            "completion <shell>",
            &[],
            "Print a script that completes command lines in bash or zsh: source <(soru completion bash).",
            |i| Box::pin(script(i)),
        ),
        Command::new(
            GROUP,
            "complete [word]",
            &[],
            "Print what may follow the words of a command line; the script of 'completion' asks this.",
            |i| Box::pin(print(i)),
        ),
    ]
}

async fn print(invocation: Invocation) -> Result<(), CliError> {
    let line: Vec<String> = invocation.rest().iter().map(|(_, word)| word.clone()).collect();
    complete(&line).iter().for_each(|word| println!("{word}"));
    Ok(())
}

async fn script(invocation: Invocation) -> Result<(), CliError> {
    let before = match invocation.param("shell") {
        "bash" => "",
        "zsh" => "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n",
        _ => return Err(CliError::argument(2, invocation.param("shell"), "give bash or zsh")),
    };
    let names = program_names().collect::<Vec<_>>().join(" ");
    let words = r#"COMPREPLY=($(compgen -W "$(soru complete -- "${COMP_WORDS[@]:0:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))"#;
    println!("{before}_soru_complete() {{\n  {words}\n}}\ncomplete -o default -F _soru_complete {names}");
    Ok(())
}
