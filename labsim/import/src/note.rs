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
    /// What was not imported, by file and line.
    pub not_imported: Vec<Note>,
    /// What contradicts itself, or was understood in one way of several; by file and line.
    pub warnings: Vec<Note>,
    /// Lines that came along with the configuration and are none, by file and line.
    pub left_out: Vec<Left>,
}

/// A line of a terminal, a pager or a document that came along with a configuration.
///
/// Displayed as `file:line: kind`. Never its text, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What it is, such as `line of a pager`.
    pub kind: &'static str,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, kind } = self;
        write!(f, "{file}:{line}: {kind}")
    }
}

/// A line of a file that was read.
///
/// Displayed as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub number: usize,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, number } = self;
        write!(f, "{file}:{number}")
    }
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
    /// Why it was not imported, or what is wrong with it.
    pub why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, what, why } = self;
        write!(f, "{file}:{line}: {what}: {why}")
    }
}
