//! Consumes events: the terminal, the folder of results with its JSON lines and captures, and the
//! run as one document in JUnit and JSON. Reads such a folder back, to be compared with another.

#![forbid(unsafe_code)]

mod atomic_file;
mod capture;
mod comparison_text;
mod document_files;
mod expectation_text;
mod junit;
mod output;
mod proof_text;
mod remarks;
mod results_dir;
mod run_document;
mod sinks;
mod terminal;

pub use comparison_text::ComparisonText;
pub use document_files::{DocumentError, DocumentFiles, DocumentFormat};
pub use output::{Output, OutputError, write_file};
pub use results_dir::{
    EventsError, KeptRun, Partitions, ReadError, ReadFailure, ResultsError, ResultsOptions,
    ResultsReader, ResultsWriter, RunManifest, RunPartition,
};
pub use run_document::{
    Change, ListedScenario, Progress, RESULTS_SCHEMA, RunDocument, ScenarioResult, StepFinding,
    StepResult, results_schema,
};
pub use sinks::Sinks;
pub use terminal::{Again, Detail, Style, Terminal};
