//! What the tests of the importers share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use labsim_import::{Diagnostics, Imported, Note, Source};
use labsim_scenario::model::{LoadBalancer, Scenario};
use std::path::{Path, PathBuf};

/// Writes both files into a folder, as the command line does; the scenario's path.
pub(crate) fn write(imported: &Imported, folder: &Path) -> PathBuf {
    let topology = folder.join(format!("{}.yaml", imported.topology_name));
    std::fs::write(topology, &imported.topology).unwrap();
    let scenario = folder.join(format!("{}.yaml", imported.scenario_name));
    std::fs::write(&scenario, &imported.scenario).unwrap();
    scenario
}

/// Reads the files as labsim does.
pub(crate) fn load(imported: &Imported) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let path = write(imported, folder.path());
    match labsim_scenario::load(&path) {
        Ok(loaded) => loaded.scenario,
        Err(diagnostics) => panic!("{diagnostics}\n{}\n{}", imported.topology, imported.scenario),
    }
}

/// An importer.
pub(crate) type Import = fn(&[Source]) -> Result<Imported, Diagnostics>;

/// What an importer makes of one file.
pub(crate) fn imported(import: Import, name: &str, text: &str) -> Imported {
    import(&[Source::new(name, text)]).unwrap_or_else(|diagnostics| panic!("{diagnostics}\n{text}"))
}

/// Imports a text, and has labsim read what comes of it.
pub(crate) fn check_valid(import: Import, text: &str) -> Result<(), String> {
    let Ok(imported) = import(&[Source::new("x.conf", text)]) else { return Ok(()) };
    let folder = tempfile::tempdir().unwrap();
    let path = write(&imported, folder.path());
    labsim_scenario::load(&path).map(|_| ()).map_err(|diagnostics| {
        format!("{diagnostics}\n{text}\n{}\n{}", imported.topology, imported.scenario)
    })
}

/// What an importer says of a file that it refuses.
pub(crate) fn problem(import: Import, name: &str, text: &str) -> String {
    match import(&[Source::new(name, text)]) {
        Ok(imported) => panic!("imported: {}", imported.scenario),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

/// Checks what is said first of each text, behind the file's name.
pub(crate) fn assert_problems(import: Import, name: &str, cases: &[(String, &str)]) {
    for (text, expected) in cases {
        let problem = problem(import, name, text);
        assert!(problem.starts_with(&format!("{name}:{expected}")), "{text}: {problem}");
    }
}

/// The one load balancer.
pub(crate) fn lb(scenario: &Scenario) -> &LoadBalancer {
    scenario.load_balancers.values().next().unwrap()
}

/// The folder of shipped scenarios.
pub(crate) fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// A shipped scenario.
pub(crate) fn shipped(name: &str) -> Scenario {
    read(&scenarios().join(name))
}

/// A scenario's file.
pub(crate) fn read(path: &Path) -> Scenario {
    labsim_scenario::load(path).unwrap_or_else(|diagnostics| panic!("{diagnostics}")).scenario
}

/// A scenario with these load balancers, in the shipped topology.
pub(crate) fn with_load_balancers(load_balancers: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let topology = concat!(env!("CARGO_MANIFEST_DIR"), "/../../topologies/one-arm-routed.yaml");
    std::fs::copy(topology, folder.path().join("topology.yaml")).unwrap();
    let path = folder.path().join("exported.yaml");
    let text = format!(
        "topology: topology.yaml\nload_balancers:\n{load_balancers}\
         tacacs_servers: [{{nodes: rs1, secret: s, clients: [0.0.0.0/0], users: {{u: p}}}}]\n\
         steps: {{login: {{tacacs_login: {{from: client, to: 10.1.1.51:49, user: u, password: p}}}}}}\n\
         expect: {{login: {{answer: {{result: pass}}, pass: yes, fail: no}}}}\n"
    );
    std::fs::write(&path, text).unwrap();
    read(&path)
}

/// `line: what` of each note.
pub(crate) fn places(notes: &[Note]) -> Vec<String> {
    notes.iter().map(|note| format!("{}: {}", note.line, note.what)).collect()
}

/// tmsh's words for a pool, and a virtual server with these lines.
pub(crate) fn with(lines: &str) -> String {
    format!(
        "ltm pool p {{\n    members {{\n        10.1.1.51:49 {{\n            address 10.1.1.51\n\
         \x20       }}\n    }}\n    profiles {{\n        ipip\n    }}\n}}\n\
         ltm virtual vs {{\n    destination 172.16.4.99:49\n    ip-protocol tcp\n    pool p\n    \
         translate-address disabled\n{lines}}}\n"
    )
}
