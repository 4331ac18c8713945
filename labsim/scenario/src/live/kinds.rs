//! What can be changed in a lab that is up, and what each change takes, out of what the steps declare.

use crate::file::{RawStep, ScenarioFile};
use labsim_codes::{Code, file};
use labsim_model::quote;
use labsim_yaml::meant;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Keys of a scenario that configure what runs in nodes: load balancers and built-in servers.
pub const CONFIGURATION: [&str; 5] =
    ["load_balancers", "tacacs_servers", "radius_servers", "tcp_servers", "udp_servers"];

/// Steps that change the lab itself. Others send something, or wait.
const STEPS: [&str; 13] = [
    "set_link",
    "set_route",
    "set_address",
    "set_sysctls",
    "set_filter",
    "set_member",
    "add_member",
    "remove_member",
    "stop_server",
    "start_server",
    "kill_forwarder",
    "start_forwarder",
    "failover",
];

/// What a lab's own steps may be called without.
const PREFIX: &str = "set_";

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By a step, by its key.
    Step(&'static str),
    /// What runs, by a key of a scenario.
    Configuration(&'static str),
}

impl Kind {
    /// The kind that is called so, or why there is none.
    pub(super) fn named(name: &str) -> Result<Self, (Code, String)> {
        let is_named = |key: &&&str| **key == name || key.strip_prefix(PREFIX) == Some(name);
        if let Some(key) = STEPS.iter().find(is_named) {
            return Ok(Self::Step(key));
        }
        if let Some(key) = CONFIGURATION.iter().find(|key| **key == name) {
            return Ok(Self::Configuration(key));
        }
        let all = all_steps();
        if all.iter().any(|form| form.name == name) {
            let message = format!(
                "{} changes nothing that stays; `labsim step` runs the scenario's own steps, and `labsim \
                 exec NODE -- ...` any program",
                quote(name)
            );
            return Err((file::INVALID_VALUE, message));
        }
        if is_key_of_scenario(name) {
            let message = format!(
                "the key {} of a scenario is not changed in a lab that is up: steps and expectations are what \
                 it is judged by, and its kernels are changed by `link`, `route`, `address`, `sysctls` and \
                 `filter`, or in a shell",
                quote(name)
            );
            return Err((file::INVALID_VALUE, message));
        }
        let short = STEPS.iter().map(|key| key.strip_prefix(PREFIX).unwrap_or(key));
        let known: Vec<&str> = short.chain(CONFIGURATION).collect();
        let meant = meant(name, known.iter().copied());
        let meant = match meant {
            Some(meant) => format!("did you mean {}?", quote(meant)),
            None => format!("there are {}", known.join(", ")),
        };
        Err((file::UNKNOWN_NAME, format!("nothing is set by {}; {meant}", quote(name))))
    }
}

/// What a step of a kind takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepForm {
    /// What it is called: `link`.
    pub name: String,
    /// What it does, in sentences.
    pub description: String,
    /// Its keys, each with what it is for, and whether it may be left out.
    pub keys: Vec<(String, String, bool)>,
}

/// The steps that change a lab which is up, with what each takes.
#[must_use]
pub fn step_forms() -> Vec<StepForm> {
    let all = all_steps();
    let of = |key: &&str| {
        let form = all.iter().find(|form| form.name == **key)?.clone();
        let name = form.name.strip_prefix(PREFIX).unwrap_or(&form.name).to_owned();
        Some(StepForm { name, ..form })
    };
    STEPS.iter().filter_map(of).collect()
}

/// `link takes node, interface, state`
pub(super) fn keys_of_step(key: &str) -> String {
    let all = all_steps();
    let form = all.iter().find(|form| form.name == key);
    let keys = form.into_iter().flat_map(|form| &form.keys).map(|(key, ..)| key.as_str());
    let name = key.strip_prefix(PREFIX).unwrap_or(key);
    format!("`{name}` takes {}", keys.collect::<Vec<_>>().join(", "))
}

fn is_key_of_scenario(name: &str) -> bool {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<ScenarioFile>();
    schema.as_value().get("properties").is_some_and(|keys| keys.get(name).is_some())
}

/// All steps, out of their JSON Schema.
fn all_steps() -> Vec<StepForm> {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<RawStep>();
    let root = schema.as_value();
    let variants = root.get("oneOf").and_then(Value::as_array);
    variants.into_iter().flatten().filter_map(|variant| form(root, variant)).collect()
}

fn form(root: &Value, variant: &Value) -> Option<StepForm> {
    let (name, fields) = variant.get("properties")?.as_object()?.iter().next()?;
    let fields = resolved(root, fields);
    let required = fields.get("required").and_then(Value::as_array);
    let keys = fields.get("properties").and_then(Value::as_object);
    let keys = keys.into_iter().flatten().map(|(key, schema)| {
        let is_required = required.is_some_and(|all| all.iter().any(|one| one == key.as_str()));
        (key.clone(), description(schema), !is_required)
    });
    Some(StepForm { name: name.clone(), description: description(variant), keys: keys.collect() })
}

fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let path = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    path.and_then(|path| root.pointer(path)).unwrap_or(schema)
}

/// On one line.
fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{STEPS, all_steps};

    #[test]
    fn every_step_changes_a_lab_that_is_up_or_is_known_not_to() {
        let others = [
            "tacacs_login",
            "tcp_exchange",
            "udp_exchange",
            "http_get",
            "dns_query",
            "resume",
            "finish",
            "radius_login",
            "radius_accounting",
            "radius_status",
            "run",
            "send_packet",
            "flood",
            "tcp_transfer",
            "await_counter",
            "await_member",
        ];
        let mut known = [&STEPS[..], &others[..]].concat();
        let mut all: Vec<String> = all_steps().into_iter().map(|form| form.name).collect();
        known.sort_unstable();
        all.sort_unstable();
        assert_eq!(all, known);
    }
}
