//! The way of a packet as a picture shows it, of what is kept of a run. Nothing in it depends on times, or on
//! ports that were picked for one connection.

use crate::ladder::transport;
use labsim_picture::{Header, HeaderField, Hop, Lab, RowKind, Stop, Way, WayEnd};
use labsim_scenario::model::Direction;
use labsim_verdict::compare::{SavedRun, SavedStep};
use labsim_verdict::{Journey, Journeys, Sighting};
use labsim_wire::decode::{Content, IpHeader, Packet, Transport};
use labsim_wire::{protocol, tunnel};

/// The way of the packet that a frame is of; `None` if there is no such frame, or it is a marker. `number` is
/// the frame's in `capture.pcapng`, from 1, as Wireshark shows it.
#[must_use]
pub fn packet_way(lab: &Lab, run: &SavedRun, number: usize) -> Option<Way> {
    let journeys = Journeys::new(&run.observations, &run.balancers);
    let journey = journeys.of_frame(number.checked_sub(1)?)?;
    let is_partial = run.observations.capture.is_partial();
    let mut way = Way {
        title: format!("{}: the way of the packet of frame {number}", lab.name),
        ..Way::default()
    };
    add(&mut way, (lab, is_partial), &journey, false);
    way.ends.push(last_seen(lab, &journey, "the packet"));
    Some(way)
}

/// The way of a step's first packet, and of the first answer to it; `None` if the step sent none.
#[must_use]
pub fn step_way(lab: &Lab, run: &SavedRun, step: &SavedStep) -> Option<Way> {
    let journeys = Journeys::new(&run.observations, &run.balancers);
    let first = journeys.first_sent(step.client, step.from_ns, step.to_ns)?;
    let asked = journeys.of_frame(first)?;
    let answered = journeys.answer_to(first).and_then(|index| journeys.of_frame(index));
    let is_partial = run.observations.capture.is_partial();
    let mut way = Way {
        title: format!("{}: the way of the first packet of step {}", lab.name, step.name),
        ..Way::default()
    };
    add(&mut way, (lab, is_partial), &asked, false);
    let Some(answered) = answered else {
        way.ends.push(last_seen(lab, &asked, "the packet"));
        way.ends.push(end(None, "no answer to it was captured".to_owned(), false));
        let at = asked.sightings.last().map(|last| last.node.as_str());
        add_causes(&mut way, lab, run, step, at);
        return Some(way);
    };
    way.title.push_str(", and of its answer");
    add(&mut way, (lab, is_partial), &answered, true);
    let home = asked.sightings.first().map(|first| &first.node);
    if answered.sightings.last().map(|last| &last.node) != home {
        way.ends.push(last_seen(lab, &answered, "the answer"));
        let at = answered.sightings.last().map(|last| last.node.as_str());
        add_causes(&mut way, lab, run, step, at);
    } else {
        add_causes(&mut way, lab, run, step, None);
    }
    Some(way)
}

fn end(at: Option<Stop>, text: String, is_lost: bool) -> WayEnd {
    WayEnd { at, text, is_lost }
}

fn last_seen(lab: &Lab, journey: &Journey, what: &str) -> WayEnd {
    let Some(last) = journey.sightings.last() else { return end(None, String::new(), false) };
    let round = journey.rounds.as_ref().map(|it| format!("{it} and ")).unwrap_or_default();
    let text = format!(
        "{what} {round}was last seen at {}:{} {}",
        last.node, last.interface, last.direction
    );
    end(stop(lab, last), text, false)
}

/// What the run said of the step; `lost_at` is the node that a packet did not leave.
fn add_causes(way: &mut Way, lab: &Lab, run: &SavedRun, step: &SavedStep, lost_at: Option<&str>) {
    for cause in run.causes.iter().filter(|cause| cause.record.step == step.name) {
        let node = cause.record.node.as_deref();
        let is_lost = node.is_some() && node == lost_at;
        let at = node.and_then(|node| {
            let device = cause.record.device.as_deref().unwrap_or_default();
            lab.stop(node, device)
        });
        way.ends.push(end(at, format!("{} [{}]", cause.sentence, cause.record.code), is_lost));
    }
}

fn stop(lab: &Lab, seen: &Sighting) -> Option<Stop> {
    lab.stop(seen.node.as_str(), seen.interface.as_str())
}

/// Adds the hops of a journey.
fn add(way: &mut Way, (lab, is_partial): (&Lab, bool), journey: &Journey, is_answer: bool) {
    let seen = &journey.sightings;
    let mut before: Option<&Sighting> = None;
    let mut place = 0;
    while let Some(one) = seen.get(place) {
        let next = seen.get(place + 1);
        let arrived = next.filter(|next| {
            one.direction == Direction::Out
                && next.direction == Direction::In
                && next.node != one.node
        });
        let (from, to, what) = match (one.direction, arrived) {
            (Direction::Out, Some(next)) => {
                place += 1;
                (stop(lab, one), stop(lab, next), format!("{} → {}", one.node, next.node))
            }
            (Direction::Out, None) => {
                let what = match is_tunnel(lab, one) {
                    true => format!("{}: into {}", one.node, one.interface),
                    // The other end may have been left out.
                    false if is_partial => format!("{}: out of {}", one.node, one.interface),
                    false => format!("{} → nobody", one.node),
                };
                (stop(lab, one), None, what)
            }
            (Direction::In, _) => {
                let how = if is_tunnel(lab, one) { "out of" } else { "in by" };
                (None, stop(lab, one), format!("{}: {how} {}", one.node, one.interface))
            }
        };
        let headers = headers(one, before);
        way.hops.push(Hop { from, to, is_answer, what, headers });
        before = Some(one);
        place += 1;
    }
}

/// Whether an interface is an end of a tunnel, and no wire's.
fn is_tunnel(lab: &Lab, seen: &Sighting) -> bool {
    let row = stop(lab, seen).and_then(|at| lab.nodes.get(at.node)?.rows.get(at.row?));
    row.is_some_and(|row| row.kind == RowKind::Tunnel)
}

/// A field, named for the comparison with the hop before.
type Named = (&'static str, String);

/// The headers where a packet was seen, outermost first, with what is not as it was before. Headers within are
/// the same header still when one round them comes or goes.
fn headers(seen: &Sighting, before: Option<&Sighting>) -> Vec<Header> {
    let old = before.map(fields).unwrap_or_default();
    let new = fields(seen);
    let count = new.len();
    let mut headers = Vec::new();
    for (depth, own) in new.into_iter().enumerate() {
        // Counted from within.
        let was = old.len().checked_sub(count - depth).and_then(|at| old.get(at));
        let is_changed = |(name, text): &Named| {
            was.is_some_and(|was| was.iter().any(|(known, old)| known == name && old != text))
        };
        let fields = own
            .iter()
            .map(|field| HeaderField { text: field.1.clone(), is_changed: is_changed(field) })
            .collect();
        // The last two are the innermost IP header and what it carries.
        headers.push(Header { is_tunnel: depth + 2 < count, fields });
    }
    headers
}

fn fields(seen: &Sighting) -> Vec<Vec<Named>> {
    match &seen.decoded.content {
        Content::Ip(packet) => of_packet(packet, seen.ports),
        _ => vec![vec![("frame", seen.decoded.line(None).to_string())]],
    }
}

fn of_packet(packet: &Packet, ports: [Option<u16>; 2]) -> Vec<Vec<Named>> {
    let count = packet.headers().count();
    let mut all: Vec<Vec<Named>> = packet
        .headers()
        .enumerate()
        .map(|(depth, header)| of_header(header, depth + 1 < count))
        .collect();
    let mut own = vec![("transport", transport_text(packet))];
    if packet.ports().is_some() {
        let [from, to] = ports;
        if let Some(port) = from {
            own.push(("source port", format!("from port {port}")));
        }
        if let Some(port) = to {
            own.push(("destination port", format!("to port {port}")));
        }
    }
    all.push(own);
    all
}

fn transport_text(packet: &Packet) -> String {
    let text = transport(&packet.transport);
    match packet.transport {
        Transport::Tcp(_) => format!("TCP {text}"),
        Transport::Icmp(ref icmp) => {
            let is_v4 = packet.innermost().source.is_ipv4();
            let name = labsim_wire::decode::icmp_name(icmp.kind, icmp.code, is_v4);
            name.map_or(text, |name| format!("ICMP {name}"))
        }
        _ => text,
    }
}

fn of_header(header: &IpHeader, is_tunnel: bool) -> Vec<Named> {
    let family = if header.source.is_ipv4() { "IP" } else { "IPv6" };
    let name = match (is_tunnel, header.tunnel.is_some(), protocol::name(header.protocol)) {
        (true, true, Some("UDP")) => "GUE",
        (true, _, Some(name)) => name,
        _ => family,
    };
    let limit = if header.source.is_ipv4() { "TTL" } else { "hop limit" };
    let mut fields = vec![
        ("addresses", format!("{name} {} > {}", header.source, header.destination)),
        ("ttl", format!("{limit} {}", header.ttl)),
    ];
    if header.tos != 0 {
        fields.push(("tos", format!("TOS {:#04x}", header.tos)));
    }
    if header.is_fragment() {
        let more = if header.more_fragments { " and more" } else { "" };
        fields.push(("fragment", format!("fragment from {}{more}", header.fragment_offset)));
    }
    match &header.tunnel {
        Some(tunnel::Header::Gre(gre)) => {
            fields.extend(gre.key.map(|key| ("key", format!("key {key}"))));
        }
        Some(tunnel::Header::Gue { destination_port, .. }) => {
            fields.push(("gue port", format!("to port {destination_port}")));
        }
        None => {}
    }
    fields
}
