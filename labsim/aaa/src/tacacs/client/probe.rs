//! Asks whether a server answers at all, without a user: what monitors do.

use super::session::Line;
use super::{Connection, Event, Options, Session, Step, Trouble};
use crate::Secret;
use crate::tacacs::authentication::{Reply, Start};
use crate::tacacs::codes::{
    Action, AuthenService, AuthenStatus, AuthenType, PRIVILEGE_USER, PacketType,
};
use crate::tacacs::header::{MinorVersion, SessionId};
use crate::tacacs::packet::Sealed;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// The beginning of an ASCII login that names nobody, and the first reply to it.
#[derive(Debug)]
pub struct ProbeSession(Line);

/// What the first reply was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// A reply that is right in every way but perhaps in what it says.
    Answered(AuthenStatus),
    /// None that could be read.
    Trouble(Trouble),
}

impl From<Trouble> for ProbeOutcome {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl ProbeSession {
    /// A session of that number, which must be random (RFC 8907, section 4.1).
    #[must_use]
    pub fn new(id: SessionId, options: &Options) -> Self {
        Self(Line::new(PacketType::Authentication, MinorVersion::Default, id, options))
    }
}

impl Session for ProbeSession {
    type Outcome = ProbeOutcome;

    fn first(&mut self) -> Result<Vec<u8>, Trouble> {
        self.0.first(&Start {
            action: Action::Login,
            privilege: PRIVILEGE_USER,
            authen_type: AuthenType::Ascii,
            service: AuthenService::Login,
            user: String::new(),
            port: String::new(),
            remote_address: String::new(),
            data: Secret::default(),
        })
    }

    fn receive(&mut self, packet: Sealed) -> Result<Step<ProbeOutcome>, Trouble> {
        let (_, reply) = self.0.read::<Reply>(packet)?;
        Ok(Step { send: None, outcome: Some(ProbeOutcome::Answered(reply.status)) })
    }
}

impl<S, F> Connection<S, F>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: FnMut(&mut S, Event),
{
    /// Begins a login and ends with the first reply: whoever closes the stream then has given the
    /// login up.
    pub async fn probe(&mut self) -> ProbeOutcome {
        let limit = self.options().deadline;
        let mut session = match getrandom::u32() {
            Ok(id) => ProbeSession::new(SessionId(id), self.options()),
            Err(error) => return Trouble::Random(error.to_string()).into(),
        };
        match timeout(limit, self.exchange(&mut session)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(trouble)) => trouble.into(),
            Err(_) => Trouble::Timeout(limit).into(),
        }
    }
}
