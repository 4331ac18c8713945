//! A health check without a user: whether a server answers at all.

use super::session::SessionState;
use super::{ClientError, Connection, Event, Options, Session, Step};
use crate::Secret;
use crate::tacacs::authentication::{Reply, Start};
use crate::tacacs::codes::{
    Action, AuthenService, AuthenStatus, AuthenType, PRIVILEGE_USER, PacketType,
};
use crate::tacacs::header::{MinorVersion, SessionId};
use crate::tacacs::packet::EncryptedPacket;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// The START of an ASCII login without a user, and the first reply to it.
#[derive(Debug)]
pub struct ProbeSession(SessionState);

/// The first reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// A valid reply, with any status.
    Answered(AuthenStatus),
    /// No readable reply.
    NoResult(ClientError),
}

impl From<ClientError> for ProbeOutcome {
    fn from(error: ClientError) -> Self {
        Self::NoResult(error)
    }
}

impl ProbeSession {
    /// A session of that number, which must be random (RFC 8907, section 4.1).
    #[must_use]
    pub fn new(id: SessionId, options: &Options) -> Self {
        Self(SessionState::new(PacketType::Authentication, MinorVersion::Default, id, options))
    }
}

impl Session for ProbeSession {
    type Outcome = ProbeOutcome;

    fn first(&mut self) -> Result<Vec<u8>, ClientError> {
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

    fn receive(&mut self, packet: EncryptedPacket) -> Result<Step<ProbeOutcome>, ClientError> {
        let (_, reply) = self.0.read::<Reply>(packet)?;
        Ok(Step { send: None, outcome: Some(ProbeOutcome::Answered(reply.status)) })
    }
}

impl<S, F> Connection<S, F>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: FnMut(&mut S, Event),
{
    /// Begins a login and ends with the first reply. Closing the stream then abandons the login.
    pub async fn probe(&mut self) -> ProbeOutcome {
        let limit = self.options().deadline;
        let mut session = match getrandom::u32() {
            Ok(id) => ProbeSession::new(SessionId(id), self.options()),
            Err(error) => return ClientError::Random(error.to_string()).into(),
        };
        match timeout(limit, self.exchange(&mut session)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => error.into(),
            Err(_) => ClientError::Timeout(limit).into(),
        }
    }
}
