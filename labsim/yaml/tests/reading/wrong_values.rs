//! Values of the wrong type, out of range, or refused by their own type: each with its exact place.

use crate::common::{diagnostics, diagnostics_as};

/// The text after `vip: 192.0.2.1`, and the errors in it.
type Row = (&'static str, &'static [(usize, usize, &'static str)]);

fn check(rows: &[Row]) {
    for (text, expected) in rows {
        let text = format!("vip: 192.0.2.1\n{text}");
        let found = diagnostics(&text);
        let found: Vec<_> = found.iter().map(|(l, c, m)| (*l, *c, m.as_str())).collect();
        assert_eq!(found, *expected, "\n{text}");
    }
}

#[test]
fn a_wrong_scalar_is_told_with_what_is_expected() {
    check(&[
        ("mtu: 1500", &[]),
        ("mtu: 70000", &[(2, 6, "`70000` is out of range; write a whole number from 0 to 65535")]),
        ("mtu: -1", &[(2, 6, "`-1` is out of range; write a whole number from 0 to 65535")]),
        ("mtu: 1.5", &[(2, 6, "expected a whole number from 0 to 65535, found the number `1.5`")]),
        ("mtu: abc", &[(2, 6, "expected a whole number from 0 to 65535, found the text `abc`")]),
        (
            "mtu: '9'",
            &[(
                2,
                6,
                "expected a whole number from 0 to 65535, found the quoted text `9`; take the \
                 quotes away",
            )],
        ),
        (
            "mtu: 0123",
            &[(
                2,
                6,
                "expected a whole number from 0 to 65535, found the number `0123`; write it \
                 without the leading zero, or as `0o…` if it is octal",
            )],
        ),
        (
            "mtu:",
            &[(
                2,
                1,
                "expected a whole number from 0 to 65535, found nothing; write a value, or take \
                 the key out",
            )],
        ),
        ("mtu: [1]", &[(2, 6, "expected a whole number from 0 to 65535, found a list")]),
        ("mtu: {}", &[(2, 6, "expected a whole number from 0 to 65535, found an empty map")]),
        ("shift: 128", &[(2, 8, "`128` is out of range; write a whole number from -128 to 127")]),
        (
            "mtu: 99999999999999999999999999999999999999999999999999999999",
            &[(
                2,
                6,
                "`9999999999999999999999999999999999999999…` is out of range; write a whole number \
                 from 0 to 65535",
            )],
        ),
        (
            "offloads: yes",
            &[(2, 11, "expected `true` or `false`, found the text `yes`; write `true`")],
        ),
        (
            "offloads: False",
            &[(2, 11, "expected `true` or `false`, found the text `False`; write `false`")],
        ),
        (
            "offloads: 'true'",
            &[(
                2,
                11,
                "expected `true` or `false`, found the quoted text `true`; take the quotes away",
            )],
        ),
        ("offloads: maybe", &[(2, 11, "expected `true` or `false`, found the text `maybe`")]),
        ("offloads: null", &[(2, 11, "expected `true` or `false`, found `null`")]),
        ("ratio: .inf", &[(2, 8, "expected a number, such as `1.5`, found the text `.inf`")]),
        (
            "ratio: '1'",
            &[(
                2,
                8,
                "expected a number, such as `1.5`, found the quoted text `1`; take the quotes away",
            )],
        ),
        ("secret: {a: b}", &[(2, 9, "expected text, such as `abc`, found a map")]),
        ("secret: []", &[(2, 9, "expected text, such as `abc`, found an empty list")]),
    ]);
}

#[test]
fn every_whole_number_has_the_range_of_its_type() {
    macro_rules! ranges {
        ($($type:ty)*) => {$(
            let (low, high) = (<$type>::MIN, <$type>::MAX);
            let text = format!("[{low}, {high}]");
            let read: Vec<$type> = labsim_yaml::read(&labsim_yaml::Source::new("x", text)).unwrap();
            assert_eq!(read, [low, high]);
            let (under, over) = (i128::from(low) - 1, i128::from(high) + 1);
            let says = |number| {
                format!("`{number}` is out of range; write a whole number from {low} to {high}")
            };
            assert_eq!(
                diagnostics_as::<Vec<$type>>(&format!("- {under}\n- {over}\n")),
                [(1, 3, says(under)), (2, 3, says(over))]
            );
        )*};
    }
    ranges!(u8 u16 u32 u64 i8 i16 i32 i64);
}

#[test]
fn an_address_is_told_with_an_example() {
    for (vip, found) in [
        ("10.1.1.300", "the text `10.1.1.300`"),
        ("''", "an empty text"),
        ("10", "the number `10`"),
        ("~", "`~`"),
        ("[10.1.1.1]", "a list"),
        ("true", "`true`"),
    ] {
        assert_eq!(
            diagnostics(&format!("vip: {vip}")),
            [(1, 6, format!("expected an IPv4 address, such as `192.0.2.1`, found {found}"))]
        );
    }
}

#[test]
fn a_types_own_sentence_stands_at_its_scalar() {
    check(&[
        (
            "pools:\n  web:\n    members: [rs1, toolong, rs3, 'alsolong']\n    port: 49",
            &[
                (4, 20, "the name `toolong` has 7 bytes; give it 1 to 4"),
                (4, 34, "the name `alsolong` has 8 bytes; give it 1 to 4"),
            ],
        ),
        (
            "pools:\n  website:\n    members: [overlong]\n    port: x",
            &[
                (3, 3, "the name `website` has 7 bytes; give it 1 to 4"),
                (4, 15, "the name `overlong` has 8 bytes; give it 1 to 4"),
                (5, 11, "expected a whole number from 0 to 65535, found the text `x`"),
            ],
        ),
        (
            "tunnel:\n  low: 5\n  high: 3",
            &[(3, 3, "`low` must be less than `high`; exchange them")],
        ),
    ]);
}

#[test]
fn a_types_own_sentence_that_follows_from_another_error_is_not_told() {
    check(&[
        (
            "tunnel: {low: 9, high: 300}",
            &[(2, 24, "`300` is out of range; write a whole number from 0 to 255")],
        ),
        ("tunnel: {low: 9}", &[(2, 9, "the key `high` is missing here; add it")]),
        (
            "tunnel: {low: 9, hihg: 10}",
            &[(
                2,
                18,
                "unknown key `hihg`; did you mean `high`? (allowed here are `low` and `high`)",
            )],
        ),
    ]);
}

#[test]
fn lists_and_maps_are_told_from_each_other() {
    check(&[
        (
            "pools: {web: {members: rs1, port: 1}}",
            &[(
                2,
                24,
                "expected a list, such as `[a, b]`, found the text `rs1`; write `[rs1]` for a list \
                 of one",
            )],
        ),
        (
            "pools:",
            &[(
                2,
                1,
                "expected a map, such as `{key: value}`, found nothing; write `{}` for an \
                 empty one",
            )],
        ),
        (
            "steps:",
            &[(
                2,
                1,
                "expected a list, such as `[a, b]`, found nothing; write `[]` for an empty one",
            )],
        ),
        ("steps: {}", &[(2, 8, "expected a list, such as `[a, b]`, found an empty map")]),
        ("pools: [a]", &[(2, 8, "expected a map, such as `{key: value}`, found a list")]),
        (
            "pools:\n  a:\n  b: x",
            &[
                (
                    3,
                    3,
                    "expected a map with keys such as `members`, `port` and `profile`, found \
                     nothing; write `{}` for an empty one",
                ),
                (
                    4,
                    6,
                    "expected a map with keys such as `members`, `port` and `profile`, found \
                     the text `x`",
                ),
            ],
        ),
        (
            "links:\n- [a]\n- [a, b, c]\n- a\n- [toolong, [b]]",
            &[
                (
                    5,
                    3,
                    "expected a list, such as `[a, b]`, found the text `a`; write `[a]` for a list \
                     of one",
                ),
                (6, 4, "the name `toolong` has 7 bytes; give it 1 to 4"),
                (6, 13, "expected text, such as `abc`, found a list"),
            ],
        ),
    ]);
}

#[test]
fn variants_keep_their_places() {
    const ONE_OF: &str = "expected one of `wait`, `ping`, `login` or `move`, found ";
    let told = |text: &str| diagnostics(&format!("vip: 192.0.2.1\nsteps:\n{text}"));
    for (text, column, message) in [
        ("- waait", 3, format!("{ONE_OF}`waait`; did you mean `wait`?")),
        ("- pling: a", 3, format!("{ONE_OF}`pling`; did you mean `ping`?")),
        ("- xyz: {a: 1}", 3, format!("{ONE_OF}`xyz`")),
        ("- []", 3, format!("{ONE_OF}an empty list")),
        ("- {}", 3, format!("{ONE_OF}an empty map")),
        ("- null", 3, format!("{ONE_OF}`null`")),
        ("-", 2, format!("{ONE_OF}nothing; write a value, or take the key out")),
        ("- ping", 3, "`ping` needs a value; write `ping: …`".to_owned()),
        ("- login", 3, "`login` needs a value; write `login: …`".to_owned()),
        ("- move", 3, "`move` needs a value; write `move: …`".to_owned()),
        ("- wait: 5", 9, "`wait` takes no value; write `wait` alone".to_owned()),
        ("- ping: toolong", 9, "the name `toolong` has 7 bytes; give it 1 to 4".to_owned()),
        (
            "- pling: a\n  ping: b",
            3,
            "only one of `wait`, `ping`, `login` or `move` may stand here, and `ping` does; take \
             this one out"
                .to_owned(),
        ),
        (
            "- ping: a\n  wait:",
            3,
            "only one of `wait`, `ping`, `login` or `move` may stand here, and `ping` does; take \
             this one out"
                .to_owned(),
        ),
    ] {
        let line = if text.ends_with("wait:") { 4 } else { 3 };
        assert_eq!(told(text), [(line, column, message)], "\n{text}");
    }
    assert_eq!(
        told(
            "- login: {user: toolong}\n- move: [toolong, alsolong]\n- wait: null\n- wait: 5\n\
             - login: 5\n- move: x\n- ping: []"
        ),
        [
            (3, 10, "the key `password` is missing here; add it".to_owned()),
            (3, 17, "the name `toolong` has 7 bytes; give it 1 to 4".to_owned()),
            (4, 10, "the name `toolong` has 7 bytes; give it 1 to 4".to_owned()),
            (4, 19, "the name `alsolong` has 8 bytes; give it 1 to 4".to_owned()),
            (6, 9, "`wait` takes no value; write `wait` alone".to_owned()),
            (
                7,
                10,
                "expected a map with keys such as `user` and `password`, found the number `5`"
                    .to_owned()
            ),
            (
                8,
                9,
                "expected a list, such as `[a, b]`, found the text `x`; write `[x]` for a list of \
                 one"
                .to_owned()
            ),
            (9, 9, "expected text, such as `abc`, found an empty list".to_owned()),
        ]
    );
}

#[test]
fn no_rust_type_is_named_for_any_wrong_value_anywhere() {
    let values = ["~", "x", "5", "1.5", "true", "''", "[]", "[x]", "[[x]]", "{}", "{x: y}", ""];
    let slots = [
        "vip: V",
        "mtu: V",
        "offloads: V",
        "secret: V",
        "ratio: V",
        "shift: V",
        "pools: V",
        "pools: {a: V}",
        "pools: {a: {members: V}}",
        "pools: {a: {port: V}}",
        "pools: {a: {profile: V}}",
        "links: V",
        "links: [V]",
        "links: [[V, V]]",
        "steps: V",
        "steps: [V]",
        "steps: [{ping: V}]",
        "steps: [{login: V}]",
        "steps: [{login: {user: V}}]",
        "steps: [{move: V}]",
        "steps: [{wait: V}]",
        "tunnel: V",
        "tunnel: {low: V}",
        "V",
    ];
    let rust = ["struct", "enum", "variant", "tuple", "unit", "sequence", "Raw", "::", "u8", "u16"];
    let mut told = 0;
    for slot in slots {
        for value in values {
            let text = slot.replace('V', value);
            for (line, column, message) in diagnostics(&text) {
                told += 1;
                assert!(line == 1 && column >= 1, "{text:?}: {line}:{column}");
                let found = rust.iter().find(|word| message.contains(*word));
                assert_eq!(found, None, "{text:?}: {message}");
            }
        }
    }
    assert!(told > 200, "only {told} diagnostics");
}
