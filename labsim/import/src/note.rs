//! What an import gives.

use std::fmt;

/// A topology and a scenario, as text, and what is to be known about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The topology file's name without its ending; the scenario names it as `NAME.yaml`, in its
    /// own folder.
    pub topology_name: String,
    /// The topology file's text.
    pub topology: String,
    /// The scenario file's name without its ending, after the first file that was imported.
    pub scenario_name: String,
    /// The scenario file's text.
    pub scenario: String,
    /// What was not carried over, by file and line.
    pub left_out: Vec<Note>,
    /// What contradicts itself, or was understood in one way of several; by file and line.
    pub warnings: Vec<Note>,
}

/// Something in a configuration that a person should know of.
///
/// Displayed as `file:line: what: why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The stanza or property, such as `ltm virtual vs_web: rules`. Never its value, which may be
    /// a secret.
    pub what: String,
    /// Why it was not carried over, or what is wrong with it.
    pub why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, what, why } = self;
        write!(f, "{file}:{line}: {what}: {why}")
    }
}
