//! `labsim doctor`.

use crate::args;
use crate::exit::Exit;

pub(crate) fn doctor(_args: &args::Doctor) -> Exit {
    Exit::CannotRun
}
