//! What the tests of the importers share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use labsim_import::{Imported, Note};
use labsim_scenario::model::Scenario;
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
