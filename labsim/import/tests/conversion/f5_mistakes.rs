//! Broken tmsh text: every error with its exact place, all of them where reading can go on.

use labsim_import::{Source, f5};

fn diagnostics(text: &str) -> String {
    match f5::import(&[Source::new("x.conf", text)]) {
        Ok(imported) => panic!("no diagnostic in {text}: {:?}", imported.not_imported),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

#[test]
fn broken_grammar_is_reported_with_its_place() {
    for (text, expected) in [
        ("ltm pool p {\n  members {\n", &["x.conf:2:11: this block is never closed"][..]),
        (
            "ltm pool p {\n  members {\n}\nltm node n { }\n",
            &["x.conf:1:12: this block is not closed before line 4"],
        ),
        ("ltm pool p { } }\n", &["x.conf:1:16: this `}` closes nothing"]),
        ("{ a }\n", &["x.conf:1:1: a block without a name"]),
        ("ltm pool\n{\n}\n", &["x.conf:1:1: no `{` follows on this line"]),
        (
            "ltm pool \"p {\n}\nltm node n { }\n",
            &["x.conf:1:10: this quote is never closed; add a `\"` behind `p`"],
        ),
        ("ltm pool p { description \"x }\n", &["x.conf:1:26: this quote is never closed"]),
        ("ltm rule r {\nwhen X {\n", &["x.conf:1:12: this program is never closed"]),
        ("ltm pool /Common/ { }\n", &["x.conf:1:1: an empty name"]),
        (
            "ltm pool p { }\nltm pool /Common/p { }\n",
            &["x.conf:2:1: ltm pool p is already configured (x.conf:1)"],
        ),
    ] {
        let found = diagnostics(text);
        for one in expected {
            assert!(found.contains(one), "{text}\n{found}");
        }
    }
}

#[test]
fn reading_goes_on_after_an_error() {
    let text = "}\nltm pool a {\nltm pool b { } }\nltm pool c\n\
                ltm virtual v { destination 10.0.0.300:49 }\nltm virtual w { destination 10.0.0.1:no ip-protocol tcp }\n";
    let found = diagnostics(text);
    let places: Vec<&str> = found.lines().filter(|line| line.starts_with("x.conf:")).collect();
    let expected = [
        "x.conf:1:1: ",
        "x.conf:2:12: ",
        "x.conf:3:16: ",
        "x.conf:4:1: ",
        "x.conf:5:29: ",
        "x.conf:6:29: ",
    ];
    assert_eq!(places.len(), expected.len(), "{found}");
    for (place, expected) in places.iter().zip(expected) {
        assert!(place.starts_with(expected), "{found}");
    }
}

#[test]
fn wrong_values_are_reported_with_their_place() {
    const BASE: &str = "ltm pool p {\n    members {\n        10.1.1.51:49 {\n            address 10.1.1.51\n        }\n    }\n}\n\
                        ltm virtual vs {\n    destination 172.16.4.99:49\n    ip-protocol tcp\n    pool p\n    translate-address disabled\n}\n";
    for (from, to, expected) in [
        ("disabled", "off", "x.conf:12:23: `off` is neither `enabled` nor `disabled`"),
        ("172.16.4.99:49", "172.16.4.999:49", "x.conf:9:17: `172.16.4.999` is not an address"),
        ("172.16.4.99:49", "172.16.4.99:tacacz", "x.conf:9:17: `tacacz` is not a port"),
        (
            "172.16.4.99:49",
            "172.16.4.99",
            "x.conf:9:17: `172.16.4.99` is not an address with a port",
        ),
        ("172.16.4.99:49", "nowhere:49", "x.conf:9:17: `nowhere` is neither an address nor"),
        ("172.16.4.99:49", "224.0.0.1:49", "x.conf:9:17: 224.0.0.1 is a multicast address"),
        ("    destination 172.16.4.99:49\n", "", "x.conf:8:1: ltm virtual vs has no `destination`"),
        (
            "destination 172.16.4.99:49",
            "destination a b",
            "x.conf:9:5: `destination` takes one word",
        ),
        ("10.1.1.51:49", "10.1.1.51:70000", "x.conf:3:9: `70000` is not a port"),
        ("address 10.1.1.51", "address 10.1.1", "x.conf:4:21: `10.1.1` is not an address"),
        ("address 10.1.1.51", "address 127.0.0.1", "x.conf:4:21: 127.0.0.1 is a loopback address"),
        (
            "pool p\n",
            "pool p\n    source-address-translation { type maybe }\n",
            "x.conf:12:39: `maybe` is not a translation",
        ),
        (
            "pool p\n",
            "pool p\n    source-address-translation { type snat }\n",
            "x.conf:12:32: a translation of type `snat` needs a pool",
        ),
        (
            "pool p\n",
            "pool p\n    profiles { fastL4 { } fastL4 { } }\n",
            "x.conf:12:27: a virtual server has one fastL4 profile",
        ),
        ("pool p\n", "pool p\n    pool p\n", "x.conf:12:5: `pool` is given twice in this block"),
        ("pool p\n", "pool p\n    profiles a b\n", "x.conf:12:5: write `profiles { NAME { } }`"),
        (
            "    }\n}\n",
            "    }\n    profiles { ipip gre }\n}\n",
            "x.conf:7:21: a pool has one tunnel profile",
        ),
    ] {
        let found = diagnostics(&BASE.replacen(from, to, 1));
        assert!(found.starts_with(expected), "{found}");
    }
    let circle =
        "ltm profile fastl4 a { defaults-from b }\nltm profile fastl4 b { defaults-from a }\n";
    let found = diagnostics(&format!(
        "{circle}{}",
        BASE.replace("pool p\n", "pool p\n    profiles { a { } }\n")
    ));
    assert!(found.starts_with("x.conf:2:38: the profile inherits from itself"), "{found}");
    for (own, expected) in [
        ("address 10.1.1.2", "x.conf:1:22: `10.1.1.2` lacks its prefix length"),
        ("address 10.1.1.2/33", "x.conf:1:22: `10.1.1.2/33` is not an address"),
        ("address x/24", "x.conf:1:22: `x/24` is not an address"),
    ] {
        let found = diagnostics(&format!("net self s {{ {own} }}\n{BASE}"));
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn a_quote_that_is_never_closed_takes_no_other_stanza_with_it() {
    let found = diagnostics("ltm pool \"p {\n}\nltm node \"n\" { } }\n");
    let places: Vec<&str> = found.lines().filter(|line| line.starts_with("x.conf:")).collect();
    assert_eq!(places.len(), 2, "{found}");
    assert!(places[0].starts_with("x.conf:1:10: ") && places[1].starts_with("x.conf:3:18: "));
}

#[test]
fn at_most_200_errors_are_reported() {
    let many = f5::import(&[Source::new("x.conf", "}\n".repeat(1000))]).unwrap_err();
    assert_eq!(many.len(), 200);
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!("ltm pool p {}{}\n", "{ a ".repeat(70), "}".repeat(70));
    assert!(
        diagnostics(&text).starts_with("x.conf:1:268: blocks are nested more than 64 deep"),
        "{}",
        diagnostics(&text)
    );
}

#[test]
fn the_source_line_is_shown() {
    assert_eq!(
        diagnostics("\nltm node n { } }\n"),
        "x.conf:2:16: this `}` closes nothing; remove it, or add the `{` that it belongs to [import-invalid]\n    \
         2 | ltm node n { } }\n      |                ^"
    );
}
