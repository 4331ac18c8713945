//! A scenario file's `expect` as it is written.

use super::forms::{Scalar, Texts, forms};
use super::lenient::{or_default, or_empty};
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// Exactly one check, and the two sentences that a person reads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectationFields {
    /// How every login or request of a step ended, and whom the client saw as its server.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) answer: Option<Located<AnswerCheck>>,
    /// The client address that the server saw.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) server_saw: Option<Located<ServerSawCheck>>,
    /// Which server answered.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) answered_by: Option<Located<AnsweredByCheck>>,
    /// Which servers answered a step's logins, and how many each.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) spread: Option<Located<SpreadCheck>>,
    /// A counter of a load balancer's forwarder at the end.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) forwarder: Option<Located<ForwarderCheck>>,
    /// A counter of a node's kernel, or of its tunnel device: by how much it rose.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) kernel: Option<Located<KernelCheck>>,
    /// Frames of one kind at one interface, counted.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) frames: Option<Located<FramesCheck>>,
    /// All frames of a step's flow at one interface, in order: these and no others.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) exchange: Option<Located<ExchangeCheck>>,
    /// What became of packets between two interfaces: their delay, how many were lost.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) passage: Option<Located<PassageCheck>>,
    /// Said when it holds.
    pub(crate) pass: Located<String>,
    /// Said when it does not.
    pub(crate) fail: Located<String>,
}

/// How every login or request of a step ended.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerCheck {
    /// The step; not needed where only one asks a server.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) step: Option<Located<String>>,
    /// Its result.
    pub(crate) result: LoginResultWord,
    /// The source address of every packet that the client took as an answer.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) source: Option<Located<String>>,
}

/// How a login or a request ended.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoginResultWord {
    /// The server said PASS, or accepted what was sent.
    Pass,
    /// The server said FAIL: user or password are wrong.
    Fail,
    /// The server said ERROR, or its answer could not be read.
    Error,
    /// The connection was refused, or closed without an answer.
    Refused,
    /// No answer in time.
    Timeout,
    /// It paused, and nothing resumed it.
    Paused,
}

/// The client address that the server saw.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerSawCheck {
    /// The step; not needed where only one asks a server.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) step: Option<Located<String>>,
    /// The address.
    pub(crate) client: Located<String>,
}

/// Which server answered.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnsweredByCheck {
    /// The step; not needed where only one asks a server.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) step: Option<Located<String>>,
    /// A node, or a list of which it is one.
    pub(crate) node: Located<Texts>,
}

/// Which servers answered a step's logins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpreadCheck {
    /// The step; not needed where only one asks a server.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) step: Option<Located<String>>,
    /// The servers; no other may have answered.
    pub(crate) nodes: Located<Texts>,
    /// How many logins each of them must have answered at least.
    pub(crate) at_least: Located<u64>,
}

/// A counter of a load balancer's forwarder.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForwarderCheck {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The counter: an outcome such as `no_flow`, or one such as `flows.timed_out`.
    pub(crate) counter: Located<String>,
    /// What it must be.
    pub(crate) count: Located<CountForm>,
}

/// A counter of a node's kernel.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelCheck {
    /// The node.
    pub(crate) node: Located<String>,
    /// The node's tunnel device, if the counter is the device's: `tunl0`.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) device: Option<Located<String>>,
    /// The counter, as nstat(8) names it: `IpInAddrErrors`, `TcpExtIPReversePathFilter`; of a
    /// device `rx_packets`, `rx_bytes`, `rx_errors`, `rx_dropped`, `rx_fifo`, `rx_frame`, or the
    /// same with `tx`.
    pub(crate) counter: Located<String>,
    /// By how much it rose.
    pub(crate) count: Located<CountForm>,
}

/// Frames of one kind, counted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FramesCheck {
    /// Where: `node:interface`; `real_server:eth0` is the server that answered the step.
    pub(crate) at: Located<String>,
    /// The step that `real_server` speaks of; not needed where only one asks a server.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) step: Option<Located<String>>,
    /// Which frames.
    #[serde(rename = "match")]
    pub(crate) matching: Located<FrameFields>,
    /// How many.
    pub(crate) count: Located<CountForm>,
}

forms! {
    /// How many.
    CountForm = "a number, or a map with `at_least` or `at_most`" {
        number: "Exactly that many; 0 frames count only if the capture was alive before and after.";
        map: CountFields;
    }
}

/// A least number, a most, or both.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountFields {
    /// That many or more.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) at_least: Option<Located<u64>>,
    /// That many or fewer; counts only if the capture was alive before and after.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) at_most: Option<Located<u64>>,
}

/// What became of packets between two interfaces. A packet is known again by its innermost
/// addresses, ports, identification, TCP numbers and length, so routers and tunnels may lie between.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PassageCheck {
    /// Where they passed first and which way, such as `client:eth0 out`.
    pub(crate) from: Located<String>,
    /// Where they were to pass next and which way, such as `router:client in`.
    pub(crate) to: Located<String>,
    /// Which of those that passed first; every IP packet unless it is said.
    #[serde(rename = "match", default, deserialize_with = "or_default")]
    pub(crate) matching: Option<Located<FrameFields>>,
    /// How long each one that arrived took, by the captures. At least one must have arrived.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) delay: Option<Located<DelayFields>>,
    /// How many never arrived. At least one must have been sent.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) lost: Option<Located<CountForm>>,
    /// How many arrived more often than they were sent.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) duplicated: Option<Located<CountForm>>,
    /// How many arrived after one that had been sent later.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) overtaken: Option<Located<CountForm>>,
}

/// Bounds of a time, such as `20ms`: `us`, `ms` or `s`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DelayFields {
    /// Not less than this: it holds on any machine, however busy.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) at_least: Option<Located<Scalar>>,
    /// Not more than this: a busy machine may well take longer than the links do.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) at_most: Option<Located<Scalar>>,
}

/// All frames of a step's flow at one interface, in order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeCheck {
    /// Where: `node:interface`; `real_server:eth0` is the server that answered the step.
    pub(crate) at: Located<String>,
    /// The step; not needed where only one asks a server.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) step: Option<Located<String>>,
    /// Only frames that come `in`, or go `out`, at this interface. Needed where the frames of
    /// one side do both, as they do at a load balancer.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) direction: Option<DirectionWord>,
    /// The name of a conversation, or its rows: `client S seq 0 payload 0` each.
    pub(crate) frames: Located<RowsForm>,
    /// How each of the client's frames looks here; `none` if they do not pass here.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) client: Option<Located<SideForm>>,
    /// How each of the server's frames looks here; `none` if they do not pass here.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) server: Option<Located<SideForm>>,
}

forms! {
    /// A conversation's name, or its rows.
    RowsForm = "the name of a conversation, or a list of rows" {
        text: "The name of a conversation.";
        list: Located<String>;
    }
}

forms! {
    /// How one side's frames look.
    SideForm = "header fields, or `none`" {
        text: "`none`: they do not pass here.";
        map: FrameFields;
    }
}

/// Seen from the node whose interface it is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DirectionWord {
    /// Received by the node.
    In,
    /// Sent by the node.
    Out,
}

/// Header fields; what is not said matches anything. Without a word about a layer, a field is the
/// innermost packet's.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrameFields {
    /// `in` or `out`, seen from the node.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) direction: Option<Located<DirectionWord>>,
    /// Source address: an address, a prefix, or a list of which it is one.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) source: Option<Located<Texts>>,
    /// Destination address: an address, a prefix, or a list of which it is one.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) destination: Option<Located<Texts>>,
    /// IP protocol: a number, or `tcp`, `udp`, `icmp`, `icmpv6`, `ipip`, `ipv6` or `gre`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) protocol: Option<Located<Scalar>>,
    /// Source port.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) source_port: Option<Located<u16>>,
    /// Destination port.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) destination_port: Option<Located<u16>>,
    /// TTL or hop limit.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ttl: Option<Located<u8>>,
    /// The IP packet's length in bytes, its header included.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) length: Option<Located<u32>>,
    /// TOS or traffic class.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tos: Option<Located<u8>>,
    /// IPv4's don't-fragment bit.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) dont_fragment: Option<Located<bool>>,
    /// Exactly these TCP flags, as tcpdump prints them: `S`, `S.`, `.`, `P.`, `F.`, `R.`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) flags: Option<Located<String>>,
    /// Sequence number, counted from the flow's first, as tcpdump shows it.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) seq: Option<Located<u32>>,
    /// Acknowledgement number, counted from the other side's first sequence number.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ack: Option<Located<u32>>,
    /// Bytes of TCP or UDP payload.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) payload: Option<Located<u32>>,
    /// An ICMP message.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) icmp: Option<Located<IcmpFields>>,
    /// The tunnel packet's own header, or `none`: not in a tunnel.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) outer: Option<Located<OuterForm>>,
}

/// An ICMP message.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IcmpFields {
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: u8,
    /// Its code.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) code: Option<u8>,
}

forms! {
    /// A tunnel packet's own header.
    OuterForm = "the outer header's fields, or `none`" {
        text: "`none`: not in a tunnel.";
        map: OuterFields;
    }
}

/// A tunnel packet's own header.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OuterFields {
    /// Source address: an address, a prefix, or a list of which it is one.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) source: Option<Located<Texts>>,
    /// Destination address: an address, a prefix, or a list of which it is one.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) destination: Option<Located<Texts>>,
    /// IP protocol: a number or a name; 4 or `ipip` for IPIP.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) protocol: Option<Located<Scalar>>,
    /// TTL or hop limit.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ttl: Option<Located<u8>>,
    /// The whole packet's length in bytes.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) length: Option<Located<u32>>,
    /// How many bytes the tunnel adds to the inner packet's `length`: 20 for IPIP.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) overhead: Option<Located<u32>>,
    /// TOS or traffic class.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tos: Option<Located<u8>>,
    /// IPv4's don't-fragment bit.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) dont_fragment: Option<Located<bool>>,
}
