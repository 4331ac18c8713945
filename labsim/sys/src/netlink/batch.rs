//! Requests of one namespace, sent together; the first refusal says which one it was.

use super::{Request, Socket, Trace, emit, receive_until};
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use nix::errno::Errno;
use std::fmt;
use std::ops::ControlFlow::{Break, Continue};
use std::os::fd::AsFd;

/// At most this much in one send, so that any socket buffer takes it.
const SEND_BYTES: usize = 32 * 1024;

/// Requests with what each is for (`T`, for messages).
#[derive(Debug)]
pub struct Batch<T> {
    requests: Vec<(Request, T)>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { requests: Vec::new() }
    }
}

/// A request that the kernel refused.
#[derive(Debug)]
pub struct Refusal<T> {
    /// What the request was for; `None` if the socket itself failed.
    pub what: Option<T>,
    /// The kernel's error.
    pub errno: Errno,
    /// The kernel's explanation, where it gives one.
    pub words: Option<String>,
}

impl<T> fmt::Display for Refusal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.errno.desc())?;
        match &self.words {
            Some(words) => write!(f, " ({words})"),
            None => Ok(()),
        }
    }
}

impl<T> From<Errno> for Refusal<T> {
    fn from(errno: Errno) -> Self {
        Self { what: None, errno, words: None }
    }
}

/// A request on its way.
struct Sent<T> {
    sequence: u32,
    what: T,
    trace: Trace,
}

impl<T> Batch<T> {
    /// Adds a request.
    pub fn push(&mut self, request: Request, what: T) {
        self.requests.push((request, what));
    }

    /// Sends all of them, in order, in as few sends as fit, and waits until each is done.
    ///
    /// Only the last request of a send asks for an acknowledgement: the kernel works through a
    /// send in order and reports refusals in any case, so a good send costs one receive.
    ///
    /// # Errors
    /// The first refusal; the requests behind it in the same send are done or refused all the same.
    pub fn send(self, socket: &mut Socket) -> Result<(), Refusal<T>> {
        let mut bytes = Vec::with_capacity(SEND_BYTES);
        let mut sent = Vec::new();
        let mut requests = self.requests.into_iter().peekable();
        while let Some((Request { message, flags }, what)) = requests.next() {
            let sequence = socket.next_sequence();
            let room = requests.peek().is_some() && bytes.len() < SEND_BYTES - 2048;
            let acknowledge = if room { 0 } else { NLM_F_ACK };
            sent.push(Sent { sequence, what, trace: Trace::of(&message) });
            emit(message, NLM_F_REQUEST | flags | acknowledge, sequence, &mut bytes);
            if !room {
                socket.send(&bytes)?;
                collect(socket, sequence, &mut sent)?;
                bytes.clear();
                sent.clear();
            }
        }
        Ok(())
    }
}

/// Waits for the answer to the last request of a send; keeps the first refusal.
fn collect<T>(socket: &Socket, last: u32, sent: &mut Vec<Sent<T>>) -> Result<(), Refusal<T>> {
    let mut refusals: Vec<(u32, Refusal<()>)> = Vec::new();
    receive_until(socket.as_fd(), |answer| {
        let Some(errno) = answer.errno else { return Ok(Continue(())) };
        if errno != 0 {
            let errno = Errno::from_raw(errno);
            refusals.push((answer.sequence, Refusal { what: None, errno, words: answer.words }));
        }
        Ok(if answer.sequence == last { Break(()) } else { Continue(()) })
    })?;
    for Sent { sequence, trace, .. } in sent.iter() {
        let refusal = refusals.iter().find(|(of, _)| of == sequence);
        trace.outcome(refusal.map_or(Ok(()), |(_, refusal)| Err(refusal)));
    }
    let Some((sequence, Refusal { errno, words, .. })) = refusals.into_iter().next() else {
        return Ok(());
    };
    let position = sent.iter().position(|it| it.sequence == sequence);
    let what = position.map(|position| sent.swap_remove(position).what);
    Err(Refusal { what, errno, words })
}
