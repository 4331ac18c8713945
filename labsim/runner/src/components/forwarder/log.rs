//! A forwarder's log records, read from its standard error and logged by the runner: in the span
//! of the scenario, by the runner's filter and in its format.

use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::process::Command;
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// How a line begins that is a record; error messages never begin so.
const RECORD: &str = "{\"timestamp\":";

/// The environment variable of filter directives, which wins over flags.
const DIRECTIVES: &str = "RUST_LOG";

/// Has a forwarder log what the runner logs, as records that [`relay`] reads.
pub(super) fn configure(command: &mut Command) {
    command.args(["--log-format", "json"]);
    if std::env::var_os(DIRECTIVES).is_none_or(|text| text.is_empty()) {
        command.env(DIRECTIVES, LevelFilter::current().to_string());
    }
}

/// Logs a line of a forwarder's standard error if it is a record, and returns its level and message.
pub(super) fn relay(node: &str, line: &str) -> Option<String> {
    if !line.starts_with(RECORD) {
        return None;
    }
    let Ok(Value::Object(record)) = serde_json::from_str(line) else { return None };
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let level = text("level").parse().unwrap_or(Level::INFO);
    let message = record.get("fields").and_then(Value::as_object).map(message).unwrap_or_default();
    emit(text("target"), level, node, &message);
    Some(format!("{level} {message}"))
}

/// The message, then the other fields as `name=value`.
fn message(fields: &Map<String, Value>) -> String {
    let mut text = fields.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "message") {
        // Writing to a string cannot fail.
        let _ = match value {
            Value::String(value) => write!(text, " {name}={value}"),
            value => write!(text, " {name}={value}"),
        };
    }
    text
}

/// Logs `message` at one level; a record's level and target are constants of its call site.
macro_rules! at_level {
    ($target:literal, $level:expr, $node:expr, $message:expr) => {
        match $level {
            Level::ERROR => tracing::error!(target: $target, node = $node, "{}", $message),
            Level::WARN => tracing::warn!(target: $target, node = $node, "{}", $message),
            Level::INFO => tracing::info!(target: $target, node = $node, "{}", $message),
            Level::DEBUG => tracing::debug!(target: $target, node = $node, "{}", $message),
            Level::TRACE => tracing::trace!(target: $target, node = $node, "{}", $message),
        }
    };
}

/// The crates of a forwarder's process that log, so that directives reach each of them.
fn emit(target: &str, level: Level, node: &str, message: &str) {
    match target.split("::").next().unwrap_or_default() {
        "labsim" => at_level!("labsim", level, node, message),
        "labsim_control" => at_level!("labsim_control", level, node, message),
        "labsim_dataplane" => at_level!("labsim_dataplane", level, node, message),
        "labsim_monitor" => at_level!("labsim_monitor", level, node, message),
        "labsim_sys" => at_level!("labsim_sys", level, node, message),
        _ => at_level!("labsim_runner", level, node, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_relayed_and_error_messages_are_not() {
        let record = r#"{"timestamp":"t","level":"DEBUG","fields":{"message":"up","n":1},"target":"labsim_monitor"}"#;
        assert_eq!(relay("lb", record).as_deref(), Some("DEBUG up n=1"));
        for line in ["labsim: the interface eth0 is missing", "{\"timestamp\": no record", ""] {
            assert_eq!(relay("lb", line), None, "{line}");
        }
    }

    #[test]
    fn a_records_fields_follow_its_message() {
        let fields = serde_json::json!({"attempt": 2, "message": "probe failed", "node": "rs1"});
        assert_eq!(message(fields.as_object().unwrap()), "probe failed attempt=2 node=rs1");
    }
}
