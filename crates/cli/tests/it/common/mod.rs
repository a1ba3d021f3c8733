//! The binary as a user runs it: commands to their end, programs until dropped, each test in a directory of its own.
#![allow(dead_code)] // every test file uses its own part

pub mod arena;
pub mod manual;

use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The built binary.
pub const SORU: &str = env!("CARGO_BIN_EXE_soru");

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The kernel of the tour: it copies external messages to its outbox.
pub const ECHO: &str = include_str!("../../../src/demo/echo.wat");

/// What a command left.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The output of a command that must succeed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The errors of a command that must fail with code 1 and say all of `signs`.
    #[track_caller]
    pub fn fails_saying(self, signs: &[&str]) -> String {
        assert_eq!(self.code, Some(1), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for sign in signs {
            assert!(self.stderr.contains(sign), "'{sign}' is not in:\n{}", self.stderr);
        }
        self.stderr
    }
}

/// Runs a program to its end in `dir`, which is its home too; one that does not end in time is stopped.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, dir: &Path, words: &[S]) -> Ran {
    run_fed(program, dir, words, "")
}

/// The same with something to read.
#[track_caller]
pub fn run_fed<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, dir: &Path, words: &[S], input: &str) -> Ran {
    let mut child = command(program, dir).args(words).stdin(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    // a program that does not read has ended, or will
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let (done, output) = channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match output.recv_timeout(PATIENCE) {
        Ok(output) => {
            let Output { status, stdout, stderr } = output.unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
        }
        Err(_) => {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            panic!("a command did not end within {PATIENCE:?}");
        }
    }
}

fn command(program: impl AsRef<OsStr>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env("HOME", dir).env_remove("TEZOS_CLIENT_DIR");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running program; dropping it kills it.
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Program {
    pub fn start<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, dir: &Path, words: &[S]) -> Program {
        let mut child = command(program, dir).args(words).stdin(Stdio::piped()).spawn().unwrap();
        let (send, lines) = channel();
        let errors = send.clone();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| send.send(l)));
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| errors.send(line))
        });
        Program { stdin: child.stdin.take(), child, lines }
    }

    /// Waits for a line with `sign`, and returns what follows it there.
    #[track_caller]
    pub fn says(&self, sign: &str) -> String {
        let (begin, mut seen) = (Instant::now(), String::new());
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
                Ok(line) => match line.split_once(sign) {
                    Some((_, rest)) => return rest.trim().to_owned(),
                    None => seen.extend([&line, "\n"]),
                },
                Err(RecvTimeoutError::Timeout) => panic!("'{sign}' was not said in time:\n{seen}"),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without saying '{sign}':\n{seen}"),
            }
        }
    }

    /// Waits for the end; gives the exit code and what was printed since the last line that was waited for.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let status = eventually("the program ends", || self.child.try_wait().unwrap());
        let lines: Vec<String> = self.lines.iter().collect();
        (status.code(), lines.join("\n"))
    }

    /// Kills it, as `kill -9` does; gives what was printed since the last line that was waited for.
    pub fn killed(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.lines.iter().collect::<Vec<_>>().join("\n")
    }

    /// Sends a signal: `STOP`, `CONT`, ….
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Its memory in kB, now.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Closes the standard input, on which a program with `--stop-with-stdin` ends, and returns its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.stdin.take();
        eventually("the program ends", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // what the programs said is what tells why a test failed
            println!("--- a program that ran:\n{}", self.lines.iter().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The words of a sentence; each `_` stands for the next of `values`.
pub fn words<'t>(sentence: &'t str, values: &[&'t str]) -> Vec<&'t str> {
    let mut values = values.iter();
    sentence.split(' ').map(|word| if word == "_" { values.next().unwrap() } else { word }).collect()
}

/// The secret key of the account `bootstrap1`.
pub const BOOTSTRAP1: &str = "unencrypted:edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh";

/// A user at work in `dir`, with a wallet in `w`, on the layer 1 at `endpoint`.
pub struct User<'a> {
    pub dir: &'a Path,
    pub endpoint: &'a str,
}

impl User<'_> {
    /// The output of a client command that must succeed.
    #[track_caller]
    pub fn client(&self, words: &[&str]) -> String {
        run(SORU, self.dir, &[&["client", "-d", "w", "-E", self.endpoint], words].concat()).ok()
    }

    /// Originates a rollup of a kernel in hexadecimal, from an account that this adds as `b1`.
    #[track_caller]
    pub fn originate(&self, alias: &str, kernel: &str) {
        self.client(&["import", "secret", "key", "b1", BOOTSTRAP1]);
        let sentence = "originate smart rollup _ from b1 of kind wasm_2_0_0 of type bytes with kernel _ --burn-cap 9";
        self.client(&words(sentence, &[alias, kernel]));
    }

    /// An observer of a rollup with its data in `r`, and its endpoint.
    #[track_caller]
    pub fn observe(&self, alias: &str) -> (Program, String) {
        let sentence = "node -d w -E _ run observer for _ --data-dir r --rpc-port 0 --reconnection-delay 0.2 \
                        --stop-with-stdin";
        let node = Program::start(SORU, self.dir, &words(sentence, &[self.endpoint, alias]));
        let endpoint = format!("http://{}", node.says("node is listening to"));
        (node, endpoint)
    }

    /// What a rollup node answers.
    pub fn ask(&self, rollup_node: &str, path: &str) -> Ran {
        run(SORU, self.dir, &["rollup-client", "-E", rollup_node, "rpc", "get", path])
    }
}

/// Asks until there is an answer.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let (begin, mut pause) = (Instant::now(), Duration::from_millis(10));
    while begin.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    }
    panic!("not in time: {what}");
}

/// The JSON that a server answers, if it answers with success.
pub fn ask(address: &str, method: &str, path: &str) -> Option<Value> {
    send(address, method, path, "")
}

/// The same, with a body in the request.
pub fn send(address: &str, method: &str, path: &str, body: &str) -> Option<Value> {
    use std::io::{Read, Write};
    let address = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| serde_json::from_str(body).ok()).flatten()
}

/// A port that was free a moment ago, and that no other test is given. Below those that systems take for outgoing connections,
/// of which the tests open hundreds: one of these would have it before the program that is to listen there.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const PORTS: Range<u32> = 10_000..32_000;
    loop {
        let number = std::process::id().wrapping_mul(1_000).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = (PORTS.start + number % (PORTS.end - PORTS.start)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The echo kernel in hexadecimal.
pub fn echo_kernel() -> String {
    hex::encode(wat::parse_str(ECHO).unwrap())
}

/// The word behind `label`.
#[track_caller]
pub fn word_after<'t>(text: &'t str, label: &str) -> &'t str {
    let (_, rest) = text.split_once(label).unwrap_or_else(|| panic!("'{label}' is not in:\n{text}"));
    rest.trim_start_matches(['\'', ' ']).split(|c: char| c.is_whitespace() || c == '\'').next().unwrap()
}

/// A file of `../shared/vectors/upstream`, where that is present.
pub fn upstream(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/upstream").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: {} is not there", path.display());
    }
    text
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Command lines of the processes that mention `dir`.
pub fn processes_of(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let of = |path: PathBuf| String::from_utf8(std::fs::read(path.join("cmdline")).ok()?).ok();
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| of(entry.unwrap().path()));
    all.filter(|line| line.contains(dir)).map(|line| line.replace('\0', " ")).collect()
}
