//! The configuration file: one JSON object, unknown fields refused, fields at their default left out when written
//! (`spec/node.md` §2).

use super::{
    AclEntry, AclRules, Batcher, CommitOn, ConfigError, Cors, FeeSettings, GcParameters, HistoryMode, Injector,
    LoserMode, Mode, OperationKind, Operators, OutboxFilter, PvmPatch, Telemetry,
};
use crate::config::AclKind;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use soru_tezos::hash::SmartRollupAddress;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// Rollups known to be Etherlink.
const ETHERLINK: [&str; 2] = [ETHERLINK_MAINNET, "sr18wx6ezkeRjt1SZSeZ2UQzQN3Uc3YLMLqg"];
/// Etherlink on mainnet.
pub(super) const ETHERLINK_MAINNET: &str = "sr1Ghq66tYK9y3r8CC1Tf8i8m5nxh8nTvZEf";

/// How a configuration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    /// As in files: fields at their default left out.
    WithoutDefaults,
    /// As `GET /config` answers: every field.
    Whole,
}

/// The node's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Config {
    /// The rollup followed.
    pub smart_rollup_address: SmartRollupAddress,
    /// Etherlink's own events; nothing but the name so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etherlink: Option<bool>,
    /// File of the boot sector, for rollups that no operation originated.
    #[serde(default, rename = "boot-sector", skip_serializing_if = "Option::is_none")]
    pub boot_sector_file: Option<String>,
    #[serde(default, rename = "smart-rollup-node-operator")]
    pub operators: Operators,
    #[serde(default = "loopback")]
    pub rpc_addr: String,
    #[serde(default = "rpc_port")]
    pub rpc_port: u16,
    #[serde(default)]
    pub acl: Vec<AclEntry>,
    /// `ADDR:PORT` or `:PORT` of the metrics server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_addr: Option<String>,
    #[serde(default = "yes")]
    pub performance_metrics: bool,
    /// Base of the delays between attempts to reach layer 1, in seconds.
    #[serde(default = "two", rename = "reconnection_delay", serialize_with = "short_float")]
    pub reconnection_delay: f64,
    #[serde(default)]
    pub fee_parameters: BTreeMap<OperationKind, FeeSettings>,
    pub mode: Mode,
    #[serde(default)]
    pub loser_mode: LoserMode,
    #[serde(default)]
    pub apply_unsafe_patches: bool,
    #[serde(default)]
    pub unsafe_pvm_patches: Vec<PvmPatch>,
    #[serde(default)]
    pub execute_outbox_messages_filter: Vec<OutboxFilter>,
    #[serde(default, rename = "DAL node endpoint", skip_serializing_if = "Option::is_none")]
    pub dal_node_endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_images_endpoint: Option<String>,
    #[serde(default)]
    pub batcher: Batcher,
    #[serde(default)]
    pub injector: Injector,
    #[serde(default = "cache", rename = "l1_blocks_cache_size")]
    pub l1_blocks_cache_size: u32,
    /// Without effect.
    #[serde(default = "cache", rename = "l2_blocks_cache_size")]
    pub l2_blocks_cache_size: u32,
    /// Blocks fetched ahead while catching up; the cache's size when absent.
    #[serde(default, rename = "prefetch_blocks", skip_serializing_if = "Option::is_none")]
    pub prefetch_blocks: Option<u32>,
    #[serde(default, rename = "l1_monitor_finalized")]
    pub l1_monitor_finalized: bool,
    /// In seconds.
    #[serde(default = "sixty", rename = "l1_rpc_timeout", serialize_with = "short_float")]
    pub l1_rpc_timeout: f64,
    /// Wait before the main loop starts again after an error, in seconds.
    #[serde(default = "ten", rename = "loop_retry_delay", serialize_with = "short_float")]
    pub loop_retry_delay: f64,
    /// Without effect.
    #[serde(default, rename = "index_buffer_size", skip_serializing_if = "Option::is_none")]
    pub index_buffer_size: Option<u32>,
    /// Without effect.
    #[serde(default, rename = "irmin_cache_size", skip_serializing_if = "Option::is_none")]
    pub irmin_cache_size: Option<u32>,
    #[serde(default)]
    pub log_kernel_debug: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_kernel_debug_file: Option<String>,
    #[serde(default)]
    pub unsafe_disable_wasm_kernel_checks: bool,
    #[serde(default)]
    pub no_degraded: bool,
    #[serde(default)]
    pub slow_vm_fallback: bool,
    #[serde(default)]
    pub gc_parameters: GcParameters,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_mode: Option<HistoryMode>,
    #[serde(default)]
    pub cors: Cors,
    #[serde(default)]
    pub bail_on_disagree: bool,
    #[serde(default = "each_block")]
    pub commit_on: CommitOn,
    #[serde(default, deserialize_with = "telemetry")]
    pub opentelemetry: Telemetry,
    #[serde(default = "fetch_attempts", rename = "dal_slot_status_max_fetch_attempts")]
    pub dal_slot_status_max_fetch_attempts: u8,
    /// A field of the first releases, without effect.
    #[serde(default, rename = "data-dir", skip_serializing)]
    data_dir: Option<String>,
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

fn rpc_port() -> u16 {
    8932
}

fn yes() -> bool {
    true
}

fn two() -> f64 {
    2.0
}

fn ten() -> f64 {
    10.0
}

fn sixty() -> f64 {
    60.0
}

fn cache() -> u32 {
    64
}

fn fetch_attempts() -> u8 {
    15
}

fn each_block() -> CommitOn {
    CommitOn::Block
}

/// A whole number of seconds is written without its decimal point.
fn short_float<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

fn telemetry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Telemetry, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(Telemetry::default()),
        Value::Bool(enable) => Ok(Telemetry { enable, ..Telemetry::default() }),
        value => serde_json::from_value(value).map_err(serde::de::Error::custom),
    }
}

impl Config {
    /// The configuration of a rollup and a mode, everything else at its default.
    pub fn new(smart_rollup_address: SmartRollupAddress, mode: Mode) -> Config {
        Config {
            smart_rollup_address,
            etherlink: Some(ETHERLINK.contains(&smart_rollup_address.to_base58().as_str())),
            boot_sector_file: None,
            operators: Operators::default(),
            rpc_addr: loopback(),
            rpc_port: rpc_port(),
            acl: vec![],
            metrics_addr: None,
            performance_metrics: true,
            reconnection_delay: two(),
            fee_parameters: BTreeMap::new(),
            mode,
            loser_mode: LoserMode::default(),
            apply_unsafe_patches: false,
            unsafe_pvm_patches: vec![],
            execute_outbox_messages_filter: vec![],
            dal_node_endpoint: None,
            pre_images_endpoint: None,
            batcher: Batcher::default(),
            injector: Injector::default(),
            l1_blocks_cache_size: cache(),
            l2_blocks_cache_size: cache(),
            prefetch_blocks: None,
            l1_monitor_finalized: false,
            l1_rpc_timeout: sixty(),
            loop_retry_delay: ten(),
            index_buffer_size: None,
            irmin_cache_size: None,
            log_kernel_debug: false,
            log_kernel_debug_file: None,
            unsafe_disable_wasm_kernel_checks: false,
            no_degraded: false,
            slow_vm_fallback: false,
            gc_parameters: GcParameters::default(),
            history_mode: None,
            cors: Cors::default(),
            bail_on_disagree: false,
            commit_on: CommitOn::Block,
            opentelemetry: Telemetry::default(),
            dal_slot_status_max_fetch_attempts: fetch_attempts(),
            data_dir: None,
        }
    }

    /// The JSON of the configuration, fields in the reference's order.
    pub fn to_json(&self, display: Display) -> Result<Value, serde_json::Error> {
        let whole = serde_json::to_value(self)?;
        if display == Display::Whole {
            return Ok(whole);
        }
        // `init config` writes these whatever they are
        const ALWAYS: [&str; 4] = ["smart-rollup-address", "etherlink", "fee-parameters", "mode"];
        let defaults = serde_json::to_value(Config::new(self.smart_rollup_address, self.mode.clone()))?;
        let kept = whole
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| ALWAYS.contains(&name.as_str()) || defaults.get(name.as_str()) != Some(value));
        Ok(Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()))
    }

    /// Reads a configuration from its JSON text; `path` is only for messages.
    pub fn of_json(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let mut config: Config = serde_json::from_str(text)
            .map_err(|e| ConfigError::Invalid { path: path.to_owned(), reason: e.to_string() })?;
        let known = ETHERLINK.contains(&config.smart_rollup_address.to_base58().as_str());
        config.etherlink.get_or_insert(known);
        config.check()?;
        Ok(config)
    }

    /// Reads a configuration file, or nothing when there is none.
    pub fn load(path: &Path) -> Result<Option<Config>, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Config::of_json(&text, path).map(Some),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(ConfigError::File { action: "read", path: path.to_owned(), reason: e.to_string() }),
        }
    }

    /// Writes the configuration file and the folders above it; an existing file only with `force`.
    pub fn save(&self, path: &Path, force: bool) -> Result<(), ConfigError> {
        let failed = |e: &dyn std::fmt::Display| ConfigError::File {
            action: "write",
            path: path.to_owned(),
            reason: e.to_string(),
        };
        if !force && path.exists() {
            return Err(ConfigError::Exists(path.to_owned()));
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        }
        let json = self.to_json(Display::WithoutDefaults).map_err(|e| failed(&e))?;
        let mut text = serde_json::to_string_pretty(&json).map_err(|e| failed(&e))?;
        text.push('\n');
        std::fs::write(path, text).map_err(|e| failed(&e))
    }

    /// Ranges that types do not express.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.mode.check()?;
        self.operators.check()?;
        let range = |text: &str| Err(ConfigError::Range(text.to_owned()));
        if self.injector.retention_period > 40_960 {
            return range("injector-retention-period should be a positive number smaller than 40960");
        }
        if self.injector.injection_ttl == 0 {
            return range("injection-ttl should be at least 1");
        }
        if self.batcher.min_batch_elements == 0 || self.batcher.min_batch_size == 0 {
            return range("batcher.min_batch_elements and batcher.min_batch_size must be positive");
        }
        if self.batcher.max_batch_elements < self.batcher.min_batch_elements
            || self.batcher.max_batch_size.is_some_and(|max| max < self.batcher.min_batch_size)
        {
            return range("batcher's maximum must not be below its minimum");
        }
        if self.prefetch_blocks.is_some_and(|n| n > self.l1_blocks_cache_size) {
            return range("prefetch_blocks must not exceed l1_blocks_cache_size");
        }
        if self.gc_parameters.frequency == Some(0) {
            return range("gc-frequency should be a positive number of blocks");
        }
        let seconds = [
            ("reconnection_delay", self.reconnection_delay),
            ("l1_rpc_timeout", self.l1_rpc_timeout),
            ("loop_retry_delay", self.loop_retry_delay),
        ];
        match seconds.into_iter().find(|(_, value)| !(value.is_finite() && (0.0..=1e9).contains(value))) {
            Some((name, value)) => range(&format!("{name} is {value}, not a number of seconds")),
            None => Ok(()),
        }
    }

    /// The rules for requests to the RPC server's own address (§6.6).
    pub fn access_rules(&self) -> AclRules {
        let own = [self.rpc_addr.clone(), format!("{}:{}", self.rpc_addr, self.rpc_port)];
        match self.acl.iter().find(|entry| own.contains(&entry.address)) {
            Some(AclEntry { whitelist: Some(rules), .. }) => AclRules::Only(rules.clone()),
            Some(AclEntry { blacklist: Some(rules), .. }) => AclRules::AllBut(rules.clone()),
            _ => {
                let local = self.rpc_addr == "localhost"
                    || self.rpc_addr.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
                if local { AclKind::AllowAll.rules() } else { AclKind::Secure.rules() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ADDRESS: &str = "sr1CQjoGispRhTYkRpsHFk3LgQ6YqTY6oc3v";

    #[test]
    fn as_init_writes_it() {
        let config = Config::new(ADDRESS.parse().unwrap(), Mode::Observer);
        assert_eq!(
            config.to_json(Display::WithoutDefaults).unwrap(),
            json!({"smart-rollup-address": ADDRESS, "etherlink": false, "fee-parameters": {}, "mode": "observer"})
        );
        let whole = config.to_json(Display::Whole).unwrap();
        assert_eq!(Config::of_json(&whole.to_string(), Path::new("x")).unwrap(), config);
    }

    #[test]
    fn refusals_name_the_place() {
        let read = |text: &str| Config::of_json(text, Path::new("config.json")).unwrap_err().to_string();
        let unknown = read(&format!(r#"{{"smart-rollup-address":"{ADDRESS}","mode":"observer","rpc-prot":1}}"#));
        assert!(unknown.contains("rpc-prot") && unknown.contains("line 1"), "{unknown}");
        let trailing = read(&format!(r#"{{"smart-rollup-address":"{ADDRESS}","mode":"observer"}} x"#));
        assert!(trailing.contains("trailing"), "{trailing}");
        let empty = read(&format!(r#"{{"smart-rollup-address":"{ADDRESS}","mode":{{"custom":[]}}}}"#));
        assert_eq!(empty, "Operation kinds for custom mode are empty.");
        let port = read(&format!(r#"{{"smart-rollup-address":"{ADDRESS}","mode":"observer","rpc-port":70000}}"#));
        assert!(port.contains("70000"), "{port}");
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join("config.json");
        let config = Config::new(ADDRESS.parse().unwrap(), Mode::Custom(vec![OperationKind::Publish]));
        assert_eq!(Config::load(&path).unwrap(), None);
        config.save(&path, false).unwrap();
        assert_eq!(Config::load(&path).unwrap(), Some(config.clone()));
        assert_eq!(config.save(&path, false), Err(ConfigError::Exists(path.clone())));
        config.save(&path, true).unwrap();
    }
}
