//! Steps that send a made-up packet.

use super::lookup::Lookup;
use super::{Report, address};
use crate::file::{SendPacketFields, SentOuterFields};
use crate::model::{GreOptions, MadeHeader, MadePacket, StepAction, TunnelProtocol};
use crate::text::quoted;
use labsim_yaml::Located;
use std::net::IpAddr;

/// Most bytes of payload: what fits into 9000 bytes with every header around it.
const PAYLOAD: u32 = 8900;
/// What is usual where nothing is written.
const TTL: u8 = 64;
const SOURCE_PORT: u16 = 4000;

/// Resolves a packet.
pub(super) fn send(
    fields: &SendPacketFields,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let from = lookup.node(&fields.from, report);
    let ends = ends(&fields.source, &fields.destination, report);
    let outer = fields.outer.as_ref().map(|outer| outer_header(&outer.value, report));
    let payload = fields.payload.map_or(0, |payload| {
        if payload.value > PAYLOAD {
            let message = format!("{} bytes of payload; at most {PAYLOAD} fit", payload.value);
            report.at(payload.span, message);
        }
        payload.value
    });
    let outer = match outer {
        Some(outer) => Some(outer?),
        None => None,
    };
    let (source, destination) = ends?;
    Some(StepAction::SendPacket(Box::new(MadePacket {
        from: from?,
        header: MadeHeader {
            source,
            destination,
            ttl: fields.ttl.map_or(TTL, |ttl| ttl.value),
            tos: fields.tos.map_or(0, |tos| tos.value),
            dont_fragment: false,
        },
        source_port: fields.source_port.map_or(SOURCE_PORT, |port| port.value),
        destination_port: fields.destination_port.value,
        payload: usize::try_from(payload).ok()?,
        outer,
    })))
}

fn outer_header(
    fields: &SentOuterFields,
    report: &mut Report<'_>,
) -> Option<(TunnelProtocol, MadeHeader)> {
    let ends = ends(&fields.source, &fields.destination, report);
    if let (Some((_, IpAddr::V6(_))), Some(bit)) = (ends, fields.dont_fragment) {
        report.at(bit.span, "IPv6 has no don't-fragment bit; leave `dont_fragment` out");
    }
    let options = GreOptions {
        key: fields.key.map(|key| key.value),
        checksum: fields.checksum.is_some_and(|checksum| checksum.value),
    };
    let protocol = match fields.mode.as_str() {
        "gre" => Some(TunnelProtocol::Gre(options)),
        "ipip" => {
            let places = [fields.key.map(|it| it.span), fields.checksum.map(|it| it.span)];
            for place in places.into_iter().flatten() {
                let message =
                    "only GRE has a key and a checksum; take it out, or write `mode: gre`";
                report.at(place, message);
            }
            Some(TunnelProtocol::Ipip)
        }
        mode => {
            let message = format!("{} is no tunnel; write `ipip` or `gre`", quoted(mode));
            report.at(fields.mode.span, message);
            None
        }
    };
    let (source, destination) = ends?;
    let header = MadeHeader {
        source,
        destination,
        ttl: fields.ttl.map_or(TTL, |ttl| ttl.value),
        tos: fields.tos.map_or(0, |tos| tos.value),
        dont_fragment: fields.dont_fragment.is_some_and(|it| it.value),
    };
    Some((protocol?, header))
}

/// A header's addresses, of one family.
fn ends(
    source: &Located<String>,
    destination: &Located<String>,
    report: &mut Report<'_>,
) -> Option<(IpAddr, IpAddr)> {
    let from = report.take(source.span, address::host(source));
    let to = report.take(destination.span, address::host(destination));
    let (from, to) = (from?, to?);
    if from.is_ipv4() != to.is_ipv4() {
        let message = "source and destination are of different families; give both the same";
        report.at(destination.span, message);
        return None;
    }
    Some((from, to))
}
