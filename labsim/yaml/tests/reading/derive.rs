//! What `#[derive(FromYaml)]` makes of serde's attributes and of its own.

use crate::common::diagnostics_as;
use labsim_yaml::{Document, FromYaml, Located, Source, Table, read, short_forms};
use schemars::{JsonSchema, schema_for};

fn value<T: FromYaml>(text: &str) -> T {
    read(&Source::new("x", text)).unwrap_or_else(|diagnostics| panic!("{text}: {diagnostics}"))
}

/// How a pool chooses.
#[derive(Debug, Clone, PartialEq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = short_forms::<Self>)]
enum Mode {
    /// In turn.
    RoundRobin,
    /// By a hash.
    #[yaml(bare)]
    Maglev(Maglev),
    /// Never.
    Fixed(u8),
}

#[derive(Debug, Clone, Default, PartialEq, FromYaml, JsonSchema)]
#[serde(default)]
struct Maglev {
    size: Option<u32>,
    seeded: bool,
}

#[test]
fn a_word_may_stand_with_its_value_or_without() {
    let sized = Maglev { size: Some(7), seeded: false };
    for (text, mode) in [
        ("round_robin", Mode::RoundRobin),
        ("round_robin: null", Mode::RoundRobin),
        ("maglev", Mode::Maglev(Maglev::default())),
        ("maglev: null", Mode::Maglev(Maglev::default())),
        ("maglev: {}", Mode::Maglev(Maglev::default())),
        ("maglev: {size: 7}", Mode::Maglev(sized)),
        ("fixed: 5", Mode::Fixed(5)),
    ] {
        assert_eq!(value::<Mode>(text), mode, "{text}");
    }
    assert_eq!(
        diagnostics_as::<Vec<Mode>>("- fixed\n- maglev: {siz: 7}\n- maglew\n- {maglev: {}, fixed: 5}"),
        [
            (1, 3, "`fixed` needs a value; write `fixed: …`".to_owned()),
            (
                2,
                12,
                "unknown key `siz`; did you mean `size`? (allowed here are `size` and `seeded`)"
                    .to_owned()
            ),
            (
                3,
                3,
                "expected one of `round_robin`, `maglev` or `fixed`, found `maglew`; did you mean \
                 `maglev`?"
                    .to_owned()
            ),
            (
                4,
                16,
                "only one of `round_robin`, `maglev` or `fixed` may stand here, and `maglev` does; \
                 take this one out"
                    .to_owned()
            ),
        ]
    );
}

/// One text, or several.
#[derive(Debug, PartialEq, FromYaml, JsonSchema)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

#[test]
fn the_form_of_a_value_decides_between_untagged_variants() {
    assert_eq!(value::<Texts>("a"), Texts::One("a".to_owned()));
    assert_eq!(value::<Texts>("5"), Texts::One("5".to_owned()));
    assert_eq!(value::<Texts>("[a]"), Texts::Several(vec!["a".to_owned()]));
    let expected = "expected text, such as `abc`, or a list, such as `[a, b]`, found";
    assert_eq!(diagnostics_as::<Texts>("{}"), [(1, 1, format!("{expected} an empty map"))]);
    assert_eq!(diagnostics_as::<Texts>("~"), [(1, 1, format!("{expected} `~`"))]);
    assert_eq!(
        diagnostics_as::<Texts>("[a, {}]"),
        [(1, 5, "expected text, such as `abc`, found an empty map".to_owned())]
    );
}

#[derive(Debug, PartialEq, FromYaml)]
struct Config {
    interface: String,
    #[serde(rename = "match", default)]
    matching: Vec<u8>,
    #[serde(flatten)]
    balancer: Balancer,
    #[serde(skip)]
    computed: u8,
}

#[derive(Debug, PartialEq, FromYaml)]
#[serde(rename_all = "kebab-case")]
struct Balancer {
    outer_source: String,
    limit: Option<u8>,
}

#[test]
fn a_flattened_structure_shares_the_map() {
    let config: Config = value("interface: eth0\nouter-source: client\nmatch: [1]\n");
    let balancer = Balancer { outer_source: "client".to_owned(), limit: None };
    let matching = vec![1];
    assert_eq!(config, Config { interface: "eth0".to_owned(), matching, balancer, computed: 0 });
    let allowed = "(allowed here are `interface`, `match`, `outer-source` and `limit`)";
    assert_eq!(
        diagnostics_as::<Config>("interface: eth0\nlimitt: 1\n"),
        [
            (1, 1, "the key `outer-source` is missing here; add it".to_owned()),
            (2, 1, format!("unknown key `limitt`; did you mean `limit`? {allowed}")),
        ]
    );
}

/// A value in a list of one kind, generic over what it is.
#[derive(Debug, FromYaml)]
#[serde(untagged)]
enum Group<T> {
    List(Vec<Located<T>>),
    Map(Table<Located<T>>),
}

#[test]
fn a_generic_type_reads_its_parameter() {
    let places = |group: Group<u16>| -> Vec<(u16, usize)> {
        match group {
            Group::List(list) => list.iter().map(|one| (one.value, one.span.column())).collect(),
            Group::Map(map) => map.iter().map(|(_, one)| (one.value, one.span.column())).collect(),
        }
    };
    assert_eq!(places(value("[5, 6]")), [(5, 2), (6, 5)]);
    assert_eq!(places(value("{b: 5, a: 6}")), [(5, 5), (6, 11)]);
}

/// A member.
#[derive(Debug, FromYaml, JsonSchema)]
#[yaml(short = "address")]
#[schemars(transform = short_forms::<Self>)]
#[expect(dead_code, reason = "only the schema is of interest")]
struct Member {
    /// Address and port.
    address: String,
    /// Its share.
    ratio: Option<u32>,
}

#[test]
fn short_forms_stand_in_the_schema() {
    let schema = schema_for!(Member);
    let forms = schema.get("anyOf").and_then(|forms| forms.as_array()).unwrap();
    assert_eq!(forms[0]["type"], "string");
    assert_eq!(forms[0]["description"], "Address and port.");
    assert_eq!(forms[1]["type"], "object");
    assert_eq!(schema.get("description").unwrap(), "A member.");
    let schema = schema_for!(Mode);
    let forms = schema.get("anyOf").and_then(|forms| forms.as_array()).unwrap();
    assert_eq!(
        (&forms[0]["const"], &forms[0]["description"]),
        (&"maglev".into(), &"By a hash.".into())
    );
    assert_eq!(forms.len(), 4);
    assert!(schema.get("oneOf").is_none());
}

#[test]
fn a_path_leads_to_the_place_of_a_value() {
    let text = "pools:\n  p.1:\n    members: [a, {address: b, ratio: 5}]\n  q: {}\n";
    let document = Document::parse(Source::new("x", text));
    let place = |keys: &[&str]| {
        let span = document.span_of(keys);
        (span.line(), span.column())
    };
    assert_eq!(place(&["pools", "p.1", "members", "1", "ratio"]), (3, 38));
    assert_eq!(place(&["pools", "p.1", "members", "0", "address"]), (3, 15), "a short form");
    assert_eq!(place(&["pools", "p.1", "members", "7"]), (3, 14), "not written");
    assert_eq!(place(&[]), (1, 1));
    assert_eq!(document.keys().collect::<Vec<_>>(), ["pools"]);
}
