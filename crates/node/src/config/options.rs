//! Options of the command line and how they combine with a configuration file (`spec/node.md` §1.3, §1.4).

use super::{
    AclEntry, AclKind, AclRules, CommitOn, Config, ConfigError, HistoryMode, LoserMode, Mode, OperatorArgument,
    Operators, Purpose,
};
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::key::PublicKeyHash;

/// What the command line said; absent options leave the file's value, or the default.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Options {
    pub mode: Option<Mode>,
    pub rollup: Option<SmartRollupAddress>,
    pub operators: Vec<OperatorArgument<PublicKeyHash>>,
    pub rpc_addr: Option<String>,
    pub rpc_port: Option<u16>,
    pub acl_override: Option<AclKind>,
    pub metrics_addr: Option<String>,
    pub disable_performance_metrics: bool,
    pub loser_mode: Option<LoserMode>,
    /// In seconds.
    pub reconnection_delay: Option<f64>,
    pub dal_node: Option<String>,
    pub pre_images_endpoint: Option<String>,
    pub injector_retention_period: Option<u32>,
    pub injector_attempts: Option<u32>,
    pub injection_ttl: Option<u32>,
    pub index_buffer_size: Option<u32>,
    pub irmin_cache_size: Option<u32>,
    pub log_kernel_debug: bool,
    pub log_kernel_debug_file: Option<String>,
    pub boot_sector_file: Option<String>,
    pub no_degraded: bool,
    pub gc_frequency: Option<u32>,
    pub history_mode: Option<HistoryMode>,
    pub cors_headers: Option<Vec<String>>,
    pub cors_origins: Option<Vec<String>>,
    pub apply_unsafe_patches: bool,
    pub bail_on_disagree: bool,
    pub disable_kernel_checks: bool,
    pub slow_vm_fallback: bool,
    pub commit_on: Option<CommitOn>,
    pub monitor_finalized: bool,
    pub profiling: Option<bool>,
    pub etherlink: bool,
}

impl Options {
    /// The configuration of these options over a file's, and the purposes given without need, for which the reference
    /// warns `Unused operators for …`.
    pub fn over(self, file: Option<Config>) -> Result<(Config, Vec<Purpose>), ConfigError> {
        let mut config = match (file, &self.mode, self.rollup) {
            (Some(file), _, _) => file,
            (None, Some(mode), Some(rollup)) => Config::new(rollup, mode.clone()),
            (None, None, _) => return Err(ConfigError::RequiredArgument("mode")),
            (None, _, None) => return Err(ConfigError::RequiredArgument("rollup")),
        };
        if config.apply_unsafe_patches && !self.apply_unsafe_patches {
            return Err(ConfigError::UnconfirmedPatches);
        }
        replace(&mut config.mode, self.mode);
        config.mode.check()?;
        replace(&mut config.smart_rollup_address, self.rollup);
        let (operators, unused) = Operators::merge(&config.mode, &self.operators, &config.operators)?;
        config.operators = operators;
        replace(&mut config.rpc_addr, self.rpc_addr);
        replace(&mut config.rpc_port, self.rpc_port);
        if let Some(kind) = self.acl_override {
            let address = format!("{}:{}", config.rpc_addr, config.rpc_port);
            config.acl.retain(|entry| entry.address != address);
            let (whitelist, blacklist) = match kind.rules() {
                AclRules::Only(rules) => (Some(rules), None),
                AclRules::AllBut(rules) => (None, Some(rules)),
            };
            config.acl.insert(0, AclEntry { address, whitelist, blacklist });
        }
        fill(&mut config.metrics_addr, self.metrics_addr);
        config.performance_metrics &= !self.disable_performance_metrics;
        replace(&mut config.loser_mode, self.loser_mode);
        replace(&mut config.reconnection_delay, self.reconnection_delay);
        fill(&mut config.dal_node_endpoint, self.dal_node);
        fill(&mut config.pre_images_endpoint, self.pre_images_endpoint);
        replace(&mut config.injector.retention_period, self.injector_retention_period);
        replace(&mut config.injector.attempts, self.injector_attempts);
        replace(&mut config.injector.injection_ttl, self.injection_ttl);
        fill(&mut config.index_buffer_size, self.index_buffer_size);
        fill(&mut config.irmin_cache_size, self.irmin_cache_size);
        config.log_kernel_debug |= self.log_kernel_debug;
        fill(&mut config.log_kernel_debug_file, self.log_kernel_debug_file);
        fill(&mut config.boot_sector_file, self.boot_sector_file);
        config.no_degraded |= self.no_degraded;
        fill(&mut config.gc_parameters.frequency, self.gc_frequency);
        fill(&mut config.history_mode, self.history_mode);
        replace(&mut config.cors.allowed_headers, self.cors_headers);
        replace(&mut config.cors.allowed_origins, self.cors_origins);
        config.apply_unsafe_patches = self.apply_unsafe_patches;
        config.bail_on_disagree |= self.bail_on_disagree;
        config.unsafe_disable_wasm_kernel_checks |= self.disable_kernel_checks;
        config.slow_vm_fallback |= self.slow_vm_fallback;
        replace(&mut config.commit_on, self.commit_on);
        config.l1_monitor_finalized |= self.monitor_finalized;
        replace(&mut config.opentelemetry.enable, self.profiling);
        if self.etherlink {
            config.etherlink = Some(true);
        }
        config.check()?;
        Ok((config, unused))
    }
}

fn replace<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

fn fill<T>(value: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *value = given;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Display;
    use super::*;
    use serde_json::json;

    const ADDRESS: &str = "sr1CQjoGispRhTYkRpsHFk3LgQ6YqTY6oc3v";
    const KEY: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";

    /// The reference's own answer to the same options (recorded, `s8_cli`).
    #[test]
    fn every_option() {
        let options = Options {
            mode: Some(Mode::Operator),
            rollup: Some(ADDRESS.parse().unwrap()),
            operators: vec![OperatorArgument::Default(KEY.parse().unwrap())],
            rpc_addr: Some("0.0.0.0".into()),
            rpc_port: Some(9999),
            acl_override: Some(AclKind::AllowAll),
            metrics_addr: Some(":9933".into()),
            disable_performance_metrics: true,
            loser_mode: Some("3 0 0 5 7 11_000_000_001".parse().unwrap()),
            reconnection_delay: Some(5.5),
            dal_node: Some("http://localhost:10732".into()),
            pre_images_endpoint: Some("http://example.org/pre".into()),
            injector_retention_period: Some(100),
            injector_attempts: Some(5),
            injection_ttl: Some(50),
            log_kernel_debug: true,
            log_kernel_debug_file: Some("k.log".into()),
            no_degraded: true,
            gc_frequency: Some(7),
            history_mode: Some(HistoryMode::Archive),
            cors_headers: Some(vec!["a".into(), "b".into()]),
            cors_origins: Some(vec!["*".into()]),
            bail_on_disagree: true,
            disable_kernel_checks: true,
            slow_vm_fallback: true,
            commit_on: Some(CommitOn::Block),
            etherlink: true,
            ..Options::default()
        };
        let (config, unused) = options.over(None).unwrap();
        assert!(unused.is_empty());
        let expected = json!({
            "smart-rollup-address": ADDRESS, "etherlink": true,
            "smart-rollup-node-operator":
                {"operating": KEY, "batching": [KEY], "cementing": KEY, "executing_outbox": KEY},
            "rpc-addr": "0.0.0.0", "rpc-port": 9999, "acl": [{"address": "0.0.0.0:9999", "blacklist": []}],
            "metrics-addr": ":9933", "performance-metrics": false, "reconnection_delay": 5.5, "fee-parameters": {},
            "mode": "operator",
            "loser-mode": [{"level": 3, "message_index": 0, "message_tick": "0"},
                           {"level": 5, "message_index": 7, "message_tick": "11000000001"}],
            "DAL node endpoint": "http://localhost:10732", "pre-images-endpoint": "http://example.org/pre",
            "injector": {"retention_period": 100, "attempts": 5, "injection_ttl": 50},
            "log-kernel-debug": true, "log-kernel-debug-file": "k.log", "unsafe-disable-wasm-kernel-checks": true,
            "no-degraded": true, "slow-vm-fallback": true, "gc-parameters": {"frequency": 7}, "history-mode": "archive",
            "cors": {"allowed_headers": ["a", "b"], "allowed_origins": ["*"]}, "bail-on-disagree": true
        });
        let written = config.to_json(Display::WithoutDefaults).unwrap();
        assert_eq!(written, expected);
        let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&written), names(&expected), "order of the fields");
    }

    #[test]
    fn the_command_line_wins() {
        let mut file = Config::new(ADDRESS.parse().unwrap(), Mode::Observer);
        file.rpc_port = 1;
        let options = Options { rpc_port: Some(2), no_degraded: true, ..Options::default() };
        let (config, _) = options.over(Some(file.clone())).unwrap();
        assert_eq!((config.rpc_port, config.no_degraded), (2, true));
        assert_eq!(Options::default().over(Some(file.clone())).unwrap().0.rpc_port, 1);
        file.apply_unsafe_patches = true;
        assert_eq!(Options::default().over(Some(file)).unwrap_err(), ConfigError::UnconfirmedPatches);
        assert_eq!(
            Options::default().over(None).unwrap_err().to_string(),
            "Argument --mode is required when configuration file is not present."
        );
    }
}
