//! One socket of the server as a pure machine: a datagram in, an answer and a log line out.

use super::dedup::{Key, ReplyCache};
use super::request::{Decision, decide_access, decide_accounting, log_kind};
use super::{Client, Server};
use crate::Secret;
use crate::log::{LogEntry, LogKind, LogOutcome};
use crate::radius::attribute::{Attribute, AttributeType, MAX_VALUE};
use crate::radius::authenticator::{self, MessageAuthenticator};
use crate::radius::code::{Code, Service};
use crate::radius::error::EncodeError;
use crate::radius::packet::{Authenticator, Packet, packet_bytes};
use std::net::SocketAddr;
use std::time::Duration;

/// What the server does about a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The reply to send back where the datagram came from; without one it is dropped in silence.
    pub reply: Option<Vec<u8>>,
    /// What is written down: every datagram has its line.
    pub log: LogEntry,
}

/// A socket of the server, with the replies that it has sent lately.
#[derive(Debug)]
pub struct Endpoint<'a> {
    server: &'a Server,
    service: Service,
    replies: ReplyCache,
}

impl<'a> Endpoint<'a> {
    /// A socket for that service.
    #[must_use]
    pub fn new(server: &'a Server, service: Service) -> Self {
        Self { server, service, replies: ReplyCache::default() }
    }

    /// Takes a datagram that came from `peer` to `local`, at that time, counted from any fixed
    /// moment.
    ///
    /// RFC 2865, section 3, has all of these discarded in silence: what comes from an unknown
    /// client, what is no packet, what is not meant for this service, and what is not genuine. The
    /// log says so all the same.
    pub fn handle(
        &mut self,
        datagram: &[u8],
        peer: SocketAddr,
        local: SocketAddr,
        now: Duration,
    ) -> Answer {
        // What an IPv6 socket shows as ::ffff:a.b.c.d came from the IPv4 address.
        let canonical =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (peer, local) = (canonical(peer), canonical(local));
        let entry = |user: Option<&str>, decision: &Decision| {
            let Decision { kind, outcome, detail, .. } = decision;
            LogEntry::new(peer, local, *kind, user, *outcome, detail)
        };
        let server = self.server;
        let Some(client) = server.find_client(peer.ip()) else {
            let detail = "the source address is not among the server's clients";
            let log = entry(None, &Decision::discard(LogKind::Refused, detail));
            return Answer { reply: None, log };
        };
        let read = packet_bytes(datagram).and_then(|bytes| Ok((bytes, Packet::decode(bytes)?)));
        let (bytes, request) = match read {
            Ok(read) => read,
            Err(error) => {
                let log =
                    entry(None, &Decision::discard(LogKind::ProtocolError, error.to_string()));
                return Answer { reply: None, log };
            }
        };
        let user = request.first(AttributeType::USER_NAME).map(Attribute::as_text);
        let key = Key { peer, local, identifier: request.identifier };
        let (reply, decision) = self.answer(client, bytes, &request, key, now);
        Answer { reply, log: entry(user.as_deref(), &decision) }
    }

    fn answer(
        &mut self,
        client: &Client,
        bytes: &[u8],
        request: &Packet,
        key: Key,
        now: Duration,
    ) -> (Option<Vec<u8>>, Decision) {
        // Only what is genuine may touch the kept replies (RFC 5080, section 2.2.2).
        if let Err(decision) = self.admit(&client.secret, bytes, request) {
            return (None, decision);
        }
        if let Some(reply) = self.replies.find(&key, request.authenticator, now) {
            let decision = Decision {
                reply: None,
                kind: log_kind(request.code),
                outcome: LogOutcome::Repeated,
                detail: "the request came again: its reply was sent again".to_owned(),
            };
            return (Some(reply.to_vec()), decision);
        }
        let decision = match request.code {
            Code::AccessRequest => decide_access(self.server, &client.secret, request),
            Code::AccountingRequest => decide_accounting(request),
            _ => Decision {
                reply: Some(self.service.status_response()),
                kind: LogKind::Status,
                outcome: LogOutcome::Pass,
                detail: format!("{} is alive", self.service),
            },
        };
        let Some(code) = decision.reply else { return (None, decision) };
        let reply = match reply(code, request, self.server, &client.secret) {
            Ok(reply) => reply,
            // A request of Proxy-States alone leaves the reply no place for more.
            Err(error) => {
                let detail = format!("there is no reply to this request: {error}");
                return (None, Decision::discard(decision.kind, detail));
            }
        };
        // RFC 5997 has Status-Server not sent twice, so that its reply need not be kept.
        if request.code != Code::StatusServer {
            let until = now.saturating_add(self.server.window);
            let most = self.server.max_cached_replies;
            self.replies.insert(key, request.authenticator, reply.clone(), until, most);
        }
        (Some(reply), decision)
    }

    /// Whether the request is for this service, and genuine as far as it can show it.
    fn admit(&self, secret: &Secret, bytes: &[u8], request: &Packet) -> Result<(), Decision> {
        let kind = log_kind(request.code);
        let discard = |detail: &str| Err(Decision::discard(kind, detail));
        let own = request.authenticator;
        match (request.code, self.service) {
            (Code::AccessRequest, Service::Authentication) => {
                let eap = request.first(AttributeType::EAP_MESSAGE).is_some();
                match authenticator::check_message(bytes, own, secret) {
                    MessageAuthenticator::Right => Ok(()),
                    MessageAuthenticator::Wrong => discard(WRONG_MESSAGE_AUTHENTICATOR),
                    MessageAuthenticator::Absent if self.server.require_message_authenticator => {
                        discard(NO_MESSAGE_AUTHENTICATOR)
                    }
                    // RFC 3579, section 3.1.
                    MessageAuthenticator::Absent if eap => discard(NO_MESSAGE_AUTHENTICATOR),
                    MessageAuthenticator::Absent => Ok(()),
                }
            }
            (Code::AccountingRequest, Service::Accounting) => {
                if !authenticator::matches(own, authenticator::accounting_request(bytes, secret)) {
                    return discard(WRONG_AUTHENTICATOR);
                }
                match authenticator::check_message(bytes, Authenticator::default(), secret) {
                    MessageAuthenticator::Wrong => discard(WRONG_MESSAGE_AUTHENTICATOR),
                    _ => Ok(()),
                }
            }
            // RFC 5997, section 3: it always has one.
            (Code::StatusServer, _) => match authenticator::check_message(bytes, own, secret) {
                MessageAuthenticator::Right => Ok(()),
                MessageAuthenticator::Wrong => discard(WRONG_MESSAGE_AUTHENTICATOR),
                MessageAuthenticator::Absent => discard(NO_MESSAGE_AUTHENTICATOR),
            },
            (code, service) => {
                let detail = format!("a packet {code} has no place on the {service} port");
                Err(Decision::discard(LogKind::ProtocolError, detail))
            }
        }
    }
}

const NO_MESSAGE_AUTHENTICATOR: &str =
    "the request has no Message-Authenticator, and the server requires one";
const WRONG_MESSAGE_AUTHENTICATOR: &str =
    "the Message-Authenticator is wrong: the shared secrets differ, most likely";
const WRONG_AUTHENTICATOR: &str =
    "the request's authenticator is wrong: the shared secrets differ, most likely";

/// Splits a text into as many Reply-Message attributes as it takes, between characters.
fn reply_messages(mut text: &str) -> Result<Vec<Attribute>, EncodeError> {
    let mut attributes = Vec::new();
    while !text.is_empty() {
        let most = text.len().min(MAX_VALUE);
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(most);
        let (part, rest) = text.split_at(end);
        attributes.push(Attribute::new(AttributeType::REPLY_MESSAGE, part)?);
        text = rest;
    }
    Ok(attributes)
}

/// A reply: in front its Message-Authenticator if it has one, so that no attacker knows how the packet begins
/// (draft-ietf-radext-deprecating-radius, after CVE-2024-3596), then what it says to the user, then
/// the request's Proxy-States as they came (RFC 2865, section 5.33).
fn reply(
    code: Code,
    request: &Packet,
    server: &Server,
    secret: &Secret,
) -> Result<Vec<u8>, EncodeError> {
    let zeros = Attribute::digest(AttributeType::MESSAGE_AUTHENTICATOR, [0; 16]);
    let signs = match code {
        Code::AccountingResponse => false,
        Code::AccessAccept | Code::AccessReject => server.message_authenticator,
        _ => true,
    };
    let first = signs.then_some(zeros);
    let states = request.all(AttributeType::PROXY_STATE).cloned();
    let Packet { identifier, authenticator, .. } = *request;
    let speaks = matches!(code, Code::AccessAccept | Code::AccessReject);
    let message = if speaks { server.reply_message.as_str() } else { "" };
    let attributes = first.into_iter().chain(reply_messages(message)?).chain(states).collect();
    let reply = Packet { code, identifier, authenticator, attributes };
    let mut bytes = reply.encode()?;
    authenticator::sign_reply(&mut bytes, authenticator, secret);
    Ok(bytes)
}
