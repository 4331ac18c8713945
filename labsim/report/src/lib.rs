//! Consumes events: the terminal, the folder of results with its JSON lines and captures, and the
//! JUnit file.

#![forbid(unsafe_code)]

mod capture;
mod folder;
mod judged;
mod junit;
mod sinks;
mod terminal;
mod whole;

pub use folder::{FolderError, OutFolder};
pub use junit::{JunitError, JunitFile};
pub use sinks::Sinks;
pub use terminal::{Style, Terminal};
