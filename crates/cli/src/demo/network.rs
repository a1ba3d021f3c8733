//! What the stories share: a directory, a layer 1 of its own, and commands that speak to it.

use super::processes::{Program, Runner};
use crate::grammar::CliError;
use soru_l1::rpc::RpcClient;
use soru_tezos::hash::BlockHash;
use std::path::PathBuf;

/// A story's directory: a temporary one is removed at the end.
pub struct Home {
    /// Where it is.
    pub path: PathBuf,
    temporary: bool,
}

impl Home {
    /// The directory to keep, or a temporary one.
    pub fn new(keep: Option<&str>) -> Result<Home, CliError> {
        let temporary = keep.is_none();
        let path =
            keep.map_or_else(|| std::env::temp_dir().join(format!("soru-demo-{}", std::process::id())), PathBuf::from);
        std::fs::create_dir_all(&path)
            .map_err(|error| CliError::failed(format!("cannot create {}: {error}", path.display())))?;
        Ok(Home { path, temporary })
    }

    /// The path of a file in it.
    pub fn text(&self, name: &str) -> String {
        self.path.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The layer 1 and how to reach it.
pub struct Network<'a> {
    /// Runs commands.
    pub runner: &'a Runner,
    /// The wallet's directory.
    pub wallet: String,
    /// The layer 1.
    pub endpoint: String,
    /// The layer 1, to ask.
    pub rpc: RpcClient,
}

/// The word behind `label` in a command's output.
pub fn word_after<'t>(text: &'t str, label: &str) -> Result<&'t str, CliError> {
    let found = text.split_once(label).map(|(_, rest)| rest.trim_start_matches(['\'', ' ']));
    found
        .and_then(|rest| rest.split(|c: char| c.is_whitespace() || c == '\'').next())
        .filter(|word| !word.is_empty())
        .ok_or_else(|| CliError::failed(format!("a command did not print '{label}':\n{text}")))
}

/// Reads a word of a command's output.
pub fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, CliError> {
    text.parse().map_err(CliError::failed)
}

impl Network<'_> {
    /// Runs a command of the client.
    pub async fn client(&self, words: &[&str]) -> Result<String, CliError> {
        let all: Vec<&str> =
            ["client", "-d", &self.wallet, "-E", &self.endpoint].into_iter().chain(words.iter().copied()).collect();
        self.runner.run(&all).await
    }

    /// The block and level an operation's output names.
    pub async fn place(&self, output: &str) -> Result<(String, BlockHash, i32), CliError> {
        let operation = word_after(output, "Operation hash is")?.to_owned();
        let block: BlockHash = parse(word_after(output, "Operation found in block:")?)?;
        let level = self.rpc.shell_header(block).await.map_err(CliError::failed)?.level;
        Ok((operation, block, level.0))
    }

    /// Starts a rollup node of `alias`'s in a directory of that name, with `further` options.
    pub async fn rollup_node(
        &self,
        home: &Home,
        name: &str,
        alias: &str,
        rollup: &str,
        further: &[&str],
    ) -> Result<Program, CliError> {
        let data_dir = home.text(name);
        let log = home.path.join(format!("{name}.log"));
        let words = [
            "node",
            "-d",
            &self.wallet,
            "-E",
            &self.endpoint,
            "run",
            "operator",
            "for",
            rollup,
            "with",
            "operators",
            alias,
            "--data-dir",
            &data_dir,
            "--rpc-addr",
            "127.0.0.1",
            "--rpc-port",
            "0",
        ];
        let words: Vec<&str> = words.into_iter().chain(further.iter().copied()).collect();
        self.runner.start(&words, "node is listening to", &log).await
    }
}

/// Starts a layer 1, with `further` options, and waits until it answers.
pub async fn start_layer1<'a>(
    runner: &'a Runner,
    home: &Home,
    block_time: &str,
    further: &[&str],
) -> Result<(Program, Network<'a>), CliError> {
    let data_dir = home.text("layer1");
    let words = ["sandbox", "run", "--data-dir", &data_dir, "--rpc-addr", "127.0.0.1:0", "--block-time", block_time];
    let words: Vec<&str> = words.into_iter().chain(further.iter().copied()).collect();
    let layer1 = runner.start(&words, "RPC server listening on", &home.path.join("layer1.log")).await?;
    let endpoint = word_after(&layer1.ready, "listening on")?.to_owned();
    let rpc = RpcClient::new(&endpoint).map_err(CliError::failed)?;
    let network = Network { runner, wallet: home.text("wallet"), endpoint, rpc };
    network.client(&["bootstrapped"]).await?;
    Ok((layer1, network))
}
