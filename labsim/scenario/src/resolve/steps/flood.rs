//! Steps that send packets at a rate.

use super::ServerStep;
use crate::file::RawFlood;
use crate::model::{Flood, IpProtocol, StepAction};
use crate::resolve::{Report, address};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use labsim_codes::file;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Most packets a second.
const RATE: u32 = 2_000_000;
/// Longest time.
const LONGEST: Duration = Duration::from_secs(60);

/// Resolves a flood.
pub(super) fn flood(
    fields: &RawFlood,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let from = step.lookup.node(&fields.from, report);
    let to = step.to(&fields.to, from.as_slice(), report);
    let rate = fields.packets_per_second;
    if !(1..=RATE).contains(&rate.value) {
        let message = format!("{} packets a second; write 1 to {RATE}", rate.value);
        report.at(rate.span, file::OUT_OF_RANGE, message);
    }
    let span = fields.duration.span;
    let duration = report.take(span, labsim_model::parse_time(&fields.duration.value.0));
    if let Some(duration) = duration.filter(|it| it.is_zero() || *it > LONGEST) {
        let message = format!("a flood of {duration:?}; write a time up to {LONGEST:?}");
        report.at(span, file::OUT_OF_RANGE, message);
    }
    let sources = fields.sources.as_ref().map(|text| {
        let sources = report.take(text.span, address::prefix(text))?;
        if let Some(to) = to.filter(|to| to.is_ipv4() != sources.addr().is_ipv4()) {
            let message = format!("{sources} is not of the family of {to}; give both the same");
            report.at(text.span, file::ADDRESS_FAMILY, message);
        }
        if let Some(owner) = step.lookup.address_in(&sources) {
            let message = format!(
                "{owner} of {sources} is a node's; name a prefix that no node has an address of"
            );
            report.at(text.span, file::CONFLICT, message);
        }
        Some(sources)
    });
    let to = to?;
    let sources = match sources {
        Some(sources) => sources?,
        None => usual_sources(to.is_ipv4())?,
    };
    Some(StepAction::Flood(Box::new(Flood {
        from: from?,
        to,
        protocol: fields.ip_protocol.unwrap_or(IpProtocol::Tcp),
        packets_per_second: rate.value,
        duration: duration?,
        sources,
        seed: fields.seed.unwrap_or(0),
    })))
}

/// For benchmarks: RFC 2544 and RFC 5180.
fn usual_sources(ipv4: bool) -> Option<IpNet> {
    match ipv4 {
        true => Ipv4Net::new(Ipv4Addr::new(198, 18, 0, 0), 15).ok().map(IpNet::V4),
        false => {
            let address = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0);
            Ipv6Net::new(address, 48).ok().map(IpNet::V6)
        }
    }
}
