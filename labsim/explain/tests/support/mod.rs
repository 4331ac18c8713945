//! Traces of texts, and what explanations of them say.

#![allow(dead_code, reason = "each test file uses a part")]

use labsim_captures::{Direction, Known, TextReader};
use labsim_explain::{Clock, ConnectionReport, Explanation, Point, Row, Text, Trace, Unit};

/// A text's packets; each capture of it is a point.
pub(crate) fn trace(text: &str) -> Trace {
    let mut reader = TextReader::new(text.as_bytes());
    let mut trace = Trace::default();
    while let Some(frame) = reader.next_frame().unwrap() {
        let Known::Ip(packet) = frame.known else { continue };
        let f5 = frame.f5.unwrap_or_default();
        trace.rows.push(Row {
            point: frame.section,
            number: frame.line,
            time_ns: frame.time.map(|time| i64::try_from(time.ns).unwrap()),
            direction: frame.direction,
            is_f5_out: f5.direction == Some(Direction::Out) && f5.virtual_server.is_some(),
            reset_cause: f5.reset_cause,
            link: None,
            packet,
        });
    }
    for capture in 0..reader.sections().len() {
        trace.points.push(Point {
            name: format!("p{capture}"),
            file: "page.md".to_owned(),
            unit: Unit::Line,
            capture,
            clock: Clock::TimeOfDay,
            given: None,
            command: None,
            snap_length: None,
        });
    }
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

pub(crate) const ASKED: &str = "192.0.2.7.40000 > 198.51.100.9.49";
pub(crate) const STRANGER: &str = "203.0.113.5.49 > 192.0.2.7.40000";
pub(crate) const TO_STRANGER: &str = "192.0.2.7.40000 > 203.0.113.5.49";
pub(crate) const SYN: &str = "[S], seq 1000, win 64240";
pub(crate) const SYN_ACK: &str = "[S.], seq 9000, ack 1001, win 29200";
