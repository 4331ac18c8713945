//! A ladder: a column for each node, an arrow for each frame, in the order of time.

use crate::hops::Hop;
use crate::html;
use labsim_picture::xml;
use labsim_verdict::Capture;
use labsim_wire::decode::{Decoded, Transport};
use labsim_wire::protocol;
use std::fmt::Write as _;

/// From a column to the next, in pixels.
const STEP: usize = 120;
/// The first column.
const FIRST: usize = 170;
/// From an arrow to the next.
const ROW: usize = 24;
/// The names of the columns.
const HEAD: usize = 40;
/// Cells of a node's name in its column.
const NAME: usize = 15;

/// The ladder of a flow's first frames, at most `most`, and the same as a table. `nodes` is the order of the
/// columns.
pub(crate) fn ladder(
    capture: &Capture,
    nodes: &[String],
    flow: &str,
    all: &[&Hop],
    most: usize,
    id: &str,
) -> String {
    let hops = all.get(..most).unwrap_or(all);
    let mut columns: Vec<&str> = Vec::new();
    let mut named: Vec<&str> = hops
        .iter()
        .flat_map(|hop| [hop.from, hop.to])
        .filter_map(|point| node(capture, point))
        .collect();
    named.sort_by_key(|name| nodes.iter().position(|node| node == name).unwrap_or(nodes.len()));
    for name in named {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let began = hops.first().map_or(0, |hop| hop.time_ns);
    let mut out = svg(capture, &columns, hops, began, flow, id);
    if all.len() > hops.len() {
        let more = all.len() - hops.len();
        out += &html::element(
            "p",
            "quiet",
            format!("and {more} more frames of this flow, which capture.pcapng has"),
        );
    }
    let rows: Vec<Vec<String>> = hops
        .iter()
        .map(|hop| {
            vec![
                hop.number.to_string(),
                time(hop, began),
                point(capture, hop.from),
                point(capture, hop.to),
                describe(&hop.decoded),
            ]
        })
        .collect();
    let heads = ["frame", "ms", "left by", "arrived at", "headers, outer round inner"];
    out + &html::details("The same as a table", false, &html::table("", &heads, &rows))
}

fn svg(
    capture: &Capture,
    columns: &[&str],
    hops: &[&Hop],
    began: u64,
    flow: &str,
    id: &str,
) -> String {
    let x = |name: &str| {
        let place = columns.iter().position(|column| *column == name).unwrap_or(0);
        FIRST + place * STEP
    };
    let texts: Vec<String> = hops.iter().map(|hop| describe(&hop.decoded)).collect();
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let beside = FIRST + columns.len() * STEP - STEP / 4;
    let (width, height) = (beside + longest * 15 / 2 + 20, HEAD + hops.len() * ROW + 16);
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\"><svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder\" role=\"img\" \
         aria-labelledby=\"{id}-title\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<title id=\"{id}-title\">The way of {} through the \
         nodes; the table below has the same</title>\n",
        xml(flow)
    );
    let bands: String = (0..hops.len())
        .step_by(2)
        .map(|number| format!("M0 {}h{width}", HEAD + number * ROW + ROW / 2))
        .collect();
    let _ = writeln!(out, "<path class=\"band\" d=\"{bands}\"/>");
    for name in columns {
        let x = x(name);
        let (bottom, shown) = (height - 8, cut(name));
        let _ = writeln!(out, "<path class=\"line\" d=\"M{x} {}V{bottom}\"/>", HEAD - 8);
        let _ = writeln!(
            out,
            "<text class=\"head\" x=\"{x}\" y=\"20\" text-anchor=\"middle\">{}</text>",
            xml(&shown)
        );
    }
    for (number, (hop, text)) in hops.iter().zip(&texts).enumerate() {
        let y = HEAD + number * ROW + ROW / 2;
        let _ = writeln!(
            out,
            "<text class=\"quiet\" x=\"4\" y=\"{}\">{} {}</text>",
            y + 4,
            hop.number,
            time(hop, began)
        );
        draw(&mut out, capture, &x, hop, y);
        let _ = writeln!(out, "<text x=\"{beside}\" y=\"{}\">{}</text>", y + 4, xml(text));
    }
    out.push_str("</svg></div>\n");
    out
}

/// The arrow of a frame; a cross where one was sent and not seen at another node, a mark where one was seen
/// that no other node sent.
fn draw(out: &mut String, capture: &Capture, x: &dyn Fn(&str) -> usize, hop: &Hop, y: usize) {
    let is_tunnelled = hop.decoded.outer().is_some();
    let class = if is_tunnelled { "hop tunnelled" } else { "hop" };
    match (node(capture, hop.from), node(capture, hop.to)) {
        (Some(from), Some(to)) => {
            let (from, to) = (x(from), x(to));
            let tip = if from < to { "l-8-5v10z" } else { "l8-5v10z" };
            // Two subpaths: the line, and the tip, which is filled.
            let _ = writeln!(out, "<path class=\"{class}\" d=\"M{from} {y}H{to}M{to} {y}{tip}\"/>");
        }
        // A device of one node only, such as a tunnel's end.
        (Some(at), None) if !is_wire(capture, hop.from) => mark(out, x(at), y, capture, hop.from),
        (Some(from), None) => {
            let from = x(from);
            let end = from + STEP / 3;
            let _ = writeln!(out, "<path class=\"drop\" d=\"M{from} {y}H{end}\"/>");
            let _ = writeln!(out, "<text class=\"lost\" x=\"{end}\" y=\"{}\">x</text>", y + 4);
        }
        (None, Some(at)) => mark(out, x(at), y, capture, hop.to),
        (None, None) => {}
    }
}

fn mark(out: &mut String, x: usize, y: usize, capture: &Capture, at: Option<usize>) {
    let interface = at
        .and_then(|at| capture.points().get(at))
        .map(|point| point.interface.to_string())
        .unwrap_or_default();
    let _ = writeln!(out, "<circle class=\"tip\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>");
    let _ = writeln!(
        out,
        "<text class=\"quiet\" x=\"{}\" y=\"{}\">{}</text>",
        x + 8,
        y + 4,
        xml(&interface)
    );
}

/// Whether an interface has another end, which was captured too: tunnel devices and loopback have none.
pub(crate) fn is_wire(capture: &Capture, point: Option<usize>) -> bool {
    if capture.is_partial() {
        return false;
    }
    let point = point.and_then(|at| capture.points().get(at));
    point.is_some_and(|point| {
        point.link == labsim_wire::decode::LinkType::Ethernet && point.interface.as_str() != "lo"
    })
}

pub(crate) fn node(capture: &Capture, point: Option<usize>) -> Option<&str> {
    Some(capture.points().get(point?)?.node.as_str())
}

/// `rs1:eth0`, or nothing.
fn point(capture: &Capture, point: Option<usize>) -> String {
    let point = point.and_then(|at| capture.points().get(at));
    point.map(|point| format!("{}:{}", point.node, point.interface)).unwrap_or_default()
}

/// Milliseconds since the first frame.
fn time(hop: &Hop, began: u64) -> String {
    let micros = hop.time_ns.saturating_sub(began) / 1000;
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

/// A frame's headers, outer round inner: `10.1.1.51 IPIP ttl 255 [172.16.4.99 SYN, ttl 126]`, each with its
/// destination.
pub(crate) fn describe(decoded: &Decoded) -> String {
    let Some(packet) = decoded.packet() else { return decoded.line(None).to_string() };
    let count = packet.headers().count();
    let mut text = String::new();
    for (place, header) in packet.headers().enumerate() {
        if place + 1 == count {
            let what = transport(&packet.transport);
            let _ = write!(text, "to {} {what}, ttl {}", header.destination, header.ttl);
        } else {
            let name = header.tunnel.as_ref().map(ToString::to_string).unwrap_or_default();
            let protocol = protocol::name(header.protocol).unwrap_or("tunnel");
            let _ =
                write!(text, "to {} {protocol}{name}, ttl {} [", header.destination, header.ttl);
        }
    }
    text.push_str(&"]".repeat(count.saturating_sub(1)));
    text
}

/// `SYN ACK`, `UDP, 57 bytes`
pub(crate) fn transport(transport: &Transport) -> String {
    match transport {
        Transport::Tcp(tcp) => {
            let flags = tcp.flags.to_string();
            let names = [('S', "SYN"), ('F', "FIN"), ('R', "RST"), ('P', "PSH"), ('.', "ACK")];
            let names: Vec<&str> = names
                .iter()
                .filter(|(letter, _)| flags.contains(*letter))
                .map(|(_, name)| *name)
                .collect();
            let bytes =
                if tcp.payload > 0 { format!(", {} bytes", tcp.payload) } else { String::new() };
            format!("{}{bytes}", names.join(" "))
        }
        Transport::Udp(udp) => format!("UDP, {} bytes", udp.payload),
        Transport::Icmp(icmp) => format!("ICMP type {} code {}", icmp.kind, icmp.code),
        Transport::Beginning { .. } => "first bytes of a packet".to_owned(),
        Transport::Other { payload } => format!("{payload} bytes"),
        Transport::LaterFragment { payload } => format!("a later fragment, {payload} bytes"),
        Transport::Malformed(_) => "malformed".to_owned(),
    }
}
