//! Why a scenario could not be carried to its verdict.

use labsim_scenario::model::NodeName;

/// Why a scenario could not be carried to its verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// This machine lacks something; the sentence names it and the remedy.
    #[error("{0}")]
    Cannot(String),
    /// Something that should work did not.
    #[error("{0}")]
    Broken(String),
    /// A signal came.
    #[error("a signal came before it ended; everything that it had built is gone")]
    Interrupted,
}

impl Fault {
    /// A step of the run went wrong.
    pub(crate) fn broken<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Self {
        move |error| Self::Broken(format!("{what}: {error}"))
    }

    /// The lab has no such node. Valid scenarios never get here.
    pub(crate) fn no_node(name: &NodeName) -> Self {
        Self::Broken(format!("the lab has no node `{name}`"))
    }
}
