//! Changing single constants by their JSON names, and refusing values no rule could work with.

use super::Parametric;
use serde_json::{Map, Value};

/// Why constants were refused. Each message names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstantsError {
    /// No constant has that name.
    #[error("there is no constant '{key}'{}", suggestion.as_ref().map(|s| format!("; did you mean '{s}'?")).unwrap_or_default())]
    Unknown {
        /// The name given.
        key: String,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// The value has not the JSON type or range of the constant.
    #[error("constant '{key}' cannot be {value}: {problem}")]
    Value {
        /// The constant.
        key: String,
        /// The value given.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Not a JSON object.
    #[error("constants are a JSON object of names and values")]
    NotAnObject,
}

impl Parametric {
    /// These constants with those of `overrides` in place of their own. Nested objects may be given in part; `null`
    /// removes an optional constant.
    ///
    /// # Errors
    /// Names the first key that is unknown or has an impossible value.
    pub fn with_overrides(&self, overrides: &Value) -> Result<Parametric, ConstantsError> {
        let overrides = overrides.as_object().ok_or(ConstantsError::NotAnObject)?;
        let mut object = self.to_object();
        let mut names = all_names(&object);
        let mut result = self.clone();
        for (key, value) in overrides {
            if !names.contains(key) {
                return Err(ConstantsError::Unknown { key: key.clone(), suggestion: nearest(key, &mut names) });
            }
            let refuse = |problem: String| ConstantsError::Value {
                key: key.clone(),
                value: value.to_string().chars().take(60).collect(),
                problem,
            };
            match (object.get_mut(key), value) {
                (Some(Value::Object(old)), Value::Object(new)) => merge(old, new, key)?,
                (_, Value::Null) => {
                    object.remove(key);
                }
                _ => {
                    object.insert(key.clone(), value.clone());
                }
            }
            result =
                serde_json::from_value(Value::Object(object.clone())).map_err(|error| refuse(error.to_string()))?;
        }
        result.check()?;
        Ok(result)
    }

    /// Whether every constant has a value the rules can work with.
    ///
    /// # Errors
    /// Names the first one that has not.
    pub fn check(&self) -> Result<(), ConstantsError> {
        let rollup = &self.rollup;
        let least = [
            ("smart_rollup_origination_size", rollup.origination_size, 0),
            ("smart_rollup_challenge_window_in_blocks", rollup.challenge_window_in_blocks, 0),
            ("smart_rollup_commitment_period_in_blocks", rollup.commitment_period_in_blocks, 1),
            (
                "smart_rollup_max_lookahead_in_blocks",
                rollup.max_lookahead_in_blocks,
                rollup.commitment_period_in_blocks,
            ),
            ("smart_rollup_max_active_outbox_levels", rollup.max_active_outbox_levels, 1),
            ("smart_rollup_max_outbox_messages_per_level", rollup.max_outbox_messages_per_level, 1),
            ("smart_rollup_number_of_sections_in_dissection", i32::from(rollup.number_of_sections_in_dissection), 2),
            ("smart_rollup_timeout_period_in_blocks", rollup.timeout_period_in_blocks, 1),
            ("smart_rollup_max_number_of_cemented_commitments", rollup.max_number_of_cemented_commitments, 1),
            ("smart_rollup_max_number_of_parallel_games", rollup.max_number_of_parallel_games, 0),
            ("max_operations_time_to_live", i32::from(self.max_operations_time_to_live), 1),
            ("blocks_per_cycle", self.blocks_per_cycle, 1),
            ("blocks_per_commitment", self.blocks_per_commitment, 1),
            ("cycles_per_voting_period", self.cycles_per_voting_period, 1),
            ("origination_size", self.origination_size, 0),
        ];
        for (key, value, least) in least {
            if value < least {
                return Err(ConstantsError::Value {
                    key: key.to_owned(),
                    value: value.to_string(),
                    problem: format!("at least {least} is needed"),
                });
            }
        }
        Ok(())
    }

    fn to_object(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(object)) => object,
            _ => Map::new(),
        }
    }
}

/// The names that can be given: those present, and the optional ones.
fn all_names(object: &Map<String, Value>) -> Vec<String> {
    let optional = ["testnet_dictator", "initial_seed", "smart_rollup_canonical_rollup_address"];
    let mut names: Vec<String> = object.keys().cloned().collect();
    names.extend(optional.into_iter().filter(|name| !object.contains_key(*name)).map(str::to_owned));
    names
}

fn merge(old: &mut Map<String, Value>, new: &Map<String, Value>, path: &str) -> Result<(), ConstantsError> {
    for (key, value) in new {
        let path = format!("{path}.{key}");
        match (old.get_mut(key), value) {
            (None, _) => {
                let mut names: Vec<String> = old.keys().cloned().collect();
                return Err(ConstantsError::Unknown { key: path, suggestion: nearest(key, &mut names) });
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new, &path)?,
            (Some(slot), _) => *slot = value.clone(),
        }
    }
    Ok(())
}

/// The name that shares most pairs of letters with `key`, if they share half.
fn nearest(key: &str, names: &mut [String]) -> Option<String> {
    let pairs = |text: &str| text.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let wanted = pairs(&key.chars().take(100).collect::<String>());
    let score = |name: &String| {
        let own = pairs(name);
        let shared = wanted.iter().filter(|pair| own.contains(pair)).count();
        200 * shared / (wanted.len() + own.len()).max(1)
    };
    names.sort_by_key(|name| std::cmp::Reverse(score(name)));
    names.first().filter(|name| score(name) > 50).cloned()
}

#[cfg(test)]
mod tests {
    use crate::constants::Preset;
    use serde_json::json;

    #[test]
    fn single_keys_and_nested_ones() {
        let base = Preset::Dailynet.constants();
        let changed = base
            .with_overrides(&json!({
                "smart_rollup_commitment_period_in_blocks": 5,
                "smart_rollup_stake_amount": "32000000",
                "smart_rollup_reveal_activation_level": {"metadata": 7},
                "smart_rollup_canonical_rollup_address": null,
                "dal_parametric": {"feature_enable": false},
            }))
            .unwrap();
        assert_eq!(changed.rollup.commitment_period_in_blocks, 5);
        assert_eq!(changed.rollup.reveal_activation_level.metadata.0, 7);
        assert_eq!(changed.rollup.reveal_activation_level.dal_page.0, 1);
        assert_eq!(changed.rollup.canonical_rollup_address, None);
        assert!(!changed.dal.feature_enable);
        assert_eq!(base.with_overrides(&json!({})).unwrap(), base);
    }

    #[test]
    fn refusals_name_the_key() {
        let base = Preset::Dailynet.constants();
        let error = |overrides| base.with_overrides(&overrides).unwrap_err().to_string();
        assert_eq!(
            error(json!({"smart_rollup_challenge_window": 3})),
            "there is no constant 'smart_rollup_challenge_window'; did you mean 'smart_rollup_challenge_window_in_blocks'?"
        );
        assert!(
            error(json!({"dal_parametric": {"feature_enabled": true}})).contains("'dal_parametric.feature_enabled'")
        );
        assert!(
            error(json!({"smart_rollup_stake_amount": 3}))
                .starts_with("constant 'smart_rollup_stake_amount' cannot be 3")
        );
        assert!(error(json!({"smart_rollup_commitment_period_in_blocks": 0})).contains("at least 1"));
        assert!(error(json!({"cost_per_byte": null})).contains("'cost_per_byte'"));
        assert!(error(json!([])).contains("JSON object"));
    }
}
