//! One request and its reply as a pure machine: what to send and when, and which reply is valid.

use super::{
    AccountingRequest, ClientError, DropReason, DroppedReplies, Login, Method, Options, RequestId,
    RequestOutcome, Retransmission,
};
use crate::Secret;
use crate::chap;
use crate::radius::attribute::{Attribute, AttributeType, MAX_VALUE};
use crate::radius::authenticator::{self, MessageAuthenticator};
use crate::radius::code::{Code, Service};
use crate::radius::packet::{Authenticator, Packet, packet_bytes};
use crate::radius::password;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Pairs of reason and address whose dropped replies are counted; further pairs are not.
pub const MAX_DROPPED: usize = 64;

/// What the client does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sends [`Session::request`] to [`Session::server`], and asks again.
    Send,
    /// Waits for a datagram until that time, and asks again.
    Wait(Duration),
    /// Nothing: the session is over.
    End(RequestOutcome),
}

/// A request under way. Times are counted from any fixed moment, the same for all calls.
#[derive(Debug, Clone)]
pub struct Session {
    server: SocketAddr,
    request: Vec<u8>,
    identifier: u8,
    authenticator: Authenticator,
    code: Code,
    service: Service,
    secret: Secret,
    require_message_authenticator: bool,
    retransmission: Retransmission,
    sent: u32,
    /// From the first transmission on.
    times: Option<Times>,
    dropped: BTreeMap<(DropReason, SocketAddr), u64>,
    outcome: Option<RequestOutcome>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    /// When the session ends in any case.
    end: Duration,
    /// When the next transmission is due, or the end.
    next: Duration,
    /// The time between the last transmission and the next.
    wait: Duration,
}

impl Session {
    /// A login. Every login needs a new `number`.
    ///
    /// # Errors
    /// [`ClientError`] if the protocol cannot carry the request.
    pub fn login(
        login: &Login,
        server: SocketAddr,
        number: RequestId,
        options: &Options,
    ) -> Result<Self, ClientError> {
        let RequestId { authenticator, .. } = number;
        let mut attributes = Vec::new();
        if options.message_authenticator {
            attributes.push(empty_message_authenticator());
        }
        attributes.push(Attribute::new(AttributeType::USER_NAME, login.user.as_bytes())?);
        match &login.method {
            Method::Pap => {
                let hidden = password::hide(&login.password, &options.secret, authenticator)?;
                attributes.push(Attribute::new(AttributeType::USER_PASSWORD, hidden)?);
            }
            Method::Chap { id, challenge } => {
                let challenge = challenge.as_deref();
                if let Some(given) = challenge.filter(|c| !(1..=MAX_VALUE).contains(&c.len())) {
                    return Err(ClientError::Challenge(given.len()));
                }
                let asked = challenge.unwrap_or(&authenticator.0);
                let response = chap::response(*id, asked, &login.password);
                let value = [&[*id], response.as_slice()].concat();
                attributes.push(Attribute::new(AttributeType::CHAP_PASSWORD, value)?);
                if let Some(challenge) = challenge {
                    attributes.push(Attribute::new(AttributeType::CHAP_CHALLENGE, challenge)?);
                }
            }
        }
        attributes.push(options.nas.attribute()?);
        attributes.extend(login.attributes.iter().cloned());
        Self::new(Code::AccessRequest, Service::Authentication, attributes, server, number, options)
    }

    /// An accounting record. Only the identifier of `number` is used.
    ///
    /// # Errors
    /// [`ClientError`] if the protocol cannot carry the request.
    pub fn accounting(
        record: &AccountingRequest,
        server: SocketAddr,
        number: RequestId,
        options: &Options,
    ) -> Result<Self, ClientError> {
        let mut attributes = vec![
            Attribute::integer(AttributeType::ACCT_STATUS_TYPE, record.status_type.number()),
            Attribute::new(AttributeType::ACCT_SESSION_ID, record.session.as_bytes())?,
        ];
        if !record.user.is_empty() {
            attributes.push(Attribute::new(AttributeType::USER_NAME, record.user.as_bytes())?);
        }
        attributes.push(options.nas.attribute()?);
        attributes.extend(record.attributes.iter().cloned());
        Self::new(Code::AccountingRequest, Service::Accounting, attributes, server, number, options)
    }

    /// A Status-Server query, sent once: RFC 5997, section 6, has it not
    /// retransmitted; a repeated query is a new session with a new number. The time to wait is
    /// [`Retransmission::first`].
    ///
    /// # Errors
    /// [`ClientError`] if the protocol cannot carry the request.
    pub fn status(
        service: Service,
        server: SocketAddr,
        number: RequestId,
        options: &Options,
    ) -> Result<Self, ClientError> {
        let attributes = vec![empty_message_authenticator(), options.nas.attribute()?];
        let session = Self::new(Code::StatusServer, service, attributes, server, number, options)?;
        let retransmission = Retransmission { attempts: 1, ..session.retransmission };
        Ok(Self { retransmission, ..session })
    }

    fn new(
        code: Code,
        service: Service,
        attributes: Vec<Attribute>,
        server: SocketAddr,
        number: RequestId,
        options: &Options,
    ) -> Result<Self, ClientError> {
        let RequestId { identifier, authenticator } = number;
        let mut request = Packet { code, identifier, authenticator, attributes }.encode()?;
        let authenticator = if code == Code::AccountingRequest {
            authenticator::sign_accounting_request(&mut request, &options.secret)
        } else {
            authenticator::sign_request(&mut request, authenticator, &options.secret);
            authenticator
        };
        Ok(Self {
            server: canonical(server),
            request,
            identifier,
            authenticator,
            code,
            service,
            secret: options.secret.clone(),
            require_message_authenticator: options.require_message_authenticator,
            retransmission: options.retransmission,
            sent: 0,
            times: None,
            dropped: BTreeMap::new(),
            outcome: None,
        })
    }

    /// Where the request goes, and the only address whose replies count.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// The datagram; it is the same for every transmission.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// How often it was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.sent
    }

    /// ReplySocket that did not count so far, in order of reason and address.
    #[must_use]
    pub fn dropped(&self) -> Vec<DroppedReplies> {
        let entry = |(&(reason, from), &count): (&(DropReason, SocketAddr), &u64)| DroppedReplies {
            reason,
            from,
            count,
        };
        self.dropped.iter().map(entry).collect()
    }

    /// What to do at that time.
    pub fn advance(&mut self, now: Duration) -> Step {
        if let Some(outcome) = &self.outcome {
            return Step::End(outcome.clone());
        }
        let Retransmission { first, longest, attempts, total } = self.retransmission;
        let (end, wait) = match self.times {
            None => (now.saturating_add(total), first.min(longest)),
            Some(Times { next, .. }) if now < next => return Step::Wait(next),
            Some(Times { end, wait, .. }) if self.sent < attempts && now < end => {
                (end, wait.saturating_mul(2).min(longest))
            }
            Some(_) => return Step::End(self.time_out()),
        };
        self.sent = self.sent.saturating_add(1);
        self.times = Some(Times { end, next: now.saturating_add(wait).min(end), wait });
        Step::Send
    }

    fn time_out(&mut self) -> RequestOutcome {
        let (server, attempts) = (self.server, self.sent);
        let outcome = RequestOutcome::Timeout { server, attempts, dropped: self.dropped() };
        self.outcome = Some(outcome.clone());
        outcome
    }

    /// Takes a datagram that came from there. `None` if it does not count: then it is dropped, and
    /// the session goes on as if it had not come.
    pub fn receive(&mut self, datagram: &[u8], from: SocketAddr) -> Option<RequestOutcome> {
        let from = canonical(from);
        match self.read(datagram, from) {
            Ok(outcome) => {
                let outcome = self.outcome.get_or_insert(outcome);
                Some(outcome.clone())
            }
            Err(reason) => {
                self.drop_reply(reason, from);
                None
            }
        }
    }

    fn drop_reply(&mut self, reason: DropReason, from: SocketAddr) {
        let known = self.dropped.len();
        match self.dropped.get_mut(&(reason, from)) {
            Some(count) => *count = count.saturating_add(1),
            None if known < MAX_DROPPED => drop(self.dropped.insert((reason, from), 1)),
            None => {}
        }
    }

    /// Whether the reply counts, and what it says.
    fn read(&self, datagram: &[u8], from: SocketAddr) -> Result<RequestOutcome, DropReason> {
        if from != self.server {
            return Err(DropReason::WrongSource);
        }
        let bytes = packet_bytes(datagram).map_err(|_| DropReason::Malformed)?;
        let reply = Packet::decode(bytes).map_err(|_| DropReason::Malformed)?;
        if reply.identifier != self.identifier {
            return Err(DropReason::WrongIdentifier);
        }
        let outcome = self.outcome_of(&reply).ok_or(DropReason::WrongCode)?;
        // No RFC says over what an Accounting-Response's would be computed, and implementations
        // differ: there the authenticator alone decides.
        let message = match self.service {
            Service::Authentication => {
                authenticator::check_message(bytes, self.authenticator, &self.secret)
            }
            Service::Accounting => MessageAuthenticator::Absent,
        };
        // The answer to Status-Server may lack it (RFC 5997, section 6.1, shows one).
        let required = self.require_message_authenticator && self.code == Code::AccessRequest;
        if message == MessageAuthenticator::Absent && required {
            return Err(DropReason::NoMessageAuthenticator);
        }
        let expected = authenticator::response(bytes, self.authenticator, &self.secret);
        if !authenticator::matches(reply.authenticator, expected) {
            return Err(DropReason::WrongAuthenticator);
        }
        if message == MessageAuthenticator::Wrong {
            return Err(DropReason::WrongMessageAuthenticator);
        }
        Ok(outcome)
    }

    fn outcome_of(&self, reply: &Packet) -> Option<RequestOutcome> {
        let message = || reply.text(AttributeType::REPLY_MESSAGE);
        match (self.code, reply.code) {
            (Code::AccessRequest, Code::AccessAccept) => {
                Some(RequestOutcome::Accept { message: message() })
            }
            (Code::AccessRequest, Code::AccessReject | Code::AccessChallenge) => {
                Some(RequestOutcome::Reject { message: message() })
            }
            (Code::AccountingRequest, Code::AccountingResponse) => {
                Some(RequestOutcome::AccountingOk)
            }
            (Code::StatusServer, code) if code == self.service.status_response() => {
                Some(RequestOutcome::StatusOk)
            }
            _ => None,
        }
    }
}

/// A placeholder for the Message-Authenticator, which is computed when the packet is complete. It
/// is the first attribute.
fn empty_message_authenticator() -> Attribute {
    Attribute::digest(AttributeType::MESSAGE_AUTHENTICATOR, [0; 16])
}

/// What an IPv6 socket shows as `::ffff:a.b.c.d` is the IPv4 address. Scope and flow label do not
/// count.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
