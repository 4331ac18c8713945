//! The JSON Schemas in `schema/` are those of the formats, and the shipped files name them.

use labsim_scenario::{Kind, schema};
use labsim_yaml::Source;
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
        ("scenarios/faults", "scenario", "../.."),
        ("scenarios/faults/parts", "scenario", "../../.."),
        ("scenarios/exercises", "scenario", "../.."),
        ("scenarios/exercises/parts", "scenario", "../../.."),
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

#[test]
fn every_shipped_file_is_valid_by_its_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = 0;
    for (folder, kind) in [
        ("topologies", Kind::Topology),
        ("topologies/ipv6", Kind::Topology),
        ("scenarios", Kind::Scenario),
        ("scenarios/parts", Kind::Scenario),
        ("scenarios/ipv6", Kind::Scenario),
        ("scenarios/faults", Kind::Scenario),
        ("scenarios/faults/parts", Kind::Scenario),
        ("scenarios/exercises", Kind::Exercise),
        ("scenarios/exercises/parts", Kind::Scenario),
    ] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        let schema = serde_json::from_str(&schema(kind)).unwrap();
        let validator = jsonschema::draft7::new(&schema).unwrap();
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            let errors: Vec<String> = validator
                .iter_errors(&crate::plain::read(&Source::open(&path).unwrap()))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
            files += 1;
        }
    }
    assert!(files > 60, "{files} files");
}

#[test]
fn a_wrong_file_is_not_valid_by_its_schema() {
    let schema = serde_json::from_str(&schema(Kind::Scenario)).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    for (json, is_valid) in [
        (r#"{"topology": "x.yaml", "real_servers": null}"#, true),
        (r#"{"topologies": "x.yaml"}"#, false),
        (r#"{"steps": {"s": {"resume": {"login": 5}}}}"#, false),
        (r#"{"steps": {"s": {"tacacs_login": {"at_once": 5}}}}"#, false),
        (r#"{"steps": {"s": {"tacacs_login": {"concurrency": 5}}}}"#, true),
    ] {
        assert_eq!(validator.is_valid(&serde_json::from_str(json).unwrap()), is_valid, "{json}");
    }
}
