//! The limit of open files: labs consist of descriptors.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::{debug, info};

/// The limit to which this process may raise its own; `None` if the kernel does not tell.
#[must_use]
pub fn open_files_limit() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(_, hard)| hard)
}

/// Raises the soft limit of open files, as far as the hard one allows, if it is below `wanted`.
/// Returns the limit. Where that is too little, opening one descriptor too many fails with EMFILE.
pub fn allow_open_files(wanted: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    if soft >= wanted {
        return soft;
    }
    let raised = wanted.min(hard);
    match setrlimit(Resource::RLIMIT_NOFILE, raised, hard) {
        Ok(()) => {
            debug!(soft, raised, "limit of open files raised");
            raised
        }
        Err(errno) => {
            info!(soft, wanted, error = errno.desc(), "limit of open files cannot be raised");
            soft
        }
    }
}
