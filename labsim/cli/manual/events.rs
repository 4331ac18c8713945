//! The page of events, out of their JSON Schema.

use super::keys::{Format, Key, alternatives};
use super::write_properties;
use serde_json::Value;
use std::fmt::Write as _;

/// The page's file.
pub(super) const PAGE: &str = "events.md";

/// Recorded events, at least one of each kind.
const RECORDED: &str = include_str!("../../manual/examples/events.jsonl");

/// The text of the page.
pub(super) fn text(format: &Format) -> String {
    let mut text = "# Events\n\n\
        `labsim run --out DIR` writes DIR/SCENARIO/events.jsonl: one JSON object per line. The key \
        `event` names its kind, which has the keys below beside those of every event.\n\n\
        ## Every event\n"
        .to_owned();
    let root = format.definition("");
    write_keys(&mut text, format, root);
    for event in alternatives(root) {
        let name = event.pointer("/properties/event/const").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let description = event.get("description").and_then(Value::as_str).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## `{name}`\n\n{description}\n");
        write_keys(&mut text, format, event);
        if let Some(line) = example(name) {
            let _ = write!(text, "\n```json\n{line}\n```\n");
        }
    }
    for (name, heading) in format.types_of(PAGE) {
        let _ = write!(text, "\n## {heading}\n\n{}\n", format.description(name));
        write_keys(&mut text, format, format.definition(name));
    }
    text
}

/// The shortest recorded event of a kind.
fn example(name: &str) -> Option<&'static str> {
    let is_of = |line: &&str| {
        let event = serde_json::from_str::<Value>(line);
        event.is_ok_and(|event| event.get("event").is_some_and(|it| it == name))
    };
    RECORDED.lines().filter(is_of).min_by_key(|line| line.len())
}

fn write_keys(text: &mut String, format: &Format, schema: &Value) {
    let own = schema.get("properties").and_then(Value::as_object);
    for (name, schema) in own.into_iter().flatten().filter(|(name, _)| *name != "event") {
        let key = Key::new(name, schema);
        let _ = write!(text, "\n### `{name}`\n\n{}\n\n", key.description);
        write_properties(text, &format.type_of(&key, PAGE), &key);
    }
}
