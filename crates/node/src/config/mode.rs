//! Modes of the node, the layer 1 operations they may inject, and the purposes of their keys (`spec/node.md` §3).

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A kind of layer 1 operation that the node injects, under its name in configuration files and injector tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum OperationKind {
    Publish,
    AddMessages,
    Cement,
    Timeout,
    Refute,
    Recover,
    ExecuteOutboxMessage,
    PublishDalCommitment,
}

impl OperationKind {
    /// All kinds, in the order in which the reference lists them.
    pub const ALL: [OperationKind; 8] = [
        OperationKind::Publish,
        OperationKind::AddMessages,
        OperationKind::Cement,
        OperationKind::Timeout,
        OperationKind::Refute,
        OperationKind::Recover,
        OperationKind::ExecuteOutboxMessage,
        OperationKind::PublishDalCommitment,
    ];

    /// The name in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            OperationKind::Publish => "publish",
            OperationKind::AddMessages => "add_messages",
            OperationKind::Cement => "cement",
            OperationKind::Timeout => "timeout",
            OperationKind::Refute => "refute",
            OperationKind::Recover => "recover",
            OperationKind::ExecuteOutboxMessage => "execute_outbox_message",
            OperationKind::PublishDalCommitment => "publish_dal_commitment",
        }
    }

    /// The purpose of the key that signs this kind (§3.1).
    pub fn purpose(self) -> Purpose {
        match self {
            OperationKind::Publish | OperationKind::Refute | OperationKind::Timeout => Purpose::Operating,
            OperationKind::AddMessages | OperationKind::PublishDalCommitment => Purpose::Batching,
            OperationKind::Cement => Purpose::Cementing,
            OperationKind::Recover => Purpose::Recovering,
            OperationKind::ExecuteOutboxMessage => Purpose::ExecutingOutbox,
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for OperationKind {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        OperationKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| ConfigError::UnknownOperationKind(text.to_owned()))
    }
}

/// What a key of the node is for (§3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Purpose {
    Operating,
    Batching,
    Cementing,
    Recovering,
    ExecutingOutbox,
}

impl Purpose {
    /// All purposes, in the order in which configuration files and messages list them.
    pub const ALL: [Purpose; 5] =
        [Purpose::Operating, Purpose::Batching, Purpose::Cementing, Purpose::Recovering, Purpose::ExecutingOutbox];

    /// The name in configuration files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Operating => "operating",
            Purpose::Batching => "batching",
            Purpose::Cementing => "cementing",
            Purpose::Recovering => "recovering",
            Purpose::ExecutingOutbox => "executing_outbox",
        }
    }

    /// Reads a name, the present ones or those of the first releases (§1.6).
    pub fn of_name(name: &str) -> Option<Purpose> {
        match name {
            "publish" | "refute" | "timeout" => Some(Purpose::Operating),
            "add_messages" => Some(Purpose::Batching),
            "cement" => Some(Purpose::Cementing),
            "recover" => Some(Purpose::Recovering),
            "execute_outbox" => Some(Purpose::ExecutingOutbox),
            _ => Purpose::ALL.into_iter().find(|purpose| purpose.name() == name),
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A mode of the node (§3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Follows and evaluates, injects nothing.
    Observer,
    /// Publishes only against a commitment it disagrees with.
    Accuser,
    /// Defends its commitments until its bond can be recovered.
    Bailout,
    /// Sends messages.
    Batcher,
    /// Publishes, cements and refutes.
    Maintenance,
    /// Everything but recovering.
    Operator,
    /// Just the listed kinds of operations.
    Custom(Vec<OperationKind>),
}

impl Mode {
    /// The purposes for which the mode needs keys, in the reference's order.
    pub fn purposes(&self) -> Vec<Purpose> {
        let kinds = match self {
            Mode::Observer => return vec![],
            Mode::Batcher => return vec![Purpose::Batching],
            Mode::Accuser => return vec![Purpose::Operating],
            Mode::Bailout => return vec![Purpose::Operating, Purpose::Cementing, Purpose::Recovering],
            Mode::Maintenance => return vec![Purpose::Operating, Purpose::Cementing, Purpose::ExecutingOutbox],
            Mode::Operator => {
                return vec![Purpose::Operating, Purpose::Batching, Purpose::Cementing, Purpose::ExecutingOutbox];
            }
            Mode::Custom(kinds) => kinds,
        };
        Purpose::ALL.into_iter().filter(|purpose| kinds.iter().any(|kind| kind.purpose() == *purpose)).collect()
    }

    /// Whether the mode may inject operations of this kind.
    pub fn can_inject(&self, kind: OperationKind) -> bool {
        match self {
            Mode::Custom(kinds) => kinds.contains(&kind),
            mode => mode.purposes().contains(&kind.purpose()),
        }
    }

    /// An error when the mode names no operation at all.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Mode::Custom(kinds) if kinds.is_empty() => Err(ConfigError::EmptyCustomMode),
            _ => Ok(()),
        }
    }
}

impl FromStr for Mode {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Ok(match text {
            "observer" => Mode::Observer,
            "accuser" => Mode::Accuser,
            "bailout" => Mode::Bailout,
            "batcher" => Mode::Batcher,
            "maintenance" => Mode::Maintenance,
            "operator" => Mode::Operator,
            "custom" => Mode::Custom(vec![]),
            _ => match text.strip_prefix("custom:") {
                Some(kinds) => Mode::Custom(kinds.split(',').map(str::parse).collect::<Result<_, _>>()?),
                None => return Err(ConfigError::UnknownMode(text.to_owned())),
            },
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mode::Observer => f.pad("observer"),
            Mode::Accuser => f.pad("accuser"),
            Mode::Bailout => f.pad("bailout"),
            Mode::Batcher => f.pad("batcher"),
            Mode::Maintenance => f.pad("maintenance"),
            Mode::Operator => f.pad("operator"),
            Mode::Custom(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
                write!(f, "custom:{}", kinds.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_and_print() {
        for text in ["observer", "operator", "custom:publish,cement"] {
            assert_eq!(text.parse::<Mode>().unwrap().to_string(), text);
        }
        assert_eq!("nomode".parse::<Mode>(), Err(ConfigError::UnknownMode("nomode".into())));
        assert_eq!("custom".parse::<Mode>().unwrap().check(), Err(ConfigError::EmptyCustomMode));
        let custom: Mode = serde_json::from_str(r#"{"custom":["add_messages","execute_outbox_message"]}"#).unwrap();
        assert_eq!(custom.purposes(), [Purpose::Batching, Purpose::ExecutingOutbox]);
        assert!(custom.can_inject(OperationKind::AddMessages));
        assert!(!custom.can_inject(OperationKind::PublishDalCommitment));
        assert!(Mode::Operator.can_inject(OperationKind::Refute));
        assert!(!Mode::Operator.can_inject(OperationKind::Recover));
    }
}
