//! Spoilt files never panic, and what is said of them stands in them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// One way to spoil a file.
#[derive(Debug, Clone)]
enum Change {
    DropLine(usize),
    DoubleLine(usize),
    SwapLines(usize, usize),
    /// Puts one value where another stands.
    Replace(usize, usize),
    FlipByte(usize, u8),
    Cut(usize),
    Insert(usize, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<usize>();
    prop_oneof![
        at().prop_map(Change::DropLine),
        at().prop_map(Change::DoubleLine),
        (at(), at()).prop_map(|(a, b)| Change::SwapLines(a, b)),
        (at(), at()).prop_map(|(a, b)| Change::Replace(a, b)),
        (at(), any::<u8>()).prop_map(|(place, byte)| Change::FlipByte(place, byte)),
        at().prop_map(Change::Cut),
        (at(), prop::sample::select(&PIECES[..]))
            .prop_map(|(place, piece)| Change::Insert(place, piece)),
    ]
}

const PIECES: [&str; 18] = [
    "none",
    "[]",
    "{}",
    "null",
    "-1",
    "99999999999999999999",
    "\"\"",
    "::1",
    "0.0.0.0/0",
    "lo",
    "eth0",
    "[[[[[[[[",
    "real_server:eth0",
    "&a ",
    "*a",
    "é",
    "\u{0}",
    ": ",
];

fn spoil(text: &[u8], change: &Change) -> Vec<u8> {
    let mut bytes = text.to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let values = |text: &[u8]| -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut start = 0;
        for (place, byte) in text.iter().enumerate() {
            if b" \n,[]{}:\"".contains(byte) {
                if start < place {
                    found.push((start, place));
                }
                start = place + 1;
            }
        }
        found
    };
    match *change {
        Change::DropLine(line) => {
            lines.remove(line % lines.len());
        }
        Change::DoubleLine(line) => {
            let line = line % lines.len();
            lines.insert(line, lines[line]);
        }
        Change::SwapLines(a, b) => {
            let number = lines.len();
            lines.swap(a % number, b % number);
        }
        Change::Replace(from, to) => {
            let values = values(text);
            if !values.is_empty() {
                let (start, end) = values[from % values.len()];
                let (to_start, to_end) = values[to % values.len()];
                bytes.splice(to_start..to_end, text[start..end].to_vec());
            }
            return bytes;
        }
        Change::FlipByte(place, byte) => {
            let place = place % bytes.len();
            bytes[place] ^= byte;
            return bytes;
        }
        Change::Cut(place) => {
            bytes.truncate(place % bytes.len());
            return bytes;
        }
        Change::Insert(place, piece) => {
            let place = place % bytes.len();
            bytes.splice(place..place, piece.bytes());
            return bytes;
        }
    }
    lines.concat()
}

fn shipped() -> (Vec<u8>, Vec<u8>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let topology = fs::read(root.join("topologies/one-arm-routed.yaml"));
    let scenario = fs::read(root.join("scenarios/tacacs-ipip.yaml"));
    (topology.unwrap_or_default(), scenario.unwrap_or_default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_spoilt_file_is_read_or_refused_with_places(
        of_topology in prop::collection::vec(change(), 0..4),
        of_scenario in prop::collection::vec(change(), 0..4),
    ) {
        let (topology, scenario) = shipped();
        prop_assert!(!topology.is_empty() && !scenario.is_empty());
        let topology = of_topology.iter().fold(topology, |text, change| spoil(&text, change));
        let scenario = of_scenario.iter().fold(scenario, |text, change| spoil(&text, change));
        let folder = tempfile::tempdir()?;
        for name in ["topologies", "scenarios"] {
            fs::create_dir(folder.path().join(name))?;
        }
        fs::write(folder.path().join("topologies/one-arm-routed.yaml"), &topology)?;
        let path = folder.path().join("scenarios/tacacs-ipip.yaml");
        fs::write(&path, &scenario)?;
        if let Err(mistakes) = labsim_scenario::load(&path) {
            prop_assert!(!mistakes.is_empty());
            for mistake in &mistakes {
                let text = if mistake.file.ends_with("tacacs-ipip.yaml") { &scenario } else { &topology };
                let lines = String::from_utf8_lossy(text).split(['\n', '\r']).count();
                prop_assert!(mistake.line <= lines, "{mistake}");
                prop_assert!(!mistake.message.contains(char::is_control), "{mistake:?}");
            }
        }
    }
}
