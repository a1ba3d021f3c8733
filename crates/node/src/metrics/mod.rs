//! The node's metrics, in the text format of Prometheus (`spec/node.md` §7). What the store and the queues know is read when
//! somebody asks; only what happens and passes is noted, and only if a metrics address is configured.

mod families;
mod process;
mod server;

pub(crate) use server::serve;

use crate::batcher::Batcher;
use crate::config::{Config, HistoryMode};
use crate::node::Node;
use crate::store::StoreError;
use families::{FAMILIES, Family, PERFORMANCE, prefixed};
use process::Sampler;
use soru_tezos::contract::Contract;
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::scalar::{Level, Mutez};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Port of the metrics server when none is given.
pub const DEFAULT_PORT: u16 = 9933;

/// The head of each metric: its help and its type, as `list metrics` prints them.
pub fn listing(with_performance: bool) -> String {
    let mut text = String::new();
    listed(with_performance).for_each(|family| head(&mut text, family));
    text
}

/// The metrics as a table: name, type, description, labels.
pub fn table() -> String {
    let mut text = "Name,Type,Description,Labels\n".to_owned();
    for Family { name, kind, help, labels } in listed(true) {
        let _ = writeln!(text, "{},{},\"{help}\",{}", prefixed(name), kind.capitalized(), labels.join(";"));
    }
    text
}

fn listed(with_performance: bool) -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().filter(move |family| with_performance || !family.name.starts_with(PERFORMANCE))
}

fn head(text: &mut String, Family { name, kind, help, .. }: &Family) {
    let name = prefixed(name);
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
}

/// Whose turn it is in a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Own,
    Theirs,
    TimedOut,
}

/// A running game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunningGame {
    pub opponent: PublicKeyHash,
    pub start_level: Level,
    pub turn: Turn,
    /// Blocks that are left to whose turn it is.
    pub left: i32,
}

/// What is noted as it happens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted {
    /// The last processed level: fetching, evaluating, both.
    pub inbox_times: [Duration; 3],
    pub games: Vec<RunningGame>,
    /// What the operators last had.
    pub balances: BTreeMap<PublicKeyHash, Mutez>,
    /// The process, when that is wanted.
    process: Option<process::Sample>,
}

/// Takes notes for the metrics, if they are wanted.
pub(crate) struct Metrics {
    noted: Option<Mutex<Noted>>,
}

impl Metrics {
    pub(crate) fn new(config: &Config) -> Metrics {
        Metrics { noted: config.metrics_addr.as_ref().map(|_| Mutex::default()) }
    }

    /// Whether anybody may ask.
    pub(crate) fn are_wanted(&self) -> bool {
        self.noted.is_some()
    }

    /// Notes something.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Noted)) {
        if let Some(mut noted) = self.lock() {
            change(&mut noted);
        }
    }

    fn lock(&self) -> Option<MutexGuard<'_, Noted>> {
        self.noted.as_ref().map(|noted| noted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Samples by name, each with the values of its labels.
type Samples = BTreeMap<&'static str, Vec<(Vec<String>, f64)>>;

/// All metrics of a node now.
fn exposition(node: &Node) -> Result<String, StoreError> {
    let noted = node.metrics.lock().map(|noted| noted.clone()).unwrap_or_default();
    let samples = samples(node, &noted)?;
    let mut text = String::new();
    for family in listed(node.config.performance_metrics) {
        head(&mut text, family);
        for (values, value) in samples.get(family.name).into_iter().flatten() {
            text.push_str(&prefixed(family.name));
            if !family.labels.is_empty() {
                let labels =
                    family.labels.iter().zip(values).map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
                let _ = write!(text, "{{{}}}", labels.collect::<Vec<_>>().join(", "));
            }
            let _ = writeln!(text, " {value:.6}");
        }
    }
    Ok(text)
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn samples(node: &Node, noted: &Noted) -> Result<Samples, StoreError> {
    let mut samples = Samples::new();
    let mut put =
        |name: &'static str, labels: Vec<String>, value: f64| samples.entry(name).or_default().push((labels, value));
    let (config, store, constants) = (&node.config, &node.store, node.current_constants());
    let genesis = store.metadata().genesis_info;

    put("node_info", vec![crate::VERSION.to_owned(), String::new(), String::new()], 0.0);
    let history = match store.metadata().history_mode {
        HistoryMode::Archive => "archive",
        HistoryMode::Full => "full",
    };
    let own = [
        config.smart_rollup_address.to_string(),
        config.mode.to_string(),
        genesis.level.to_string(),
        genesis.commitment_hash.to_string(),
        "wasm_2_0_0".to_owned(),
        history.to_owned(),
    ];
    put("rollup_node_info", own.to_vec(), 0.0);
    let head = store.head()?;
    if let Some(head) = &head {
        put("protocol", vec![head.protocol.to_string()], 0.0);
    }
    let mut gauge = |name: &'static str, value: f64| put(name, vec![], value);
    gauge("genesis_level", genesis.level.0.into());
    gauge("commitment_period", constants.rollup.commitment_period_in_blocks.into());
    gauge("challenge_window", constants.rollup.challenge_window_in_blocks.into());
    gauge("dal_enabled", if constants.dal.feature_enable { 1.0 } else { 0.0 });
    gauge("dal_attestation_lag", constants.dal.attestation_lag.into());
    gauge("dal_number_of_slots", constants.dal.number_of_slots.into());
    // both are what the blocks told so far, or layer 1 at the start
    let cemented = store.last_cemented()?.map_or(genesis.level, |(_, level)| level);
    gauge("lcc_level_l1", cemented.0.into());
    gauge("lcc_level_local", cemented.0.into());
    let published = store.last_published()?.map_or(0, |(_, level)| level.0);
    gauge("lpc_level_l1", published.into());
    gauge("lpc_level_local", published.into());

    gauge("inbox_level", head.as_ref().map_or(0.0, |head| head.level.0.into()));
    let messages = head.as_ref().map(|head| store.messages(&head.witness())).transpose()?.flatten().unwrap_or_default();
    let internal = messages.iter().filter(|message| message.first() == Some(&0)).count();
    gauge("inbox_internal_messages_number", internal as f64);
    gauge("inbox_external_messages_number", (messages.len() - internal) as f64);
    for (name, time) in
        ["inbox_fetch_time", "inbox_process_time", "inbox_total_time"].into_iter().zip(noted.inbox_times)
    {
        gauge(name, time.as_secs_f64());
    }
    gauge("gc_oldest_available_level", store.first_available_level().0.into());
    gauge("gc_process_time", node.collector.last_duration().map_or(0.0, |time| time.as_secs_f64()));

    let batches = node.batcher.as_ref().map(Batcher::last_batches).unwrap_or_default();
    gauge("batcher_get_time", batches.get_time.as_secs_f64());
    gauge("batcher_inject_time", batches.keep_time.as_secs_f64());
    gauge("batcher_message_queue_size", node.batcher.as_ref().map_or(0.0, |batcher| batcher.waiting().len() as f64));
    gauge("batcher_messages_size", batches.messages as f64);
    gauge("batcher_batches_size", batches.batches as f64);
    gauge("batcher_last_batch_level", batches.level.0.into());
    gauge("batcher_last_batch_time", batches.at);

    gauge("number_of_conflicts", noted.games.len() as f64);
    for game in &noted.games {
        let labels = vec![game.opponent.to_string(), game.start_level.to_string()];
        let turn = match game.turn {
            Turn::Own => 0.0,
            Turn::Theirs => 1.0,
            Turn::TimedOut => -1.0,
        };
        put("state_of_refutation_game", labels.clone(), turn);
        put("block_timeout", labels, game.left.into());
    }
    for (index, group) in node.queues.groups().iter().enumerate() {
        let kinds: Vec<_> = group.kinds.iter().map(|kind| kind.name()).collect();
        let labels = vec![kinds.join(", "), index.to_string()];
        let (waiting, injected, included) = group.queue.lock().counts();
        put("octez_injector_queue_size", labels.clone(), waiting as f64);
        put("octez_injector_injected_size", labels.clone(), injected as f64);
        put("octez_injector_included_size", labels.clone(), included as f64);
        for key in &group.keys {
            if let Some(balance) = noted.balances.get(key) {
                let labels = [labels.clone(), vec![key.to_string()]].concat();
                put("octez_injector_signer_balance", labels, balance.0 as f64 / 1e6);
            }
        }
    }
    if let Some(process) = &noted.process {
        process.values().into_iter().for_each(|(name, value)| put(name, vec![], value));
    }
    Ok(samples)
}

/// Refreshes what is measured of the process, as long as the node runs.
async fn watch_process(node: &Node) {
    const PERIOD: Duration = Duration::from_secs(10);
    let mut sampler = Sampler::new(node.data_dir.clone());
    loop {
        let measured = tokio::task::spawn_blocking(move || {
            let sample = sampler.sample();
            (sampler, sample)
        });
        let Ok((back, sample)) = measured.await else { return };
        sampler = back;
        node.metrics.note(|noted| noted.process = Some(sample));
        tokio::time::sleep(PERIOD).await;
    }
}

/// Levels after which the balances of operators are asked for again.
const BALANCE_PERIOD: i32 = 5;

/// Looks at what the operators have, now and then.
pub(crate) async fn watch_balances(node: &Node, head: BlockRef) {
    if !node.metrics.are_wanted() || head.level.0 % BALANCE_PERIOD != 0 {
        return;
    }
    for key in node.config.operators.by_key().into_keys() {
        if let Ok(balance) = node.layer1.balance(head.hash, &Contract::from(key)).await {
            node.metrics.note(|noted| {
                noted.balances.insert(key, balance);
            });
        }
    }
}
