//! Runs a client's session over a socket: sends when it is time, and takes whatever comes.

use super::{ClientError, RequestOutcome, Session, Step};
use crate::radius::datagram::Datagrams;
use crate::radius::packet::MAX_LEN;
use std::io;
use tokio::time::{Instant, timeout_at};

/// Runs a session to its end. [`Session::attempts`] and [`Session::dropped`] tell afterwards what
/// happened on the way.
pub async fn run(datagrams: &mut impl Datagrams, session: &mut Session) -> RequestOutcome {
    let started = Instant::now();
    let mut buffer = [0; MAX_LEN];
    loop {
        match session.advance(started.elapsed()) {
            Step::Send => {
                let sent = datagrams.send_to(session.request(), session.server()).await;
                if let Err(error) = sent {
                    return io_error(&error);
                }
            }
            Step::Wait(until) => {
                let received = datagrams.recv_from(&mut buffer);
                match timeout_at(started + until, received).await {
                    Ok(Ok((length, from))) => {
                        let datagram = buffer.get(..length).unwrap_or(&buffer);
                        if let Some(outcome) = session.receive(datagram, from) {
                            return outcome;
                        }
                    }
                    Ok(Err(error)) => return io_error(&error),
                    Err(_) => {}
                }
            }
            Step::End(outcome) => return outcome,
        }
    }
}

fn io_error(error: &io::Error) -> RequestOutcome {
    ClientError::Io(error.to_string()).into()
}
