//! Exchanges: a client sends, and a server answers. A login is one form of it.

use super::{LoginMethod, NodeName, RadiusRequest, Secret};
use labsim_model::{Close, Payload, RecordType};
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Which servers a step asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// TACACS+.
    Tacacs,
    /// RADIUS.
    Radius,
    /// Any other over TCP.
    Tcp,
    /// Any other over UDP.
    Udp,
}

impl ServerKind {
    /// The protocol, and the key of a scenario file that declares its servers.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Tacacs => ("TACACS+", "tacacs_servers"),
            Self::Radius => ("RADIUS", "radius_servers"),
            Self::Tcp => ("TCP", "tcp_servers"),
            Self::Udp => ("UDP", "udp_servers"),
        }
    }
}

/// What a step asks of servers.
#[derive(Debug, Clone, Copy)]
pub struct ServerRequests<'a> {
    /// The clients.
    pub from: &'a [NodeName],
    /// How many exchanges or requests, retransmissions not among them.
    pub number: u64,
    /// The servers that it asks.
    pub kind: ServerKind,
    /// What one of them is called: `login`, `request`.
    pub noun: &'static str,
}

/// Exchanges through a virtual server, or straight with a server.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The clients' nodes; at least one, mostly one.
    pub from: Vec<NodeName>,
    /// Exchanges of each client; 1 by default.
    pub times: u32,
    /// Concurrent exchanges; 1 by default.
    pub concurrency: u32,
    /// The client's port of every exchange; `None` if the kernel gives each its own.
    pub source_port: Option<u16>,
    /// Where it connects to, or sends to.
    pub to: SocketAddr,
    /// How long one exchange may take; over UDP, how long to wait for an answer to one transmission.
    pub timeout: Duration,
    /// Whether it pauses after the server's first answer, until a step resumes it. Over TCP, from one
    /// client, once, only.
    pub pause: bool,
    /// Whether the steps that follow do not wait for it, until a step finishes it.
    pub background: bool,
    /// What is said.
    pub form: ExchangeForm,
}

/// What is said in an exchange.
#[derive(Debug, Clone)]
pub enum ExchangeForm {
    /// A TACACS+ login (RFC 8907).
    TacacsLogin(TacacsLogin),
    /// Bytes over TCP.
    Tcp(TcpExchange),
    /// HTTP requests (RFC 9112).
    Http(HttpGet),
    /// A datagram, and its answer.
    Udp(UdpExchange),
    /// A DNS query (RFC 1035).
    Dns(DnsQuery),
    /// A RADIUS request.
    Radius(RadiusRequest),
}

/// A TACACS+ login.
#[derive(Debug, Clone)]
pub struct TacacsLogin {
    /// The client's shared secret; the servers' own by default.
    pub secret: Secret,
    /// How the password travels.
    pub method: LoginMethod,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// How the client ends its connection.
    pub close: LoginClose,
}

/// How a client ends its connection once the server has closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginClose {
    /// At once, with RST.
    #[default]
    Reset,
    /// In order, with FIN.
    Fin,
}

/// Bytes over one TCP connection, both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpExchange {
    /// What the client sends in each round.
    pub send: Payload,
    /// What has to come back in each round.
    pub receive: Payload,
    /// How often; 1 by default.
    pub rounds: u32,
    /// Who closes the connection, and how.
    pub close: Close,
    /// The longest segment that the client must be allowed to send, in bytes, if it matters
    /// (tcp(7), `TCP_MAXSEG`).
    pub mss: Option<u16>,
}

/// HTTP requests over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGet {
    /// The path, with its query.
    pub path: String,
    /// The `Host` field.
    pub host: String,
    /// The status that has to come back.
    pub status: u16,
    /// The body that has to come back, if it matters.
    pub body: Option<Payload>,
    /// Requests on the connection; 1 by default.
    pub rounds: u32,
}

/// A datagram, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpExchange {
    /// What the client sends.
    pub send: Payload,
    /// What has to come back; an empty one if no answer is waited for.
    pub receive: Payload,
    /// Most transmissions; 3 by default.
    pub max_transmissions: u32,
}

/// A DNS query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsQuery {
    /// The name that is asked for.
    pub name: String,
    /// A or AAAA.
    pub record: RecordType,
    /// The addresses that have to come back, in any order; empty if any will do.
    pub addresses: Vec<IpAddr>,
    /// Most transmissions; 3 by default.
    pub max_transmissions: u32,
}

impl Exchange {
    /// How many exchanges it makes.
    #[must_use]
    pub fn number(&self) -> u64 {
        u64::from(self.times) * self.from.len() as u64
    }

    /// What one of them is called: `login`, `exchange`, `request` or `lookup`.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        match &self.form {
            ExchangeForm::TacacsLogin(_) => "login",
            ExchangeForm::Radius(request) => request.noun(),
            ExchangeForm::Tcp(_) | ExchangeForm::Udp(_) => "exchange",
            ExchangeForm::Http(_) => "request",
            ExchangeForm::Dns(_) => "lookup",
        }
    }

    /// The servers that it asks.
    #[must_use]
    pub const fn kind(&self) -> ServerKind {
        match self.form {
            ExchangeForm::TacacsLogin(_) => ServerKind::Tacacs,
            ExchangeForm::Radius(_) => ServerKind::Radius,
            ExchangeForm::Tcp(_) | ExchangeForm::Http(_) => ServerKind::Tcp,
            ExchangeForm::Udp(_) | ExchangeForm::Dns(_) => ServerKind::Udp,
        }
    }

    /// The user that it names, if it names one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.form {
            ExchangeForm::TacacsLogin(login) => Some(&login.user),
            ExchangeForm::Radius(request) => request.user(),
            _ => None,
        }
    }

    pub(super) fn description(&self) -> String {
        let clients: Vec<&str> = self.from.iter().map(NodeName::as_str).collect();
        let (clients, to, number) = (clients.join(", "), self.to, self.number());
        let from = match self.source_port {
            None => clients,
            Some(port) => format!("{clients}, port {port},"),
        };
        let way = match number {
            1 => format!("from {from} to {to}"),
            _ => format!("from {from} to {to}, {} at a time", self.concurrency),
        };
        let many = |one: &str, several: &str| match number {
            1 => one.to_owned(),
            number => format!("{number} {several}"),
        };
        match &self.form {
            ExchangeForm::TacacsLogin(login) => {
                let (method, user) = (login.method.name(), &login.user);
                let (one, several) =
                    (format!("TACACS+ {method} login"), format!("TACACS+ {method} logins"));
                format!("{} of `{user}` {way}", many(&one, &several))
            }
            ExchangeForm::Tcp(one) => format!(
                "{} {way}: {} in {}, {} back",
                many("TCP exchange", "TCP exchanges"),
                one.send.size(),
                match one.rounds {
                    1 => "one round".to_owned(),
                    rounds => format!("each of {rounds} rounds"),
                },
                one.receive.size()
            ),
            ExchangeForm::Http(get) => {
                let what = format!("GET {}", get.path.escape_debug());
                format!("HTTP {} {way}", many(&what, &what))
            }
            ExchangeForm::Udp(one) => format!(
                "{} {way}: {}, {} back",
                many("UDP exchange", "UDP exchanges"),
                one.send.size(),
                one.receive.size()
            ),
            ExchangeForm::Radius(request) => {
                let (one, several) = request.names();
                format!("{}{} {way}", many(&one, &several), request.subject())
            }
            ExchangeForm::Dns(query) => {
                let (record, name) = (query.record.name(), &query.name);
                format!("DNS {} of {record} for {name} {way}", many("lookup", "lookups"))
            }
        }
    }
}
