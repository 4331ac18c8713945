//! ICMP errors about the packets: who sent them, about what, and where they went.

use super::{at_first_place, came_in_at_client, place};
use crate::diagnose::{Cause, Fix, Subject};
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::NodeName;
use labsim_wire::decode::{IpHeader, Packet, icmp_name};
use labsim_wire::icmpv4::unreachable;
use labsim_wire::{icmpv4, icmpv6};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// ICMP errors of one kind from one sender to one destination.
#[derive(Debug)]
pub(super) struct IcmpError<'a> {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    kind: u8,
    code: u8,
    /// The MTU that it tells.
    pub(super) mtu: Option<u32>,
    /// The node that has its source address, or that sent it first.
    pub(super) sender: Option<&'a NodeName>,
    /// What the first of them quotes.
    pub(super) quoted: &'a Packet,
    /// In time's order.
    pub(super) frames: Vec<usize>,
    pub(super) reached_client: bool,
}

impl IcmpError<'_> {
    fn is_v4(&self) -> bool {
        self.from.is_ipv4()
    }

    /// Whether it says that nothing takes the packet's protocol: protocol unreachable, or IPv6's
    /// unrecognized next header.
    pub(super) fn is_protocol_unreachable(&self) -> bool {
        match self.is_v4() {
            true => (self.kind, self.code) == (icmpv4::kind::UNREACHABLE, unreachable::PROTOCOL),
            false => (self.kind, self.code) == (icmpv6::kind::PARAMETER_PROBLEM, 1),
        }
    }

    pub(super) fn is_port_unreachable(&self) -> bool {
        match self.is_v4() {
            true => (self.kind, self.code) == (icmpv4::kind::UNREACHABLE, unreachable::PORT),
            false => (self.kind, self.code) == (icmpv6::kind::UNREACHABLE, 4),
        }
    }

    /// Whether it says that there is no way: network or host unreachable, IPv6's no route.
    pub(super) fn is_no_route(&self) -> bool {
        match self.is_v4() {
            true => self.kind == icmpv4::kind::UNREACHABLE && self.code <= 1,
            false => (self.kind, self.code) == (icmpv6::kind::UNREACHABLE, 0),
        }
    }

    /// Whether it says that a filter does not let the packet pass: communication with the network
    /// or host or at all prohibited (RFC 1812 5.2.7.1), IPv6's administratively prohibited and failed
    /// policy (RFC 4443 3.1).
    pub(super) fn is_prohibited(&self) -> bool {
        match self.is_v4() {
            true => self.kind == icmpv4::kind::UNREACHABLE && [9, 10, 13].contains(&self.code),
            false => self.kind == icmpv6::kind::UNREACHABLE && [1, 5, 6].contains(&self.code),
        }
    }

    /// Whether it says that the TTL or the hop limit ended.
    pub(super) fn is_time_exceeded(&self) -> bool {
        let kind =
            if self.is_v4() { icmpv4::kind::TIME_EXCEEDED } else { icmpv6::kind::TIME_EXCEEDED };
        (self.kind, self.code) == (kind, 0)
    }

    /// Whether it says that the packet is too long.
    pub(super) fn is_too_big(&self) -> bool {
        self.mtu.is_some()
    }

    /// `protocol unreachable (type 3, code 2)`
    pub(super) fn name(&self) -> String {
        let name = icmp_name(self.kind, self.code, self.is_v4()).unwrap_or("unnamed");
        format!("{name} (type {}, code {})", self.kind, self.code)
    }

    /// As a cause, where nothing says more.
    pub(super) fn cause(&self, subject: &Subject<'_>) -> Option<Cause> {
        let first = subject.frame(*self.frames.first()?)?;
        let mtu = self.mtu.map_or(String::new(), |mtu| format!(", MTU {mtu}"));
        let sender = self.sender.map_or(String::new(), |node| format!(" ({node})"));
        let reached = match self.reached_client {
            true => "received by the client",
            false => "not received by the client",
        };
        let number = at_first_place(subject, &self.frames);
        let (from, to, what) = (self.from, self.to, self.name());
        let sentence = format!(
            "{from}{sender} sent {} about it to {to}: {what}{mtu}; first seen at {}, {reached}",
            count(number, "ICMP error"),
            place(subject, &first)
        );
        let fix = Fix::new(cause::ICMP_ERROR.remedy());
        let mut cause = Cause::new(cause::ICMP_ERROR, sentence, fix).packets(number);
        cause.node = self.sender.cloned();
        Some(subject.shown(cause, &self.frames))
    }
}

/// ICMP errors that quote the client's packets or the answers, by sender and kind.
pub(super) fn errors<'a>(subject: &Subject<'a>) -> Vec<IcmpError<'a>> {
    let outers: BTreeSet<Outer> = subject
        .forward
        .iter()
        .filter_map(|index| subject.frame(*index))
        .filter_map(|frame| frame.decoded.outer().map(outer))
        .collect();
    let carriers = subject.context.frames.carriers(subject.flow);
    let ours = |quoted: &Packet| {
        quoted.flow().is_some_and(|flow| {
            carriers.iter().any(|carrier| [*carrier, carrier.reversed()].contains(&flow))
        })
            // A router may quote no more of a tunnel's packet than its outer header.
            || outers.contains(&outer(&quoted.outermost))
    };
    type Key = (IpAddr, IpAddr, u8, u8);
    let mut found: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for frame in subject.context.frames.all() {
        let (Some(icmp), Some(header)) = (frame.decoded.icmp(), frame.decoded.innermost()) else {
            continue;
        };
        if icmp.quoted.as_deref().is_some_and(ours) && subject.is_meant(&frame) {
            let key = (header.source, header.destination, icmp.kind, icmp.code);
            found.entry(key).or_default().push(frame.index);
        }
    }
    let mut errors: Vec<IcmpError<'a>> = found
        .into_iter()
        .filter_map(|((from, to, kind, code), frames)| {
            let first = subject.frame(*frames.first()?)?;
            let icmp = first.decoded.icmp()?;
            Some(IcmpError {
                from,
                to,
                kind,
                code,
                mtu: icmp.mtu,
                sender: subject.owner(from).or_else(|| super::sender(subject, &first)),
                quoted: icmp.quoted.as_deref()?,
                reached_client: frames.iter().any(|index| came_in_at_client(subject, *index)),
                frames,
            })
        })
        .collect();
    errors.sort_by_key(|error| error.frames.first().copied());
    errors
}

/// What identifies one packet of a tunnel by its outer header alone.
type Outer = (IpAddr, IpAddr, u8, Option<u32>);

fn outer(header: &IpHeader) -> Outer {
    (header.source, header.destination, header.protocol, header.id)
}
