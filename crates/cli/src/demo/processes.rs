//! The programs the demo starts and the commands it runs: this very binary, as a user would call it.

use crate::grammar::CliError;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// How long a program may take until it listens.
const START: Duration = Duration::from_secs(30);

/// Runs this binary.
pub struct Runner {
    binary: PathBuf,
    quiet: bool,
}

/// A program that runs until this is dropped. It also ends by itself when this process dies, because it watches the
/// pipe it has as standard input.
pub struct Program {
    child: Child,
    /// The line by which it said that it listens.
    pub ready: String,
}

impl Program {
    /// Waits until the program has ended by itself; gives its exit code.
    pub async fn ended(&mut self, patience: Duration) -> Result<Option<i32>, CliError> {
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(Ok(status)) => Ok(status.code()),
            Ok(Err(error)) => Err(CliError::failed(error)),
            Err(_) => Err(CliError::failed(format!("a program did not end within {} s", patience.as_secs()))),
        }
    }
}

impl Runner {
    /// `quiet`: show nothing.
    pub fn new(quiet: bool) -> Result<Runner, CliError> {
        let binary =
            std::env::current_exe().map_err(|error| CliError::failed(format!("cannot find this binary: {error}")))?;
        Ok(Runner { binary, quiet })
    }

    /// Shows a line of the story.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            println!("{text}");
        }
    }

    fn show(&self, words: &[&str]) {
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        self.say(&format!("\n$ soru {}", quoted.join(" ")));
    }

    /// Runs a command to its end, shows it with its output, and returns what it printed.
    pub async fn run(&self, words: &[&str]) -> Result<String, CliError> {
        self.show(words);
        let output = Command::new(&self.binary).args(words).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output =
            output.map_err(|error| CliError::failed(format!("cannot run {}: {error}", self.binary.display())))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim_end().lines().for_each(|line| self.say(&shorten(line)));
        if output.status.success() {
            return Ok(text);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(CliError::failed(format!("'soru {}' failed:\n{text}{errors}", words.join(" "))))
    }

    /// Starts a program and waits until it prints a line that has `sign`.
    pub async fn start(&self, words: &[&str], sign: &str, log: &Path) -> Result<Program, CliError> {
        self.show(words);
        let failed =
            |error: std::io::Error| CliError::failed(format!("cannot start 'soru {}': {error}", words.join(" ")));
        let mut child = Command::new(&self.binary)
            .args(words)
            .arg("--stop-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (send, mut lines) = tokio::sync::mpsc::channel(64);
        let file = std::fs::File::create(log).map_err(failed)?;
        let file = std::sync::Arc::new(std::sync::Mutex::new(file));
        for stream in [child.stdout.take().map(boxed), child.stderr.take().map(boxed)].into_iter().flatten() {
            tokio::spawn(follow(stream, send.clone(), file.clone()));
        }
        drop(send);
        let ready = tokio::time::timeout(START, async {
            while let Some(line) = lines.recv().await {
                if line.contains(sign) {
                    return Some(line);
                }
            }
            None
        });
        match ready.await {
            Ok(Some(ready)) => {
                // the log file has the rest
                tokio::spawn(async move { while lines.recv().await.is_some() {} });
                self.say(ready.trim_end());
                Ok(Program { child, ready })
            }
            _ => {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                Err(CliError::failed(format!("'soru {}' did not start:\n{text}", words.join(" "))))
            }
        }
    }
}

fn boxed<R: AsyncRead + Send + Unpin + 'static>(stream: R) -> Box<dyn AsyncRead + Send + Unpin> {
    Box::new(stream)
}

/// Copies a program's lines to its log and to whoever waits for one.
async fn follow(
    stream: Box<dyn AsyncRead + Send + Unpin>,
    lines: tokio::sync::mpsc::Sender<String>,
    log: std::sync::Arc<std::sync::Mutex<std::fs::File>>,
) {
    use std::io::Write;
    let mut reader = BufReader::new(stream).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        if let Ok(mut log) = log.lock() {
            let _ = writeln!(log, "{line}");
        }
        let _ = lines.send(line).await;
    }
}

/// A word as a shell wants it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        shorten(word)
    } else {
        shorten(&format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// A line short enough to be read: kernels and proofs are long.
fn shorten(line: &str) -> String {
    const LONG: usize = 300;
    let count = line.chars().count();
    if count <= LONG {
        return line.to_owned();
    }
    let head: String = line.chars().take(120).collect();
    format!("{head}… ({count} characters)")
}
