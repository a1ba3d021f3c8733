//! Commands of the reference's client, recorded on a real network (`tests/data/client.md`), given to ours on the sandbox: exit
//! codes and outputs are the same but for hashes and addresses that depend on the chain, for gas, which may differ by a unit, and for fees, which
//! follow from it and may differ by a mutez.

use crate::common::manual::{ACCOUNTS, ManualLayer1};
use crate::common::{SORU, run, word_after};
use serde_json::json;

/// A recorded command.
struct Recorded {
    command: String,
    code: i32,
    stdout: String,
    stderr: String,
}

fn recorded() -> Vec<Recorded> {
    let text = include_str!("../data/client.md");
    let read = |block: &str| {
        let (command, rest) = block.split_once("\nexit code: ").unwrap();
        let (code, rest) = rest.split_once("\n--- stdout\n").unwrap();
        // a stream that did not end its line still ends before the mark
        let (stdout, rest) = rest.split_once("--- stderr\n").unwrap();
        let stderr = rest.split("```").next().unwrap();
        Recorded {
            command: command.to_owned(),
            code: code.parse().unwrap(),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        }
    };
    text.split("```\n$ octez-client ").skip(1).map(read).collect()
}

/// The words of a command line with quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words
}

/// What depends on the chain, by its first letters and its length.
const OF_THE_CHAIN: [(&str, usize); 5] = [("o", 51), ("B", 51), ("KT1", 36), ("src1", 54), ("0x", 300)];

/// A line as it is compared: without hashes of the chain.
fn masked(line: &str) -> Vec<String> {
    let mask = |word: &str| {
        let bare = word.trim_matches(['\'', '"', ',', ':', ';']);
        let depends = OF_THE_CHAIN.iter().any(|(letters, length)| bare.starts_with(letters) && bare.len() >= *length);
        if depends { word.replace(bare, "_") } else { word.to_owned() }
    };
    line.split(' ').map(mask).collect()
}

/// Whether two lines say the same: numbers of gas may differ by a unit, hexadecimal bytes that hold a branch at all.
fn alike(line: &str, other: &str) -> bool {
    let hexadecimal = |text: &str| text.trim().len() > 20 && text.trim().bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal(line) && hexadecimal(other) {
        return line.len() == other.len();
    }
    let gas = line.to_lowercase().contains("gas");
    let (line, other) = (masked(line), masked(other));
    let near = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1.0,
        _ => false,
    };
    // a fee follows from gas and size
    let mutez = |text: &str| text.trim_start_matches(['-', '+']).strip_prefix("ꜩ0.000")?.parse::<i32>().ok();
    let near = |a: &str, b: &str| {
        let fees = mutez(a).zip(mutez(b)).is_some_and(|(a, b)| (a - b).abs() <= 1);
        fees || gas && near(a, b)
    };
    line.len() == other.len() && line.iter().zip(&other).all(|(a, b)| a == b || near(a, b))
}

/// The first lines that differ.
fn difference(wanted: &str, given: &str) -> Option<String> {
    let given = given.replace("soru client", "octez-client");
    let (mut wanted, mut given) = (wanted.lines(), given.lines());
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return None,
            (Some(a), Some(b)) if alike(a, b) => {}
            (a, b) => return Some(format!("  wanted: {}\n  given:  {}", a.unwrap_or("(end)"), b.unwrap_or("(end)"))),
        }
    }
}

#[test]
fn the_client_answers_as_the_reference_s() {
    let layer1 = ManualLayer1::new(&json!({}));
    for (index, (_, secret)) in ACCOUNTS.iter().enumerate() {
        let words = ["import", "secret", "key", &format!("bootstrap{}", index + 1), &format!("unencrypted:{secret}")];
        run(SORU, &layer1.dir(), &layer1.client(&words)).ok();
    }
    let mut injected = None;
    let mut differences = Vec::new();
    let all = recorded();
    for Recorded { command, code, stdout, stderr } in &all {
        let mut words = words(command);
        if let Some(hash) = &injected {
            words
                .iter_mut()
                .filter(|word| word.starts_with("on") && word.len() == 51)
                .for_each(|word| word.clone_from(hash));
        }
        // as the recording's wallet was
        let words = layer1.client(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let ran = run(SORU, &layer1.dir(), &words);
        if ran.stdout.contains("successfully injected") {
            injected = Some(word_after(&ran.stdout, "Operation hash is").trim_matches('\'').to_owned());
            layer1.bake();
        }
        let mut found: Vec<String> = difference(stdout, &ran.stdout).into_iter().collect();
        found.extend(difference(stderr, &ran.stderr));
        if ran.code != Some(*code) {
            found.push(format!("  wanted: exit code {code}\n  given:  {:?}", ran.code));
        }
        if !found.is_empty() {
            differences.push(format!("{command}\n{}", found.join("\n")));
        }
    }
    assert!(all.len() > 40);
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), all.len(), differences.join("\n"));
}
