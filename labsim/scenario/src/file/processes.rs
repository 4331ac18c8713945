//! A scenario file's programs as they are written: `processes`, and the step `run`.

use super::forms::{Items, Scalar, Table, Texts};
use super::lenient::{or_default, or_empty};
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// A program that runs beside the steps. It is started before them, and fails the run if it ends
/// before they do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessFields {
    /// The node that it runs in.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) node: Option<Located<String>>,
    /// Instead of `node`: the nodes that it runs in, once in each.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) nodes: Option<Located<Texts>>,
    /// The program and its arguments: no shell reads them. The program is a name that is found in
    /// PATH, an absolute path, or a file of its own such as `{dir}/serve`.
    pub(crate) command: Located<Items<Located<Scalar>>>,
    /// Variables, beside `PATH`, `HOME` and `TMPDIR`: it has no others.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) environment: Table<Located<Scalar>>,
    /// Texts by relative path: files in a private folder, the program's working directory, which
    /// is gone with it. `{dir}` is the folder's path, here and in `command` and `environment`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) files: Table<Located<String>>,
    /// When it is ready: one of `port`, `line` and `exit`.
    pub(crate) ready: Located<ReadyFields>,
    /// Seconds until it has to be ready; 10 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<f64>>,
    /// The Debian package that the program comes in, for whoever lacks it.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) package: Option<Located<String>>,
}

/// When a process is ready.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadyFields {
    /// Once somebody in the node has this port open.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) port: Option<Located<u16>>,
    /// The port's protocol; `tcp` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) protocol: Option<Located<PortProtocolWord>>,
    /// Once it has printed a line that holds this text.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) line: Option<Located<String>>,
    /// `true`: once it has ended, with exit code 0. What it leaves running ends with it.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) exit: Option<Located<bool>>,
}

/// A port's protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PortProtocolWord {
    /// A listening TCP socket.
    #[default]
    Tcp,
    /// A bound UDP socket.
    Udp,
}

/// A program that is run to its end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunFields {
    /// The node that it runs in.
    pub(crate) node: Located<String>,
    /// The program and its arguments: no shell reads them. The program is a name that is found in
    /// PATH, an absolute path, or a file of its own such as `{dir}/ask`.
    pub(crate) command: Located<Items<Located<Scalar>>>,
    /// Variables, beside `PATH`, `HOME` and `TMPDIR`: it has no others.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) environment: Table<Located<Scalar>>,
    /// Texts by relative path: files in a private folder, the program's working directory, which
    /// is gone with it. `{dir}` is the folder's path, here and in `command` and `environment`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) files: Table<Located<String>>,
    /// The exit code that it has to end with; 0 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) exit: Option<Located<u8>>,
    /// Seconds that it may take; 10 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<f64>>,
    /// The Debian package that the program comes in, for whoever lacks it.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) package: Option<Located<String>>,
}
