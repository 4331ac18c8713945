//! Header fields of frames, as a match.

use super::{Report, address};
use crate::file::{RawFrameMatch, RawOuterHeader, RawOuterMatch, Texts};
use crate::model::{AddressMatch, FrameMatch, IcmpMatch, OuterMatch, TcpFlags};
use crate::text::quoted;
use labsim_codes::file;
use labsim_yaml::{Located, Scalar, Span};

/// Most addresses of one field.
const ADDRESSES: usize = 64;
/// TCP, ICMP and ICMPv6 by IANA's numbers.
const TCP: u8 = 6;
const ICMP: [u8; 2] = [1, 58];
/// Protocols by name.
const PROTOCOLS: [(&str, u8); 7] =
    [("tcp", 6), ("udp", 17), ("icmp", 1), ("icmpv6", 58), ("ipip", 4), ("ipv6", 41), ("gre", 47)];

/// A match, and what it says of the outer length in terms of the inner one.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) matching: FrameMatch,
    pub(super) overhead: Option<Located<u32>>,
}

/// Resolves header fields.
pub(super) fn fields(written: &RawFrameMatch, report: &mut Report<'_>) -> Fields {
    let mut overhead = None;
    let outer = written.outer.as_ref().map(|form| match &form.value {
        RawOuterMatch::None(_) => None,
        RawOuterMatch::Map(map) => {
            overhead = map.overhead;
            Some(outer(map, report))
        }
    });
    if let Some(length) = written.length.filter(|length| length.value < 20) {
        report.at(
            length.span,
            file::OUT_OF_RANGE,
            "an IP packet has 20 bytes or more; write its length with its header",
        );
    }
    let flags = written.flags.as_ref();
    let matching = FrameMatch {
        direction: value(written.direction),
        source: addresses(written.source.as_ref(), report),
        destination: addresses(written.destination.as_ref(), report),
        protocol: protocol(written.protocol.as_ref(), report),
        source_port: value(written.source_port),
        destination_port: value(written.destination_port),
        ttl: value(written.ttl),
        length: value(written.length),
        tos: value(written.tos),
        dont_fragment: value(written.dont_fragment),
        flags: flags.and_then(|text| report.take(text.span, TcpFlags::parse(text))),
        sequence: value(written.seq),
        acknowledgement: value(written.ack),
        payload: value(written.payload),
        icmp: written.icmp.map(|icmp| IcmpMatch { kind: icmp.kind, code: icmp.code }),
        outer,
    };
    Fields { matching, overhead }
}

fn outer(written: &RawOuterHeader, report: &mut Report<'_>) -> OuterMatch {
    if let (Some(_), Some(overhead)) = (written.length, written.overhead) {
        report.at(
            overhead.span,
            file::CONFLICT,
            "`overhead` and `length` both set the length; keep one",
        );
    }
    OuterMatch {
        source: addresses(written.source.as_ref(), report),
        destination: addresses(written.destination.as_ref(), report),
        protocol: protocol(written.protocol.as_ref(), report),
        ttl: value(written.ttl),
        length: value(written.length),
        tos: value(written.tos),
        dont_fragment: value(written.dont_fragment),
    }
}

fn value<T>(located: Option<Located<T>>) -> Option<T> {
    located.map(|located| located.value)
}

fn addresses(written: Option<&Located<Texts>>, report: &mut Report<'_>) -> Option<AddressMatch> {
    let written = written?;
    let texts = address::each(written);
    if texts.is_empty() {
        report.at(written.span, file::NO_EFFECT, "an empty list matches no address; write one");
    }
    if !report.limit(written.span, texts.len(), ADDRESSES, "address") {
        return None;
    }
    let nets = texts.iter().filter_map(|text| report.take(text.span, address::prefix(text)));
    AddressMatch::new(nets.collect())
}

fn protocol(written: Option<&Located<Scalar>>, report: &mut Report<'_>) -> Option<u8> {
    let written = written?;
    let text = written.value.0.as_str();
    let named = PROTOCOLS.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    let number = named.or_else(|| text.parse().ok());
    if number.is_none() {
        let names: Vec<&str> = PROTOCOLS.iter().map(|(name, _)| *name).collect();
        report.at(
            written.span,
            file::INVALID_VALUE,
            format!(
                "{} is not a valid IP protocol; write a number up to 255, or one of {}",
                quoted(text),
                names.join(", ")
            ),
        );
    }
    number
}

/// A match that stands for itself.
pub(crate) fn lone(written: &RawFrameMatch, report: &mut Report<'_>) -> Result<FrameMatch, ()> {
    let fields = fields(written, report);
    complete(fields, Span::default(), report)
}

/// Completes a match by its outer length, and finds what no frame could be.
pub(super) fn complete(
    fields: Fields,
    place: Span,
    report: &mut Report<'_>,
) -> Result<FrameMatch, ()> {
    let Fields { mut matching, overhead } = fields;
    let checked = outer_length(&mut matching, overhead).and_then(|()| possible(&matching));
    report.take(place, checked).map(|()| matching).ok_or(())
}

fn outer_length(matching: &mut FrameMatch, overhead: Option<Located<u32>>) -> Result<(), String> {
    let inner = matching.length;
    let Some(Some(outer)) = &mut matching.outer else { return Ok(()) };
    if let Some(overhead) = overhead {
        let Some(inner) = inner else {
            return Err("`overhead` is counted from the inner `length`; write that too".to_owned());
        };
        outer.length = inner.checked_add(overhead.value);
        if outer.length.is_none() {
            return Err("the outer length does not fit; write less `overhead`".to_owned());
        }
    }
    match (inner, outer.length) {
        (Some(inner), Some(whole)) if whole <= inner => Err(format!(
            "a tunnel packet of {whole} bytes cannot carry one of {inner}; the outer `length` \
             counts the inner packet"
        )),
        _ => Ok(()),
    }
}

fn possible(matching: &FrameMatch) -> Result<(), String> {
    let tcp = matching.flags.is_some()
        || matching.sequence.is_some()
        || matching.acknowledgement.is_some();
    let ports = matching.source_port.is_some() || matching.destination_port.is_some();
    let other = |known: &[u8]| matching.protocol.is_some_and(|number| !known.contains(&number));
    if tcp && other(&[TCP]) {
        return Err(
            "`flags`, `seq` and `ack` are TCP's; leave them out, or the protocol".to_owned()
        );
    }
    if matching.icmp.is_some() && (tcp || ports || other(&ICMP)) {
        return Err("an ICMP message has no ports and no TCP fields; leave them out".to_owned());
    }
    let families = |set: &Option<AddressMatch>| {
        set.as_ref().map(|set| {
            let has = |ipv4| set.prefixes().iter().any(|net| net.addr().is_ipv4() == ipv4);
            (has(true), has(false))
        })
    };
    let (source, destination) = (families(&matching.source), families(&matching.destination));
    if let (Some(source), Some(destination)) = (source, destination)
        && !(source.0 && destination.0 || source.1 && destination.1)
    {
        return Err(
            "source and destination are of different families; give both the same".to_owned()
        );
    }
    let only_ipv6 = [source, destination].into_iter().flatten().any(|(ipv4, _)| !ipv4);
    if only_ipv6 && matching.dont_fragment.is_some() {
        return Err("IPv6 has no don't-fragment bit; leave `dont_fragment` out".to_owned());
    }
    Ok(())
}

/// What a row requires, beside what is required of every frame of its side.
pub(super) fn merged(every: &FrameMatch, row: &FrameMatch) -> FrameMatch {
    let (every, row) = (every.clone(), row.clone());
    FrameMatch {
        direction: row.direction.or(every.direction),
        source: row.source.or(every.source),
        destination: row.destination.or(every.destination),
        protocol: row.protocol.or(every.protocol),
        source_port: row.source_port.or(every.source_port),
        destination_port: row.destination_port.or(every.destination_port),
        ttl: row.ttl.or(every.ttl),
        length: row.length.or(every.length),
        tos: row.tos.or(every.tos),
        dont_fragment: row.dont_fragment.or(every.dont_fragment),
        flags: row.flags.or(every.flags),
        sequence: row.sequence.or(every.sequence),
        acknowledgement: row.acknowledgement.or(every.acknowledgement),
        payload: row.payload.or(every.payload),
        icmp: row.icmp.or(every.icmp),
        outer: row.outer.or(every.outer),
    }
}
