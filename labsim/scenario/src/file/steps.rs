//! A scenario file's `steps` as they are written.

use super::changes::{RawSetAddress, RawSetFilter, RawSetRoute, RawSetSysctls};
use super::exchanges::{RawDnsQuery, RawExchange, RawHttpGet, RawTcpExchange, RawUdpExchange};
use super::flood::RawFlood;
use super::forms::Texts;
use super::packet::RawCraftedPacket;
use super::processes::RawRun;
use crate::model::{AccountingRecord, AdminState, LoginClose, LoginMethod, MemberState, Profile};
use labsim_yaml::{FromYaml, Located};
use schemars::JsonSchema;

/// What a step does.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawStep {
    /// Runs TACACS+ logins (RFC 8907).
    TacacsLogin(Box<RawTacacsLogin>),
    /// Sends bytes over TCP connections, and checks what comes back.
    TcpExchange(Box<RawTcpExchange>),
    /// Sends datagrams over UDP, and checks what comes back.
    UdpExchange(Box<RawUdpExchange>),
    /// Sends HTTP/1.1 GET requests (RFC 9112).
    HttpGet(Box<RawHttpGet>),
    /// Asks a DNS server for a name's addresses (RFC 1035).
    DnsQuery(Box<RawDnsQuery>),
    /// Continues a paused login or exchange to its end.
    Resume(RawResume),
    /// Waits until the logins or exchanges of a background step have ended.
    Finish(RawFinish),
    /// Sends RADIUS Access-Requests (RFC 2865).
    RadiusLogin(Box<RawRadiusLogin>),
    /// Sends RADIUS Accounting-Requests (RFC 2866).
    RadiusAccounting(Box<RawRadiusAccounting>),
    /// Sends RADIUS Status-Server requests (RFC 5997).
    RadiusStatus(Box<RawRadiusRequest>),
    /// Runs a program in a node until it exits, with labsim's privileges.
    Run(Box<RawRun>),
    /// Sends a crafted UDP packet from a node.
    SendPacket(Box<RawCraftedPacket>),
    /// Sends packets at a rate, each from another source: a SYN flood.
    Flood(Box<RawFlood>),
    /// Moves bytes both ways over one TCP connection. The server's end is labsim's own.
    TcpTransfer(Box<RawTcpTransfer>),
    /// Kills a load balancer's forwarder, which loses its flow table.
    KillForwarder(RawForwarderNode),
    /// Starts a load balancer's forwarder again and waits until it forwards packets.
    StartForwarder(RawForwarderNode),
    /// Makes a standby load balancer active in place of another, which goes on standby. The new one announces
    /// the VIPs of its subnets as its `announcements` say; the route to a VIP beyond them is moved by
    /// `set_route`. The new one gets copies of the old one's flows of virtual servers with `mirror`, as they
    /// are at this step, or were when the old one's forwarder was killed: all of them, and without traffic in
    /// the lab. The old one forgets its flows, and is on standby also when its forwarder is started later.
    Failover(RawFailover),
    /// Waits until a counter of a load balancer's forwarder reaches a value.
    AwaitCounter(RawAwaitCounter),
    /// Adds a member to a pool of a running load balancer.
    AddMember(RawAddMember),
    /// Sets a pool member's ratio, its state, or both. With `ratio: 0` or `state: forced_offline` it keeps
    /// its flows and gets no new ones; with `state: disabled` it also keeps the clients that have a
    /// persistence record for it.
    SetMember(RawSetMember),
    /// Removes a member from a pool of a running load balancer; its flows stay with it until they
    /// end.
    RemoveMember(RawRemoveMember),
    /// Waits until a member's monitor reports it up or down.
    AwaitMember(RawAwaitMember),
    /// Stops the built-in servers of a node, as a crash does.
    StopServer(RawStopServer),
    /// Starts the built-in servers of a node again.
    StartServer(RawServerNode),
    /// Sets an interface of a node down or up; the other end of the link loses or regains its
    /// carrier.
    SetLink(RawSetLink),
    /// Sets or removes a route of a node.
    SetRoute(RawSetRoute),
    /// Writes kernel settings of a node.
    SetSysctls(RawSetSysctls),
    /// Adds an address to a node, or removes it.
    SetAddress(RawSetAddress),
    /// Puts a packet filter of `filters` in, or takes it out. What its rules have counted stays.
    SetFilter(RawSetFilter),
}

impl RawStep {
    /// Whether the following steps do not wait for it.
    pub(crate) fn is_in_background(&self) -> bool {
        let written = match self {
            Self::TacacsLogin(fields) => fields.exchange.background,
            Self::TcpExchange(fields) => fields.exchange.background,
            Self::UdpExchange(fields) => fields.exchange.background,
            Self::HttpGet(fields) => fields.exchange.background,
            Self::DnsQuery(fields) => fields.exchange.background,
            Self::RadiusLogin(fields) => fields.request.exchange.background,
            Self::RadiusAccounting(fields) => fields.request.exchange.background,
            Self::RadiusStatus(fields) => fields.exchange.background,
            _ => None,
        };
        written.is_some_and(|background| background.value)
    }
}

/// Runs TACACS+ logins (RFC 8907).
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(renamed(at_once = "concurrency"))]
pub(crate) struct RawTacacsLogin {
    /// What all exchanges have.
    #[serde(flatten)]
    pub(crate) exchange: RawExchange,
    /// How the password is sent: `ascii` (on the server's prompt, the default), `pap` or `chap`.
    #[serde(default)]
    pub(crate) method: LoginMethod,
    /// The user.
    pub(crate) user: Located<String>,
    /// The password.
    pub(crate) password: Located<String>,
    /// The client's secret; the servers' secret by default.
    pub(crate) secret: Option<Located<String>>,
    /// Whether the login pauses at the server's password prompt, until a `resume` step.
    pub(crate) pause: Option<Located<bool>>,
    /// How the client ends its connection once the server has closed: `reset` (with RST, the
    /// default) or `fin`.
    #[serde(default)]
    pub(crate) close: LoginClose,
}

/// Continues a paused login or exchange.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawResume {
    /// The name of an earlier step with `pause: true`.
    pub(crate) login: Located<String>,
}

/// Waits for logins or exchanges in the background.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFinish {
    /// The name of an earlier step with `background: true`.
    pub(crate) login: Located<String>,
}

/// A RADIUS Access-Request.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(renamed(tries = "max_transmissions"))]
pub(crate) struct RawRadiusLogin {
    /// What all requests have.
    #[serde(flatten)]
    pub(crate) request: RawRadiusRequest,
    /// How the password is sent: `pap` (hidden by the secret, the default) or `chap`.
    #[serde(default)]
    pub(crate) method: RadiusMethod,
    /// The user.
    pub(crate) user: Located<String>,
    /// The password.
    pub(crate) password: Located<String>,
    /// Whether it carries a Message-Authenticator; `true` by default.
    pub(crate) message_authenticator: Option<bool>,
    /// Whether the client drops an Access-Accept or Access-Reject without a Message-Authenticator; by
    /// default if its request carries one.
    pub(crate) require_message_authenticator: Option<bool>,
}

/// An Access-Request's method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RadiusMethod {
    /// User-Password, hidden by the secret.
    #[default]
    Pap,
    /// A challenge's digest.
    Chap,
}

/// A RADIUS Accounting-Request.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(renamed(
    record = "acct_status_type",
    session = "acct_session_id",
    tries = "max_transmissions"
))]
pub(crate) struct RawRadiusAccounting {
    /// What all requests have.
    #[serde(flatten)]
    pub(crate) request: RawRadiusRequest,
    /// Acct-Status-Type: `start` or `stop`.
    pub(crate) acct_status_type: AccountingRecord,
    /// The user.
    pub(crate) user: Located<String>,
    /// Acct-Session-Id.
    pub(crate) acct_session_id: Located<String>,
    /// Class, as a server's Access-Accept would set it (RFC 2865, section 5.25): up to 2024 bytes.
    pub(crate) class: Option<Located<String>>,
}

/// What all RADIUS requests have; a Status-Server request has nothing else.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(renamed(tries = "max_transmissions"))]
pub(crate) struct RawRadiusRequest {
    /// What all exchanges have.
    #[serde(flatten)]
    pub(crate) exchange: RawExchange,
    /// The client's secret; the servers' secret by default.
    pub(crate) secret: Option<Located<String>>,
    /// Maximum number of transmissions; 3 by default.
    pub(crate) max_transmissions: Option<Located<u32>>,
}

/// Bytes over one TCP connection. The step's nodes listen while it goes on. It passes when all bytes have
/// arrived at both ends; how many did, the MSS of both ends and the time are in its result.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTcpTransfer {
    /// The client's node.
    pub(crate) from: Located<String>,
    /// Address and port that it connects to.
    pub(crate) to: Located<String>,
    /// The nodes that listen at that port: a name or a list. By default the real servers that hold
    /// the address as their VIP, or the node that has it.
    pub(crate) servers: Option<Located<Texts>>,
    /// The port that they listen at; by default that of `to`.
    pub(crate) server_port: Option<Located<u16>>,
    /// Bytes from the client to the server, from 0 to 4194304; 100000 by default.
    pub(crate) send: Option<Located<u32>>,
    /// Bytes from the server to the client, likewise.
    pub(crate) receive: Option<Located<u32>>,
    /// Timeout in seconds; 10 by default.
    pub(crate) timeout: Option<Located<f64>>,
}

/// A load balancer.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawForwarderNode {
    /// Its node.
    pub(crate) node: Located<String>,
}

/// Two load balancers with a VIP in common.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFailover {
    /// The node of the active one, which goes on standby. Its forwarder may have been killed.
    pub(crate) from: Located<String>,
    /// The node of the one on standby, which becomes active.
    pub(crate) to: Located<String>,
}

/// A counter to wait for.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAwaitCounter {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The counter: an outcome such as `no_flow`, or one such as `flows.timed_out`.
    pub(crate) counter: Located<String>,
    /// Least value to wait for.
    pub(crate) at_least: Located<u64>,
    /// Timeout in seconds; 5 by default.
    pub(crate) timeout: Option<Located<f64>>,
}

/// A new member.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAddMember {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The pool.
    pub(crate) pool: Located<String>,
    /// Address and port: `10.1.1.51:49`.
    pub(crate) member: Located<String>,
    /// Its share of new flows; 1 by default.
    pub(crate) ratio: Option<Located<u64>>,
    /// How packets reach it: `none`, `ipip`, `gre`, `gue`, or a map with options; the pool's profile by
    /// default.
    pub(crate) profile: Option<Profile>,
    /// Which new flows it takes: `enabled` (the default), `disabled` or `forced_offline`.
    #[serde(default)]
    pub(crate) state: AdminState,
}

/// A member's new settings: `ratio`, `state`, or both.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSetMember {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The pool.
    pub(crate) pool: Located<String>,
    /// Address and port: `10.1.1.51:49`.
    pub(crate) member: Located<String>,
    /// Its share of new flows; as before by default.
    pub(crate) ratio: Option<Located<u64>>,
    /// Which new flows it takes: `enabled`, `disabled` (those of clients that have a persistence record
    /// for it) or `forced_offline` (none); as before by default.
    pub(crate) state: Option<AdminState>,
}

/// A member that goes.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRemoveMember {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The pool.
    pub(crate) pool: Located<String>,
    /// Address and port: `10.1.1.51:49`.
    pub(crate) member: Located<String>,
}

/// A member to wait for.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAwaitMember {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The pool, which has a monitor.
    pub(crate) pool: Located<String>,
    /// Address and port: `10.1.1.51:49`.
    pub(crate) member: Located<String>,
    /// The state to wait for: `up` or `down`.
    pub(crate) state: MemberState,
    /// Timeout in seconds; 5 by default.
    pub(crate) timeout: Option<Located<f64>>,
}

/// Built-in servers that stop.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStopServer {
    /// The node.
    pub(crate) node: Located<String>,
    /// Open connections: `break` (the default) ends them, `keep` serves them to their end.
    #[serde(default)]
    pub(crate) connections: ServerConnections,
}

/// How a stopped server treats its open connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServerConnections {
    /// They end.
    #[default]
    Break,
    /// They are served to their end.
    Keep,
}

/// A node with built-in servers.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawServerNode {
    /// The node.
    pub(crate) node: Located<String>,
}

/// An interface to set down or up.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSetLink {
    /// The node.
    pub(crate) node: Located<String>,
    /// Its interface.
    pub(crate) interface: Located<String>,
    /// `down` or `up`.
    pub(crate) state: Located<InterfaceState>,
}

/// State of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InterfaceState {
    /// It sends and receives nothing, and its routes are removed.
    Down,
    /// It is up again, with the file's routes and IPv6 addresses: what a step changed of them before is
    /// undone.
    Up,
}
