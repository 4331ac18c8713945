//! A scenario file's `expect` as it is written.

use super::forms::{NoneKeyword, Texts};
use crate::model::{Direction, LoginResult};
use labsim_yaml::{FromYaml, Located, Scalar};
use schemars::JsonSchema;

/// Exactly one check, and the messages for success and failure.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(renamed(spread = "distribution", passage = "path"))]
pub(crate) struct RawExpectation {
    /// Result of every login or request of a step, and the source address of the answers.
    pub(crate) answer: Option<Located<AnswerCheck>>,
    /// The client address that the server saw.
    pub(crate) server_saw: Option<Located<ServerSawCheck>>,
    /// Which server answered.
    pub(crate) answered_by: Option<Located<AnsweredByCheck>>,
    /// Which servers answered a step's logins, and how many each.
    pub(crate) distribution: Option<Located<DistributionCheck>>,
    /// Why a step failed.
    pub(crate) diagnosis: Option<Located<DiagnosisCheck>>,
    /// A counter of a load balancer's forwarder at the end.
    pub(crate) forwarder: Option<Located<ForwarderCheck>>,
    /// A counter of a node's kernel, or of its tunnel device: by how much it rose.
    pub(crate) kernel: Option<Located<KernelCheck>>,
    /// Packets that a filter dropped.
    pub(crate) filter: Option<Located<FilterCheck>>,
    /// Frames of one kind at one interface, counted.
    pub(crate) frames: Option<Located<FramesCheck>>,
    /// All frames of a step's flow at one interface, in order: these and no others.
    pub(crate) exchange: Option<Located<ExchangeCheck>>,
    /// Packets between two interfaces: delay, loss, duplicates, reordering.
    pub(crate) path: Option<Located<RawPathCheck>>,
    /// Message if the check passes.
    pub(crate) pass: Located<String>,
    /// Message if the check fails.
    pub(crate) fail: Located<String>,
}

/// How every login or request of a step ended.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerCheck {
    /// The step; optional if only one step sends requests to a server.
    pub(crate) step: Option<Located<String>>,
    /// Its result.
    pub(crate) result: LoginResult,
    /// The source address of every packet that the client took as an answer.
    pub(crate) source: Option<Located<String>>,
}

/// The client address that the server saw.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerSawCheck {
    /// The step; optional if only one step sends requests to a server.
    pub(crate) step: Option<Located<String>>,
    /// The address.
    pub(crate) client: Located<String>,
}

/// Which server answered.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnsweredByCheck {
    /// The step; optional if only one step sends requests to a server.
    pub(crate) step: Option<Located<String>>,
    /// A node, or a list of which it is one.
    pub(crate) node: Located<Texts>,
}

/// Which servers answered a step's logins.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DistributionCheck {
    /// The step; optional if only one step sends requests to a server.
    pub(crate) step: Option<Located<String>>,
    /// The servers; no other may have answered.
    pub(crate) nodes: Located<Texts>,
    /// How many logins each of them must have answered at least.
    pub(crate) at_least: Located<u64>,
}

/// Why a step failed: the first cause that its diagnosis shows. The step may fail for this cause, and
/// for no other; a program has to end with its exit code all the same. Several causes are expected by
/// several expectations.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiagnosisCheck {
    /// The step: one that sends requests to a server, runs a program, or waits for something. Optional
    /// if only one step sends requests.
    pub(crate) step: Option<Located<String>>,
    /// The cause's code, such as `vip-missing`; `labsim help codes` lists them.
    pub(crate) cause: Located<String>,
    /// The node that the cause is at; any by default.
    pub(crate) node: Option<Located<String>>,
}

/// A counter of a load balancer's forwarder.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForwarderCheck {
    /// The load balancer's node.
    pub(crate) node: Located<String>,
    /// The counter: an outcome such as `no_flow`, or one such as `flows.timed_out`.
    pub(crate) counter: Located<String>,
    /// What it must be.
    pub(crate) count: Located<RawCount>,
}

/// A counter of a node's kernel.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelCheck {
    /// The node.
    pub(crate) node: Located<String>,
    /// The node's tunnel device, if the counter is the device's: `tunl0`.
    pub(crate) device: Option<Located<String>>,
    /// The counter, as nstat(8) names it: `IpInAddrErrors`, `TcpExtIPReversePathFilter`; of a
    /// device `rx_packets`, `rx_bytes`, `rx_errors`, `rx_dropped`, `rx_fifo`, `rx_frame`, or the
    /// same with `tx`.
    pub(crate) counter: Located<String>,
    /// By how much it rose.
    pub(crate) count: Located<RawCount>,
}

/// Packets that a filter dropped or rejected.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterCheck {
    /// The filter's name.
    pub(crate) name: Located<String>,
    /// One of its nodes; all of them together by default.
    pub(crate) node: Option<Located<String>>,
    /// How many.
    pub(crate) dropped: Located<RawCount>,
}

/// Frames of one kind, counted.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FramesCheck {
    /// Where: `node:interface`; `real_server:eth0` is the server that answered the step.
    pub(crate) at: Located<String>,
    /// The step that `real_server` refers to; optional if only one step sends requests to a server.
    pub(crate) step: Option<Located<String>>,
    /// Which frames.
    #[serde(rename = "match")]
    pub(crate) matching: Located<RawFrameMatch>,
    /// How many.
    pub(crate) count: Located<RawCount>,
}

/// How many.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RawCount {
    /// Exactly that many; 0 frames count only if the capture was alive before and after.
    Number(u64),
    /// At least or at most that many.
    Map(RawCountRange),
}

/// A least number, a most, or both.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCountRange {
    /// That many or more.
    pub(crate) at_least: Option<Located<u64>>,
    /// That many or fewer; counts only if the capture was alive before and after.
    pub(crate) at_most: Option<Located<u64>>,
}

/// Delay, loss, duplicates and reordering of packets between two interfaces. A packet is identified
/// by its innermost addresses, ports, identification, TCP numbers and length, so routers and
/// tunnels may lie between.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(renamed(duplicated = "duplicates", overtaken = "reordered"))]
pub(crate) struct RawPathCheck {
    /// The first interface and its direction, such as `client:eth0 out`.
    pub(crate) from: Located<String>,
    /// The second interface and its direction, such as `router:client in`.
    pub(crate) to: Located<String>,
    /// Filter for packets at the first interface; every IP packet by default.
    #[serde(rename = "match")]
    pub(crate) matching: Option<Located<RawFrameMatch>>,
    /// Delay of each packet that arrived, by the captures. At least one must have arrived.
    pub(crate) delay: Option<Located<RawDelayBounds>>,
    /// Number of packets that never arrived. At least one must have been sent.
    pub(crate) lost: Option<Located<RawCount>>,
    /// Number of additional copies that arrived.
    pub(crate) duplicates: Option<Located<RawCount>>,
    /// Number of packets that arrived after one that was sent later.
    pub(crate) reordered: Option<Located<RawCount>>,
}

/// Bounds of a time, such as `20ms`: `us`, `ms` or `s`.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDelayBounds {
    /// Not less than this: it holds on any machine, however busy.
    pub(crate) at_least: Option<Located<Scalar>>,
    /// Not more than this: a busy machine may well take longer than the links do.
    pub(crate) at_most: Option<Located<Scalar>>,
}

/// All frames of a step's flow at one interface, in order.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeCheck {
    /// Where: `node:interface`; `real_server:eth0` is the server that answered the step.
    pub(crate) at: Located<String>,
    /// The step; optional if only one step sends requests to a server.
    pub(crate) step: Option<Located<String>>,
    /// Only frames that come `in`, or go `out`, at this interface. Needed where the frames of
    /// one side do both, as they do at a load balancer.
    pub(crate) direction: Option<Direction>,
    /// The name of a conversation, or its rows: `client S seq 0 payload 0` each.
    pub(crate) frames: Located<RawRows>,
    /// How each of the client's frames looks here; `none` if they do not pass here.
    pub(crate) client: Option<Located<RawSide>>,
    /// How each of the server's frames looks here; `none` if they do not pass here.
    pub(crate) server: Option<Located<RawSide>>,
}

/// A conversation's name, or its rows.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RawRows {
    /// The name of a conversation.
    Text(String),
    /// The rows themselves.
    List(Vec<Located<String>>),
}

/// How one side's frames look.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RawSide {
    /// `none`: they do not pass here.
    None(NoneKeyword),
    /// They have these header fields.
    Map(Box<RawFrameMatch>),
}

/// Header fields of the innermost packet; a field that is not set matches anything.
#[derive(Debug, Clone, Default, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFrameMatch {
    /// `in` or `out`, seen from the node.
    pub(crate) direction: Option<Located<Direction>>,
    /// Source address: an address, a prefix, or a list of which it is one.
    pub(crate) source: Option<Located<Texts>>,
    /// Destination address: an address, a prefix, or a list of which it is one.
    pub(crate) destination: Option<Located<Texts>>,
    /// IP protocol: a number, or `tcp`, `udp`, `icmp`, `icmpv6`, `ipip`, `ipv6` or `gre`.
    pub(crate) protocol: Option<Located<Scalar>>,
    /// Source port.
    pub(crate) source_port: Option<Located<u16>>,
    /// Destination port.
    pub(crate) destination_port: Option<Located<u16>>,
    /// TTL or hop limit.
    pub(crate) ttl: Option<Located<u8>>,
    /// The IP packet's length in bytes, its header included.
    pub(crate) length: Option<Located<u32>>,
    /// TOS or traffic class.
    pub(crate) tos: Option<Located<u8>>,
    /// IPv4's don't-fragment bit.
    pub(crate) dont_fragment: Option<Located<bool>>,
    /// Exactly these TCP flags, as tcpdump prints them: `S`, `S.`, `.`, `P.`, `F.`, `R.`.
    pub(crate) flags: Option<Located<String>>,
    /// Sequence number, counted from the flow's first, as tcpdump shows it.
    pub(crate) seq: Option<Located<u32>>,
    /// Acknowledgement number, counted from the other side's first sequence number.
    pub(crate) ack: Option<Located<u32>>,
    /// Bytes of TCP or UDP payload.
    pub(crate) payload: Option<Located<u32>>,
    /// An ICMP message.
    pub(crate) icmp: Option<Located<RawIcmpMatch>>,
    /// The tunnel packet's own header, or `none`: not in a tunnel.
    pub(crate) outer: Option<Located<RawOuterMatch>>,
}

/// An ICMP message.
#[derive(Debug, Clone, Copy, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawIcmpMatch {
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: u8,
    /// Its code.
    pub(crate) code: Option<u8>,
}

/// A tunnel packet's own header.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RawOuterMatch {
    /// `none`: not in a tunnel.
    None(NoneKeyword),
    /// The outer header's fields.
    Map(Box<RawOuterHeader>),
}

/// A tunnel packet's own header.
#[derive(Debug, Clone, Default, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOuterHeader {
    /// Source address: an address, a prefix, or a list of which it is one.
    pub(crate) source: Option<Located<Texts>>,
    /// Destination address: an address, a prefix, or a list of which it is one.
    pub(crate) destination: Option<Located<Texts>>,
    /// IP protocol: a number or a name; 4 or `ipip` for IPIP.
    pub(crate) protocol: Option<Located<Scalar>>,
    /// TTL or hop limit.
    pub(crate) ttl: Option<Located<u8>>,
    /// The whole packet's length in bytes.
    pub(crate) length: Option<Located<u32>>,
    /// How many bytes the tunnel adds to the inner packet's `length`: 20 for IPIP.
    pub(crate) overhead: Option<Located<u32>>,
    /// TOS or traffic class.
    pub(crate) tos: Option<Located<u8>>,
    /// IPv4's don't-fragment bit.
    pub(crate) dont_fragment: Option<Located<bool>>,
}
