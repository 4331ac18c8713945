//! The client's sessions as pure machines: a first packet, then packets in, packets or an outcome
//! out.

use super::{ClientError, Login, LoginOutcome, Method, Options};
use crate::Secret;
use crate::chap;
use crate::tacacs::authentication::{Continue, Reply, Start};
use crate::tacacs::body::Body;
use crate::tacacs::codes::{
    Action, AuthenService, AuthenStatus, AuthenType, CONTINUE_FLAG_ABORT, PRIVILEGE_USER,
    PacketType,
};
use crate::tacacs::error::ProtocolError;
use crate::tacacs::header::{FLAG_SINGLE_CONNECT, Header, MinorVersion, Sequence, SessionId};
use crate::tacacs::packet::{DecryptedPacket, EncryptedPacket, encrypt};

/// What a session does about a packet: sends one, ends, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<O> {
    /// A whole packet; one write sends it.
    pub send: Option<Vec<u8>>,
    /// The session is over.
    pub outcome: Option<O>,
}

impl<O> Step<O> {
    fn send(packet: Vec<u8>) -> Self {
        Self { send: Some(packet), outcome: None }
    }

    fn end(outcome: O) -> Self {
        Self { send: None, outcome: Some(outcome) }
    }
}

/// A client's session.
pub trait Session {
    /// How it ends.
    type Outcome: From<ClientError>;

    /// The session's first packet.
    ///
    /// # Errors
    /// [`ClientError::Request`] if a field is too long for the protocol.
    fn first(&mut self) -> Result<Vec<u8>, ClientError>;

    /// Takes the server's next packet.
    ///
    /// # Errors
    /// [`ClientError::Unreadable`] if it breaks the protocol; the session and its connection are
    /// over.
    fn receive(&mut self, packet: EncryptedPacket) -> Result<Step<Self::Outcome>, ClientError>;
}

/// What all sessions share: the secret, and the number of the packet that was sent last.
#[derive(Debug)]
pub(super) struct SessionState {
    secret: Secret,
    sent: Header,
}

impl SessionState {
    pub(super) fn new(
        kind: PacketType,
        minor: MinorVersion,
        id: SessionId,
        options: &Options,
    ) -> Self {
        let flags = if options.single_connection { FLAG_SINGLE_CONNECT } else { 0 };
        let sequence = Sequence::FIRST;
        let sent = Header { minor, kind, sequence, flags, session: id, length: 0 };
        Self { secret: options.secret.clone(), sent }
    }

    pub(super) fn first<B: Body>(&self, body: &B) -> Result<Vec<u8>, ClientError> {
        Ok(encrypt(self.sent, body, &self.secret)?)
    }

    /// Checks that a packet is the answer to the one sent last, and reads it.
    pub(super) fn read<B: Body>(
        &self,
        packet: EncryptedPacket,
    ) -> Result<(Header, B), ProtocolError> {
        let packet: DecryptedPacket = packet.decrypt(&self.secret)?;
        let header = packet.header;
        let expected = self.sent.sequence.next()?.get();
        if header.session != self.sent.session {
            return Err(ProtocolError::Session {
                expected: self.sent.session,
                got: header.session,
            });
        }
        if header.kind != self.sent.kind {
            return Err(ProtocolError::Type { expected: self.sent.kind, got: header.kind });
        }
        if header.sequence.get() != expected {
            return Err(ProtocolError::Sequence { expected, got: header.sequence.get() });
        }
        Ok((header, packet.decode()?))
    }

    fn answer<B: Body>(&mut self, to: Header, body: &B) -> Result<Vec<u8>, ClientError> {
        self.sent = to.answer()?;
        Ok(encrypt(self.sent, body, &self.secret)?)
    }
}

/// A login.
#[derive(Debug)]
pub struct LoginSession {
    state: SessionState,
    login: Login,
    user_sent: bool,
    password_sent: bool,
}

impl LoginSession {
    /// A session of that number, which must be random (RFC 8907, section 4.1).
    #[must_use]
    pub fn new(login: Login, id: SessionId, options: &Options) -> Self {
        let minor = match login.method {
            Method::Ascii { .. } => MinorVersion::Default,
            Method::Pap | Method::Chap { .. } => MinorVersion::One,
        };
        let state = SessionState::new(PacketType::Authentication, minor, id, options);
        Self { state, login, user_sent: false, password_sent: false }
    }

    fn answer(&mut self, to: Header, text: Secret) -> Result<Step<LoginOutcome>, ClientError> {
        let body = Continue { user_message: text, ..Continue::default() };
        Ok(Step::send(self.state.answer(to, &body)?))
    }

    /// The server asks for what it has had, or for what the client does not have.
    fn give_up(&mut self, to: Header, reason: &str) -> Result<Step<LoginOutcome>, ClientError> {
        let body = Continue {
            data: reason.as_bytes().to_vec(),
            flags: CONTINUE_FLAG_ABORT,
            ..Continue::default()
        };
        let send = Some(self.state.answer(to, &body)?);
        Ok(Step { send, outcome: Some(LoginOutcome::Fail { message: reason.to_owned() }) })
    }
}

impl Session for LoginSession {
    type Outcome = LoginOutcome;

    fn first(&mut self) -> Result<Vec<u8>, ClientError> {
        let login = &self.login;
        let (authen_type, user, data) = match &login.method {
            Method::Ascii { user_in_start: true } => (AuthenType::Ascii, true, Secret::default()),
            Method::Ascii { user_in_start: false } => (AuthenType::Ascii, false, Secret::default()),
            Method::Pap => (AuthenType::Pap, true, login.password.clone()),
            Method::Chap { id, challenge } => {
                if !(8..=238).contains(&challenge.len()) {
                    return Err(ClientError::Challenge(challenge.len()));
                }
                let data = chap_data(*id, challenge, &login.password);
                (AuthenType::Chap, true, Secret::new(data))
            }
        };
        self.user_sent = user;
        let start = Start {
            action: Action::Login,
            privilege: PRIVILEGE_USER,
            authen_type,
            service: AuthenService::Login,
            user: if user { login.user.clone() } else { String::new() },
            port: login.port.clone(),
            remote_address: login.remote_address.clone(),
            data,
        };
        self.state.first(&start)
    }

    fn receive(&mut self, packet: EncryptedPacket) -> Result<Step<LoginOutcome>, ClientError> {
        let (header, reply) = self.state.read::<Reply>(packet)?;
        let Reply { status, message, .. } = reply;
        let ascii = matches!(self.login.method, Method::Ascii { .. });
        Ok(match status {
            AuthenStatus::Pass => Step::end(LoginOutcome::Pass { message }),
            AuthenStatus::Error => Step::end(LoginOutcome::Error { message }),
            // Sections 5.4.2 and 5.4.3: what a client does not follow is a FAIL.
            AuthenStatus::Fail | AuthenStatus::Restart | AuthenStatus::Follow => {
                Step::end(LoginOutcome::Fail { message })
            }
            AuthenStatus::GetUser if ascii && !self.user_sent => {
                self.user_sent = true;
                self.answer(header, Secret::new(self.login.user.as_bytes()))?
            }
            AuthenStatus::GetPass if ascii && !self.password_sent => {
                self.password_sent = true;
                self.answer(header, self.login.password.clone())?
            }
            AuthenStatus::GetUser => self.give_up(header, "the server asks for the user again")?,
            AuthenStatus::GetPass => {
                self.give_up(header, "the server asks for the password again: it is wrong")?
            }
            AuthenStatus::GetData => {
                self.give_up(header, "the server asks for more than a user and a password")?
            }
            AuthenStatus::Unknown(status) => return Err(ProtocolError::Status(status).into()),
        })
    }
}

/// A CHAP login's data: id, challenge, response (RFC 8907, section 5.4.2.3).
fn chap_data(id: u8, challenge: &[u8], password: &Secret) -> Vec<u8> {
    let mut data = vec![id];
    data.extend_from_slice(challenge);
    data.extend_from_slice(&chap::response(id, challenge, password));
    data
}
