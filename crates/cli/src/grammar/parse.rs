//! Finding the command a line of words means.

use super::help;
use super::table::{Command, Opt, Tool, Word};
use super::{CliError, Handler};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// A command line that was understood.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// Name of the tool that was called.
    pub tool: String,
    params: BTreeMap<&'static str, (usize, String)>,
    rest: Vec<(usize, String)>,
    options: BTreeMap<&'static str, Vec<String>>,
}

impl Invocation {
    /// The text of a parameter. Every parameter of a matched sentence has one.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", |(_, text)| text)
    }

    /// A parameter, read as `T`; the error names its place on the command line.
    pub fn parse_param<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, CliError> {
        self.read_param(name, |text| text.parse::<T>())
    }

    /// A parameter, read by `read`; the error names its place on the command line.
    pub fn read_param<T, E: Display>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, CliError> {
        let (index, text) = self.params.get(name).map_or((0, ""), |(index, text)| (*index, text.as_str()));
        read(text).map_err(|error| CliError::argument(index, text, error))
    }

    /// The values at the end of the sentence with their places.
    pub fn rest(&self) -> &[(usize, String)] {
        &self.rest
    }

    /// The value given for an option.
    pub fn option(&self, long: &str) -> Option<&str> {
        self.options.get(long).and_then(|values| values.first()).map(String::as_str)
    }

    /// All values given for an option, in order.
    pub fn options(&self, long: &str) -> impl Iterator<Item = &str> {
        self.options.get(long).into_iter().flatten().map(String::as_str)
    }

    /// An option read as `T`; the error names it.
    pub fn parse_option<T: FromStr<Err: Display>>(&self, long: &str) -> Result<Option<T>, CliError> {
        self.read_option(long, |text| text.parse::<T>())
    }

    /// An option read by `read`; the error names it.
    pub fn read_option<T, E: Display>(
        &self,
        long: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, CliError> {
        self.option(long).map(|text| read(text).map_err(|error| CliError::option(long, text, error))).transpose()
    }

    /// Whether a switch was given.
    pub fn switch(&self, long: &str) -> bool {
        self.options.contains_key(long)
    }
}

/// What a command line asks for.
pub enum Request {
    /// Run a command.
    Run(Handler, Box<Invocation>),
    /// Print this text and succeed.
    Print(String),
}

/// How far a command fitted, and why it did not.
enum Misfit {
    /// The words given are the start of the sentence.
    Unfinished,
    /// Another word was wanted after so many that fitted.
    Word(usize),
    /// All words fitted but an option did not.
    Option(String),
}

/// Understands a command line of `tool`.
pub fn parse(tool: &Tool, argv: &[String]) -> Result<Request, CliError> {
    // what stands behind a bare `--` is no option
    let (argv, plain) = argv.split_at(argv.iter().position(|word| word == "--").unwrap_or(argv.len()));
    if argv.iter().any(|word| word == "--version") {
        return Ok(Request::Print(format!("{}\n", tool.version)));
    }
    let asks_help = argv.iter().any(|word| word == "--help" || word == "-h");
    let argv: Vec<&String> = argv.iter().filter(|word| *word != "--help" && *word != "-h").chain(plain).collect();
    if let [first, _, _, words @ ..] = argv.as_slice()
        && *first == "bash_autocomplete"
    {
        // the reference's own hook: the word before the cursor, the one at it, and the whole line
        let before: Vec<String> = words.iter().skip(1).map(|word| (*word).clone()).collect();
        let before = before.get(..before.len().saturating_sub(1)).unwrap_or_default();
        return Ok(Request::Print(super::complete(tool, before).join("\n") + "\n"));
    }
    if argv.first().is_some_and(|word| *word == "man") {
        return Ok(Request::Print(help::manual(tool, &argv[1..])));
    }
    let mut misfits = Vec::new();
    for command in &tool.commands {
        match fit(tool, command, &argv) {
            Ok(_) if asks_help => return Ok(Request::Print(help::of_command(tool, command))),
            Ok(invocation) => return Ok(Request::Run(command.run, Box::new(invocation))),
            Err(misfit) => misfits.push((command, misfit)),
        }
    }
    let unfinished: Vec<&Command> = misfits
        .iter()
        .filter(|(_, misfit)| matches!(misfit, Misfit::Unfinished))
        .map(|(command, _)| *command)
        .collect();
    if asks_help || argv.is_empty() {
        return match unfinished.as_slice() {
            [command] => Ok(Request::Print(help::of_command(tool, command))),
            commands if !argv.is_empty() && !commands.is_empty() => Ok(Request::Print(help::list(commands))),
            _ if asks_help => Ok(Request::Print(help::usage(tool))),
            _ => Err(CliError::Usage(help::usage(tool))),
        };
    }
    for (_, misfit) in &misfits {
        if let Misfit::Option(text) = misfit {
            return Err(CliError::Usage(text.clone()));
        }
    }
    if !unfinished.is_empty() {
        let list = help::list(&unfinished);
        return Err(CliError::Usage(format!("Unterminated command, here are possible completions.\n{list}")));
    }
    let best =
        misfits.iter().filter_map(|(_, misfit)| if let Misfit::Word(n) = misfit { Some(*n) } else { None }).max();
    let near: Vec<&Command> = misfits
        .iter()
        .filter(|(_, misfit)| matches!(misfit, Misfit::Word(n) if *n > 0 && Some(*n) == best))
        .map(|(command, _)| *command)
        .collect();
    Err(CliError::Usage(if near.is_empty() {
        "Unrecognized command.\nTry using the man command to get more information.".to_owned()
    } else {
        format!("Unrecognized command.\nDid you mean one of the following?\n{}", help::list(&near))
    }))
}

/// Whether a word is an option's name.
pub(super) fn looks_like_option(word: &str) -> bool {
    word.starts_with("--") && word.len() > 2
        || word.len() == 2 && word.starts_with('-') && word.as_bytes()[1].is_ascii_alphabetic()
}

/// The option that a word names.
pub(super) fn named(options: impl Iterator<Item = &'static Opt>, word: &str) -> Option<&'static Opt> {
    let mut options = options;
    let long = word.strip_prefix("--");
    let short = word.strip_prefix('-').filter(|rest| rest.chars().count() == 1).and_then(|rest| rest.chars().next());
    options.find(|opt| Some(opt.long) == long || (opt.short.is_some() && opt.short == short))
}

/// Tries one command on the words. Options of the command win over those of the tool once its first word was read,
/// so that `-f` can be a file before the sentence and `--force` behind it.
fn fit(tool: &Tool, command: &Command, argv: &[&String]) -> Result<Invocation, Misfit> {
    let mut invocation = Invocation { tool: tool.name.clone(), ..Invocation::default() };
    let mut wrong_option = None;
    let (mut next, mut place) = (0, 0);
    let mut words = argv.iter();
    let mut options_may_come = true;
    while let Some(word) = words.next() {
        if options_may_come && *word == "--" {
            options_may_come = false;
            continue;
        }
        if options_may_come && looks_like_option(word) {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if word.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            let own = named(command.all_options(), name).filter(|_| next > 0);
            match own.or_else(|| named(tool.globals.iter(), name)).or_else(|| named(command.all_options(), name)) {
                Some(opt) => {
                    let value = match (opt.value, inline) {
                        (None, None) => String::new(),
                        (None, Some(_)) => {
                            wrong_option.get_or_insert(format!("Option --{} takes no value.", opt.long));
                            continue;
                        }
                        (Some(_), Some(value)) => value,
                        (Some(_), None) => match words.next() {
                            Some(value) => (*value).clone(),
                            None => {
                                wrong_option.get_or_insert(format!("Command line option {name} expects an argument."));
                                continue;
                            }
                        },
                    };
                    let values = invocation.options.entry(opt.long).or_default();
                    values.push(value);
                    if values.len() > 1 && !opt.repeats {
                        wrong_option
                            .get_or_insert(format!("Command line option --{} appears multiple times.", opt.long));
                    }
                }
                None => {
                    wrong_option.get_or_insert(format!("Unexpected command line option {name}."));
                }
            }
            continue;
        }
        place += 1;
        match command.words.get(next) {
            Some(Word::Literal(literal)) if literal == word => next += 1,
            Some(Word::Param(name)) => {
                invocation.params.insert(name, (place, (*word).clone()));
                next += 1;
            }
            Some(Word::Rest(_)) => invocation.rest.push((place, (*word).clone())),
            _ => return Err(Misfit::Word(next)),
        }
    }
    let finished = matches!(command.words.get(next), None | Some(Word::Rest(_)));
    match wrong_option {
        _ if !finished => Err(Misfit::Unfinished),
        Some(text) => Err(Misfit::Option(text)),
        None => Ok(invocation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORCE: &[Opt] = &[Opt::switch("force", Some('f'), "overwrite")];
    const FEE: &[Opt] = &[Opt::value("fee", None, "tez", "fee to pay")];
    const GLOBALS: &[Opt] = &[
        Opt::value("password-filename", Some('f'), "file", "passwords"),
        Opt::value("endpoint", Some('E'), "uri", "L1"),
    ];

    fn tool() -> Tool {
        let nothing: Handler = |_| Box::pin(async { Ok(()) });
        Tool {
            name: "octez-client".into(),
            doc: "a client",
            version: "1".into(),
            globals: GLOBALS,
            commands: vec![
                Command::new("Keys", "gen keys <new>", &[FORCE], "Make keys.", nothing),
                Command::new("Operations", "transfer <qty> from <src> to <dst>", &[FEE], "Transfer.", nothing),
                Command::new(
                    "Node",
                    "run <mode> for <smart rollup address> with operators [operator]",
                    &[],
                    "Run.",
                    nothing,
                ),
                Command::new("Rpc", "rpc post <url>", &[], "Post.", nothing),
                Command::new("Rpc", "rpc post <url> with <input>", &[], "Post.", nothing),
            ],
        }
    }

    fn line(text: &str) -> Result<Invocation, String> {
        let argv: Vec<String> = text.split(' ').map(str::to_owned).collect();
        match parse(&tool(), &argv) {
            Ok(Request::Run(_, invocation)) => Ok(*invocation),
            Ok(Request::Print(text)) => Err(text),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn options_stand_anywhere_and_short_names_depend_on_the_place() {
        let i = line("-f pw.txt -E http://x gen -f keys alice").unwrap();
        assert_eq!((i.option("password-filename"), i.option("endpoint")), (Some("pw.txt"), Some("http://x")));
        assert!(i.switch("force"));
        assert_eq!(i.param("new"), "alice");
        let i = line("transfer 1 from --fee=0.5 alice to bob --endpoint http://y").unwrap();
        assert_eq!((i.param("qty"), i.param("src"), i.param("dst")), ("1", "alice", "bob"));
        assert_eq!((i.option("fee"), i.option("endpoint")), (Some("0.5"), Some("http://y")));
    }

    #[test]
    fn the_longer_sentence_and_the_rest() {
        assert_eq!(line("rpc post /a with {}").unwrap().param("input"), "{}");
        let i = line("run operator for sr1 with operators default:a --fee batching:b");
        assert!(i.unwrap_err().contains("Unexpected command line option --fee."));
        let i = line("run operator for sr1 with operators a b").unwrap();
        assert_eq!(i.rest(), &[(7, "a".to_owned()), (8, "b".to_owned())]);
        assert!(line("run operator for sr1 with operators").is_ok());
    }

    #[test]
    fn errors_help_on() {
        assert!(
            line("transfer 1 from a").unwrap_err().contains(
                "Unterminated command, here are possible completions.\n    transfer <qty> from <src> to <dst>"
            )
        );
        assert_eq!(line("transfer -- 1 from --fee to --help").unwrap().param("src"), "--fee");
        assert!(line("gen keyz a").unwrap_err().contains("Did you mean one of the following?\n    gen keys <new>"));
        assert!(line("transferr").unwrap_err().contains("Try using the man command"));
        assert!(line("gen keys a --force=1").unwrap_err().contains("takes no value"));
        let twice = line("transfer 1 from a to b --fee 1 --fee 2").unwrap_err();
        assert!(twice.contains("Command line option --fee appears multiple times."), "{twice}");
        assert!(line("transfer 1 from a to b --fee").unwrap_err().contains("expects an argument"));
        assert!(line("transfer --help").unwrap_err().contains("--fee <tez>"));
        assert!(line("rpc --help").unwrap_err().contains("rpc post <url> with <input>"));
    }
}
