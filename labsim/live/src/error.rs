//! What can go wrong with a lab that is up.

use crate::name::LabName;
use labsim_model::known_names;
use std::io;
use std::path::PathBuf;

/// Displays as a sentence with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Not a name of a lab.
    #[error(
        "`{0}` is no name of a lab: 1 to 64 letters, digits, `-`, `_` and `.`, the first a letter or \
         digit"
    )]
    Name(String),
    /// Two labs cannot have one name.
    #[error(
        "a lab `{0}` is up; `labsim down {0}` ends it, `labsim up --name NAME` makes another one"
    )]
    IsUp(LabName),
    /// No lab has the name.
    #[error("no lab `{name}` is up; {}", up(.name, .known))]
    Unknown {
        /// The name.
        name: LabName,
        /// The labs that are up.
        known: Vec<LabName>,
    },
    /// A name is needed.
    #[error("no lab is up; `labsim up FILE` makes one")]
    NoLab,
    /// A name is needed.
    #[error("several labs are up; name one of them: {}", list(.0))]
    Several(Vec<LabName>),
    /// Labs cannot be kept where they belong.
    #[error("the folder of labs {}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The holder was made by another labsim.
    #[error(
        "the lab `{name}` was made by labsim {version}, and this is labsim {}; use that one, or end the \
         lab with `labsim down {name}`",
        crate::protocol::VERSION
    )]
    Version {
        /// The lab.
        name: LabName,
        /// Its holder's version.
        version: String,
    },
    /// A change is wrong: its mistakes, each with its place.
    #[error("{}", .0.join("\n"))]
    Rejected(Vec<String>),
    /// The holder refused.
    #[error("{0}")]
    Refused(String),
    /// What was asked for cannot be done in the lab.
    #[error("{0}")]
    Failed(String),
    /// The lab is gone, or the work in it was interrupted.
    #[error("the lab `{0}` has ended meanwhile")]
    EndedMeanwhile(LabName),
    /// The holder does not answer.
    #[error("the lab `{name}` does not answer: {source}; `labsim down {name}` ends it")]
    NoAnswer {
        /// The lab.
        name: LabName,
        /// Why.
        source: io::Error,
    },
    /// A lab's namespaces cannot be entered.
    #[error("a namespace of the lab cannot be entered: {0}")]
    Enter(io::Error),
    /// A program cannot be started in a lab.
    #[error("{program} cannot be started in {place}: {source}")]
    Start {
        /// The program.
        program: String,
        /// The node, or the lab.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// A lab does not end.
    #[error("the lab `{0}` does not end; its holder may be stuck in the kernel")]
    Stuck(LabName),
}

fn list(names: &[LabName]) -> String {
    names.iter().map(LabName::as_str).collect::<Vec<_>>().join(", ")
}

fn up(wanted: &LabName, names: &[LabName]) -> String {
    match names {
        [] => "none is, and `labsim up FILE` makes one".to_owned(),
        names => known_names(wanted.as_str(), "up", names.iter().map(LabName::as_str)),
    }
}
