//! Packets that a node neither forwarded nor delivered although no counter of its kernel says why:
//! a filter dropped them. Which packets passed and which did not tells what it looks at.

use super::tunnel::protocol_name;
use super::{Found, fragments, rejection};
use crate::diagnose::fix;
use crate::diagnose::{Cause, Subject, Trace};
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::IpHeader;
use labsim_wire::tcp::Flags;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

/// Counters of packets that a kernel dropped for a reason that it names.
const NAMED_DROPS: [&str; 10] = [
    "IpInAddrErrors",
    "IpInHdrErrors",
    "IpInUnknownProtos",
    "IpInDiscards",
    "IpInNoRoutes",
    "InNoRoutes",
    "IPReversePathFilter",
    "IpOutDiscards",
    "IpOutNoRoutes",
    "IpFragFails",
];

/// The same of IPv6.
const NAMED_DROPS_V6: [&str; 8] = [
    "Ip6InAddrErrors",
    "Ip6InHdrErrors",
    "Ip6InUnknownProtos",
    "Ip6InDiscards",
    "Ip6InNoRoutes",
    "Ip6InTooBigErrors",
    "Ip6OutDiscards",
    "Ip6OutNoRoutes",
];

/// All of them.
pub fn named_drops() -> impl Iterator<Item = &'static str> {
    NAMED_DROPS.into_iter().chain(NAMED_DROPS_V6)
}

/// The packets that a filter on the last node dropped.
pub(super) fn dropped(found: &Found<'_, '_>, trace: &Trace, is_back: bool) -> Option<Cause> {
    let subject = found.subject;
    let node = &trace.last_node;
    let packet = subject.packet(trace.last)?;
    let header = &packet.outermost;
    let refused = !rejection::own_resets(subject, node).is_empty();
    if refused
        || subject.has_forwarder(node)
        || found.errors.iter().any(|error| error.sender == Some(node))
    {
        return None;
    }
    let (missing, counters) = unexplained(subject, node, header.destination.is_ipv4())?;
    if missing == 0 {
        return None;
    }
    let kind = Kind::of(subject, trace, header, is_back);
    let is_end = subject.is_configured(node, header.destination) || !forwards(subject, node);
    let verb = if is_end { "neither delivered nor refused" } else { "did not forward" };
    let number = trace.at_last.len() as u64;
    let packets = count(number, "packet");
    let dropped = format!("{node} took in {packets} and {verb} them, and no counter tells why");
    let (source, to) = (header.source, header.destination);
    let carried = protocol_name(header.protocol);
    let (code, why, fix) = match kind {
        Kind::Fragments => (
            cause::FRAGMENTS_DROPPED,
            "they are fragments, and what is whole passed: a filter drops fragments".to_owned(),
            fix::fragments(subject, node),
        ),
        Kind::HalfFlow => (
            cause::HALF_FLOW_FILTERED,
            match is_back {
                false => "the SYN passed, what followed did not, and no packet of the other \
                          direction came by: a stateful filter sees half of the connection"
                    .to_owned(),
                true => "the request did not come by there: a stateful filter sees half of the \
                         connection"
                    .to_owned(),
            },
            fix::half_flow(subject, node, is_back),
        ),
        Kind::OuterSource => (
            cause::OUTER_SOURCE_FILTERED,
            format!(
                "a filter drops the outer source {source}, which is the client's address, or \
                 {carried}; a run with `outer_source: egress` decides, or the filter's rules"
            ),
            fix::outer_source(subject).or(fix::protocol(subject, node, header.protocol)),
        ),
        Kind::TunnelProtocol => (
            cause::PROTOCOL_FILTERED,
            format!(
                "a filter drops {carried}, or the outer source {source}, which is the client's \
                 address; a run with `outer_source: egress` decides, or the filter's rules"
            ),
            fix::protocol(subject, node, header.protocol).or(fix::outer_source(subject)),
        ),
        Kind::ReplySource => (
            cause::REPLY_SOURCE_FILTERED,
            format!("a filter drops the replies from {source}, the VIP"),
            fix::reply_source(subject, node, None, source),
        ),
        Kind::Protocol => (
            cause::PROTOCOL_FILTERED,
            match trace.others_got_further {
                true => format!(
                    "others from {source} to {to} passed: a filter drops some of them ({} for one), by \
                     more than their addresses and {carried}",
                    trace.packet
                ),
                false => format!("a filter drops {carried} from {source} to {to}"),
            },
            fix::protocol(subject, node, header.protocol),
        ),
    };
    let last = subject.frame(trace.last)?;
    let mut cause = Cause::new(code, format!("{dropped}: {why}"), fix)
        .at(node)
        .device(subject.interface(&last))
        .packets(number);
    cause.counters = counters;
    Some(subject.shown(cause, &trace.at_last))
}

/// What tells the dropped packets from those that pass.
enum Kind {
    Fragments,
    HalfFlow,
    OuterSource,
    ReplySource,
    /// Of tunnel packets whose outer source is the client's address, which may be the reason too.
    TunnelProtocol,
    Protocol,
}

/// Whether a rule that drops packets on their way through the node reads a field of their headers,
/// as one that matches addresses does and one that matches protocols (`meta l4proto`) does not.
fn reads_headers(subject: &Subject<'_>, node: &NodeName) -> bool {
    let Some(state) = subject.state(node) else { return false };
    let chains = ["ingress", "prerouting", "forward", "postrouting"].map(|it| state.filters_at(it));
    let mut rules =
        chains.iter().flatten().filter(|chain| chain.may_drop()).flat_map(|it| &it.rules);
    rules.any(|rule| {
        rule.verdict.as_deref() == Some("drop") && rule.expressions.iter().any(|it| it == "payload")
    })
}

impl Kind {
    fn of(subject: &Subject<'_>, trace: &Trace, header: &IpHeader, is_back: bool) -> Self {
        let node = &trace.last_node;
        let way = if is_back { &subject.back } else { &subject.forward };
        let other = if is_back { &subject.forward } else { &subject.back };
        let passed = subject.seen_at(way, node, Direction::Out);
        let all_fragments = trace.at_last.iter().all(|index| fragments::is_part(subject, *index));
        let whole = |index: &usize| !fragments::is_part(subject, *index);
        if all_fragments && way.iter().any(whole) {
            return Self::Fragments;
        }
        let is_syn = |index: &usize| {
            let frame = subject.frame(*index);
            frame.and_then(|frame| frame.decoded.tcp().map(|tcp| tcp.flags.contains(Flags::SYN)))
        };
        let sees_other = [Direction::In, Direction::Out]
            .into_iter()
            .any(|direction| !subject.seen_at(other, node, direction).is_empty());
        let is_end = subject.is_configured(node, header.destination);
        if !sees_other && !is_end && !subject.context.scenario.real_servers.contains_key(node) {
            let began = !is_back && passed.iter().any(|index| is_syn(index) == Some(true));
            let after = is_syn(&trace.last) == Some(false);
            let answer = is_back && is_syn(&trace.last).is_some();
            if began && after || answer {
                return Self::HalfFlow;
            }
        }
        if is_back {
            return match subject.is_vip(header.source) {
                true => Self::ReplySource,
                false => Self::Protocol,
            };
        }
        let is_tunnelled =
            subject.packet(trace.last).is_some_and(|packet| packet.outer().is_some());
        let is_clients = is_tunnelled && !is_end && header.source == subject.flow.source.ip();
        match is_clients && reads_headers(subject, node) {
            true => Self::OuterSource,
            false if is_clients => Self::TunnelProtocol,
            false => Self::Protocol,
        }
    }
}

fn forwards(subject: &Subject<'_>, node: &NodeName) -> bool {
    subject.node(node).is_some_and(|node| node.forward)
}

/// IPv6 packets that came to the node for a multicast group that none of its addresses has, such as
/// neighbours' questions for others and MLD reports: the kernel counts them as received, and drops them
/// without counting that (`ip6_mc_input`).
fn multicast_of_others(subject: &Subject<'_>, node: &NodeName) -> u64 {
    let configured = subject.node(node).into_iter().flat_map(|it| &it.interfaces);
    let configured = configured.flat_map(|it| &it.addresses).map(|net| net.addr());
    let found = subject.context.observations.states.get(node);
    let found = found.into_iter().flat_map(|it| &it.addresses).map(|it| it.address.addr());
    // The part of an address that its solicited-node group has (RFC 4291, 2.7.1).
    let ending = |address: Ipv6Addr| {
        let [.., a, b, c] = address.octets();
        [a, b, c]
    };
    let own = configured.chain(found).filter_map(|address| match address {
        IpAddr::V6(address) => Some(ending(address)),
        IpAddr::V4(_) => None,
    });
    let own: BTreeSet<[u8; 3]> = own.collect();
    let is_others = |destination: IpAddr| match destination {
        IpAddr::V6(group) => group.is_multicast() && !own.contains(&ending(group)),
        IpAddr::V4(_) => false,
    };
    let came = subject.context.frames.all().filter(|frame| {
        frame.record.direction == Direction::In
            && frame.decoded.packet().is_some_and(|it| is_others(it.outermost.destination))
            && subject.at(frame) == Some(node)
            && subject.is_then(frame)
    });
    came.count() as u64
}

type Counters = std::collections::BTreeMap<String, u64>;

/// How many packets a node took in without delivering, forwarding or counting them as dropped;
/// `None` if its counters were not read. Where the kernel counts packets that it sent
/// (`IpOutTransmits`, Linux 6.7 and later), a packet that a filter drops after the routing decision
/// is counted as forwarded and not as sent.
pub(super) fn unexplained(
    subject: &Subject<'_>,
    node: &NodeName,
    ipv4: bool,
) -> Option<(u64, Counters)> {
    if !subject.is_counted(node) {
        return None;
    }
    let ip = if ipv4 { "Ip" } else { "Ip6" };
    let forwarded = if ipv4 { "IpForwDatagrams" } else { "Ip6OutForwDatagrams" };
    let value = |name: &str| subject.counter(node, name).unwrap_or(0);
    let [received, delivered, requests, sent] =
        ["InReceives", "InDelivers", "OutRequests", "OutTransmits"].map(|it| format!("{ip}{it}"));
    let passed_on = match subject.context.observations.known_counters.contains(&sent) {
        true => value(&sent).saturating_sub(value(&requests)),
        false => value(forwarded),
    };
    let names: &[&str] = if ipv4 { &NAMED_DROPS } else { &NAMED_DROPS_V6 };
    let named: u64 = names.iter().filter_map(|name| subject.counter(node, name)).sum();
    let [fragments, whole] = ["ReasmReqds", "ReasmOKs"].map(|it| value(&format!("{ip}{it}")));
    let waiting = fragments.saturating_sub(whole);
    let others = if ipv4 { 0 } else { multicast_of_others(subject, node) };
    let explained = value(&delivered) + passed_on + named + waiting + others;
    let missing = value(&received).saturating_sub(explained);
    let shown = [received.as_str(), &delivered, forwarded, &sent].map(str::to_owned);
    let shown = shown.into_iter().map(|name| (name.clone(), value(&name)));
    Some((missing, shown.collect()))
}
