//! Steps that send a made-up packet.

use crate::file::{RawCraftedOuter, RawCraftedPacket, RawIpOption};
use crate::model::{CraftedHeader, CraftedPacket, IpOption, StepAction, TunnelProtocol};
use crate::resolve::lookup::Lookup;
use crate::resolve::{Report, address, filters, tunnels};
use labsim_codes::file;
use labsim_yaml::{Located, Scalar};
use std::net::IpAddr;

/// Most bytes of payload: what fits into 9000 bytes with every header around it.
const PAYLOAD: u32 = 8900;
/// What is usual where nothing is written.
const TTL: u8 = 64;
const SOURCE_PORT: u16 = 4000;
/// Most bytes of options, and so most options; and most addresses or times in one of them.
const OPTIONS: usize = 40;
const SLOTS: u8 = 9;

/// Resolves a packet.
pub(super) fn send(
    fields: &RawCraftedPacket,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let from = lookup.node(&fields.from, report);
    let ends = ends(&fields.source, &fields.destination, report);
    let outer = fields.outer.as_ref().map(|outer| outer_header(&outer.value, report));
    let payload = fields.payload.map_or(0, |payload| {
        if payload.value > PAYLOAD {
            let message = format!("{} bytes of payload; at most {PAYLOAD} fit", payload.value);
            report.at(payload.span, file::TOO_MANY, message);
        }
        payload.value
    });
    let outer = match outer {
        Some(outer) => Some(outer?),
        None => None,
    };
    let tos = tos(fields.tos, fields.dscp.as_ref(), report);
    let options = fields.options.as_ref().map(|options| ip_options(options, report));
    let (source, destination) = ends?;
    if let (Some(options), IpAddr::V6(_)) = (&fields.options, source) {
        let message = "`options` are IPv4's; leave them out";
        report.at(options.span, file::ADDRESS_FAMILY, message);
    }
    Some(StepAction::SendPacket(Box::new(CraftedPacket {
        from: from?,
        header: CraftedHeader {
            source,
            destination,
            ttl: fields.ttl.map_or(TTL, |ttl| ttl.value),
            tos,
            dont_fragment: false,
        },
        source_port: fields.source_port.map_or(SOURCE_PORT, |port| port.value),
        destination_port: fields.destination_port.value,
        payload: usize::try_from(payload).ok()?,
        options: options.unwrap_or_default(),
        outer,
    })))
}

fn outer_header(
    fields: &RawCraftedOuter,
    report: &mut Report<'_>,
) -> Option<(TunnelProtocol, CraftedHeader)> {
    let ends = ends(&fields.source, &fields.destination, report);
    if let (Some((_, IpAddr::V6(_))), Some(bit)) = (ends, fields.dont_fragment) {
        report.at(
            bit.span,
            file::ADDRESS_FAMILY,
            "IPv6 has no don't-fragment bit; leave `dont_fragment` out",
        );
    }
    let protocol = tunnels::protocol(fields.mode.value, fields.key, fields.checksum, report);
    let tos = tos(fields.tos, fields.dscp.as_ref(), report);
    let (source, destination) = ends?;
    let header = CraftedHeader {
        source,
        destination,
        ttl: fields.ttl.map_or(TTL, |ttl| ttl.value),
        tos,
        dont_fragment: fields.dont_fragment.is_some_and(|it| it.value),
    };
    Some((protocol, header))
}

/// A header's TOS: as it is written, or by its DSCP.
fn tos(tos: Option<Located<u8>>, dscp: Option<&Located<Scalar>>, report: &mut Report<'_>) -> u8 {
    let Some(dscp) = dscp else { return tos.map_or(0, |tos| tos.value) };
    if tos.is_some() {
        let message = "`tos` holds the DSCP too; keep one of them";
        report.at(dscp.span, file::CONFLICT, message);
    }
    report.take(dscp.span, filters::dscp(&dscp.value.0)).map_or(0, |dscp| dscp << 2)
}

/// The options of a header, which fit into it.
fn ip_options(
    written: &Located<Vec<Located<RawIpOption>>>,
    report: &mut Report<'_>,
) -> Vec<IpOption> {
    if written.value.len() > OPTIONS {
        report.limit(written.span, written.value.len(), OPTIONS, "option");
        return Vec::new();
    }
    let options: Vec<IpOption> =
        written.value.iter().filter_map(|option| ip_option(option, report)).collect();
    let length = IpOption::encode(&options).len();
    if length > OPTIONS {
        let message = format!("{length} bytes of options; at most {OPTIONS} fit (RFC 791)");
        report.at(written.span, file::TOO_MANY, message);
    }
    options
}

fn ip_option(written: &Located<RawIpOption>, report: &mut Report<'_>) -> Option<IpOption> {
    let mut slots = |number: &Located<u8>| {
        if (1..=SLOTS).contains(&number.value) {
            return Some(number.value);
        }
        let message = format!("room for {}; write 1 to {SLOTS}", number.value);
        report.at(number.span, file::OUT_OF_RANGE, message);
        None
    };
    match &written.value {
        RawIpOption::RouterAlert => Some(IpOption::RouterAlert),
        RawIpOption::NoOperation => Some(IpOption::NoOperation),
        RawIpOption::RecordRoute(number) => slots(number).map(IpOption::RecordRoute),
        RawIpOption::Timestamp(number) => slots(number).map(IpOption::Timestamp),
        RawIpOption::LooseSourceRoute(through) => source_route(false, through, report),
        RawIpOption::StrictSourceRoute(through) => source_route(true, through, report),
    }
}

fn source_route(
    strict: bool,
    written: &Located<Vec<Located<String>>>,
    report: &mut Report<'_>,
) -> Option<IpOption> {
    let number = written.value.len();
    if !(1..=usize::from(SLOTS)).contains(&number) {
        let message = format!("a source route through {number} routers; name 1 to {SLOTS}");
        report.at(written.span, file::OUT_OF_RANGE, message);
        return None;
    }
    let mut address = |text: &Located<String>| match report.take(text.span, address::host(text))? {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => {
            let message = format!("{address} is IPv6; a source route of IPv4 has IPv4 addresses");
            report.at(text.span, file::ADDRESS_FAMILY, message);
            None
        }
    };
    let through: Vec<_> = written.value.iter().filter_map(&mut address).collect();
    (through.len() == number).then_some(IpOption::SourceRoute { strict, through })
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
        report.at(destination.span, file::ADDRESS_FAMILY, message);
        return None;
    }
    Some((from, to))
}
