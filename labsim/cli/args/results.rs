//! Arguments of `labsim run` about what it leaves behind.

use clap::Args;
use std::path::PathBuf;

/// Where results are written.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct ResultsArgs {
    /// Write the events, captures and logs of each scenario into DIR/SCENARIO, where SCENARIO is the
    /// file's path below the named folder, without its ending
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write a classic pcap file for each interface too: DIR/SCENARIO/pcap/NODE-INTERFACE.pcap
    #[arg(long, requires = "out")]
    pub(crate) pcap: bool,
    /// Keep labsim's own marker frames in the captures
    #[arg(long, requires = "out")]
    pub(crate) markers: bool,
    /// Write the results as one HTML page without scripts: verdict, picture of each lab, the way of its
    /// packets
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Show the configuration with its secrets in the HTML page, a regular file that only the user may
    /// read; nothing else has them
    #[arg(long, requires = "html")]
    pub(crate) with_secrets: bool,
    #[command(flatten)]
    pub(crate) documents: DocumentArgs,
}

impl ResultsArgs {
    /// Whether a file is asked for that lists every run.
    pub(crate) const fn lists_runs(&self) -> bool {
        self.html.is_some() || self.documents.is_any()
    }
}

/// Files that hold a run as one document.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct DocumentArgs {
    /// Write the results as JUnit XML, one test case per scenario
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the results as one JSON document
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl DocumentArgs {
    /// Whether a file is asked for.
    pub(crate) const fn is_any(&self) -> bool {
        self.junit.is_some() || self.json.is_some()
    }
}
