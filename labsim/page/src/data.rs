//! What the script shows of a scenario: the packets, their ways and their bytes.
//!
//! The data is JSON up to the first line feed; then follow the bytes of all different frames, one behind the
//! other. Lists of numbers that rise hold the differences. Names are short because there is one in each page
//! for each scenario.

use crate::flows::FlowFrames;
use crate::hops::Hops;
use crate::ladder::{describe, is_wire};
use crate::packed::packed;
use labsim_verdict::Capture;
use labsim_wire::checksum::ChecksumState;
use labsim_wire::decode::{Decoded, Transport};
use labsim_wire::layers::{ETHERTYPES, Format, Kind, TCP_FLAGS, layers};
use labsim_wire::protocol;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Bytes of a frame that are kept: all headers, and the beginning of what they carry.
const KEPT: usize = 256;

/// The packets of a scenario.
#[derive(Default, Serialize)]
struct Packets<'a> {
    /// Nodes, in the order of the ladder's columns.
    nodes: &'a [String],
    /// Capture points: node, interface, and whether it has another end.
    points: Vec<(usize, String, bool)>,
    /// Layers of frames: kind and first byte of each.
    shapes: Vec<Vec<usize>>,
    /// What frames say.
    texts: Vec<String>,
    frames: Frames,
    hops: HopColumns,
    flows: Vec<FlowData>,
    /// Hops that are left out.
    left: usize,
}

/// Different frames, in columns.
#[derive(Default, Serialize)]
struct Frames {
    /// Bytes that are kept.
    kept: Vec<usize>,
    /// Bytes that the frame had.
    length: Vec<u32>,
    /// Place among the shapes.
    shape: Vec<usize>,
    /// Place among the texts.
    text: Vec<usize>,
    /// What is wrong with a frame, by its place.
    notes: BTreeMap<usize, String>,
}

/// Hops, in columns.
#[derive(Default, Serialize)]
struct HopColumns {
    /// Number in `capture.pcapng`, less that of the hop before.
    number: Vec<i64>,
    /// That of the frame where it arrived, less its own; 0 if there is none.
    arrived: Vec<i64>,
    /// Microseconds since the hop before, in the order of the capture.
    time: Vec<u64>,
    /// Capture point, from 1; 0 if there is none.
    from: Vec<usize>,
    to: Vec<usize>,
    /// Place among the different frames.
    frame: Vec<usize>,
}

#[derive(Serialize)]
struct FlowData {
    name: String,
    /// Of each packet: whether it is a reply, which sending it is, of how many, and its hops: the first, and
    /// each less the one before.
    packets: Vec<Vec<i64>>,
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Packs the packets of a scenario, with its first hops, `most` at most. `nodes` is the order of the
/// columns.
pub(crate) fn pack(
    capture: &Capture,
    nodes: &[String],
    hops: &Hops,
    flows: &[FlowFrames],
    most: usize,
) -> String {
    let points = capture.points().iter().enumerate().map(|(place, point)| {
        let node = nodes.iter().position(|node| node == point.node.as_str());
        (node.unwrap_or(nodes.len()), point.interface.to_string(), is_wire(capture, Some(place)))
    });
    let mut data = Packets { nodes, points: points.collect(), ..Packets::default() };
    let mut bytes: Vec<u8> = Vec::new();
    let mut known: HashMap<(bool, u32, &[u8]), usize> = HashMap::new();
    let mut shapes: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut texts: HashMap<String, usize> = HashMap::new();
    let (mut number, mut time) = (0, None);
    for hop in hops.all.iter().take(most) {
        let Some(view) = capture.frame(hop.frame) else { continue };
        let link = view.link == labsim_wire::decode::LinkType::Ethernet;
        let next = known.len();
        let same = (link, view.record.original_length, view.bytes);
        let frame = *known.entry(same).or_insert(next);
        if frame == next {
            let kept = view.bytes.get(..KEPT).unwrap_or(view.bytes);
            bytes.extend_from_slice(kept);
            data.frames.kept.push(kept.len());
            data.frames.length.push(view.record.original_length);
            let shape: Vec<usize> = layers(view.link, view.bytes)
                .iter()
                .filter(|layer| layer.start < kept.len())
                .flat_map(|layer| [layer.kind as usize, layer.start])
                .collect();
            data.frames.shape.push(place(&mut shapes, &mut data.shapes, shape));
            let text = describe(&hop.decoded);
            data.frames.text.push(place(&mut texts, &mut data.texts, text));
            let notes = notes(&hop.decoded);
            if !notes.is_empty() {
                data.frames.notes.insert(frame, notes.join("; "));
            }
        }
        let columns = &mut data.hops;
        columns.number.push(signed(hop.number) - number);
        number = signed(hop.number);
        columns.arrived.push(hop.arrived.map_or(0, |arrived| signed(arrived) - number));
        let since = hop.time_ns.saturating_sub(time.unwrap_or(hop.time_ns)) / 1000;
        // Kept whole microseconds, so that what is cut off does not add up.
        time = Some(time.map_or(hop.time_ns, |before| before + since * 1000));
        columns.time.push(since);
        columns.from.push(hop.from.map_or(0, |point| point + 1));
        columns.to.push(hop.to.map_or(0, |point| point + 1));
        columns.frame.push(frame);
    }
    data.flows = flows.iter().map(|flow| flow_data(flow, most)).collect();
    data.left = hops.all.len().saturating_sub(most);
    // Serialising plain data into a list of bytes cannot fail.
    let mut out = serde_json::to_vec(&data).unwrap_or_default();
    out.push(b'\n');
    out.extend_from_slice(&bytes);
    packed(&out)
}

/// The place of a value among those that are different.
fn place<T: Clone + Eq + std::hash::Hash>(
    known: &mut HashMap<T, usize>,
    list: &mut Vec<T>,
    value: T,
) -> usize {
    *known.entry(value).or_insert_with_key(|value| {
        list.push(value.clone());
        list.len() - 1
    })
}

fn flow_data(flow: &FlowFrames, most: usize) -> FlowData {
    let is_kept = |hop: &usize| *hop < most;
    let kept = flow.packets.iter().filter(|packet| packet.hops.first().is_some_and(is_kept));
    let packets = kept.map(|packet| {
        let mut numbers =
            vec![i64::from(packet.is_reply), signed(packet.sending), signed(packet.sendings)];
        let mut before = 0;
        for hop in packet.hops.iter().filter(|hop| is_kept(hop)) {
            numbers.push(signed(*hop) - before);
            before = signed(*hop);
        }
        numbers
    });
    FlowData { name: flow.name(), packets: packets.collect() }
}

/// What is wrong with a frame, as it was decoded.
fn notes(decoded: &Decoded) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    notes.extend(decoded.malformed().map(|why| format!("malformed: {why}")));
    let Some(packet) = decoded.packet() else { return notes };
    for header in packet.headers().filter(|header| header.checksum_ok == Some(false)) {
        notes.push(format!("the header checksum of {} is wrong", header.destination));
    }
    let (name, state) = match &packet.transport {
        Transport::Tcp(tcp) => ("TCP", tcp.checksum),
        Transport::Udp(udp) => ("UDP", udp.checksum),
        Transport::Icmp(icmp) => ("ICMP", icmp.checksum),
        _ => return notes,
    };
    match state {
        ChecksumState::Bad => notes.push(format!("the {name} checksum is wrong")),
        ChecksumState::HalfMade => notes.push(format!(
            "the {name} checksum is half-made: the sender's kernel leaves the rest to the device"
        )),
        ChecksumState::Good | ChecksumState::Absent | ChecksumState::Unknown => {}
    }
    notes
}

/// Names and places of fields, as JSON without `<`: kinds of headers by their numbers.
pub(crate) fn headers() -> String {
    let kinds: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| {
            let fields: Vec<_> = kind
                .fields()
                .iter()
                .map(|field| (field.name, field.bit, field.bits, format(field.format)))
                .collect();
            (kind.name(), kind.is_part(), fields)
        })
        .collect();
    let protocols: BTreeMap<u8, &str> =
        (0..=u8::MAX).filter_map(|number| Some((number, protocol::name(number)?))).collect();
    let ethertypes: BTreeMap<u16, &str> = ETHERTYPES.into_iter().collect();
    let all = serde_json::json!({
        "kinds": kinds, "protocols": protocols, "ethertypes": ethertypes, "flags": TCP_FLAGS,
    });
    all.to_string()
}

/// As the script knows it.
const fn format(format: Format) -> &'static str {
    match format {
        Format::Decimal => "decimal",
        Format::Words => "words",
        Format::DoubleWords => "doublewords",
        Format::Hex => "hex",
        Format::Bit => "bit",
        Format::Mac => "mac",
        Format::Address => "address",
        Format::Protocol => "protocol",
        Format::Ethertype => "ethertype",
        Format::Flags => "flags",
    }
}
