//! Spoilt files never panic, and what is said of them stands in them.

use proptest::prelude::*;
use std::collections::BTreeMap;
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

/// The files of `topologies/`, `scenarios/` and `scenarios/parts/`, by their paths.
fn shipped() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = BTreeMap::new();
    for folder in ["topologies", "scenarios", "scenarios/parts"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                files.insert(format!("{folder}/{name}"), fs::read(&path).unwrap());
            }
        }
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// One of the scenarios is read; it, any part and any topology may be spoilt.
    #[test]
    fn a_spoilt_file_is_read_or_refused_with_places(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..5),
        of_this in prop::collection::vec(change(), 0..3),
    ) {
        let mut files = shipped();
        let names: Vec<String> = files.keys().cloned().collect();
        let scenarios: Vec<&String> =
            names.iter().filter(|name| name.starts_with("scenarios/") && !name.contains("parts/")).collect();
        prop_assert!(scenarios.len() > 10);
        let name = scenarios[which.index(scenarios.len())];
        let of_any = changes.iter().map(|(file, change)| (&names[file.index(names.len())], change));
        for (name, change) in of_any.chain(of_this.iter().map(|change| (name, change))) {
            let spoilt = spoil(&files[name], change);
            files.insert(name.clone(), spoilt);
        }
        let folder = tempfile::tempdir()?;
        for inner in ["topologies", "scenarios", "scenarios/parts"] {
            fs::create_dir(folder.path().join(inner))?;
        }
        for (name, text) in &files {
            fs::write(folder.path().join(name), text)?;
        }
        let path = folder.path().join(name);
        let diagnostics = match labsim_scenario::load(&path) {
            Ok(loaded) => loaded.warnings,
            Err(diagnostics) => {
                prop_assert!(!diagnostics.is_empty());
                diagnostics
            }
        };
        for diagnostic in &diagnostics {
            prop_assert!(!diagnostic.message.contains(char::is_control), "{diagnostic:?}");
            let text = fs::read(&diagnostic.file)?;
            let lines = String::from_utf8_lossy(&text).split(['\n', '\r']).count();
            prop_assert!(diagnostic.line <= lines, "{diagnostic}");
        }
    }
}
