//! Keys: unknown, missing, repeated, and those that are none.

use crate::common::{Pool, diagnostics, diagnostics_as};

#[test]
fn an_unknown_key_is_told_with_what_was_meant_and_what_is_allowed() {
    const ALLOWED: &str = "(allowed here are `members`, `port` and `profile`)";
    for (key, says) in [
        ("portt", format!("unknown key `portt`; take it out or correct it {ALLOWED}")),
        ("Profile", format!("unknown key `Profile`; did you mean `profile`? {ALLOWED}")),
        ("profiles", format!("unknown key `profiles`; did you mean `profile`? {ALLOWED}")),
        ("monitor", format!("unknown key `monitor`; take it out or correct it {ALLOWED}")),
        // What is there already was not meant.
        ("member", format!("unknown key `member`; take it out or correct it {ALLOWED}")),
    ] {
        let text = format!("members: [rs1]\n  # a comment\nport: 49\n{key}: x\n");
        assert_eq!(diagnostics_as::<Pool>(&text), [(4, 1, says)]);
    }
}

#[test]
fn all_unknown_keys_are_told_at_once() {
    let found = diagnostics_as::<Pool>("aa: 1\nmembers: []\nbb: [2, {x: y}]\nport: 1\ncc: 3\n");
    let places: Vec<_> = found.iter().map(|(line, column, _)| (*line, *column)).collect();
    assert_eq!(places, [(1, 1), (3, 1), (5, 1)]);
}

#[test]
fn all_missing_keys_are_told_at_their_map() {
    let text = "vip: 192.0.2.1\npools:\n  a: {}\n  b:\n    profile: gre\n  c: {members: []}\n";
    let missing =
        |line, column, key| (line, column, format!("the key `{key}` is missing here; add it"));
    assert_eq!(
        diagnostics(text),
        [
            missing(3, 6, "members"),
            missing(3, 6, "port"),
            missing(5, 5, "members"),
            missing(5, 5, "port"),
            missing(6, 6, "port"),
        ]
    );
}

#[test]
fn a_key_that_is_there_with_a_wrong_value_is_not_missing() {
    assert_eq!(
        diagnostics_as::<Pool>("members: 5\nport: x\n"),
        [
            (
                1,
                10,
                "expected a list, such as `[a, b]`, found the number `5`; write `[5]` for a list \
                 of one"
                    .to_owned()
            ),
            (2, 7, "expected a whole number from 0 to 65535, found the text `x`".to_owned()),
        ]
    );
}

#[test]
fn a_misspelt_key_is_not_missing_as_well() {
    let found = diagnostics_as::<Pool>("membres: []\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].2.contains("the key `port` is missing"), "{found:?}");
    assert!(found[1].2.contains("did you mean `members`?"), "{found:?}");
}

#[test]
fn every_repeated_key_is_told_with_the_line_of_the_first() {
    let text = "\
vip: 192.0.2.1
pools:
  web: {members: [], port: 1, port: 2}
  app: {members: [], port: 1}
  'web': {members: []}
vip: 192.0.2.2
\"vip\": x
";
    let twice = |key, first| {
        format!("the key `{key}` is given twice, first on line {first}; keep one of them")
    };
    assert_eq!(
        diagnostics(text),
        [
            (3, 31, twice("port", 3)),
            (5, 3, twice("web", 2 + 1)),
            (6, 1, twice("vip", 1)),
            (7, 1, twice("vip", 1)),
        ]
    );
}

#[test]
fn keys_that_are_no_text_are_refused() {
    for (line, column, text, says) in [
        (2, 1, "<<: {mtu: 5}", "merge keys are not used here; write the keys themselves"),
        (2, 1, "[a, b]: 5", "a key must be text, and this is a list or a map; write text"),
        (2, 3, "? {a: b}\n: 5", "a key must be text, and this is a list or a map; write text"),
        (2, 1, ": 5", "a key is missing before the `:`; write one"),
    ] {
        let text = format!("vip: 192.0.2.1\n{text}\n");
        assert_eq!(diagnostics(&text), [(line, column, says.to_owned())], "\n{text}");
    }
}

#[test]
fn errors_of_every_kind_are_told_in_one_go() {
    let text = "\
vip: 10.1.1
mtuu: 1500
offloads: on
pools:
  website:
    members: [rs1, much-too-long]
    prt: 49
  app:
    members: []
    port: 99999
    profile: !x vxlan
  app: {}
steps:
  - login: {user: [a], password: ~, extra: 1}
  - pong: lb
";
    let places: Vec<_> = diagnostics(text).into_iter().map(|(l, c, _)| (l, c)).collect();
    assert_eq!(
        places,
        [
            (1, 6),
            (2, 1),
            (3, 11),
            (5, 3),
            (6, 20),
            (7, 5),
            (10, 11),
            (11, 14),
            (11, 17),
            (12, 3),
            (14, 19),
            (14, 34),
            (14, 37),
            (15, 5),
        ]
    );
}
