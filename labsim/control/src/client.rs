//! The asking end of a control socket.

use crate::protocol::{Answer, LONGEST_LINE, Request};
use crate::{Address, listener::is_trusted};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long an answer may take. Nothing takes so long unless the forwarder hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error(
        "no forwarder listens at {0}: {1}; run this in its network namespace, and give \
         `--socket` if its `--control` is another"
    )]
    Nobody(Address, io::Error),
    /// Somebody listens who may be anybody.
    #[error(
        "the socket {0} is another user's; a forwarder of yours or of root's is spoken to only"
    )]
    Stranger(Address),
    /// It broke off.
    #[error("the forwarder at {0} gave no answer: {1}")]
    Silent(Address, io::Error),
    /// It said something else.
    #[error("the forwarder at {0} said nonsense: {1}")]
    Nonsense(Address, serde_json::Error),
}

/// Asks the forwarder at `address`.
///
/// # Errors
/// Why there is no answer, and what to do.
pub fn ask(address: &Address, request: &Request) -> Result<Answer, AskError> {
    let connect = || UnixStream::connect_addr(&address.to_socket()?);
    let stream = connect().map_err(|error| AskError::Nobody(address.clone(), error))?;
    if !is_trusted(&stream) {
        return Err(AskError::Stranger(address.clone()));
    }
    let line = exchange(&stream, request);
    let line = line.map_err(|error| AskError::Silent(address.clone(), error))?;
    serde_json::from_str(&line).map_err(|error| AskError::Nonsense(address.clone(), error))
}

fn exchange(mut stream: &UnixStream, request: &Request) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
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
