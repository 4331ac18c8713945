//! One connection at the server as a pure machine: which session a packet belongs to, and when
//! the connection ends.

use super::session::{
    Answer, AwaitedInput, LogRecord, NextStep, abandoned_login, continue_session, start_session,
};
use super::{Client, Server};
use crate::log::{LogEntry, LogKind, LogOutcome};
use crate::tacacs::codes::PacketType;
use crate::tacacs::error::ProtocolError;
use crate::tacacs::header::{FLAG_SINGLE_CONNECT, Header, Sequence, SessionId};
use crate::tacacs::packet::{DecryptedPacket, EncryptedPacket, PacketReader};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Sessions that one connection may have open at once.
pub const MAX_SESSIONS: usize = 64;

/// What the server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Sends a whole packet; one write.
    Send(Vec<u8>),
    /// Adds an entry to the log.
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
    waiting: AwaitedInput,
}

/// One connection, from its first byte to its end.
#[derive(Debug)]
pub struct Connection<'a> {
    server: &'a Server,
    client: &'a Client,
    peer: SocketAddr,
    local: SocketAddr,
    reader: PacketReader,
    sessions: BTreeMap<SessionId, Open>,
    mode: Mode,
}

impl<'a> Connection<'a> {
    /// A connection that was just accepted from `peer` at the server's own address `local`.
    ///
    /// # Errors
    /// The log entry, if `peer` is not among the server's clients: the caller closes the connection
    /// at once, without a reply.
    pub fn accept(
        server: &'a Server,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Result<Self, Box<LogEntry>> {
        let Some(client) = server.find_client(peer.ip()) else {
            let detail = "the source address is not among the server's clients";
            let entry =
                LogEntry::new(peer, local, LogKind::Refused, None, LogOutcome::Closed, detail);
            return Err(Box::new(entry));
        };
        // What an IPv6 socket shows as ::ffff:a.b.c.d came from the IPv4 address.
        let canonical =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (peer, local) = (canonical(peer), canonical(local));
        let reader = PacketReader::new(server.max_body);
        let sessions = BTreeMap::new();
        Ok(Self { server, client, peer, local, reader, sessions, mode: Mode::Fresh })
    }

    /// Takes bytes as they came, in pieces of any size. After [`Action::Close`] it takes no more.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Vec<Action> {
        let mut actions = Vec::new();
        while self.mode != Mode::Closed {
            match self.reader.next_packet(&mut bytes) {
                Ok(Some(packet)) => self.handle_packet(packet, &mut actions),
                Ok(None) => break,
                Err(error) => self.fail(error.into(), &mut actions),
            }
        }
        actions
    }

    /// The client's side of the stream ended.
    pub fn handle_eof(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        match self.reader.buffered() {
            _ if self.mode == Mode::Closed => {}
            0 => self.abandon("the connection ended", &mut actions),
            received => self.fail(ProtocolError::Truncated { received }, &mut actions),
        }
        actions
    }

    /// The client's deadline has passed.
    pub fn handle_timeout(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.mode != Mode::Closed {
            if self.sessions.is_empty() && !self.is_idle() {
                let detail = "no whole packet came in time".to_owned();
                let (kind, outcome) = (LogKind::ProtocolError, LogOutcome::Closed);
                self.log(LogRecord { kind, user: None, outcome, detail }, &mut actions);
            }
            self.abandon("no packet came in time", &mut actions);
        }
        actions
    }

    /// Whether this is a shared connection between two sessions: silence is allowed then.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.mode == Mode::Shared && self.sessions.is_empty() && self.reader.buffered() == 0
    }

    fn handle_packet(&mut self, packet: EncryptedPacket, actions: &mut Vec<Action>) {
        let header = packet.header;
        let result = packet
            .decrypt(&self.client.secret)
            .and_then(|packet| Ok((self.find_session(&header)?, header.answer()?, packet)));
        match result {
            Ok((waiting, answer, packet)) => self.advance(waiting, answer, &packet, actions),
            Err(error) => self.fail(error, actions),
        }
    }

    /// Finds the session of a packet: `None` for the first packet of a new session, or the input
    /// that an open session waits for.
    fn find_session(&mut self, header: &Header) -> Result<Option<AwaitedInput>, ProtocolError> {
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

    fn advance(
        &mut self,
        waiting: Option<AwaitedInput>,
        mut answer: Header,
        packet: &DecryptedPacket,
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
            None => start_session(self.server, packet),
            Some(waiting) => continue_session(self.server, waiting, packet),
        };
        let mut reason = None;
        match turn {
            Ok(NextStep::Ask(reply, waiting)) => {
                self.send(answer, &Answer::Authentication(reply), actions);
                match answer.sequence.next() {
                    Ok(due) => drop(self.sessions.insert(answer.session, Open { due, waiting })),
                    Err(error) => return self.fail(error, actions),
                }
            }
            Ok(NextStep::End(last, note)) => {
                if let Some(last) = last {
                    self.send(answer, &last, actions);
                }
                self.log(note, actions);
            }
            // Section 4.5: the packet is discarded and ERROR is signalled.
            Err(error) => {
                let error = ProtocolError::from(error);
                let text = error.to_string();
                self.send(answer, &Answer::error(answer.kind, &text), actions);
                let (kind, outcome) = (LogKind::ProtocolError, LogOutcome::Error);
                self.log(LogRecord { kind, user: None, outcome, detail: text }, actions);
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
        if let Ok(packet) = answer.encrypt(header, &self.client.secret) {
            actions.push(Action::Send(packet));
        }
    }

    fn log(&self, note: LogRecord, actions: &mut Vec<Action>) {
        let LogRecord { kind, user, outcome, detail } = note;
        let entry = LogEntry::new(self.peer, self.local, kind, user.as_deref(), outcome, &detail);
        actions.push(Action::Log(entry));
    }

    /// Closes without an answer: after broken framing no reply can be addressed.
    fn fail(&mut self, error: ProtocolError, actions: &mut Vec<Action>) {
        let (kind, outcome) = (LogKind::ProtocolError, LogOutcome::Closed);
        let detail = error.to_string();
        self.log(LogRecord { kind, user: None, outcome, detail }, actions);
        self.close("the connection was closed", Some(error), actions);
    }

    /// The client went away.
    fn abandon(&mut self, reason: &str, actions: &mut Vec<Action>) {
        self.close(reason, None, actions);
    }

    /// Closes, and logs the sessions that were open.
    fn close(&mut self, reason: &str, error: Option<ProtocolError>, actions: &mut Vec<Action>) {
        for open in std::mem::take(&mut self.sessions).into_values() {
            let user = match open.waiting {
                AwaitedInput::User { .. } => None,
                AwaitedInput::Password { user } => Some(user),
            };
            self.log(abandoned_login(user, reason), actions);
        }
        self.mode = Mode::Closed;
        actions.push(Action::Close(error));
    }
}
