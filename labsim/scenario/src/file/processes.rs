//! A scenario file's programs as they are written: `processes`, and the step `run`.

use super::forms::Texts;
use crate::model::ProcessStart;
use labsim_yaml::{FromYaml, Located, Scalar, Table};
use schemars::JsonSchema;

/// A program that runs beside the steps. It is started before them, and fails the run if it ends
/// before they do.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawProcess {
    /// The node that it runs in.
    pub(crate) node: Option<Located<String>>,
    /// Instead of `node`: the nodes that it runs in, once in each.
    pub(crate) nodes: Option<Located<Texts>>,
    /// The program and its arguments: no shell reads them. The program is a name that is found in
    /// PATH, an absolute path, or a file of its own such as `{dir}/serve`.
    pub(crate) command: Located<Vec<Located<Scalar>>>,
    /// Variables, beside `PATH`, `HOME` and `TMPDIR`: it has no others.
    #[serde(default)]
    pub(crate) environment: Table<Located<Scalar>>,
    /// Texts by relative path: files in a private folder, the program's working directory, which
    /// is gone with it. `{dir}` is the folder's path, here and in `command` and `environment`.
    #[serde(default)]
    pub(crate) files: Table<Located<String>>,
    /// When it is ready: one of `port`, `line` and `exit`.
    pub(crate) ready: Located<RawReadiness>,
    /// Seconds within which it must be ready; 10 by default.
    pub(crate) timeout: Option<Located<f64>>,
    /// When it is started: `last` (the default), when built-in servers and load balancers run; or
    /// `first`, before any of them, and so before the first announcement and the first probe of a
    /// monitor. Either is before the steps.
    #[serde(default)]
    pub(crate) start: ProcessStart,
    /// The Debian package of the program: where it is not installed, the scenario is skipped. Without
    /// it a missing program is an error.
    pub(crate) package: Option<Located<String>>,
}

/// When a process is ready.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawReadiness {
    /// Ready once a socket in the node has this port open.
    pub(crate) port: Option<Located<u16>>,
    /// The port's protocol; `tcp` by default.
    pub(crate) protocol: Option<Located<PortProtocol>>,
    /// Ready once the program has printed a line that contains this text.
    pub(crate) line: Option<Located<String>>,
    /// `true`: ready once the program has exited with code 0. Processes that it leaves running are
    /// ended.
    pub(crate) exit: Option<Located<bool>>,
}

/// A port's protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PortProtocol {
    /// A listening TCP socket.
    #[default]
    Tcp,
    /// A bound UDP socket.
    Udp,
}

/// A program that is run to its end.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRun {
    /// The node that it runs in.
    pub(crate) node: Located<String>,
    /// The program and its arguments: no shell reads them. The program is a name that is found in
    /// PATH, an absolute path, or a file of its own such as `{dir}/ask`.
    pub(crate) command: Located<Vec<Located<Scalar>>>,
    /// Variables, beside `PATH`, `HOME` and `TMPDIR`: it has no others.
    #[serde(default)]
    pub(crate) environment: Table<Located<Scalar>>,
    /// Texts by relative path: files in a private folder, the program's working directory, which
    /// is gone with it. `{dir}` is the folder's path, here and in `command` and `environment`.
    #[serde(default)]
    pub(crate) files: Table<Located<String>>,
    /// The exit code that it has to end with; 0 by default.
    pub(crate) exit: Option<Located<u8>>,
    /// Timeout in seconds; 10 by default.
    pub(crate) timeout: Option<Located<f64>>,
    /// The Debian package of the program: where it is not installed, the scenario is skipped. Without
    /// it a missing program is an error.
    pub(crate) package: Option<Located<String>>,
}
