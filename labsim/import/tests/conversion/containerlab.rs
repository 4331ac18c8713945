//! Files for containerlab: valid by its schema, and with everything that makes the lab.

use labsim_import::export::{self, ContainerlabOptions};
use labsim_lab::{LabPlan, TunnelMode};
use labsim_scenario::model::Scenario;
use labsim_yaml::Source;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn exported(path: &Path) -> (Scenario, String) {
    let loaded = labsim_scenario::load(path).unwrap_or_else(|found| panic!("{found}"));
    let options = ContainerlabOptions {
        image: "labsim-shell".to_owned(),
        scenario_path: "/scenarios/it's.yaml".to_owned(),
    };
    let plan = LabPlan::of(&loaded.scenario, TunnelMode::Kernel);
    let text = export::containerlab(&loaded.scenario, &plan, &options);
    (loaded.scenario, text)
}

fn value(text: &str) -> Value {
    crate::plain::read(&Source::new("exported.clab.yml", text.to_owned()))
}

/// The commands of a container.
fn commands<'a>(file: &'a Value, node: &str) -> Vec<&'a str> {
    let commands = file["topology"]["nodes"][node]["exec"].as_array().unwrap();
    commands.iter().map(|command| command.as_str().unwrap()).collect()
}

/// The YAML files of a folder and of those in it, but for parts.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("parts") {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_shipped_scenario_is_valid_by_containerlab_s_schema() {
    let schema = include_str!("../inputs/clab.schema.json");
    let validator = jsonschema::draft7::new(&serde_json::from_str(schema).unwrap()).unwrap();
    let mut paths = Vec::new();
    files(&scenarios(), &mut paths);
    assert!(paths.len() > 60, "{} files", paths.len());
    for path in paths {
        let (scenario, text) = exported(&path);
        let file = value(&text);
        let errors: Vec<String> = validator.iter_errors(&file).map(|it| it.to_string()).collect();
        assert_eq!(errors, [""; 0], "{}\n{text}", path.display());
        // Every end of a link is at a container, and no interface has two links.
        let nodes = file["topology"]["nodes"].as_object().unwrap();
        let mut ends = BTreeSet::new();
        for link in file["topology"]["links"].as_array().unwrap() {
            let both = link["endpoints"].as_array().unwrap();
            assert_eq!(both.len(), 2);
            for end in both.iter().map(|end| end.as_str().unwrap()) {
                let (node, interface) = end.split_once(':').unwrap();
                assert!(nodes.contains_key(node) && interface.len() <= 15, "{end}");
                assert!(ends.insert(end.to_owned()), "{end} has two links");
            }
        }
        let interfaces = scenario.topology.nodes.iter().flat_map(|node| &node.interfaces);
        assert!(ends.len() >= interfaces.count(), "{text}");
    }
}

#[test]
fn containers_get_addresses_routes_settings_and_programs() {
    let (_, text) = exported(&scenarios().join("tacacs-ipip.yaml"));
    assert!(text.contains("# Load the kernel's modules on every host first: modprobe -a ipip\n"));
    let file = value(&text);
    let rs1 = commands(&file, "rs1");
    for expected in [
        "ip link set tunl0 up",
        "ip addr replace 10.1.1.51/24 dev eth0",
        "ip addr replace 172.16.4.99/32 dev lo scope host label lo:0",
        "sh -c 'echo 2 > /proc/sys/net/ipv4/conf/all/rp_filter'",
        "sh -c 'echo 0 > /proc/sys/net/ipv4/conf/tunl0/rp_filter'",
    ] {
        assert!(rs1.contains(&expected), "{expected} is missing in {rs1:#?}");
    }
    assert!(rs1.iter().any(|it| it.starts_with("ip route replace 0.0.0.0/0 via ")), "{rs1:#?}");
    let server = rs1.last().unwrap();
    assert!(server.contains("labsim server") && server.contains("it"), "{server}");
    let lb = commands(&file, "lb");
    assert!(lb.contains(&"sh -c 'echo 0 > /proc/sys/net/ipv4/ip_forward'"), "{lb:#?}");
    assert!(lb.last().unwrap().contains("labsim forwarder --config"), "{lb:#?}");
    let router = commands(&file, "router");
    assert!(router.contains(&"sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'"), "{router:#?}");
    assert_eq!(file["topology"]["defaults"]["network-mode"], "none");
}

#[test]
fn a_segment_is_a_container_with_a_bridge() {
    let (_, text) = exported(&scenarios().join("tacacs-ipip.yaml"));
    let file = value(&text);
    let nodes = file["topology"]["nodes"].as_object().unwrap();
    let has_bridge =
        |node: &&String| commands(&file, node).iter().any(|it| it.starts_with("ip link add br0"));
    let segments: Vec<&String> = nodes.keys().filter(has_bridge).collect();
    assert!(!segments.is_empty(), "{text}");
    for segment in segments {
        let ports = commands(&file, segment).iter().filter(|it| it.ends_with("master br0")).count();
        let links = file["topology"]["links"].as_array().unwrap();
        let is_end = |end: &Value| end.as_str().unwrap().starts_with(&format!("{segment}:"));
        let ends = links.iter().flat_map(|link| link["endpoints"].as_array().unwrap());
        assert_eq!(ends.filter(|end| is_end(end)).count(), ports, "{segment}");
    }
}

#[test]
fn what_is_not_exported_is_named() {
    let (_, text) = exported(&scenarios().join("link-loss.yaml"));
    assert!(text.contains("# Not exported: the impairment of "), "{text}");
    let (_, text) = exported(&scenarios().join("freeradius-ipip.yaml"));
    assert!(text.contains("# Not exported: the process "), "{text}");
}
