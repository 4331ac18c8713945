//! Labs that stay up without a daemon.
//!
//! Each lab has one process, its holder, under the first process of a PID namespace: when the holder
//! ends, in whatever way, so does every process in the lab, and with them its namespaces. The holder
//! listens on a socket in a folder that only the user may enter ([`LabsFolder`]); a lock on the
//! folder's file tells a lab that is up from one whose holder is gone, whose folder the next command
//! removes. Who enters a node gets its namespaces as descriptors over the socket.

mod built;
mod changes;
mod client;
mod configuration;
mod desk;
mod enter;
mod error;
mod folder;
mod holder;
mod kept;
mod name;
mod presence;
mod protocol;
mod record;
mod recorder;
mod recording;
mod ring;
mod set;
mod shell;
mod stream;
mod watch;

pub use changes::changes;
pub use client::{Lab, Watched, Watching, WorkEvent, Working, end};
pub use enter::{Ended, Entry, enter};
pub use error::LiveError;
pub use folder::{Claim, LabsFolder};
pub use holder::{Held, Name, Stage, hold, no_step};
pub use kept::Kept;
pub use name::LabName;
pub use protocol::{
    KEEP_MIB, Logs, NodeReset, NodeStatus, Origin, RunningStatus, Status, StepWalk, Work,
};
