//! The metrics that there are, in the order in which they are shown: by name. Names, types, labels and descriptions are the
//! reference's. Left out are those of what this node does not have: queues of the data availability layer, RISC-V states.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }

    pub(super) fn capitalized(self) -> &'static str {
        match self {
            Kind::Counter => "Counter",
            Kind::Gauge => "Gauge",
        }
    }
}

/// A metric, for all values of its labels.
#[derive(Debug)]
pub(super) struct Family {
    /// Without the prefix that most have.
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    pub labels: &'static [&'static str],
}

/// The whole name of a metric.
pub(super) fn prefixed(name: &str) -> String {
    if name.starts_with("octez_") { name.to_owned() } else { format!("octez_sc_rollup_node_{name}") }
}

/// How the names of measures of the process begin.
pub(super) const PERFORMANCE: &str = "performance_";

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help, labels: &[] }
}

const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Family {
    Family { name, kind: Kind::Counter, help, labels }
}

const fn by(labels: &'static [&'static str], family: Family) -> Family {
    Family { labels, ..family }
}

const WORKER: &[&str] = &["tags", "index"];
const GAME: &[&str] = &["opponent", "start_level"];
const ROLLUP: &[&str] = &["rollup_address", "mode", "genesis_level", "genesis_hash", "pvm_kind", "history_mode"];

/// All of them.
pub(super) const FAMILIES: &[Family] = &[
    by(WORKER, gauge("octez_injector_included_size", "injector included operations size")),
    by(WORKER, gauge("octez_injector_injected_size", "injector injected operations size")),
    by(WORKER, gauge("octez_injector_queue_size", "injector worker queue size")),
    by(&["tags", "index", "pkh"], gauge("octez_injector_signer_balance", "injector signer balance")),
    gauge("batcher_batches_size", "Batcher batches sent"),
    gauge("batcher_get_time", "Time to fetch batches"),
    gauge("batcher_inject_time", "Time to inject batches"),
    gauge("batcher_last_batch_level", "Last batch level"),
    gauge("batcher_last_batch_time", "Last batch time"),
    gauge("batcher_message_queue_size", "Batcher message queue size"),
    gauge("batcher_messages_size", "Batcher messages size in batches"),
    by(GAME, gauge("block_timeout", "Number of block before player timeout")),
    gauge("challenge_window", "Current challenge window"),
    gauge("commitment_period", "Current commitment period"),
    gauge("dal_attestation_lag", "DAL attestation lag"),
    gauge("dal_enabled", "DAL enabled in protocol"),
    gauge("dal_number_of_slots", "DAL number of slots"),
    gauge("gc_oldest_available_level", "Oldest Available Level after GC"),
    gauge("gc_process_time", "GC processing time"),
    gauge("genesis_level", "Rollup genesis level"),
    gauge("inbox_external_messages_number", "Number of external messages in inbox"),
    gauge("inbox_fetch_time", "The time the rollup node spent fetching the inbox"),
    gauge("inbox_internal_messages_number", "Number of internal messages in inbox"),
    gauge("inbox_level", "Level of last inbox"),
    gauge("inbox_process_time", "The time the rollup node spent processing the head"),
    gauge("inbox_total_time", "The total time the rollup node spent handling the inbox"),
    gauge("lcc_level_l1", "Last cemented commitment level on L1"),
    gauge("lcc_level_local", "Last cemented commitment level locally"),
    gauge("lpc_level_l1", "Last published commitment on L1"),
    gauge("lpc_level_local", "Last published commitment by operator"),
    counter("node_info", "General information on the node", &["version", "commit_hash", "commit_date"]),
    gauge("number_of_conflicts", "Number of conflicts"),
    gauge("performance_connections", "Open connections"),
    gauge("performance_context", "Disk usage: context"),
    gauge("performance_cpu_percentage", "CPU Percentage"),
    gauge("performance_data", "Disk Usage"),
    gauge("performance_disk_percentage", "Disk Usage Percentage"),
    counter("performance_elapsed_time", "Number of seconds since the node is running", &[]),
    gauge("performance_file_descriptors", "Open file descriptors"),
    gauge("performance_logs", "Disk usage: daily_logs"),
    gauge("performance_mem_percentage", "Memory Percentage"),
    gauge("performance_resident", "Resident Memory Stats"),
    gauge("performance_storage", "Disk usage: storage"),
    gauge("performance_virtual", "Size Memory Stats"),
    gauge("performance_wasm", "Disk usage: wasm_2_0_0"),
    counter("protocol", "Rollup node current protocol", &["protocol"]),
    counter("rollup_node_info", "Rollup node info", ROLLUP),
    by(GAME, gauge("state_of_refutation_game", "State of refutation game")),
];
