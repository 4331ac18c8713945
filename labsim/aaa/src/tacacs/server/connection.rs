//! One connection at the server as a pure machine: which session a packet belongs to, and when
//! the connection ends.

use super::session::{Answer, Note, Turn, Waiting, abandoned, begin, go_on};
use super::{Client, Server};
use crate::log::{Kind, LogEntry, Outcome};
use crate::tacacs::codes::PacketType;
use crate::tacacs::error::ProtocolError;
use crate::tacacs::header::{FLAG_SINGLE_CONNECT, Header, Sequence, SessionId};
use crate::tacacs::packet::{Inbox, Opened, Sealed};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Sessions that one connection may have open at once.
pub const MAX_SESSIONS: usize = 64;

/// What the server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Sends a whole packet; one write.
    Send(Vec<u8>),
    /// Writes down.
    Log(LogEntry),
    /// Closes the connection; nothing comes after this. With the error that was the reason, if
    /// there was one.
    Close(Option<ProtocolError>),
}

/// Whether the connection carries more than one session (RFC 8907, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// No packet yet.
    Fresh,
    /// One session.
    Single,
    /// Agreed to be shared.
    Shared,
    /// Agreed, but a packet was unreadable: no new sessions (section 4.4).
    Draining,
    /// Over.
    Closed,
}

/// A session that waits for its client.
#[derive(Debug)]
struct Open {
    /// The number of the packet that is due.
    due: Sequence,
    waiting: Waiting,
}

/// One connection, from its first byte to its end.
#[derive(Debug)]
pub struct Connection<'a> {
    server: &'a Server,
    client: &'a Client,
    peer: SocketAddr,
    local: SocketAddr,
    inbox: Inbox,
    sessions: BTreeMap<SessionId, Open>,
    mode: Mode,
}

impl<'a> Connection<'a> {
    /// A connection that was just accepted from `peer` at the server's own address `local`.
    ///
    /// # Errors
    /// The entry for the log, if `peer` is not among the server's clients: the connection is to be
    /// closed at once, without a word.
    pub fn accept(
        server: &'a Server,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Result<Self, Box<LogEntry>> {
        let Some(client) = server.client(peer.ip()) else {
            let detail = "the source address is not among the server's clients";
            let entry = LogEntry::new(peer, local, Kind::Refused, None, Outcome::Closed, detail);
            return Err(Box::new(entry));
        };
        // What an IPv6 socket shows as ::ffff:a.b.c.d came from the IPv4 address.
        let canonical =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (peer, local) = (canonical(peer), canonical(local));
        let inbox = Inbox::new(server.max_body);
        let sessions = BTreeMap::new();
        Ok(Self { server, client, peer, local, inbox, sessions, mode: Mode::Fresh })
    }

    /// Takes bytes as they came, in pieces of any size. After [`Action::Close`] it takes no more.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Vec<Action> {
        let mut actions = Vec::new();
        while self.mode != Mode::Closed {
            match self.inbox.take(&mut bytes) {
                Ok(Some(packet)) => self.packet(packet, &mut actions),
                Ok(None) => break,
                Err(error) => self.fail(error.into(), &mut actions),
            }
        }
        actions
    }

    /// The client's side of the stream ended.
    pub fn ended(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        match self.inbox.partial() {
            _ if self.mode == Mode::Closed => {}
            0 => self.abandon("the connection ended", &mut actions),
            received => self.fail(ProtocolError::Truncated { received }, &mut actions),
        }
        actions
    }

    /// The client let its time run out.
    pub fn expired(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.mode != Mode::Closed {
            if self.sessions.is_empty() && !self.is_idle() {
                let detail = "no whole packet came in time".to_owned();
                let (kind, outcome) = (Kind::ProtocolError, Outcome::Closed);
                self.note(Note { kind, user: None, outcome, detail }, &mut actions);
            }
            self.abandon("no packet came in time", &mut actions);
        }
        actions
    }

    /// Whether it is a shared connection between two sessions: then silence is no fault.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.mode == Mode::Shared && self.sessions.is_empty() && self.inbox.partial() == 0
    }

    fn packet(&mut self, packet: Sealed, actions: &mut Vec<Action>) {
        let header = packet.header;
        let result = packet
            .open(&self.client.secret)
            .and_then(|packet| Ok((self.admit(&header)?, header.answer()?, packet)));
        match result {
            Ok((waiting, answer, packet)) => self.turn(waiting, answer, &packet, actions),
            Err(error) => self.fail(error, actions),
        }
    }

    /// Whether the packet has a place here: the first of a new session (`None`), or the one that
    /// an open session waits for.
    fn admit(&mut self, header: &Header) -> Result<Option<Waiting>, ProtocolError> {
        let got = header.sequence.get();
        if let Some(open) = self.sessions.remove(&header.session) {
            let expected = open.due.get();
            if got != expected {
                return Err(ProtocolError::Sequence { expected, got });
            }
            if header.kind != PacketType::Authentication {
                let expected = PacketType::Authentication;
                return Err(ProtocolError::Type { expected, got: header.kind });
            }
            return Ok(Some(open.waiting));
        }
        match self.mode {
            Mode::Fresh | Mode::Shared => {}
            Mode::Draining => return Err(ProtocolError::Draining),
            Mode::Single | Mode::Closed => return Err(ProtocolError::SecondSession),
        }
        if header.sequence != Sequence::FIRST {
            return Err(ProtocolError::Sequence { expected: Sequence::FIRST.get(), got });
        }
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(ProtocolError::TooManySessions(MAX_SESSIONS));
        }
        Ok(None)
    }

    fn turn(
        &mut self,
        waiting: Option<Waiting>,
        mut answer: Header,
        packet: &Opened,
        actions: &mut Vec<Action>,
    ) {
        if self.mode == Mode::Fresh {
            let offered = packet.header.has(FLAG_SINGLE_CONNECT);
            let agreed = offered && self.server.single_connection;
            // Only the first two packets carry the flag.
            answer.flags = if agreed { FLAG_SINGLE_CONNECT } else { 0 };
            self.mode = if agreed { Mode::Shared } else { Mode::Single };
        }
        let turn = match waiting {
            None => begin(self.server, packet),
            Some(waiting) => go_on(self.server, waiting, packet),
        };
        let mut reason = None;
        match turn {
            Ok(Turn::Ask(reply, waiting)) => {
                self.send(answer, &Answer::Authentication(reply), actions);
                match answer.sequence.next() {
                    Ok(due) => drop(self.sessions.insert(answer.session, Open { due, waiting })),
                    Err(error) => return self.fail(error, actions),
                }
            }
            Ok(Turn::End(last, note)) => {
                if let Some(last) = last {
                    self.send(answer, &last, actions);
                }
                self.note(note, actions);
            }
            // Section 4.5: the packet is discarded and ERROR is signalled.
            Err(error) => {
                let error = ProtocolError::from(error);
                let text = error.to_string();
                self.send(answer, &Answer::error(answer.kind, &text), actions);
                let (kind, outcome) = (Kind::ProtocolError, Outcome::Error);
                self.note(Note { kind, user: None, outcome, detail: text }, actions);
                if self.mode == Mode::Shared {
                    self.mode = Mode::Draining;
                }
                reason = Some(error);
            }
        }
        if self.mode != Mode::Shared && self.sessions.is_empty() {
            self.mode = Mode::Closed;
            actions.push(Action::Close(reason));
        }
    }

    fn send(&mut self, header: Header, answer: &Answer, actions: &mut Vec<Action>) {
        // Every answer is short, so that it always fits.
        if let Ok(packet) = answer.seal(header, &self.client.secret) {
            actions.push(Action::Send(packet));
        }
    }

    fn note(&self, note: Note, actions: &mut Vec<Action>) {
        let Note { kind, user, outcome, detail } = note;
        let entry = LogEntry::new(self.peer, self.local, kind, user.as_deref(), outcome, &detail);
        actions.push(Action::Log(entry));
    }

    /// Closes without an answer: whoever breaks the framing cannot be told.
    fn fail(&mut self, error: ProtocolError, actions: &mut Vec<Action>) {
        let (kind, outcome) = (Kind::ProtocolError, Outcome::Closed);
        let detail = error.to_string();
        self.note(Note { kind, user: None, outcome, detail }, actions);
        self.close("the connection was closed", Some(error), actions);
    }

    /// The client went away.
    fn abandon(&mut self, reason: &str, actions: &mut Vec<Action>) {
        self.close(reason, None, actions);
    }

    /// Closes, and writes down the sessions that were open.
    fn close(&mut self, reason: &str, error: Option<ProtocolError>, actions: &mut Vec<Action>) {
        for open in std::mem::take(&mut self.sessions).into_values() {
            let user = match open.waiting {
                Waiting::ForUser { .. } => None,
                Waiting::ForPassword { user } => Some(user),
            };
            self.note(abandoned(user, reason), actions);
        }
        self.mode = Mode::Closed;
        actions.push(Action::Close(error));
    }
}
