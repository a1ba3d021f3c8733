//! Unit tests in the TZT format: our own, and the reference's when a checkout of its sources is given by
//! `SORU_OCTEZ_SRC`.

use soru_michelson::tzt;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "tzt") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Runs all tests of a folder; the names of those that failed, and how many there are.
fn run_all(folder: &Path) -> (Vec<String>, usize) {
    let files = files(folder);
    let mut failed = Vec::new();
    for file in &files {
        if let Err(error) = tzt::run(&std::fs::read_to_string(file).unwrap()) {
            let name = file.strip_prefix(folder).unwrap().display().to_string();
            println!("{name}:\n{error}");
            failed.push(name);
        }
    }
    (failed, files.len())
}

#[test]
fn own_tests_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tzt");
    let (failed, total) = run_all(&folder);
    assert!(total > 0);
    assert_eq!(failed, Vec::<String>::new());
}

/// The files of the reference's suite that are known not to pass.
fn not_passing() -> Vec<String> {
    let text = include_str!("../data/tzt_not_passing.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut names: Vec<String> = lines
        .map(|line| {
            let (name, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason in '{line}'"));
            assert!(!reason.trim().is_empty());
            name.to_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn the_reference_suite_passes() {
    let Some(sources) = std::env::var_os("SORU_OCTEZ_SRC") else {
        println!("skipped: SORU_OCTEZ_SRC does not name a checkout of the reference's sources");
        return;
    };
    let (failed, total) = run_all(&Path::new(&sources).join("tzt_reference_test_suite"));
    println!("{} of {total} pass; not: {failed:?}", total - failed.len());
    assert!(total >= 700, "only {total} files found");
    assert!(failed.len() * 100 <= total * 2, "{} of {total} fail", failed.len());
    assert_eq!(failed, not_passing(), "tests/data/tzt_not_passing.txt is not up to date");
}
