//! Sentences, each with the packets that show it.

use crate::trace::{Trace, Unit};
use serde::Serialize;

/// Packets that a sentence names at most.
const MAX_EVIDENCE: usize = 8;

/// A sentence of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// Its text. Not to be shown without escaping: names come from files.
    pub text: String,
    /// What shows it.
    pub evidence: Vec<Place>,
}

/// A packet's place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The point's place in the document's `points`.
    pub point: usize,
    /// The file.
    pub file: String,
    /// What `number` counts.
    pub unit: Unit,
    /// Its line or frame, from 1.
    pub number: u64,
}

/// The places of rows.
pub(crate) fn evidence(trace: &Trace, rows: impl IntoIterator<Item = usize>) -> Vec<Place> {
    let place = |index: usize| {
        let row = trace.rows.get(index)?;
        let point = trace.points.get(row.point)?;
        let (file, unit) = (point.file.clone(), point.unit);
        Some(Place { point: row.point, file, unit, number: row.number })
    };
    rows.into_iter().filter_map(place).take(MAX_EVIDENCE).collect()
}

impl Sentence {
    /// The text, and behind it the places, each file once; without the files' names if there is only one.
    #[must_use]
    pub fn shown(&self, has_files: bool) -> String {
        let mut files: Vec<(&str, Unit, Vec<String>)> = Vec::new();
        for place in &self.evidence {
            let number = place.number.to_string();
            match files.iter_mut().find(|it| it.0 == place.file && it.1 == place.unit) {
                Some((.., numbers)) if numbers.contains(&number) => {}
                Some((.., numbers)) => numbers.push(number),
                None => files.push((&place.file, place.unit, vec![number])),
            }
        }
        let place = |(file, unit, numbers): (&str, Unit, Vec<String>)| {
            let unit = match (unit, numbers.len()) {
                (Unit::Line, 1) => "line",
                (Unit::Line, _) => "lines",
                (Unit::Frame, 1) => "frame",
                (Unit::Frame, _) => "frames",
            };
            let file = if has_files { format!("{file} ") } else { String::new() };
            format!("{file}{unit} {}", numbers.join(", "))
        };
        let places: Vec<String> = files.into_iter().map(place).collect();
        if places.is_empty() {
            return self.text.clone();
        }
        format!("{} ({})", self.text, places.join("; "))
    }
}

/// `a`, `a and b`, `a, b and c`; the first and the last ones if there are many.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [] => "no point".to_owned(),
        [one] => (*one).to_owned(),
        [front @ .., last] if front.len() < 6 => format!("{} and {last}", front.join(", ")),
        [one, two, middle @ .., before, last] => {
            format!("{one}, {two}, {} others, {before} and {last}", middle.len())
        }
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}

/// `1 packet`, `2 packets`.
pub(crate) fn number(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A duration with microseconds.
pub(crate) fn seconds(ns: i64) -> String {
    let (sign, ns) = if ns < 0 { ("-", ns.unsigned_abs()) } else { ("", ns.unsigned_abs()) };
    format!("{sign}{}.{:06}", ns / 1_000_000_000, ns / 1000 % 1_000_000)
}

/// A difference of times: its sign is always there.
pub(crate) fn signed(ns: i64) -> String {
    let sign = if ns < 0 { "" } else { "+" };
    format!("{sign}{}", seconds(ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_shortened_and_few_are_not() {
        assert_eq!(list(["a"]), "a");
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
        let many = ["a", "b", "c", "d", "e", "f", "g", "h"];
        assert_eq!(list(many), "a, b, 4 others, g and h");
    }

    #[test]
    fn negative_seconds_have_their_sign() {
        assert_eq!(seconds(-601_648_000), "-0.601648");
        assert_eq!(seconds(5_779_194_000), "5.779194");
    }

    #[test]
    fn evidence_names_each_file_once() {
        let place =
            |file: &str, unit, number| Place { point: 0, file: file.to_owned(), unit, number };
        let evidence = vec![
            place("a.txt", Unit::Line, 3),
            place("b.pcap", Unit::Frame, 1),
            place("a.txt", Unit::Line, 5),
        ];
        let sentence = Sentence { text: "It came".to_owned(), evidence };
        assert_eq!(sentence.shown(true), "It came (a.txt lines 3, 5; b.pcap frame 1)");
    }
}
