//! The client end of a control socket.

use crate::protocol::{Answer, LONGEST_LINE, Request};
use crate::{Address, listener::is_trusted};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long an answer may take. Only a hung forwarder takes longer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No process listens at the address.
    #[error(
        "no forwarder listens at {0}: {1}; run this in the forwarder's network namespace, with the \
         address of its `--control`"
    )]
    NotListening(Address, io::Error),
    /// The process that listens belongs to another user.
    #[error("the control socket {0} belongs to another user; only your own and root's are trusted")]
    UntrustedOwner(Address),
    /// No answer in time.
    #[error("the forwarder at {0} timed out after {1:?}")]
    TimedOut(Address, Duration),
    /// The connection failed.
    #[error("the connection to the forwarder at {0} failed: {1}")]
    Io(Address, io::Error),
    /// The answer cannot be read.
    #[error("invalid reply from the forwarder at {0}: {1}")]
    InvalidReply(Address, serde_json::Error),
}

/// Sends a request to the forwarder at `address` and returns its answer.
///
/// # Errors
/// Why there is no answer, and the remedy.
pub fn ask(address: &Address, request: &Request) -> Result<Answer, AskError> {
    let connect = || UnixStream::connect_addr(&address.to_socket()?);
    let stream = connect().map_err(|error| AskError::NotListening(address.clone(), error))?;
    if !is_trusted(&stream) {
        return Err(AskError::UntrustedOwner(address.clone()));
    }
    let line = exchange(&stream, request);
    let line = line.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => AskError::TimedOut(address.clone(), TIMEOUT),
        _ => AskError::Io(address.clone(), error),
    })?;
    serde_json::from_str(&line).map_err(|error| AskError::InvalidReply(address.clone(), error))
}

fn exchange(mut stream: &UnixStream, request: &Request) -> io::Result<String> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    line.clear();
    BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut line)?;
    match line.as_str() {
        "" => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}
