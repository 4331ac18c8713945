//! Programs of the user's, which run in nodes with labsim's rights.

use super::{NodeName, ProcessName, Secret};
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What stands for the private folder in arguments, environment and files.
pub const FOLDER: &str = "{dir}";

/// A program that runs beside the steps, in one node or in several.
#[derive(Debug, Clone)]
pub struct Process {
    /// Unique among the processes and the steps; names its log.
    pub name: ProcessName,
    /// Where it runs, once in each.
    pub nodes: Vec<NodeName>,
    /// What is started.
    pub program: Program,
    /// When it is ready.
    pub ready: Readiness,
    /// How long that may take; 10 s by default.
    pub timeout: Duration,
    /// When it is started.
    pub start: ProcessStart,
}

/// When a process is started, always before the steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ProcessStart {
    /// Before the built-in servers and the load balancers.
    First,
    /// When they run.
    #[default]
    Last,
}

/// A program that a step runs to its end.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where it runs.
    pub node: NodeName,
    /// What is started.
    pub program: Program,
    /// The exit code that it must have; 0 by default.
    pub exit: u8,
    /// How long it may take; 10 s by default.
    pub timeout: Duration,
}

/// What is started, and what it finds.
///
/// Arguments, environment and files may hold passwords: they are never printed.
#[derive(Debug, Clone)]
pub struct Program {
    /// A name to be looked up in PATH, an absolute path, or a path that begins with [`FOLDER`].
    pub path: String,
    /// What follows it.
    pub arguments: Vec<Secret>,
    /// Variables beside `PATH`, `HOME` and `TMPDIR`.
    pub environment: BTreeMap<String, Secret>,
    /// Files of its private folder, which is its working directory: relative paths without `.` and
    /// `..`, none of which is the folder of another.
    pub files: BTreeMap<PathBuf, Secret>,
    /// The Debian package of the program: where it is missing, the scenario is skipped. Without it a
    /// missing program is an error.
    pub package: Option<String>,
}

/// When a process is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// A socket in the node listens on that TCP port.
    Tcp(u16),
    /// A socket in the node is bound to that UDP port.
    Udp(u16),
    /// It has printed a line that holds this.
    Line(String),
    /// It has ended, with exit code 0: what it leaves running ends with it.
    Exit,
}
