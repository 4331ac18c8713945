//! Texts made to hurt: they are refused in a moment, and nothing ever panics.

use std::time::{Duration, Instant};

use crate::common::{Deep, Lab, diagnostics, diagnostics_as};
use labsim_yaml::{Document, SIZE_LIMIT, Source, read};
use proptest::prelude::*;

/// A file with one of everything, without errors.
const GOOD: &str = "\
vip: 172.16.4.99 # the address
mtu: 1500
offloads: false
secret: 'a: b'
ratio: 1.5
shift: -4
pools:
  web: &web
    members: [rs1, rs2]
    port: 49
    profile: ipip
  app: *web
links:
  - [lb, rs1]
  - [lb, \"rs2\"]
steps:
  - wait
  - ping: lb
  - login:
      user: ann
      password: |
        long
        text
  - move: [a, b]
tunnel: {low: 1, high: 2}
";

/// A debug build on two busy cores; it is far shorter otherwise.
const MOMENT: Duration = Duration::from_secs(10);

/// Enough for what takes the square of the size to show.
const LARGE: usize = SIZE_LIMIT / 16;

#[test]
fn the_good_file_is_good() {
    assert_eq!(diagnostics(GOOD), []);
}

/// `start`, what `line` says for 0, 1, 2 and so on as often as there is room, and `end`.
fn filled(size: usize, start: &str, line: impl Fn(usize) -> String, end: &str) -> String {
    let mut text = start.to_owned();
    for line in (0..).map(line) {
        if text.len() + line.len() + end.len() > size {
            break;
        }
        text += &line;
    }
    assert!(text.len() > size - 100, "{} bytes", text.len());
    text + end
}

fn takes_a_moment(name: &str, text: &str) {
    let begun = Instant::now();
    let found = diagnostics(text);
    let elapsed = begun.elapsed();
    assert!(elapsed < MOMENT, "{name} took {elapsed:?}");
    assert!(!found.is_empty() && found.len() <= 101, "{name}: {} diagnostics", found.len());
}

#[test]
fn a_mebibyte_that_is_no_yaml_takes_a_moment() {
    for (name, start, unit, end) in [
        ("brackets", "", "[", ""),
        ("braces", "", "{a: ", ""),
        ("dashes", "", "- ", ""),
        ("question marks", "", "? ", ""),
        ("colons", "", ": ", ""),
        ("anchors", "", "&a ", ""),
        ("tags", "", "!a ", ""),
        ("quotes", "", "\"", ""),
        ("closing brackets", "", "]", ""),
        ("one word", "", "a", ""),
        ("one key", "", "a", ": 1"),
        ("backslashes", "\"", "\\", ""),
        ("blank lines", "", "\n", ""),
        ("carriage returns", "a: [", "\r", ""),
        ("comments", "", "#\n", ""),
        ("documents", "", "---\n", ""),
        ("a block scalar", "secret: |\n", " x\n", ""),
    ] {
        takes_a_moment(name, &filled(SIZE_LIMIT, start, |_| unit.to_owned(), end));
    }
}

#[test]
fn a_large_file_full_of_one_error_takes_a_moment() {
    for (name, start, unit, end) in [
        ("a list", "[", "a,", "]"),
        ("wide letters", "", "ä: ö\n", ""),
        ("repeated keys", "", "vip: 1\n", ""),
        ("unknown variants", "steps:\n", "- x\n", ""),
        ("a diagnostic behind good items", "vip: 192.0.2.1\nsteps:\n", "- wait\n", "- x\n"),
        ("aliases", "secret: &a x\nlinks: [", "*a,", "]"),
        ("items that are missing keys", "vip: 192.0.2.1\nsteps:\n", "- login: {}\n", ""),
    ] {
        takes_a_moment(name, &filled(LARGE, start, |_| unit.to_owned(), end));
    }
}

#[test]
fn a_large_file_of_different_errors_takes_a_moment() {
    let pools = "vip: 192.0.2.1\npools:\n";
    let told = |name, start, line: fn(usize) -> String| {
        takes_a_moment(name, &filled(LARGE, start, line, ""));
    };
    told("unknown keys", "", |n| format!("key{n}: {n}\n"));
    told("tagged values", "", |n| format!("key{n}: !t {n}\n"));
    told("bad entries", pools, |n| format!("  k{n}: {{port: x, members: y}}\n"));
    told("bad keys", pools, |n| format!("  k{n}: {{port: 1, members: []}}\n"));
    told("repeated entries", pools, |n| {
        format!("  k{}: {{port: 1, members: [a, b, c]}}\n", n % 100)
    });
}

#[test]
fn depth_is_bounded_in_every_style() {
    let deep = "lists and maps stand more than 64 deep in each other here; make it flatter";
    for text in [
        "[".repeat(65),
        "{a: ".repeat(65),
        "- ".repeat(65),
        format!("{}{}{}", "- ".repeat(40), "[".repeat(40), "]".repeat(40)),
        (0..65).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
    ] {
        let found = diagnostics_as::<Deep>(&text);
        assert_eq!(found.last().map(|(_, _, says)| says.as_str()), Some(deep), "{text}");
    }
    let fits = format!("{}x{}", "[".repeat(64), "]".repeat(64));
    assert_eq!(diagnostics_as::<Deep>(&fits), []);
}

#[test]
fn a_hundred_errors_are_told_and_the_rest_is_counted_as_more() {
    let item = "- x\n";
    let text = format!("vip: 192.0.2.1\nsteps:\n{}", item.repeat(101));
    let found = diagnostics(&text);
    assert_eq!(found.len(), 101);
    assert_eq!(found[99].0, 102);
    assert_eq!(found[100], (0, 0, "there are more errors; correct these first".to_owned()));
    let text = format!("vip: 192.0.2.1\nsteps:\n{}", item.repeat(100));
    assert_eq!(diagnostics(&text).len(), 100);
}

#[test]
fn a_long_file_does_not_hide_errors() {
    let good = "- wait\n".repeat(25_000);
    let text = format!("vip: 192.0.2.1\nsteps:\n{good}{}", "- x\n".repeat(90));
    let found = diagnostics(&text);
    assert_eq!((found.len(), found[89].0), (90, 25_092));
}

#[test]
fn a_message_is_short_whatever_the_file_holds() {
    let long = "x".repeat(100_000);
    for text in [
        format!("vip: {long}\n"),
        format!("vip: 192.0.2.1\n{long}: 1\n"),
        format!("vip: 192.0.2.1\nsteps: [{long}]\n"),
        format!("vip: 192.0.2.1\n? {long}\n: 1\n? {long}\n: 2\n"),
        format!("vip: *{long}\n"),
        format!("vip: !{long} x\n"),
    ] {
        let diagnostics = read::<Lab>(&Source::new("x", text)).unwrap_err();
        let shown = diagnostics.to_string();
        assert!(shown.chars().count() < 2000, "{shown}");
    }
}

/// Every error must stand in the text, and be shown with it.
fn check(text: &str) -> Result<(), TestCaseError> {
    let source = Source::new("x", text);
    let lines = source.text().split('\n').map(|line| line.split('\r').count()).sum::<usize>();
    let _ = read::<Deep>(&source);
    let partial = Document::parse(source.clone()).read_partial::<Lab>();
    let strict = read::<Lab>(&source);
    prop_assert!(strict.is_err() || partial.value.is_some() && partial.omitted.is_empty());
    prop_assert_eq!(strict.as_ref().err().cloned().unwrap_or_default(), partial.diagnostics);
    let Err(diagnostics) = strict else { return Ok(()) };
    prop_assert!(!diagnostics.is_empty());
    for diagnostic in &diagnostics {
        prop_assert!(diagnostic.line <= lines, "{diagnostic}");
        prop_assert!(diagnostic.source_line.chars().count() <= 122);
        prop_assert!(!diagnostic.message.is_empty());
        let shown = diagnostic.to_string();
        prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
    Ok(())
}

/// Pieces that YAML and this format care about.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            ": ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ",", "'", "\"", "|", ">", "&a ",
            "*a", "!t ", "? ", "#", "---", "...", "\t", "%", "\r\n", "\r", "~", "null", "<<: ", "0",
            "\u{feff}", "\0", "\u{1b}", "ä", "@", "`", "\\", "true", "1e9", "-1", "99999",
        ]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "vip", "mtu", "pools", "members", "port", "profile", "ipip", "links", "steps", "wait",
            "ping", "login", "user", "move", "tunnel", "low", "high", "secret", "192.0.2.1",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(source) = Source::from_bytes("x", bytes) {
            check(source.text())?;
        }
    }

    #[test]
    fn any_text_of_telling_pieces_is_read_or_refused(
        pieces in prop::collection::vec(piece(), 0..40)
    ) {
        check(&pieces.concat())?;
    }

    #[test]
    fn a_good_file_with_changes_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, piece()), 1..6)
    ) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, length, piece) in changes {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, piece.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn every_changed_value_is_told_whichever_they_are(bad in prop::collection::vec(any::<bool>(), 6)) {
        let keys = ["vip", "mtu", "offloads", "ratio", "shift", "tunnel"];
        let good = ["192.0.2.1", "1500", "true", "1.5", "-4", "{low: 1, high: 2}"];
        let text: String = keys.iter().zip(good).zip(&bad)
            .map(|((key, good), bad)| format!("{key}: {}\n", if *bad { "wrong" } else { good }))
            .collect();
        let lines: Vec<usize> = diagnostics(&text).iter().map(|(line, ..)| *line).collect();
        let wrong: Vec<usize> = bad.iter().enumerate().filter(|(_, b)| **b).map(|(n, _)| n + 1).collect();
        prop_assert_eq!(lines, wrong);
    }
}
