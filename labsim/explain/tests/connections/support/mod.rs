//! Traces of texts, and what explanations of them say.

#![allow(dead_code, reason = "each test file uses a part")]

use labsim_captures::{Datagram, Direction, Known, Message, TextReader, Transport};
use labsim_explain::{Clock, ConnectionReport, Explanation, Point, Row, Text, Trace, Unit};

/// A text's packets; each capture of it is a point, and each device of one (`-i any`).
pub(crate) fn trace(text: &str) -> Trace {
    let mut reader = TextReader::new(text.as_bytes());
    let mut trace = Trace::default();
    let mut points: Vec<(usize, Option<String>)> = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        let key = (frame.section, frame.device.clone());
        let point = points.iter().position(|it| *it == key).unwrap_or(points.len());
        if point == points.len() {
            points.push(key);
        }
        let Known::Ip(packet) = frame.known else { continue };
        let f5 = frame.f5.unwrap_or_default();
        trace.rows.push(Row {
            point,
            number: frame.line,
            time_ns: frame.time.map(|time| i64::try_from(time.ns).unwrap()),
            direction: frame.direction,
            is_f5_out: f5.direction == Some(Direction::Out) && f5.virtual_server.is_some(),
            reset_cause: f5.reset_cause,
            link: None,
            packet,
        });
    }
    for (capture, device) in points {
        let device = device.map(|device| format!(":{device}")).unwrap_or_default();
        trace.points.push(Point {
            name: format!("p{capture}{device}"),
            file: "page.md".to_owned(),
            unit: Unit::Line,
            capture,
            clock: Clock::TimeOfDay,
            given: None,
            command: None,
            snap_length: None,
        });
    }
    trace.identify_messages();
    trace
}

pub(crate) fn only(explanation: &Explanation) -> &ConnectionReport {
    let [connection] = explanation.connections.as_slice() else {
        panic!("not one connection: {:#?}", explanation.connections)
    };
    connection
}

pub(crate) fn says(explanation: &Explanation, text: &str) {
    let printed = Text(explanation).to_string();
    assert!(printed.contains(text), "nothing says `{text}`:\n{printed}");
}

/// A packet of a text, with and without what `-v` shows.
pub(crate) fn packet(second: u32, ttl: u8, id: u16, ends: &str, tcp: &str) -> String {
    format!(
        "10:00:0{second}.000000 IP (tos 0x0, ttl {ttl}, id {id}, offset 0, flags [DF], proto TCP (6), length 40)\n    \
         {ends}: Flags {tcp}, length 0\n"
    )
}

/// A packet as `-i any` shows it.
pub(crate) fn at_device(device: &str, packet: &str) -> String {
    packet.replacen(" IP (", &format!(" {device}  IP ("), 1)
}

/// A director that sends on a client's SYN, and gets the server's answer, twice.
pub(crate) fn answered_through_director() -> String {
    let (syn, answer) = (packet(0, 63, 7, ASKED, SYN), packet(0, 64, 0, BACK, SYN_ACK));
    let rows = [("eth0  In", &syn), ("eth1  Out", &syn), ("eth1  In", &answer)];
    let once = rows.map(|(device, packet)| at_device(device, packet)).concat();
    let again = once.replace("10:00:00", "10:00:01").replace("id 7,", "id 8,");
    format!("# tcpdump -v -nni any\n{once}{again}")
}

/// The payload's length of a packet without one.
pub(crate) fn with_payload(packet: &str, length: u32) -> String {
    packet
        .replace("length 40)", &format!("length {})", length + 40))
        .replace(", length 0", &format!(", length {length}"))
}

/// RADIUS of UDP: a request, and an answer with its identifier, as bytes would show them.
pub(crate) fn with_payloads(mut trace: Trace) -> Trace {
    for row in &mut trace.rows {
        let Transport::Udp { ports, datagram, .. } = &mut row.packet.transport else { continue };
        let is_reply = ports.0 == Some(1812);
        let message = Some(Message { is_reply, identifier: 5 });
        *datagram = Some(Datagram { fingerprint: Some(if is_reply { 2 } else { 1 }), message });
    }
    trace
}

/// A RADIUS datagram whose payload is not shown, perhaps in a tunnel.
pub(crate) fn radius(second: u32, ttl: u8, ends: &str, tunnel: Option<&str>) -> String {
    let outer = tunnel.map_or(String::new(), |ends| {
        format!(
            "(tos 0x0, ttl 255, id 1, offset 0, flags [none], proto IPIP (4), length 92)\n    {ends}: IP "
        )
    });
    format!(
        "10:00:0{second}.000000 IP {outer}(tos 0x0, ttl {ttl}, id 7, offset 0, flags [none], proto UDP (17), length 72)\n    \
         {ends}: UDP, length 44\n"
    )
}

/// An answer of the VIP.
pub(crate) const BACK: &str = "198.51.100.9.49 > 192.0.2.7.40000";
pub(crate) const ASKED: &str = "192.0.2.7.40000 > 198.51.100.9.49";
pub(crate) const STRANGER: &str = "203.0.113.5.49 > 192.0.2.7.40000";
pub(crate) const TO_STRANGER: &str = "192.0.2.7.40000 > 203.0.113.5.49";
pub(crate) const SYN: &str = "[S], seq 1000, win 64240";
pub(crate) const SYN_ACK: &str = "[S.], seq 9000, ack 1001, win 29200";
