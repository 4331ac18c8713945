//! What a text may be: its syntax, its size, its depth, and what is accepted.

use crate::common::{Deep, Lab, diagnostics, diagnostics_as};
use labsim_yaml::{Located, SIZE_LIMIT, Source, read};

#[test]
fn a_syntax_error_is_told_once_with_its_place() {
    for (text, line, column, says) in [
        ("vip: 192.0.2.1\n\tmtu: 3\n", 2, 1, "a tab is not allowed here; indent with spaces"),
        ("pools:\n\t- a\n", 2, 1, "a tab is not allowed here; indent with spaces"),
        (
            "pools:\n  a:\n    port: 1\n   members: []\n",
            4,
            4,
            "this line does not begin where its neighbours do; give all keys or items of one group \
             the same number of spaces",
        ),
        (
            "secret: a: b\n",
            1,
            10,
            "a `:` cannot stand here; quote the text if it belongs to it, or add the one that a key \
             before it lacks",
        ),
        (
            "steps: [wait, wait\nmtu: 3\n",
            2,
            4,
            "a `:` cannot stand here; is a bracket before it left open?",
        ),
        ("steps: [wait, wait", 1, 8, "this `[` is never closed; add its closing bracket"),
        ("secret: \"abc\nmtu: 3\n", 1, 9, "this quote is never closed; add the closing one"),
        ("vip: {a: b]\n", 1, 6, "`{` is closed by `]`; make the brackets match"),
        ("secret: @x\n", 1, 9, "a value cannot begin with `@`; quote it"),
        ("secret: *\n", 1, 9, "`&` and `*` need a name behind them; write one, or quote the text"),
        (
            "secret: 'a' b\n",
            1,
            13,
            "text follows the closing quote; put it inside of the quotes, or take it out",
        ),
        (
            "steps: - wait\n",
            1,
            8,
            "a `- ` item cannot stand here; begin a new line with it, or write `[a, b]`",
        ),
        ("vip: a\nmtu 5\n", 2, 1, "a key needs a `:` and a space behind it; write `key: value`"),
        (
            "secret: a\u{1b}[2J\n",
            1,
            10,
            "the control character U+001B may not stand here; take it out",
        ),
        ("vip: \0\n", 1, 6, "the file contains a NUL byte and is not text; name a YAML file"),
        // Of a binary file, what stands before the NUL says nothing.
        (
            "\u{7f}ELF [\n\u{1}\0",
            2,
            2,
            "the file contains a NUL byte and is not text; name a YAML file",
        ),
    ] {
        assert_eq!(diagnostics(text), [(line, column, says.to_owned())], "{text:?}");
    }
}

#[test]
fn errors_before_a_syntax_error_are_told_with_it() {
    let found = diagnostics("a: 1\na: 2\nb: [\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].2.starts_with("the key `a` is given twice"), "{found:?}");
}

#[test]
fn a_file_without_a_value_is_refused_whatever_is_wanted() {
    for (text, says) in [
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("\u{feff}", "the file is empty"),
        ("# vip: 192.0.2.1\n", "the file holds only comments"),
        ("---\n", "the document is empty; write something behind the `---`"),
    ] {
        assert_eq!(diagnostics_as::<Option<u8>>(text), [(1, 1, says.to_owned())], "{text:?}");
    }
}

#[test]
fn a_second_document_is_refused() {
    assert_eq!(
        diagnostics("---\nvip: 192.0.2.1\n--- # more\nmtu: x\n"),
        [(3, 1, "a second document begins here, and a file holds one; take it out".to_owned())]
    );
    assert_eq!(diagnostics("---\nvip: 192.0.2.1\n...\n"), []);
}

#[test]
fn tags_are_refused_and_their_values_read() {
    let tag = |tag| format!("tags such as `{tag}` are not used here; take it out");
    assert_eq!(
        diagnostics("vip: !!str 192.0.2.1\nsecret: !x\nmtu: !y z\n"),
        [
            (1, 6, tag("!!str")),
            (2, 9, tag("!x")),
            (3, 6, tag("!y")),
            (3, 9, "expected a whole number from 0 to 65535, found the text `z`".to_owned()),
        ]
    );
}

#[test]
fn aliases_are_copies_and_their_errors_stand_where_they_do_not_fit() {
    let text = "a: &x [1, 2]\nb: *x\n";
    let lists: std::collections::BTreeMap<String, Vec<u8>> = read(&Source::new("x", text)).unwrap();
    assert_eq!(lists["a"], lists["b"]);
    assert_eq!(
        diagnostics("vip: &v 192.0.2.1\nsecret: *v\nmtu: *v\nshift: *none\n"),
        [
            (3, 6, "expected a whole number from 0 to 65535, found the text `192.0.2.1`".to_owned()),
            (
                4,
                8,
                "nothing before this place is named `&none`; give the value an anchor, or quote the \
                 text if the `*` belongs to it"
                    .to_owned()
            ),
        ]
    );
    assert_eq!(
        diagnostics_as::<Vec<u8>>("&x [*x]"),
        [(1, 5, "this alias is inside the value that it refers to; write the value".to_owned())]
    );
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{inner}]\n");
    }
    let found = diagnostics_as::<Deep>(&text);
    assert_eq!(found[0].2, "aliases repeat more than 10000 values; write fewer");
    assert_eq!(found[0].0, 4);
}

#[test]
fn aliases_cannot_nest_deeper_than_the_text_may() {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        text += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    let found = diagnostics_as::<Deep>(&text);
    assert!(found[0].2.contains("more than 64 deep"), "{:?}", found[0]);
}

#[test]
fn text_is_taken_as_it_stands() {
    let text = "[0123, no, 1.0, 0x1F, 12:30, .5, 'null', \"a\\tb\", 2001:db8::1, true]";
    let texts: Vec<String> = read(&Source::new("x", text)).unwrap();
    assert_eq!(
        texts,
        ["0123", "no", "1.0", "0x1F", "12:30", ".5", "null", "a\tb", "2001:db8::1", "true"]
    );
    assert_eq!(
        diagnostics_as::<Vec<String>>("- null\n- ~\n-\n"),
        [
            (
                1,
                3,
                "expected text, such as `abc`, found `null`; quote it if you mean the word"
                    .to_owned()
            ),
            (
                2,
                3,
                "expected text, such as `abc`, found `~`; quote it if you mean the word".to_owned()
            ),
            (
                3,
                2,
                "expected text, such as `abc`, found nothing; write a value, or take the key out"
                    .to_owned()
            ),
        ]
    );
}

#[test]
fn numbers_are_keys_where_numbers_are_wanted() {
    let map: std::collections::BTreeMap<u16, String> =
        read(&Source::new("x", "49: tacacs\n1812: radius\n")).unwrap();
    assert_eq!(map[&1812], "radius");
    assert_eq!(
        diagnostics_as::<std::collections::BTreeMap<u16, String>>("70000: x\nab: y\n"),
        [
            (1, 1, "`70000` is out of range; write a whole number from 0 to 65535".to_owned()),
            (2, 1, "expected a whole number from 0 to 65535, found the text `ab`".to_owned()),
        ]
    );
}

#[test]
fn places_are_right_behind_a_byte_order_mark_wide_letters_and_every_line_break() {
    let text = "\u{feff}# ümläut\r\nvip: 192.0.2.1\r\npools: {}\rlinks:\n- [ä, ö]\n";
    let lab: Lab = read(&Source::new("x", text)).unwrap();
    let place = |span: labsim_yaml::Span| (span.line(), span.column());
    assert_eq!(place(lab.vip.span), (2, 6));
    assert_eq!(place(lab.links[0].span), (5, 3));
    assert_eq!(
        diagnostics("vip: 192.0.2.1\r\nlinks: [[ä, üüüüüüü]]\r\nmtu: x\r\n"),
        [
            (2, 13, "the name `üüüüüüü` has 14 bytes; give it 1 to 4".to_owned()),
            (3, 6, "expected a whole number from 0 to 65535, found the text `x`".to_owned()),
        ]
    );
}

#[test]
fn places_are_handed_out_for_keys_values_lists_and_maps() {
    type Places = std::collections::BTreeMap<Located<String>, Located<Vec<Located<Option<u8>>>>>;
    let text = "a: [1, null]\nbb:\n  - 3\n";
    let map: Places = read(&Source::new("x", text)).unwrap();
    let places: Vec<_> = map
        .iter()
        .map(|(key, list)| {
            let place = |span: labsim_yaml::Span| (span.line(), span.column());
            (
                place(key.span),
                place(list.span),
                place(list[0].span),
                text[key.span.bytes()].to_owned(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [((1, 1), (1, 4), (1, 5), "a".to_owned()), ((2, 1), (3, 3), (3, 5), "bb".to_owned()),]
    );
}

#[test]
fn a_text_over_the_limit_is_refused_before_it_is_parsed() {
    let brackets = "[".repeat(10 << 20);
    let diagnostics = read::<Lab>(&Source::new("big.yaml", brackets)).unwrap_err();
    assert_eq!(
        diagnostics.to_string(),
        "big.yaml: the file is larger than 1 MiB; split it [file-too-large]"
    );
    let fits = format!("vip: 192.0.2.1\n{}", " ".repeat(SIZE_LIMIT - 15));
    assert!(read::<Lab>(&Source::new("x", fits)).is_ok());
}
