//! A scenario file's `steps` as they are written.

use super::forms::Texts;
use super::lenient::or_default;
use super::packet::SendPacketFields;
use super::processes::RunFields;
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a step does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepForm {
    /// TACACS+ logins.
    TacacsLogin(Box<TacacsLoginFields>),
    /// Goes on with a login that paused, to its end.
    Resume(ResumeFields),
    /// Waits until the logins of a step in the background are over.
    Finish(FinishFields),
    /// A RADIUS Access-Request (RFC 2865).
    RadiusLogin(Box<RadiusLoginFields>),
    /// A RADIUS Accounting-Request (RFC 2866).
    RadiusAccounting(Box<RadiusAccountingFields>),
    /// A RADIUS Status-Server request (RFC 5997).
    RadiusStatus(Box<RadiusStatusFields>),
    /// Runs a program in a node, to its end. Like `processes`, it makes the file code: the program
    /// runs with labsim's rights.
    Run(Box<RunFields>),
    /// Sends a made-up packet from a node.
    SendPacket(Box<SendPacketFields>),
    /// Kills a load balancer's forwarder: its flows are forgotten.
    KillForwarder(ForwarderFields),
    /// Starts a load balancer's forwarder again, and waits until it takes packets.
    StartForwarder(ForwarderFields),
    /// Waits until a counter of a load balancer's forwarder has risen so far.
    AwaitCounter(AwaitCounterFields),
    /// Adds a member to a pool of a running load balancer.
    AddMember(AddMemberFields),
    /// Gives a member another ratio: its share of new flows. With 0 it is drained: it keeps its
    /// flows and gets no other.
    SetMember(SetMemberFields),
    /// Takes a member out of a pool of a running load balancer. Its flows stay with it until they
    /// end.
    RemoveMember(RemoveMemberFields),
    /// Waits until a member's monitor has found it up, or down.
    AwaitMember(AwaitMemberFields),
    /// Stops the built-in servers of a node, as if they had crashed: nobody listens there any more,
    /// and connections break off unless they are kept.
    StopServer(StopServerFields),
    /// Starts the built-in servers of a node again.
    StartServer(ServerFields),
    /// Sets an interface of a node down or up: whoever is at the other end of the link sees its
    /// carrier go and come.
    SetLink(SetLinkFields),
}

/// TACACS+ logins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TacacsLoginFields {
    /// The client's node, or a list of several.
    pub(crate) from: Located<Texts>,
    /// How often each client logs in; once by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) times: Option<Located<u32>>,
    /// How many logins are under way at a time; 1 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) at_once: Option<Located<u32>>,
    /// Address and port that it connects to.
    pub(crate) to: Located<String>,
    /// How the password travels: `ascii` (asked for, the default), `pap` or `chap`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) method: LoginMethodWord,
    /// The user.
    pub(crate) user: Located<String>,
    /// The password.
    pub(crate) password: Located<String>,
    /// The client's secret; the servers' unless it is said.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) secret: Option<Located<String>>,
    /// Seconds that a login may take; 5 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<f64>>,
    /// Whether it stops when the server has asked for the password, until a `resume` step.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) pause: Option<Located<bool>>,
    /// How the client ends its connection once the server has closed: `reset` (with RST, the
    /// default) or `fin`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) close: LoginCloseWord,
    /// Whether the steps that follow do not wait for it, until a `finish` step.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) background: Option<Located<bool>>,
}

/// How a client ends its connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoginCloseWord {
    /// At once, with RST.
    #[default]
    Reset,
    /// In order, with FIN.
    Fin,
}

/// A login's method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoginMethodWord {
    /// The server asks for the password.
    #[default]
    Ascii,
    /// The password travels with the start.
    Pap,
    /// A challenge's digest travels with the start.
    Chap,
}

/// Goes on with a login that paused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumeFields {
    /// The name of an earlier login step with `pause: true`.
    pub(crate) login: Located<String>,
}

/// Waits for logins in the background.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishFields {
    /// The name of an earlier login step with `background: true`.
    pub(crate) login: Located<String>,
}

/// A RADIUS Access-Request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RadiusLoginFields {
    /// The client's node.
    pub(crate) from: Located<String>,
    /// Address and port that it is sent to.
    pub(crate) to: Located<String>,
    /// How the password travels: `pap` (hidden by the secret, the default) or `chap`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) method: RadiusMethodWord,
    /// The user.
    pub(crate) user: Located<String>,
    /// The password.
    pub(crate) password: Located<String>,
    /// The client's secret; the servers' unless it is said.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) secret: Option<Located<String>>,
    /// Whether it carries a Message-Authenticator; `true` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) message_authenticator: Option<bool>,
    /// Seconds until the request is sent again, unchanged; 1 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<f64>>,
    /// How often it is sent at most; 3 times by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tries: Option<Located<u32>>,
}

/// An Access-Request's method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RadiusMethodWord {
    /// User-Password, hidden by the secret.
    #[default]
    Pap,
    /// A challenge's digest.
    Chap,
}

/// A RADIUS Accounting-Request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RadiusAccountingFields {
    /// The client's node.
    pub(crate) from: Located<String>,
    /// Address and port that it is sent to.
    pub(crate) to: Located<String>,
    /// Acct-Status-Type: `start` or `stop`.
    pub(crate) record: AccountingRecordWord,
    /// The user.
    pub(crate) user: Located<String>,
    /// Acct-Session-Id.
    pub(crate) session: Located<String>,
    /// What a server's Access-Accept would have had it carry along (Class): up to 2024 bytes. A long
    /// one makes a long request.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) class: Option<Located<String>>,
    /// The client's secret; the servers' unless it is said.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) secret: Option<Located<String>>,
    /// Seconds until the request is sent again, unchanged; 1 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<f64>>,
    /// How often it is sent at most; 3 times by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tries: Option<Located<u32>>,
}

/// What an accounting record says.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccountingRecordWord {
    /// A session begins.
    Start,
    /// A session is over.
    Stop,
}

/// A RADIUS Status-Server request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RadiusStatusFields {
    /// The client's node.
    pub(crate) from: Located<String>,
    /// Address and port that it is sent to.
    pub(crate) to: Located<String>,
    /// The client's secret; the servers' unless it is said.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) secret: Option<Located<String>>,
    /// Seconds until the request is sent again, unchanged; 1 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<f64>>,
    /// How often it is sent at most; 3 times by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tries: Option<Located<u32>>,
}

/// A load balancer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForwarderFields {
    /// Its node.
    pub(crate) node: Located<String>,
}

/// A counter to wait for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AwaitCounterFields {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The counter: an outcome such as `no_flow`, or one such as `flows.timed_out`.
    pub(crate) counter: Located<String>,
    /// The value that it must have at least.
    pub(crate) at_least: Located<u64>,
    /// Seconds to wait at most; 5 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<f64>>,
}

/// A new member.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddMemberFields {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The pool.
    pub(crate) pool: Located<String>,
    /// Address and port: `10.1.1.51:49`.
    pub(crate) member: Located<String>,
    /// Its share of new flows; 1 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ratio: Option<Located<u64>>,
}

/// A member's new ratio.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetMemberFields {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The pool.
    pub(crate) pool: Located<String>,
    /// Address and port: `10.1.1.51:49`.
    pub(crate) member: Located<String>,
    /// Its share of new flows.
    pub(crate) ratio: Located<u64>,
}

/// A member that goes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveMemberFields {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The pool.
    pub(crate) pool: Located<String>,
    /// Address and port: `10.1.1.51:49`.
    pub(crate) member: Located<String>,
}

/// A member to wait for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AwaitMemberFields {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The pool, which has a monitor.
    pub(crate) pool: Located<String>,
    /// Address and port: `10.1.1.51:49`.
    pub(crate) member: Located<String>,
    /// What its monitor has to find: `up` or `down`.
    pub(crate) state: MemberStateWord,
    /// Seconds to wait at most; 5 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<f64>>,
}

/// What a monitor finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MemberStateWord {
    /// It answers.
    Up,
    /// It does not.
    Down,
}

/// Built-in servers that stop.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopServerFields {
    /// The node.
    pub(crate) node: Located<String>,
    /// What becomes of connections: `break` (the default), or `keep`: they are served to their end.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) connections: ConnectionsWord,
}

/// What becomes of a stopped server's connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConnectionsWord {
    /// They break off.
    #[default]
    Break,
    /// They go on.
    Keep,
}

/// A node with built-in servers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerFields {
    /// The node.
    pub(crate) node: Located<String>,
}

/// An interface that goes down or comes up.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetLinkFields {
    /// The node.
    pub(crate) node: Located<String>,
    /// Its interface.
    pub(crate) interface: Located<String>,
    /// `down` or `up`.
    pub(crate) state: Located<LinkStateWord>,
}

/// What becomes of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LinkStateWord {
    /// Nothing goes out or comes in. Its routes are gone.
    Down,
    /// As before, routes included.
    Up,
}
