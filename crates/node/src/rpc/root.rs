//! `/ping`, `/health`, `/version`, `/config` and what concerns the process (`spec/node.md` §6.2, §6.5).

use super::reply::Reply;
use crate::config::Display;
use crate::node::{Connection, Node};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds after which a head is old.
const OLD: i64 = 60;

pub(super) fn answer(node: &Node, segments: &[&str]) -> Result<Reply, Reply> {
    match segments {
        ["ping"] => Reply::json(&json!({})),
        ["health"] => Reply::json(&health(node)?),
        ["version"] => Reply::json(&json!({
            "version": crate::VERSION,
            "store_version": "soru_1",
            "context_version": "0",
        })),
        ["config"] => {
            let config = node.config.to_json(Display::Whole).map_err(|e| Reply::failure(&e.to_string()))?;
            Reply::json(&config)
        }
        ["stats", "memory"] => memory(),
        ["admin", "cancel_gc"] => Reply::json(&node.collector.cancel()),
        _ => Err(Reply::failure("no such service")),
    }
}

fn health(node: &Node) -> Result<Value, Reply> {
    let status = node.status();
    let degraded = status.stopped.is_some();
    let processed = node.store.head()?.map(|head| head.level);
    let late = match (&status.last_head, processed) {
        (Some(head), Some(level)) => head.shell.level.since(level),
        _ => 0,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs() as i64);
    let recent = status.last_head.as_ref().is_some_and(|head| now.saturating_sub(head.shell.timestamp.0) <= OLD);
    let allowed = if node.config.l1_monitor_finalized { 3 } else { 1 };
    let mut l1 = json!({"connection": node.connection().name(), "blocks_late": late});
    if let Some(head) = &status.last_head {
        let (level, timestamp) = (head.shell.level, head.shell.timestamp);
        l1["last_seen_head"] = json!({"hash": head.hash, "level": level, "timestamp": timestamp});
    }
    let workers: Vec<Value> = status.workers.iter().map(|name| json!([name, "running"])).collect();
    let healthy = !degraded && node.connection() == Connection::Connected && late <= allowed && recent;
    let mut health = json!({"healthy": healthy, "degraded": degraded, "l1": l1, "active_workers": workers});
    if let Some(reason) = status.stopped {
        health["stopped"] = json!(reason);
    }
    Ok(health)
}

/// Memory in pages, as the system counts it.
fn memory() -> Result<Reply, Reply> {
    let statm = std::fs::read_to_string("/proc/self/statm").map_err(|e| Reply::failure(&e.to_string()))?;
    let names = ["size", "resident", "shared", "text", "lib", "data", "dt"];
    let mut object = serde_json::Map::new();
    object.insert("page_size".to_owned(), json!(4096));
    object.extend(names.iter().zip(statm.split_whitespace()).map(|(name, value)| ((*name).to_owned(), json!(value))));
    Reply::json(&object)
}
