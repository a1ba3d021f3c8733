//! Rollup nodes against each other on one layer 1.

use super::manual::{ACCOUNTS, ManualLayer1};
use super::{PATIENCE, Program, Ran, SORU, ask, eventually, free_port, run};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Who sends messages and originates.
pub const AUTHOR: &str = "b5";
/// The bond, in mutez.
pub const BOND: &str = "10000000000";
/// What nodes get to react to a block, if nothing else is said.
const REACTION: Duration = Duration::from_millis(150);

/// A rollup node.
pub struct Player {
    /// Its operator, a name of the wallet.
    pub operator: String,
    pub address: String,
    pub program: Option<Program>,
    /// Whether a step waits for it: not while it is stopped in its tracks.
    pub awaited: bool,
    /// How it is started.
    pub words: Vec<String>,
}

impl Player {
    /// What it answers.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        ask(&self.address, "GET", path).unwrap_or_else(|| panic!("no answer to {path}"))
    }

    /// Whether it was started and has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.program.as_mut().is_some_and(|program| !program.is_running())
    }

    /// Whether it answers and has processed a block.
    pub fn has_processed(&self, level: i64, hash: &Value) -> bool {
        ask(&self.address, "GET", &format!("/global/block/{level}/hash")).is_some_and(|processed| processed == *hash)
    }
}

/// A layer 1 that makes blocks when told to, a rollup on it, and its nodes.
pub struct Arena {
    pub layer1: ManualLayer1,
    pub address: String,
    pub origination: i64,
    /// What nodes get to react to a block.
    pub reaction: Duration,
    pub players: Vec<Player>,
}

impl Arena {
    /// `kernel`: text of the kernel; `constants`: besides the usual ones of these games.
    pub fn new(kernel: &str, constants: Value) -> Arena {
        Arena::with(kernel, constants, &[])
    }

    /// The same with options of the origination.
    pub fn with(kernel: &str, constants: Value, origination: &[&str]) -> Arena {
        let mut all = json!({
            "smart_rollup_commitment_period_in_blocks": 10,
            "smart_rollup_challenge_window_in_blocks": 10,
            "smart_rollup_timeout_period_in_blocks": 60,
        });
        all.as_object_mut().unwrap().extend(constants.as_object().unwrap().clone());
        let layer1 = ManualLayer1::new(&all);
        std::fs::write(layer1.dir().join("kernel.wasm"), wat::parse_str(kernel).unwrap()).unwrap();
        let words = ["-w", "none", "originate", "smart", "rollup", "game", "from", AUTHOR, "of", "kind", "wasm_2_0_0"];
        let words =
            [&words[..], &["of", "type", "bytes", "with", "kernel", "kernel.wasm", "--burn-cap", "9"], origination]
                .concat();
        run(SORU, &layer1.dir(), &layer1.client(&words)).ok();
        layer1.bake();
        let address = layer1.get("/chains/main/blocks/head/context/smart_rollups/all")[0].as_str().unwrap().to_owned();
        Arena { origination: layer1.level(), layer1, address, reaction: REACTION, players: vec![] }
    }

    pub fn rollup(&self, rest: &str) -> Value {
        let address = &self.address;
        self.layer1.get(&format!("/chains/main/blocks/head/context/smart_rollups/smart_rollup/{address}/{rest}"))
    }

    /// A level of the reference's scenarios, whose rollup is originated at level 2.
    pub fn shifted(&self, plan: &str) -> String {
        if plan.starts_with("reveal") {
            return plan.to_owned();
        }
        let words: Vec<&str> = plan.split_whitespace().collect();
        let shifted = words.chunks(3).map(|point| {
            let level = point[0].parse::<i64>().unwrap() - 2 + self.origination;
            format!("{level} {} {}", point[1], point[2])
        });
        shifted.collect::<Vec<_>>().join(" ")
    }

    /// Starts the node of an account; gives its index.
    pub fn enter(&mut self, account: usize, mode: &str, plan: Option<&str>) -> usize {
        let plan = plan.map(|plan| self.shifted(plan));
        let further = plan.iter().flat_map(|plan| ["--loser-mode", plan]);
        let index = self.admit(&format!("b{}", account + 1), mode, &further.collect::<Vec<_>>());
        self.start(index);
        index
    }

    /// Adds a node that is not started yet; gives its index. `operators`: one alias for all purposes, or `purpose:alias`.
    pub fn admit(&mut self, operators: &str, mode: &str, options: &[&str]) -> usize {
        let (data, port) = (format!("node{}", self.players.len()), free_port().to_string());
        let words =
            ["node", "-d", "w", "-E", &self.layer1.endpoint, "run", mode, "for", &self.address, "with", "operators"];
        // the mempool of the layer 1 does not survive its restarts: what was in it is sent again soon
        let further = ["--reconnection-delay", "0.1", "--injection-ttl", "4", "--stop-with-stdin"];
        let words = [&words[..], &[operators, "--data-dir", &data, "--rpc-port", &port], &further, options].concat();
        let words = words.into_iter().map(str::to_owned).collect();
        let address = format!("http://127.0.0.1:{port}");
        self.players.push(Player { operator: operators.to_owned(), address, program: None, awaited: true, words });
        self.players.len() - 1
    }

    pub fn start(&mut self, index: usize) {
        self.launch(index);
        self.players[index].program.as_ref().unwrap().says("node is listening to");
    }

    /// Whether a loser, the node of the account of the same number, has lost the bond it had: that is gone, or its node has ended. One whose next commitment stood
    /// behind the last proof in the block of its loss has a bond again.
    pub fn is_beaten(&mut self, loser: usize) -> bool {
        self.players[loser].has_ended() || self.bond(loser) == "0"
    }

    /// Starts a node without waiting for anything.
    pub fn launch(&mut self, index: usize) {
        let program = Program::start(SORU, &self.layer1.dir(), &self.players[index].words);
        self.players[index].program = Some(program);
    }

    /// Runs a node that ends by itself to its end.
    pub fn run(&self, index: usize) -> Ran {
        let words: Vec<&String> =
            self.players[index].words.iter().filter(|word| *word != "--stop-with-stdin").collect();
        run(SORU, &self.layer1.dir(), &words)
    }

    /// Kills a node, as `kill -9` does.
    pub fn kill(&mut self, index: usize) {
        self.players[index].program.take();
    }

    /// Stops a node in its tracks, or lets it go on.
    pub fn pause(&mut self, index: usize, paused: bool) {
        let player = &mut self.players[index];
        player.program.as_ref().unwrap().signal(if paused { "STOP" } else { "CONT" });
        player.awaited = !paused;
    }

    /// Makes a block and waits until all nodes that run have processed it and had a moment to react.
    pub fn step(&mut self) -> i64 {
        let level = self.bake();
        std::thread::sleep(self.reaction);
        level
    }

    /// Makes a block and waits until all nodes that run have processed it.
    pub fn bake(&mut self) -> i64 {
        self.layer1.bake();
        let (level, head) = (self.layer1.level(), self.layer1.get("/chains/main/blocks/head/hash"));
        for player in self.players.iter_mut().filter(|player| player.awaited) {
            let begin = Instant::now();
            while player.program.as_mut().is_some_and(Program::is_running) && !player.has_processed(level, &head) {
                assert!(begin.elapsed() < PATIENCE, "the node of {} does not reach {head}", player.operator);
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        level
    }

    /// Makes blocks with five messages each.
    pub fn send(&mut self, levels: usize) {
        for level in 0..levels {
            let texts: Vec<String> = (0..5).map(|index| format!("\"{level} {index} +\"")).collect();
            let messages = format!("text:[{}]", texts.join(","));
            let words = ["-w", "none", "send", "smart", "rollup", "message", &messages, "from", AUTHOR];
            run(SORU, &self.layer1.dir(), &self.layer1.client(&words)).ok();
            self.step();
        }
    }

    /// Has the author send messages, and makes the block that holds them. Gives its level.
    pub fn post(&mut self, messages: &[Vec<u8>]) -> i64 {
        let messages: Vec<String> = messages.iter().map(|message| format!("\"{}\"", hex::encode(message))).collect();
        let messages = format!("hex:[{}]", messages.join(","));
        let words = ["-w", "none", "send", "smart", "rollup", "message", &messages, "from", AUTHOR];
        run(SORU, &self.layer1.dir(), &self.layer1.client(&words)).ok();
        self.step()
    }

    pub fn bond(&self, account: usize) -> String {
        self.bond_of(ACCOUNTS[account].0)
    }

    /// What an account has frozen, in mutez.
    pub fn bond_of(&self, address: &str) -> String {
        let bond = self.layer1.get(&format!("/chains/main/blocks/head/context/contracts/{address}/frozen_bonds"));
        bond.as_str().unwrap().to_owned()
    }

    pub fn games(&self, account: usize) -> Vec<Value> {
        let address = ACCOUNTS[account].0;
        match ask(&self.layer1.endpoint, "GET", &self.staker(address, "games")) {
            Some(games) => games.as_array().unwrap().clone(),
            None => vec![],
        }
    }

    /// The games that ended on the rollup: who won, who lost.
    pub fn ends(&self) -> Vec<(String, String)> {
        let mut ends = vec![];
        for level in self.origination..=self.layer1.level() {
            for content in self.layer1.contents(level) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let loser = text(&content["metadata"]["operation_result"]["game_status"]["result"]["player"]);
                let players = match content["kind"].as_str() {
                    Some("smart_rollup_refute") => [text(&content["source"]), text(&content["opponent"])],
                    _ => [text(&content["stakers"]["alice"]), text(&content["stakers"]["bob"])],
                };
                let winner = players.iter().find(|player| **player != loser);
                ends.extend(winner.filter(|_| !loser.is_empty()).map(|winner| (winner.clone(), loser.clone())));
            }
        }
        ends
    }

    pub fn staker(&self, address: &str, rest: &str) -> String {
        let rollup = &self.address;
        format!("/chains/main/blocks/head/context/smart_rollups/smart_rollup/{rollup}/staker/{address}/{rest}")
    }

    /// Makes blocks until something holds.
    #[track_caller]
    pub fn until(&mut self, what: &str, limit: i64, mut holds: impl FnMut(&mut Arena) -> bool) {
        while !holds(self) {
            let level = self.step();
            assert!(level < self.origination + limit, "level {level} and still not: {what}");
        }
    }

    /// Makes blocks until these accounts have lost their bonds; they had them before.
    pub fn until_lost(&mut self, losers: &[usize], limit: i64) {
        let mut staked: Vec<usize> = vec![];
        self.until("the losers lose", limit, |arena| {
            staked.extend(losers.iter().filter(|loser| arena.bond(**loser) == BOND));
            losers.iter().all(|loser| staked.contains(loser) && arena.is_beaten(*loser))
        });
    }

    /// What a node tells of its games.
    pub fn refutations(&self, index: usize) -> Value {
        eventually("the node answers", || ask(&self.players[index].address, "GET", "/local/refutations"))
    }

    /// The end of a loser's node.
    pub fn loses(&mut self, index: usize, reason: &str) {
        let program = self.players[index].program.take().unwrap();
        let (code, said) = program.ended();
        let expected = format!("The rollup node lost the refutation game ({reason})");
        assert!(said.contains(&expected), "{said}");
        assert_eq!(code, Some(1), "{said}");
    }
}
