//! The JSON Schemas in `schema/` are those of the formats, and the shipped files name them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]
use labsim_scenario::{Kind, schema};
use std::path::Path;

fn is_in_step(kind: Kind, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{name}.json"));
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        kept == schema(kind),
        "labsim/scenario/schema/{name}.json is not the format's; write it anew by\n\
         cargo run -- schema {name} > labsim/scenario/schema/{name}.json"
    );
}

#[test]
fn the_kept_topology_schema_is_in_step() {
    is_in_step(Kind::Topology, "topology");
}

#[test]
fn the_kept_scenario_schema_is_in_step() {
    is_in_step(Kind::Scenario, "scenario");
}

#[test]
fn every_field_is_described() {
    fn visit(value: &serde_json::Value, at: &str) {
        let Some(object) = value.as_object() else { return };
        if let Some(fields) = object.get("properties").and_then(|fields| fields.as_object()) {
            for (name, field) in fields {
                assert!(field.get("description").is_some(), "{at}.{name} has no description");
            }
        }
        for (key, value) in object {
            visit(value, &format!("{at}.{key}"));
        }
    }
    for kind in [Kind::Topology, Kind::Scenario] {
        visit(&serde_json::from_str(&schema(kind)).unwrap(), "");
    }
}

#[test]
fn shipped_files_name_their_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (folder, name, up) in [
        ("topologies", "topology", ".."),
        ("scenarios", "scenario", ".."),
        ("scenarios/parts", "scenario", "../.."),
    ] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let line = format!(
                "# yaml-language-server: $schema={up}/labsim/scenario/schema/{name}.json\n"
            );
            assert!(text.starts_with(&line), "{}", path.display());
        }
    }
}
