//! What client and server say to each other, as lengths: the service of the lab that is nearest to it.

use crate::network::{Seen, has};
use crate::packet::absolute;
use labsim_captures::Transport;
use labsim_explain::{Protocol, Role, Row};
use labsim_model::MonitorKind;
use labsim_wire::tcp::Flags;
use std::collections::BTreeSet;

/// TACACS+ (RFC 8907), and RADIUS' authentication (RFC 2865) with the port that it had before.
const TACACS: u16 = 49;
const RADIUS: [u16; 2] = [1812, 1645];
/// A START without user, port, address and data; a CONTINUE without the password (RFC 8907, 5.1 and 5.3).
const START: u32 = 20;
const CONTINUE: u32 = 17;
/// A START that is longer carries the password too, as PAP does.
const LONG_START: u32 = 100;
/// The longest user and password that one octet counts.
const MAX_NAME: u32 = 255;
/// The usual ones, and their lengths in messages.
const USER: &str = "violet";
const PASSWORD: &str = "indigo";
const SECRET: &str = "reproduced";
/// Bytes of a message of which nothing is known.
const MADE_UP: u32 = 100;
/// How long a client waits for an answer, in seconds: shorter than until a SYN is sent again (RFC 6298 2.1).
const TIMEOUT: &str = "0.8";

/// The service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    kind: Kind,
    /// Whether its messages have the lengths of those that were captured.
    pub(crate) has_lengths: bool,
    /// What of it is not in the lab, in sentences.
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Tacacs { method: &'static str, user: String, password: String },
    Radius,
    Tcp { send: u32, receive: u32, rounds: usize, close: &'static str },
    Udp { send: u32 },
}

/// Bytes that one side sent before the other one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Message {
    is_reply: bool,
    bytes: u32,
}

impl Service {
    pub(crate) fn new(seen: &Seen<'_>) -> Self {
        let port = seen.connection.server.port();
        let messages = messages(seen);
        let mut notes = Vec::new();
        let (kind, has_lengths) = match seen.connection.protocol {
            Protocol::Tcp if port == TACACS => tacacs(&messages),
            Protocol::Tcp => (tcp(seen, &messages, &mut notes), true),
            Protocol::Udp if RADIUS.contains(&port) => (Kind::Radius, false),
            Protocol::Udp => udp(&messages),
        };
        if !has_lengths {
            notes.push(
                "lengths of messages are left out of the comparison: the lab's service has its own"
                    .to_owned(),
            );
        }
        Self { kind, has_lengths, notes }
    }

    /// A login of which nothing was captured.
    #[cfg(test)]
    pub(crate) fn login() -> Self {
        Self { kind: tacacs(&[]).0, has_lengths: true, notes: Vec::new() }
    }

    /// A request of RADIUS.
    #[cfg(test)]
    pub(crate) fn radius() -> Self {
        Self { kind: Kind::Radius, has_lengths: false, notes: Vec::new() }
    }

    /// The key of a scenario's servers, and the server's name below it.
    pub(crate) const fn key(&self) -> &'static str {
        match self.kind {
            Kind::Tacacs { .. } => "tacacs_servers",
            Kind::Radius => "radius_servers",
            Kind::Tcp { .. } => "tcp_servers",
            Kind::Udp { .. } => "udp_servers",
        }
    }

    /// Whether its servers know clients, users and secrets.
    pub(crate) const fn is_aaa(&self) -> bool {
        matches!(self.kind, Kind::Tacacs { .. } | Kind::Radius)
    }

    /// Whether its server answers a monitor's probes. Those of TACACS+ and RADIUS have the secret of the lab's servers.
    pub(crate) const fn answers(&self, monitor: MonitorKind) -> bool {
        match monitor {
            MonitorKind::Icmp => true,
            MonitorKind::Tcp => matches!(self.kind, Kind::Tacacs { .. } | Kind::Tcp { .. }),
            MonitorKind::Tacacs => matches!(self.kind, Kind::Tacacs { .. }),
            MonitorKind::Radius => matches!(self.kind, Kind::Radius),
        }
    }

    /// The key of a step that logs in.
    pub(crate) const fn login_key(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Tacacs { .. } => Some("tacacs_login"),
            Kind::Radius => Some("radius_login"),
            Kind::Tcp { .. } | Kind::Udp { .. } => None,
        }
    }

    /// The server's keys of a map on one line, but for `nodes`. `clients`: whom it knows, with commas between.
    pub(crate) fn server(&self, port: u16, clients: &str) -> String {
        match &self.kind {
            Kind::Tacacs { user, password, .. } => format!(
                "port: {port}, secret: {SECRET}, clients: [{clients}], users: {{{user}: {password}}}"
            ),
            Kind::Radius => format!(
                "authentication_port: {port}, secret: {SECRET}, clients: [{clients}], \
                 users: {{{USER}: {PASSWORD}}}"
            ),
            Kind::Tcp { send, receive: 0, .. } if *send > 0 => {
                format!("port: {port}, form: discard")
            }
            Kind::Tcp { send, receive, close, .. } => {
                let close = if *close == "server" { ", close: true" } else { "" };
                let answer = format!("{{request: {send}, answer: {receive}{close}}}");
                format!("port: {port}, form: {{bytes: {answer}}}")
            }
            Kind::Udp { .. } => format!("port: {port}, form: echo"),
        }
    }

    /// The step of the exchange with `to`, as a map on one line. `more`: keys that are added.
    pub(crate) fn step(&self, to: &str, more: &str) -> String {
        let (action, keys) = match &self.kind {
            Kind::Tacacs { method, user, password } => {
                let login = format!("method: {method}, user: {user}, password: {password}");
                ("tacacs_login", format!("{login}, timeout: {TIMEOUT}"))
            }
            Kind::Radius => {
                let login = format!("method: pap, user: {USER}, password: {PASSWORD}");
                ("radius_login", format!("{login}, timeout: 0.5, max_transmissions: 2"))
            }
            Kind::Tcp { send, receive, rounds, close } => {
                let rounds =
                    if *rounds > 1 { format!(", rounds: {rounds}") } else { String::new() };
                let send = (*send).max(1);
                let bytes = format!("send: {send}, receive: {receive}{rounds}, close: {close}");
                ("tcp_exchange", format!("{bytes}, timeout: {TIMEOUT}"))
            }
            Kind::Udp { send } => {
                ("udp_exchange", format!("send: {send}, timeout: 0.5, max_transmissions: 2"))
            }
        };
        format!("{{{action}: {{from: client, to: \"{to}\", {keys}{more}}}}}")
    }
}

/// A word of a length.
fn word(begin: &str, length: u32) -> String {
    let length = usize::try_from(length.clamp(1, MAX_NAME)).unwrap_or(1);
    begin.chars().chain("-x".chars().cycle()).take(length).collect::<String>().replace("--", "x-")
}

fn tacacs(messages: &[Message]) -> (Kind, bool) {
    let sent: Vec<u32> = messages.iter().filter(|it| !it.is_reply).map(|it| it.bytes).collect();
    let login = |method, user: u32, password: u32| Kind::Tacacs {
        method,
        user: word(USER, user),
        password: word(PASSWORD, password),
    };
    let usual = |text: &str| u32::try_from(text.len()).unwrap_or(0);
    let kind = match sent.as_slice() {
        [] => login("ascii", usual(USER), usual(PASSWORD)),
        [start] if *start > LONG_START => {
            let names = start.saturating_sub(START);
            login("pap", names / 2, names - names / 2)
        }
        [start] => login("ascii", start.saturating_sub(START), usual(PASSWORD)),
        [start, answer, ..] => {
            login("ascii", start.saturating_sub(START), answer.saturating_sub(CONTINUE))
        }
    };
    (kind, true)
}

fn tcp(seen: &Seen<'_>, messages: &[Message], notes: &mut Vec<String>) -> Kind {
    let begins = messages.first().is_some_and(|it| it.is_reply);
    // A server that speaks first is a greeting, which answers no bytes.
    let (send, rest) = match messages {
        [first, rest @ ..] if !first.is_reply => (first.bytes, rest),
        _ => (0, messages),
    };
    let receive = rest.first().filter(|it| it.is_reply).map_or(0, |it| it.bytes);
    let round =
        [Message { is_reply: false, bytes: send }, Message { is_reply: true, bytes: receive }];
    let rounds = messages.chunks(2).take_while(|it| **it == round).count().max(1);
    if messages.is_empty() {
        notes.push(
            "no message is shown: what client and server of the lab say is made up".to_owned(),
        );
        return Kind::Tcp { send: MADE_UP, receive: MADE_UP, rounds: 1, close: "fin" };
    }
    // What a client says to a greeting has a byte at least.
    let send = if begins { 0 } else { send };
    let shown = if begins { 1 } else { rounds * 2 };
    if messages.len() > shown && !(messages.len() == 1 && receive == 0) {
        notes.push(format!(
            "of {} messages the lab has the first {shown}: its service says the same in each round",
            messages.len()
        ));
    }
    let end = seen.rows.iter().find(|row| has(row, Flags::FIN) || has(row, Flags::RST));
    let close = match end {
        Some(row) if !seen.is_request(row) && has(row, Flags::FIN) => "server",
        Some(row) if seen.is_request(row) && has(row, Flags::RST) => "reset",
        _ => "fin",
    };
    Kind::Tcp { send, receive, rounds, close }
}

fn udp(messages: &[Message]) -> (Kind, bool) {
    let send = messages.iter().find(|it| !it.is_reply).map_or(MADE_UP, |it| it.bytes);
    let reply = messages.iter().find(|it| it.is_reply);
    (Kind::Udp { send }, reply.is_none_or(|it| it.bytes == send))
}

/// The messages, as the place saw them that is nearest to the client.
fn messages(seen: &Seen<'_>) -> Vec<Message> {
    let roles = [Role::ClientSide, Role::ServerSide, Role::LoadBalancer];
    let of_role = |role: Role| {
        let mut known: BTreeSet<(bool, Option<u32>, u32)> = BTreeSet::new();
        let mut messages: Vec<Message> = Vec::new();
        for row in seen.at(role) {
            let Some((number, bytes)) = payload(row).filter(|(_, bytes)| *bytes > 0) else {
                continue;
            };
            let is_reply = !seen.is_request(row);
            if !known.insert((is_reply, number, bytes)) {
                continue;
            }
            match messages.last_mut().filter(|it| it.is_reply == is_reply) {
                Some(last) => last.bytes = last.bytes.saturating_add(bytes),
                None => messages.push(Message { is_reply, bytes }),
            }
        }
        messages
    };
    let all = roles.into_iter().map(of_role);
    all.max_by_key(Vec::len).unwrap_or_default()
}

/// The sequence number and the bytes of payload; datagrams are told apart by their content.
fn payload(row: &Row) -> Option<(Option<u32>, u32)> {
    match &row.packet.transport {
        Transport::Tcp(tcp) => Some((absolute(tcp.sequence), tcp.payload?)),
        Transport::Udp { payload, datagram, .. } => {
            Some((datagram.as_ref().and_then(|it| it.fingerprint), (*payload)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(is_reply: bool, bytes: u32) -> Message {
        Message { is_reply, bytes }
    }

    #[test]
    fn a_login_has_user_and_password_of_the_lengths_that_were_sent() {
        let ascii =
            [(false, 26), (true, 28), (false, 23), (true, 18)].map(|it| message(it.0, it.1));
        let usual =
            |method| Kind::Tacacs { method, user: USER.to_owned(), password: PASSWORD.to_owned() };
        assert_eq!(tacacs(&ascii).0, usual("ascii"));
        assert_eq!(tacacs(&[]).0, usual("ascii"));
        let Kind::Tacacs { user, password, .. } =
            tacacs(&[message(false, 30), message(true, 28), message(false, 21)]).0
        else {
            panic!("a login");
        };
        assert_eq!((user.len(), password.len()), (10, 4));
        let Kind::Tacacs { method, user, password } = tacacs(&[message(false, 516)]).0 else {
            panic!("a login");
        };
        assert_eq!((method, user.len() + password.len()), ("pap", 496));
    }
}
