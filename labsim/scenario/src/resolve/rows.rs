//! Rows of a conversation: one packet each, in tcpdump's manner.
//!
//! `server P. seq 1 ack 27 payload 28`: who sends (`client` or `server`, or `in` or `out` at the
//! capture point), the TCP flags, then names and values.

use super::Report;
use crate::model::{Direction, FrameMatch, TcpFlags};
use crate::text::quoted;
use labsim_yaml::{Located, Span};
use std::str::FromStr;

/// Most rows of a conversation.
const ROWS: usize = 2000;

/// One row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) span: Span,
    pub(super) sender: Sender,
    /// What it says of the packet; its direction only if it says one.
    pub(super) frame: FrameMatch,
}

/// Who sends a row's packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// The side that opened the conversation.
    Client,
    /// The other side.
    Server,
    /// Not said: the row says how the packet passes the capture point.
    Passes(Direction),
}

/// Reads the rows of a conversation; `None` if one of them is wrong.
pub(super) fn rows(list: &[Located<String>], report: &mut Report<'_>) -> Option<Vec<Row>> {
    if let Some(first) = list.get(ROWS) {
        report.limit(first.span, list.len(), ROWS, "row");
        return None;
    }
    let read = list.iter().map(|text| report.take(text.span, row(text)));
    read.collect::<Vec<_>>().into_iter().collect()
}

const HINT: &str = "write a row such as `client S seq 0 payload 0`";

fn row(text: &Located<String>) -> Result<Row, String> {
    let mut words = text.split_whitespace().peekable();
    let sender = match words.next() {
        Some("client") => Sender::Client,
        Some("server") => Sender::Server,
        Some("in") => Sender::Passes(Direction::In),
        Some("out") => Sender::Passes(Direction::Out),
        Some(other) => {
            return Err(format!(
                "{} is not a sender; a sender is `client` or `server`, or `in` or `out`; {HINT}",
                quoted(other)
            ));
        }
        None => return Err(format!("an empty row; {HINT}")),
    };
    let mut frame = FrameMatch::default();
    if let Some(flags) = words.next_if(|word| !FIELDS.contains(word)) {
        // A word that is no flags at all is more likely a field's name.
        if flags.len() > 2 && flags.chars().all(|letter| letter.is_ascii_lowercase()) {
            return Err(unknown(flags));
        }
        frame.flags = Some(TcpFlags::parse(flags)?);
    }
    while let Some(name) = words.next() {
        if !FIELDS.contains(&name) {
            return Err(unknown(name));
        }
        let value = words.next();
        match name {
            "seq" => set(&mut frame.sequence, name, value),
            "ack" => set(&mut frame.acknowledgement, name, value),
            "payload" => set(&mut frame.payload, name, value),
            "length" => set(&mut frame.length, name, value),
            _ => set(&mut frame.ttl, name, value),
        }?;
    }
    if let Sender::Passes(direction) = sender {
        frame.direction = Some(direction);
    }
    Ok(Row { span: text.span, sender, frame })
}

const FIELDS: [&str; 5] = ["seq", "ack", "payload", "length", "ttl"];

fn unknown(name: &str) -> String {
    format!(
        "{} is not a field of a row; a row has TCP flags, then `seq`, `ack`, `payload`, \
         `length` and `ttl`",
        quoted(name)
    )
}

fn set<T: FromStr>(field: &mut Option<T>, name: &str, value: Option<&str>) -> Result<(), String> {
    let Some(value) = value else { return Err(format!("`{name}` has no value; {HINT}")) };
    let Ok(number) = value.parse() else {
        return Err(format!(
            "`{name} {}`: write a whole number that fits",
            quoted(value).trim_matches('`')
        ));
    };
    if field.replace(number).is_some() {
        return Err(format!("`{name}` is given twice; keep one"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Row, String> {
        row(&Located::new(text.to_owned(), Span::default()))
    }

    #[test]
    fn a_row_is_read_as_tcpdump_would_print_it() {
        let row = read("server P.  seq 1  ack 27  payload 28 length 68 ttl 64").unwrap();
        let expected = FrameMatch {
            flags: Some(TcpFlags(0x18)),
            sequence: Some(1),
            acknowledgement: Some(27),
            payload: Some(28),
            length: Some(68),
            ttl: Some(64),
            ..FrameMatch::default()
        };
        assert_eq!((row.sender, row.frame), (Sender::Server, expected));
        assert_eq!(read("out ttl 3").unwrap().frame.direction, Some(Direction::Out));
    }

    #[test]
    fn a_row_says_who_sends_and_nothing_unknown() {
        for (text, why) in [
            ("", "an empty row"),
            ("S. seq 0", "is not a sender"),
            ("client window 5", "`window` is not a field of a row"),
            ("client S seq", "has no value"),
            ("client S seq x", "`seq x`: write a whole number"),
            ("client S seq 1 seq 1", "twice"),
            ("client S ttl 256", "that fits"),
            ("client SX", "`X` is not a valid TCP flag"),
            ("client S seq 1 S.", "`S.` is not a field"),
        ] {
            assert!(read(text).is_err_and(|said| said.contains(why)), "{text}");
        }
    }
}
