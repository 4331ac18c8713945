//! The folder of results that `labsim run --out DIR` writes and `labsim compare` reads:
//! `DIR/run.json` with the scenarios of the whole run, and for each of them
//! `DIR/SCENARIO/events.jsonl`, `DIR/SCENARIO/capture.pcapng`, `DIR/SCENARIO/pcap` with a capture for
//! each interface and `DIR/SCENARIO/logs` with the output of programs.

mod events;
mod manifest;
mod partitions;
mod reader;
mod subfolder;
mod writer;

pub use events::EventsError;
pub use manifest::{RunManifest, RunPartition};
pub use partitions::Partitions;
pub use reader::{KeptRun, ReadError, ReadFailure, ResultsReader};
pub use writer::{ResultsError, ResultsOptions, ResultsWriter};

use nix::sys::stat::Mode;

/// Readable by the owner's group: programs may log secrets.
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o750);
const FILE_MODE: Mode = Mode::from_bits_truncate(0o640);

const RUN: &str = "run.json";

const EVENTS: &str = "events.jsonl";
const CAPTURE: &str = "capture.pcapng";

#[cfg(test)]
mod testing {
    use super::{ResultsError, ResultsOptions, ResultsWriter, RunManifest};
    use crate::ListedScenario;
    use labsim_event::{Event, EventRecord};
    use std::path::Path;

    /// A folder of results of these scenarios.
    pub(super) fn create(dir: &Path, names: &[&str]) -> Result<ResultsWriter, ResultsError> {
        let options = ResultsOptions { pcap: true, markers: false };
        ResultsWriter::create(dir, &manifest(names), options)
    }

    pub(super) fn manifest(names: &[&str]) -> RunManifest {
        let listed = names.iter().map(|name| ListedScenario {
            name: (*name).to_owned(),
            path: format!("{name}.yaml"),
            file: format!("scenarios/{name}.yaml"),
        });
        RunManifest::whole("build-1".to_owned(), listed.collect())
    }

    /// An event of the scenario `s`.
    pub(super) fn record(event: Event) -> EventRecord {
        EventRecord::now(1.0, Some("s".into()), event)
    }
}
