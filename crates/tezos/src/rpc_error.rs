//! Errors as the layer 1 reports them: a trace of objects with `kind`, `id` and fields of their own
//! (`spec/protocol.md` §9.1, Appendix A).

use crate::fields::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// How an error bears on trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Never right.
    Permanent,
    /// Right perhaps in a later block.
    Temporary,
    /// Right perhaps on another branch.
    Branch,
}

/// One error of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TezosError {
    /// Whether trying again can help.
    pub kind: ErrorKind,
    /// The name, with the prefix of its protocol: `proto.025-PsUshuai.smart_rollup_does_not_exist`.
    pub id: String,
    /// Further fields.
    #[serde(flatten)]
    pub fields: Object,
}

/// A trace: the most general error first.
pub type Trace = Vec<TezosError>;

impl TezosError {
    /// An error with no fields. `id` is complete.
    pub fn new(kind: ErrorKind, id: impl Into<String>) -> Self {
        TezosError { kind, id: id.into(), fields: Object::new() }
    }

    /// An error of a protocol; `name` is the id without prefix, `protocol` the prefix's middle, like `025-PsUshuai`.
    pub fn of_protocol(protocol: &str, kind: ErrorKind, name: &str) -> Self {
        TezosError::new(kind, format!("proto.{protocol}.{name}"))
    }

    /// An error that is only a text.
    pub fn failure(msg: impl Into<String>) -> Self {
        TezosError::new(ErrorKind::Temporary, "failure").with("msg", Value::String(msg.into()))
    }

    /// The same error with one more field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// The id without `proto.<protocol>.`.
    pub fn name(&self) -> &str {
        match self.id.strip_prefix("proto.").and_then(|rest| rest.split_once('.')) {
            Some((_, name)) => name,
            None => &self.id,
        }
    }
}

impl fmt::Display for TezosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id == "failure"
            && let Some(Value::String(msg)) = self.fields.get("msg")
        {
            return f.write_str(msg);
        }
        f.write_str(&self.id)?;
        for (index, (field, value)) in self.fields.iter().enumerate() {
            write!(f, "{}{field} = {value}", if index == 0 { ": " } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for TezosError {}

/// Whether a trace holds an error of that name, with or without the protocol's prefix.
pub fn trace_has(trace: &[TezosError], name: &str) -> bool {
    trace.iter().any(|error| error.name() == name || error.id == name)
}
