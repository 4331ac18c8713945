//! The client's sessions as pure machines: a first packet, then packets in, packets or an outcome
//! out.

use super::{
    Account, AccountingOutcome, AuthorizationOutcome, Authorize, Login, LoginOutcome, Method,
    Options, Trouble,
};
use crate::Secret;
use crate::chap;
use crate::tacacs::accounting;
use crate::tacacs::authentication::{Continue, Reply, Start};
use crate::tacacs::authorization;
use crate::tacacs::body::Body;
use crate::tacacs::codes::{
    AcctStatus, Action, AuthenService, AuthenStatus, AuthenType, AuthorStatus, CONTINUE_FLAG_ABORT,
    PRIVILEGE_USER, PacketType,
};
use crate::tacacs::error::ProtocolError;
use crate::tacacs::header::{FLAG_SINGLE_CONNECT, Header, MinorVersion, Sequence, SessionId};
use crate::tacacs::packet::{Opened, Sealed, seal};

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
    type Outcome: From<Trouble>;

    /// The session's first packet.
    ///
    /// # Errors
    /// [`Trouble::Request`] if a field is too long for the protocol.
    fn first(&mut self) -> Result<Vec<u8>, Trouble>;

    /// Takes the server's next packet.
    ///
    /// # Errors
    /// [`Trouble::Unreadable`] if it breaks the protocol; the session and its connection are over.
    fn receive(&mut self, packet: Sealed) -> Result<Step<Self::Outcome>, Trouble>;
}

/// What all sessions share: the secret, and the number of the packet that was sent last.
#[derive(Debug)]
pub(super) struct Line {
    secret: Secret,
    sent: Header,
}

impl Line {
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

    pub(super) fn first<B: Body>(&self, body: &B) -> Result<Vec<u8>, Trouble> {
        Ok(seal(self.sent, body, &self.secret)?)
    }

    /// Checks that a packet is the answer to the one sent last, and reads it.
    pub(super) fn read<B: Body>(&self, packet: Sealed) -> Result<(Header, B), ProtocolError> {
        let packet: Opened = packet.open(&self.secret)?;
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
        Ok((header, packet.read()?))
    }

    fn answer<B: Body>(&mut self, to: Header, body: &B) -> Result<Vec<u8>, Trouble> {
        self.sent = to.answer()?;
        Ok(seal(self.sent, body, &self.secret)?)
    }
}

/// A login.
#[derive(Debug)]
pub struct LoginSession {
    line: Line,
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
        let line = Line::new(PacketType::Authentication, minor, id, options);
        Self { line, login, user_sent: false, password_sent: false }
    }

    fn answer(&mut self, to: Header, text: Secret) -> Result<Step<LoginOutcome>, Trouble> {
        let body = Continue { user_message: text, ..Continue::default() };
        Ok(Step::send(self.line.answer(to, &body)?))
    }

    /// The server asks for what it has had, or for what the client does not have.
    fn give_up(&mut self, to: Header, reason: &str) -> Result<Step<LoginOutcome>, Trouble> {
        let body = Continue {
            data: reason.as_bytes().to_vec(),
            flags: CONTINUE_FLAG_ABORT,
            ..Continue::default()
        };
        let send = Some(self.line.answer(to, &body)?);
        Ok(Step { send, outcome: Some(LoginOutcome::Fail { message: reason.to_owned() }) })
    }
}

impl Session for LoginSession {
    type Outcome = LoginOutcome;

    fn first(&mut self) -> Result<Vec<u8>, Trouble> {
        let login = &self.login;
        let (authen_type, user, data) = match &login.method {
            Method::Ascii { user_in_start: true } => (AuthenType::Ascii, true, Secret::default()),
            Method::Ascii { user_in_start: false } => (AuthenType::Ascii, false, Secret::default()),
            Method::Pap => (AuthenType::Pap, true, login.password.clone()),
            Method::Chap { id, challenge } => {
                if !(8..=238).contains(&challenge.len()) {
                    return Err(Trouble::Challenge(challenge.len()));
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
        self.line.first(&start)
    }

    fn receive(&mut self, packet: Sealed) -> Result<Step<LoginOutcome>, Trouble> {
        let (header, reply) = self.line.read::<Reply>(packet)?;
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

/// A question for permission.
#[derive(Debug)]
pub struct AuthorizationSession {
    line: Line,
    request: authorization::Request,
}

impl AuthorizationSession {
    /// A session of that number, which must be random.
    #[must_use]
    pub fn new(question: Authorize, id: SessionId, options: &Options) -> Self {
        let line = Line::new(PacketType::Authorization, MinorVersion::Default, id, options);
        let Authorize { origin, arguments } = question;
        Self { line, request: authorization::Request { origin, arguments } }
    }
}

impl Session for AuthorizationSession {
    type Outcome = AuthorizationOutcome;

    fn first(&mut self) -> Result<Vec<u8>, Trouble> {
        self.line.first(&self.request)
    }

    fn receive(&mut self, packet: Sealed) -> Result<Step<AuthorizationOutcome>, Trouble> {
        let (_, reply) = self.line.read::<authorization::Reply>(packet)?;
        let authorization::Reply { status, message, arguments, .. } = reply;
        Ok(Step::end(match status {
            AuthorStatus::PassAdd => {
                AuthorizationOutcome::Pass { replace: false, arguments, message }
            }
            AuthorStatus::PassReplace => {
                AuthorizationOutcome::Pass { replace: true, arguments, message }
            }
            AuthorStatus::Fail | AuthorStatus::Follow => AuthorizationOutcome::Fail { message },
            AuthorStatus::Error => AuthorizationOutcome::Error { message },
            AuthorStatus::Unknown(status) => return Err(ProtocolError::Status(status).into()),
        }))
    }
}

/// A record for the server's books.
#[derive(Debug)]
pub struct AccountingSession {
    line: Line,
    request: accounting::Request,
}

impl AccountingSession {
    /// A session of that number, which must be random.
    #[must_use]
    pub fn new(account: Account, id: SessionId, options: &Options) -> Self {
        let line = Line::new(PacketType::Accounting, MinorVersion::Default, id, options);
        let Account { record, origin, arguments } = account;
        Self { line, request: accounting::Request { flags: record.flags(), origin, arguments } }
    }
}

impl Session for AccountingSession {
    type Outcome = AccountingOutcome;

    fn first(&mut self) -> Result<Vec<u8>, Trouble> {
        self.line.first(&self.request)
    }

    fn receive(&mut self, packet: Sealed) -> Result<Step<AccountingOutcome>, Trouble> {
        let (_, reply) = self.line.read::<accounting::Reply>(packet)?;
        let accounting::Reply { status, message, .. } = reply;
        Ok(Step::end(match status {
            AcctStatus::Success => AccountingOutcome::Success { message },
            AcctStatus::Error | AcctStatus::Follow => AccountingOutcome::Error { message },
            AcctStatus::Unknown(status) => return Err(ProtocolError::Status(status).into()),
        }))
    }
}
