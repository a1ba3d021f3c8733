//! The texts of `--help` and `man`.

use super::table::{Command, Opt, Tool};
use std::fmt::Write;

const WIDTH: usize = 95;

/// Breaks `text` into lines of at most [`WIDTH`] columns; the first starts with `first`, the others with `others`.
fn wrap(out: &mut String, first: &str, others: &str, text: &str) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = others.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(out, "{line}");
}

fn option(out: &mut String, indent: &str, opt: &Opt) {
    let short = opt.short.map(|short| format!("-{short} ")).unwrap_or_default();
    let value = opt.value.map(|value| format!(" <{value}>")).unwrap_or_default();
    let text = format!("{short}--{}{value}: {}", opt.long, opt.doc);
    wrap(out, indent, &format!("{indent}  "), &text);
}

/// The head of every help text: how the tool is called.
fn head(tool: &Tool) -> String {
    let name = &tool.name;
    let mut out = format!(
        "{}\n\nUsage:\n  {name} [global options] command [command options]\n  {name} --help (for global options)\n  \
         {name} [global options] command --help (for command options)\n  {name} --version (for version information)\n\n\
         To browse the documentation:\n  {name} [global options] man (for a list of commands)\n  \
         {name} [global options] man -v 3 (for the full manual)\n",
        tool.doc
    );
    if tool.globals.iter().any(|opt| !opt.hidden) {
        out.push_str("\nGlobal options:\n");
        tool.globals.iter().filter(|opt| !opt.hidden).for_each(|opt| option(&mut out, "  ", opt));
    }
    out
}

/// Usage, global options and, where they are few, the commands.
pub fn usage(tool: &Tool) -> String {
    let mut out = head(tool);
    if tool.commands.len() <= 30 {
        out.push('\n');
        commands(&mut out, &tool.commands.iter().collect::<Vec<_>>(), false);
    }
    out
}

/// The sentences of some commands, one a line.
pub fn list(commands: &[&Command]) -> String {
    let mut out = String::new();
    for command in commands {
        wrap(&mut out, "  ", "      ", &command.sentence());
    }
    out
}

fn commands(out: &mut String, commands: &[&Command], options: bool) {
    let mut group = "";
    for command in commands {
        if command.group != group {
            group = command.group;
            let _ = writeln!(out, "{group}:\n");
        }
        wrap(out, "  ", "      ", &command.sentence());
        wrap(out, "    ", "    ", command.doc);
        if options {
            command.all_options().filter(|opt| !opt.hidden).for_each(|opt| option(out, "    ", opt));
        }
        out.push('\n');
    }
}

/// `man [-v N] [keywords]`: the commands whose sentence has all the keywords.
pub fn manual(tool: &Tool, arguments: &[&String]) -> String {
    let mut keywords = Vec::new();
    let mut verbose = false;
    let mut left = arguments.iter();
    while let Some(word) = left.next() {
        match word.as_str() {
            "-v" => verbose = left.next().is_some_and(|level| level.parse::<u8>().is_ok_and(|level| level >= 2)),
            keyword => keywords.push(keyword),
        }
    }
    let chosen: Vec<&Command> =
        tool.commands.iter().filter(|command| keywords.iter().all(|word| command.sentence().contains(word))).collect();
    let mut out = head(tool);
    out.push('\n');
    commands(&mut out, &chosen, verbose);
    out
}

/// All about one command.
pub fn of_command(tool: &Tool, command: &Command) -> String {
    let mut out = String::from("Usage:\n");
    wrap(&mut out, "  ", "      ", &format!("{} [global options] {} [command options]", tool.name, command.sentence()));
    out.push('\n');
    wrap(&mut out, "", "", command.doc);
    if command.all_options().any(|opt| !opt.hidden) {
        out.push_str("\nCommand options:\n");
        command.all_options().filter(|opt| !opt.hidden).for_each(|opt| option(&mut out, "  ", opt));
    }
    let _ = writeln!(out, "\nGlobal options: {} --help", tool.name);
    out
}
