//! Exchanges with servers of any service, as they are written.

use super::forms::Texts;
use labsim_model::{Close, Payload, RecordType};
use labsim_yaml::{FromYaml, Located};
use schemars::JsonSchema;

/// What all exchanges have.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExchange {
    /// The client's node, or a list of several.
    pub(crate) from: Located<Texts>,
    /// Address and port that it connects to, or sends to.
    pub(crate) to: Located<String>,
    /// Exchanges per client; 1 by default.
    pub(crate) times: Option<Located<u32>>,
    /// Concurrent exchanges; 1 by default.
    pub(crate) concurrency: Option<Located<u32>>,
    /// The client's own port, the same for all exchanges of the step; one from the kernel for each by
    /// default. Exchanges of one port follow each other. Over TCP each client makes one: a port that a
    /// connection had rests before it can have the next (TIME_WAIT).
    pub(crate) source_port: Option<Located<u16>>,
    /// Timeout of an exchange in seconds, 5 by default; over UDP, the retransmission interval, 1 by
    /// default.
    pub(crate) timeout: Option<Located<f64>>,
    /// Whether the following steps run without waiting for it, until a `finish` step.
    pub(crate) background: Option<Located<bool>>,
}

/// Bytes over TCP connections: in each round the client sends, and the server's answer has to be the
/// expected one, byte by byte. Nobody reads them, so they may stand for any protocol: TLS, mail, databases.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTcpExchange {
    /// What all exchanges have.
    #[serde(flatten)]
    pub(crate) exchange: RawExchange,
    /// What the client sends in each round: a text, or a number of bytes up to 16777216; 100 by default.
    pub(crate) send: Option<Located<Payload>>,
    /// What has to come back in each round, likewise; by default what was sent.
    pub(crate) receive: Option<Located<Payload>>,
    /// Rounds on one connection; 1 by default.
    pub(crate) rounds: Option<Located<u32>>,
    /// Who ends the connection after the last round: `fin` (the client, the default), `reset` (the client,
    /// with RST) or `server` (the client waits for the server's FIN).
    #[serde(default)]
    pub(crate) close: Close,
    /// Whether the connection is kept open after the first round, until a `resume` step.
    pub(crate) pause: Option<Located<bool>>,
    /// The segment size in bytes that the client has to have: the smaller of its own and what the server
    /// offers, without TCP options (tcp(7), TCP_MAXSEG).
    pub(crate) mss: Option<Located<u16>>,
}

/// A datagram over UDP, and its answer. Without an answer in time it is sent again.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawUdpExchange {
    /// What all exchanges have.
    #[serde(flatten)]
    pub(crate) exchange: RawExchange,
    /// What the client sends: a text, or a number of bytes up to 65507; 100 by default.
    pub(crate) send: Option<Located<Payload>>,
    /// What has to come back, likewise; by default what was sent. With 0 no answer is waited for: the
    /// exchange passes once it is sent, and the servers' logs say whether it arrived.
    pub(crate) receive: Option<Located<Payload>>,
    /// Maximum number of transmissions; 3 by default.
    pub(crate) max_transmissions: Option<Located<u32>>,
}

/// HTTP/1.1 GET requests. The step passes when the status, and the body if one is written, are the
/// expected ones; another status is `fail`.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHttpGet {
    /// What all exchanges have.
    #[serde(flatten)]
    pub(crate) exchange: RawExchange,
    /// The path, with its query; `/` by default.
    pub(crate) path: Option<Located<String>>,
    /// The `Host` field; by default the address of `to`.
    pub(crate) host: Option<Located<String>>,
    /// The status that has to come back; 200 by default.
    pub(crate) status: Option<Located<u16>>,
    /// The body that has to come back: a text, or a number of bytes of the pattern that labsim's servers
    /// send. Any by default.
    pub(crate) body: Option<Located<Payload>>,
    /// Requests on one connection; 1 by default. The last one asks the server to close it.
    pub(crate) rounds: Option<Located<u32>>,
}

/// A DNS query over UDP. The step passes when the name has an address, or exactly the written ones; with
/// another result, such as NXDOMAIN, it ends with `fail`.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDnsQuery {
    /// What all exchanges have.
    #[serde(flatten)]
    pub(crate) exchange: RawExchange,
    /// The name to ask for.
    pub(crate) name: Located<String>,
    /// What is asked for: `a` (the default) or `aaaa`.
    #[serde(default)]
    pub(crate) record: RecordType,
    /// The address or addresses that have to come back, in any order; any by default.
    pub(crate) addresses: Option<Located<Texts>>,
    /// Maximum number of transmissions; 3 by default.
    pub(crate) max_transmissions: Option<Located<u32>>,
}
