//! The smaller objects inside a configuration (`spec/node.md` §2, §6.6, §13.2).

use super::{ConfigError, OperationKind};
use serde::{Deserialize, Serialize};
use soru_l1::fees::FeeParameters;
use soru_tezos::scalar::Mutez;
use std::fmt;
use std::str::FromStr;

/// How much of its past the node keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryMode {
    /// Everything since the rollup's genesis.
    Archive,
    /// Everything since the last cemented commitment.
    Full,
}

impl fmt::Display for HistoryMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HistoryMode::Archive => "archive",
            HistoryMode::Full => "full",
        })
    }
}

impl FromStr for HistoryMode {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "archive" => Ok(HistoryMode::Archive),
            "full" => Ok(HistoryMode::Full),
            _ => Err(ConfigError::Range(format!("history_mode_of_string {text} (archive and full are known)"))),
        }
    }
}

/// When PVM states are written to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitOn {
    /// At each block.
    Block,
    /// At each commitment.
    Commitment,
}

/// Limits of the batcher's batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batcher {
    /// Fewest messages of a batch.
    #[serde(default = "ten", skip_serializing_if = "is_ten")]
    pub min_batch_elements: u32,
    /// Fewest bytes of a batch.
    #[serde(default = "ten", skip_serializing_if = "is_ten")]
    pub min_batch_size: u32,
    /// Most messages of a batch.
    #[serde(default = "most_elements", skip_serializing_if = "is_most_elements")]
    pub max_batch_elements: u32,
    /// Most bytes of a batch; the protocol's maximum when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_batch_size: Option<u32>,
    /// A field of the first releases, without effect.
    #[serde(default, skip_serializing)]
    simulate: bool,
}

fn ten() -> u32 {
    10
}

fn is_ten(n: &u32) -> bool {
    *n == 10
}

fn most_elements() -> u32 {
    (1 << 30) - 1
}

fn is_most_elements(n: &u32) -> bool {
    *n == most_elements()
}

impl Default for Batcher {
    fn default() -> Self {
        Batcher {
            min_batch_elements: 10,
            min_batch_size: 10,
            max_batch_elements: most_elements(),
            max_batch_size: None,
            simulate: false,
        }
    }
}

/// How long and how often the injector tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injector {
    /// Blocks for which included operations stay known.
    #[serde(default = "retention", skip_serializing_if = "is_retention")]
    pub retention_period: u32,
    /// Attempts per operation.
    #[serde(default = "ten", skip_serializing_if = "is_ten")]
    pub attempts: u32,
    /// Blocks after which an injected operation counts as lost.
    #[serde(default = "ttl", skip_serializing_if = "is_ttl")]
    pub injection_ttl: u32,
    /// Most operations of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_batch_length: Option<u32>,
}

fn retention() -> u32 {
    2048
}

fn is_retention(n: &u32) -> bool {
    *n == retention()
}

fn ttl() -> u32 {
    120
}

fn is_ttl(n: &u32) -> bool {
    *n == ttl()
}

impl Default for Injector {
    fn default() -> Self {
        Injector { retention_period: retention(), attempts: 10, injection_ttl: ttl(), max_batch_length: None }
    }
}

/// Fee parameters of a kind of operation; what is absent keeps the built-in value (§3.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeeSettings {
    /// Least fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal_fees: Option<Mutez>,
    /// Fee per byte in nanotez, a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal_nanotez_per_byte: Option<(String, String)>,
    /// Fee per unit of gas in nanotez, a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal_nanotez_per_gas_unit: Option<(String, String)>,
    /// Inject although the fee is low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_low_fee: Option<bool>,
    /// Most fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_cap: Option<Mutez>,
    /// Most burn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burn_cap: Option<Mutez>,
}

impl FeeSettings {
    /// Replaces what is set here.
    pub fn apply(&self, fees: &mut FeeParameters) {
        let set = |value: &mut Mutez, given: Option<Mutez>| *value = given.unwrap_or(*value);
        set(&mut fees.minimal_fees, self.minimal_fees);
        set(&mut fees.fee_cap, self.fee_cap);
        set(&mut fees.burn_cap, self.burn_cap);
        fees.force_low_fee = self.force_low_fee.unwrap_or(fees.force_low_fee);
        fees.nanotez_per_byte = fraction(&self.minimal_nanotez_per_byte).unwrap_or(fees.nanotez_per_byte);
        fees.nanotez_per_gas = fraction(&self.minimal_nanotez_per_gas_unit).unwrap_or(fees.nanotez_per_gas);
    }

    /// An error when layer 1 nodes would not pass operations with these prices on.
    pub fn check(&self, kind: OperationKind) -> Result<(), ConfigError> {
        let usual = FeeParameters::default();
        let prices = [
            ("minimal_fees", self.minimal_fees.map(|fees| fees.0), usual.minimal_fees.0),
            ("minimal_nanotez_per_byte", fraction(&self.minimal_nanotez_per_byte), usual.nanotez_per_byte),
            ("minimal_nanotez_per_gas_unit", fraction(&self.minimal_nanotez_per_gas_unit), usual.nanotez_per_gas),
        ];
        match prices.into_iter().find(|(_, given, least)| given.is_some_and(|given| given < *least)) {
            Some((name, _, least)) => Err(ConfigError::Range(format!(
                "Bad configuration fee_parameter.{name} for {kind}. It must be at least {least} for operations of the injector to be propagated."
            ))),
            None => Ok(()),
        }
    }
}

/// A fraction of natural numbers, rounded up.
fn fraction(given: &Option<(String, String)>) -> Option<u64> {
    let (numerator, denominator) = given.as_ref()?;
    let (numerator, denominator): (u64, u64) = (numerator.parse().ok()?, denominator.parse().ok()?);
    (denominator > 0).then(|| numerator.div_ceil(denominator))
}

/// Cadence of the garbage collection, in blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcParameters {
    /// Blocks between two collections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<u32>,
    /// Blocks between two splits of the reference's state store; here only what `frequency` is when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_splitting_period: Option<u32>,
}

/// Cross-origin rules of the RPC server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Headers a browser may send.
    #[serde(default)]
    pub allowed_headers: Vec<String>,
    /// Origins a browser may come from.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
}

/// A named policy of the RPC server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclKind {
    /// No administration, no batcher, no listing of the durable storage.
    Secure,
    /// Everything.
    AllowAll,
}

impl FromStr for AclKind {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "secure" => Ok(AclKind::Secure),
            "allow-all" | "allow_all" => Ok(AclKind::AllowAll),
            _ => Err(ConfigError::Range(
                "Bad value for acl-override, possible values are 'secure' and 'allow-all'".to_owned(),
            )),
        }
    }
}

/// Who may ask what, for one address of the RPC server (§6.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AclEntry {
    /// `host` or `host:port`.
    pub address: String,
    /// Only these, or all but these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitelist: Option<Vec<String>>,
    /// All but these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blacklist: Option<Vec<String>>,
}

/// The rules that hold for the RPC server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclRules {
    /// Only requests that match.
    Only(Vec<String>),
    /// All requests but those that match.
    AllBut(Vec<String>),
}

impl AclKind {
    /// The rules of a named policy.
    pub fn rules(self) -> AclRules {
        let forbidden: &[&str] = match self {
            AclKind::AllowAll => &[],
            AclKind::Secure => &[
                "GET /global/block/*/durable/wasm_2_0_0/subkeys",
                "GET /global/block/*/durable/wasm_2_0_0/values",
                "/local/batcher/**",
                "/local/dal/**",
                "/admin/**",
                "/stats/**",
                "/config",
            ],
        };
        AclRules::AllBut(forbidden.iter().map(|rule| (*rule).to_owned()).collect())
    }
}

impl AclRules {
    /// Whether a request is let through.
    pub fn allows(&self, method: &str, path: &str) -> bool {
        let listed = |rules: &[String]| rules.iter().any(|rule| rule_matches(rule, method, path));
        match self {
            AclRules::Only(rules) => listed(rules),
            AclRules::AllBut(rules) => !listed(rules),
        }
    }
}

/// `[METHOD ]/path`, where `*` stands for one segment and `**` for any number of them.
fn rule_matches(rule: &str, method: &str, path: &str) -> bool {
    let pattern = match rule.split_once(' ') {
        Some((wanted, _)) if !wanted.eq_ignore_ascii_case(method) => return false,
        Some((_, pattern)) => pattern,
        None => rule,
    };
    let pattern = pattern.split('/').filter(|s| !s.is_empty());
    let path: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    // the positions of the path that the pattern read so far can have come to
    let mut at = vec![false; path.len() + 1];
    at[0] = true;
    for segment in pattern {
        let mut next = vec![false; path.len() + 1];
        for (i, _) in at.iter().enumerate().filter(|(_, reached)| **reached) {
            match segment {
                "**" => next[i..].fill(true),
                _ if i < path.len() && (segment == "*" || segment == path[i]) => next[i + 1] = true,
                _ => {}
            }
        }
        at = next;
    }
    at[path.len()]
}

/// A planned failure, for tests of games.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailurePoint {
    /// Inbox level.
    pub level: i32,
    /// Message of the level.
    pub message_index: u32,
    /// Tick of the message, decimal.
    pub message_tick: String,
}

/// Planned failures, for tests of games (§13.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LoserMode {
    /// Wrong inputs and states at some places; none of them in a node that means well.
    Failures(Vec<FailurePoint>),
    /// The kernel is told these parameters of the data availability layer.
    DalParameters(WrongDalParameters),
}

/// Parameters of the data availability layer that are not the true ones, decimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct WrongDalParameters {
    pub number_of_slots: String,
    pub attestation_lag: String,
    pub slot_size: String,
    pub page_size: String,
}

impl Default for LoserMode {
    fn default() -> Self {
        LoserMode::Failures(vec![])
    }
}

impl LoserMode {
    /// The planned failures at places of the inbox.
    pub fn points(&self) -> &[FailurePoint] {
        match self {
            LoserMode::Failures(points) => points,
            LoserMode::DalParameters(_) => &[],
        }
    }
}

impl FromStr for LoserMode {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let words: Vec<String> = text.split_whitespace().map(|word| word.replace('_', "")).collect();
        if text.trim_start().starts_with("reveal_dal_page") {
            return Err(ConfigError::Unsupported("loser-mode reveal_dal_page"));
        }
        let numbers = if text.trim_start().starts_with("reveal_dal_parameters") { &words[1..] } else { &words[..] };
        let numbers: Vec<i64> = numbers
            .iter()
            .map(|word| word.parse())
            .collect::<Result<_, _>>()
            .map_err(|_| ConfigError::FailurePoints)?;
        if numbers.len() != words.len() {
            let [number_of_slots, attestation_lag, slot_size, page_size] = numbers[..] else {
                return Err(ConfigError::FailurePoints);
            };
            return Ok(LoserMode::DalParameters(WrongDalParameters {
                number_of_slots: number_of_slots.to_string(),
                attestation_lag: attestation_lag.to_string(),
                slot_size: slot_size.to_string(),
                page_size: page_size.to_string(),
            }));
        }
        if !numbers.len().is_multiple_of(3) {
            return Err(ConfigError::FailurePoints);
        }
        let points = numbers.chunks_exact(3).map(|point| {
            Ok(FailurePoint {
                level: i32::try_from(point[0]).map_err(|_| ConfigError::FailurePoints)?,
                message_index: u32::try_from(point[1]).map_err(|_| ConfigError::FailurePoints)?,
                message_tick: point[2].to_string(),
            })
        });
        Ok(LoserMode::Failures(points.collect::<Result<_, _>>()?))
    }
}

/// Where traces go. Kept and shown; this node sends none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Whether traces are wanted.
    #[serde(default = "yes")]
    pub enable: bool,
    /// Name of this instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Name of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Print what is sent.
    #[serde(default)]
    pub debug: bool,
    /// Where traces go.
    #[serde(default = "url_traces")]
    pub url_traces: String,
    /// Where logs go.
    #[serde(default = "url_logs")]
    pub url_logs: String,
    /// HTTP headers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Traces in a batch.
    #[serde(default = "batch")]
    pub batch_traces: Option<u32>,
    /// Logs in a batch.
    #[serde(default = "batch")]
    pub batch_logs: Option<u32>,
    /// Longest wait for a batch, in milliseconds.
    #[serde(default = "batch_timeout")]
    pub batch_timeout_ms: u32,
    /// Telemetry of a garbage collector this node does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gc_telemetry: Option<serde_json::Value>,
}

fn yes() -> bool {
    true
}

fn url_traces() -> String {
    "http://localhost:4318/v1/traces".to_owned()
}

fn url_logs() -> String {
    "http://localhost:4318/v1/logs".to_owned()
}

fn batch() -> Option<u32> {
    Some(400)
}

fn batch_timeout() -> u32 {
    2000
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            enable: false,
            instance_id: None,
            environment: None,
            debug: false,
            url_traces: url_traces(),
            url_logs: url_logs(),
            headers: vec![],
            batch_traces: batch(),
            batch_logs: batch(),
            batch_timeout_ms: batch_timeout(),
            gc_telemetry: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_rules() {
        let secure = AclKind::Secure.rules();
        assert!(!secure.allows("GET", "/global/block/head/durable/wasm_2_0_0/subkeys"));
        assert!(secure.allows("GET", "/global/block/head/durable/wasm_2_0_0/value"));
        assert!(!secure.allows("POST", "/local/batcher/injection"));
        assert!(!secure.allows("GET", "/admin/injector/queues/total"));
        assert!(secure.allows("GET", "/health"));
        assert!(!AclRules::Only(vec!["GET /a/**/z".into()]).allows("GET", "/a/b/c"));
        assert!(AclRules::Only(vec!["GET /a/**/z".into()]).allows("GET", "/a/b/c/z"));
    }

    #[test]
    fn fees_that_are_too_low() {
        let check = |text: &str| serde_json::from_str::<FeeSettings>(text).unwrap().check(OperationKind::Refute);
        assert_eq!(check(r#"{"minimal-fees":"100","minimal-nanotez-per-gas-unit":["200","1"]}"#), Ok(()));
        let text = check(r#"{"minimal-nanotez-per-byte":["1999","2000"]}"#).unwrap_err().to_string();
        let expected = "Bad configuration fee_parameter.minimal_nanotez_per_byte for refute. It must be at least 1000 \
                        for operations of the injector to be propagated.";
        assert_eq!(text, expected);
    }

    #[test]
    fn failure_points() {
        let plan: LoserMode = "3 0 0 5 7 11_000_000_001".parse().unwrap();
        assert_eq!(plan.points()[1].message_tick, "11000000001");
        let wrong: LoserMode = "reveal_dal_parameters 1 2 3 4".parse().unwrap();
        let json =
            serde_json::json!({"number_of_slots": "1", "attestation_lag": "2", "slot_size": "3", "page_size": "4"});
        assert_eq!(serde_json::to_value(&wrong).unwrap(), json);
        assert_eq!(serde_json::from_value::<LoserMode>(json).unwrap(), wrong);
        assert_eq!("reveal_dal_parameters 1 2 3".parse::<LoserMode>(), Err(ConfigError::FailurePoints));
        assert_eq!("x".parse::<LoserMode>(), Err(ConfigError::FailurePoints));
        assert_eq!("1 2".parse::<LoserMode>(), Err(ConfigError::FailurePoints));
    }
}
