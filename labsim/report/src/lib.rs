//! Consumes events: the terminal, and the folder of results with its JSON lines and captures.

#![forbid(unsafe_code)]

mod capture;
mod folder;
mod sinks;
mod terminal;

pub use folder::{FolderError, OutFolder};
pub use sinks::Sinks;
pub use terminal::{Style, Terminal};
