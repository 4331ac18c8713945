//! Consumes events: the terminal, the folder of results with its JSON lines and captures, and the
//! JUnit file. Reads such a folder back, to be compared with another.

#![forbid(unsafe_code)]

mod capture;
mod compared;
mod folder;
mod judged;
mod junit;
mod kept;
mod sinks;
mod terminal;
mod whole;

pub use compared::Names;
pub use folder::{FolderError, OutFolder};
pub use junit::{JunitError, JunitFile};
pub use kept::KeptFolder;
pub use sinks::Sinks;
pub use terminal::{Style, Terminal};
