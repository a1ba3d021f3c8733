//! What may come next on a command line, for shells.

use super::parse::{looks_like_option, named};
use super::table::{Command, Opt, Tool, Word};
use std::collections::BTreeSet;

/// The words and options that may follow `before`, the words already typed.
pub fn complete(tool: &Tool, before: &[String]) -> Vec<String> {
    // the place in each sentence that still fits
    let mut fitting: Vec<(&Command, usize)> = tool.commands.iter().map(|command| (command, 0)).collect();
    let mut words = before.iter();
    while let Some(word) = words.next() {
        if looks_like_option(word) {
            let known = fitting.iter().flat_map(|(command, _)| command.all_options()).chain(tool.globals);
            let takes_value = named(known, word).is_some_and(|opt| opt.value.is_some()) && !word.contains('=');
            if takes_value && words.next().is_none() {
                // a value comes next, which nobody here knows
                return Vec::new();
            }
            continue;
        }
        fitting.retain_mut(|(command, place)| match command.words.get(*place) {
            Some(Word::Literal(literal)) => {
                *place += 1;
                literal == word
            }
            Some(Word::Param(_)) => {
                *place += 1;
                true
            }
            Some(Word::Rest(_)) => true,
            None => false,
        });
    }
    let next = fitting.iter().filter_map(|(command, place)| match command.words.get(*place) {
        Some(Word::Literal(literal)) => Some((*literal).to_owned()),
        _ => None,
    });
    // before the first word all options of all commands would be too much
    let own = fitting.iter().filter(|(_, place)| *place > 0).flat_map(|(command, _)| command.all_options());
    let shown = |opt: &&Opt| !opt.hidden;
    let options = own.chain(tool.globals).filter(shown).map(|opt| format!("--{}", opt.long));
    next.chain(options).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Handler;

    const FORCE: &[Opt] = &[Opt::switch("force", Some('f'), "overwrite"), Opt::switch("secret", None, "").hide()];
    const GLOBALS: &[Opt] = &[Opt::value("endpoint", Some('E'), "uri", "L1")];

    #[test]
    fn what_may_come_next() {
        let nothing: Handler = |_| Box::pin(async { Ok(()) });
        let tool = Tool {
            name: "t".into(),
            doc: "",
            version: String::new(),
            globals: GLOBALS,
            commands: vec![
                Command::new("", "gen keys <new>", &[FORCE], "", nothing),
                Command::new("", "get balance for <src>", &[], "", nothing),
            ],
        };
        let after = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            complete(&tool, &words).join(" ")
        };
        assert_eq!(after(""), "--endpoint gen get");
        assert_eq!(after("-E http://x get"), "--endpoint balance");
        assert_eq!(after("gen"), "--endpoint --force keys");
        assert_eq!(after("gen keys alice --force"), "--endpoint --force");
        assert_eq!(after("--endpoint"), "");
        assert_eq!(after("nonsense"), "--endpoint");
    }
}
