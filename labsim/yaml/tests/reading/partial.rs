//! What is read of a file with errors, and types with a short form.

use crate::common::{Lab, Pool, diagnostics_as};
use labsim_yaml::{Document, FromYaml, Located, Omitted, Source, Span, read};

fn partial(text: &str) -> (Option<Lab>, usize, Omitted) {
    let source = Source::new("lab.yaml", text);
    let partial = Document::parse(source.clone()).read_partial::<Lab>();
    let strict = read::<Lab>(&source).err().unwrap_or_default();
    assert_eq!(partial.diagnostics, strict, "both ways of reading tell the same");
    (partial.value, partial.diagnostics.len(), partial.omitted)
}

fn omitted(keys: &[&str], others: bool) -> Omitted {
    Omitted { keys: keys.iter().map(|key| (*key).to_owned()).collect(), others }
}

#[test]
fn a_file_without_errors_is_read_as_a_whole() {
    let (lab, diagnostics, omitted) = partial("vip: 192.0.2.1\nmtu: 1500\n");
    assert_eq!((lab.and_then(|lab| lab.mtu), diagnostics), (Some(1500), 0));
    assert_eq!(omitted, Omitted::default());
}

#[test]
fn what_is_wrong_is_left_out() {
    let text = "\
vip: 192.0.2.1
mtu: x
pools:
  web: {members: [rs1, toolong, rs3], port: 49}
  app: {members: [rs1]}
  bad: {members: [rs1], port: x}
  toolong: {members: [], port: 1}
links: [[lb, rs1], lb, [lb, toolong]]
steps: [wait, waait, ping: toolong, ping: rs1, login: {user: a}]
tunnel: {low: 1, high: x}
";
    let (lab, diagnostics, found) = partial(text);
    let lab = lab.unwrap();
    assert_eq!(diagnostics, 11);
    assert_eq!(found, omitted(&["app", "bad", "toolong"], true));
    let pools: Vec<String> = lab.pools.iter().map(|pool| format!("{pool:?}")).collect();
    assert_eq!(pools.len(), 1);
    assert!(pools[0].contains("rs1") && pools[0].contains("rs3"), "{pools:?}");
    assert!(!pools[0].contains("toolong"), "{pools:?}");
    assert_eq!((lab.links.len(), lab.steps.len(), lab.mtu, lab.tunnel), (2, 3, None, None));
}

#[test]
fn a_file_that_lacks_what_it_needs_has_no_value() {
    for text in ["mtu: 5\n", "vip: x\n", "vip: 192.0.2.1\nsteps: [\n", "", "[]"] {
        let (lab, diagnostics, omitted) = partial(text);
        assert!(lab.is_none() && diagnostics == 1 && omitted.others, "{text:?}");
    }
}

#[test]
fn a_placeholder_has_the_default_place_and_no_text() {
    #[derive(Debug, FromYaml)]
    struct Named {
        name: Located<String>,
        topology: Located<String>,
        pools: Vec<Pool>,
    }
    let document = Document::parse(Source::new("x", "name: [x]\npools: 5\n"));
    let partial = document.read_partial::<Named>();
    let named = partial.value.unwrap();
    assert_eq!((named.name.as_str(), named.name.span), ("", Span::default()));
    assert_eq!((named.topology.as_str(), named.topology.span), ("", Span::default()));
    assert_eq!((named.pools.len(), partial.diagnostics.len()), (0, 3));
    assert_eq!(partial.omitted, omitted(&[], true));
}

#[test]
fn a_repeated_or_unknown_key_costs_nothing_but_itself() {
    let found = |text| {
        let (lab, diagnostics, omitted) = partial(text);
        (lab.is_some(), diagnostics, omitted)
    };
    let repeated = found("vip: 192.0.2.1\nvip: 192.0.2.2\nzzz: 1\n");
    assert_eq!(repeated, (true, 2, Omitted::default()));
    // A scalar declares nothing that could seem to be missing.
    assert_eq!(found("vip: 192.0.2.1\nmtu: x\n"), (true, 1, Omitted::default()));
    assert_eq!(found("vip: 192.0.2.1\nstep: [wait]\n"), (true, 1, omitted(&[], true)));
}

#[test]
fn broken_values_are_omitted_even_where_all_else_is_well() {
    let (lab, diagnostics, found) =
        partial("vip: 192.0.2.1\npools: {a: *none}\nlinks: [[a, *none]]\n");
    assert_eq!(diagnostics, 2);
    let lab = lab.unwrap();
    assert_eq!((lab.pools.len(), lab.links[0].len(), found), (0, 1, omitted(&["a"], true)));
}

/// An interface: `lb:eth0`, or a map.
#[derive(Debug, PartialEq, FromYaml)]
#[yaml(short = "node", renamed(host = "node"))]
struct End {
    node: Located<String>,
    #[serde(default = "default_mtu")]
    mtu: u16,
}

fn default_mtu() -> u16 {
    1500
}

#[test]
fn a_type_that_takes_text_or_a_map_is_examined_like_any_other() {
    let text = "\
- lb
- {node: lb, mtu: 9000}
- {node: lb, mtuu: 9000}
- {nod: lb, extra: 1, mtu: x}
- {}
- {node: [], mtu: 70000}
- null
- [lb]
- {host: lb}
";
    let allowed = "(allowed here are `node` and `mtu`)";
    let expected = "expected text, such as `abc`, or a map with keys such as `node` and `mtu`";
    assert_eq!(
        diagnostics_as::<Vec<End>>(text),
        [
            (3, 14, format!("unknown key `mtuu`; did you mean `mtu`? {allowed}")),
            (4, 4, format!("unknown key `nod`; did you mean `node`? {allowed}")),
            (4, 13, format!("unknown key `extra`; take it out or correct it {allowed}")),
            (4, 28, "expected a whole number from 0 to 65535, found the text `x`".to_owned()),
            (5, 3, "the key `node` is missing here; add it".to_owned()),
            (6, 10, "expected text, such as `abc`, found an empty list".to_owned()),
            (6, 19, "`70000` is out of range; write a whole number from 0 to 65535".to_owned()),
            (7, 3, format!("{expected}, found `null`")),
            (8, 3, format!("{expected}, found a list")),
            (9, 4, format!("unknown key `host`; it is now `node` {allowed}")),
        ]
    );
    let ends: Vec<End> = read(&Source::new("x", "[lb, {node: rs1, mtu: 9000}]")).unwrap();
    assert_eq!((ends[0].mtu, ends[1].mtu), (1500, 9000));
    assert_eq!((ends[0].node.span.column(), ends[1].node.span.column()), (2, 13));
}

/// A type that counts its items, and that has no placeholder.
#[derive(Debug, FromYaml)]
#[serde(try_from = "Vec<u8>")]
struct Seven;

impl TryFrom<Vec<u8>> for Seven {
    type Error = &'static str;

    fn try_from(items: Vec<u8>) -> Result<Self, &'static str> {
        if items.len() == 7 { Ok(Self) } else { Err("give seven numbers") }
    }
}

#[derive(Debug, FromYaml)]
#[expect(dead_code, reason = "only the refusals are of interest")]
struct Counted {
    first: Seven,
    second: u8,
    third: Seven,
    fourth: u8,
}

#[derive(Debug, FromYaml)]
#[expect(dead_code, reason = "only the refusals are of interest")]
struct Outer {
    inner: Counted,
    last: u8,
}

#[test]
fn a_type_that_counts_its_items_does_not_complain_of_those_that_are_wrong() {
    let number = "expected a whole number from 0 to 255, found the text";
    let told = diagnostics_as::<Counted>;
    let told_outer = diagnostics_as::<Outer>;
    assert_eq!(
        told("first: [1, 2, 3, 4, 5, 6, 7]\nsecond: x\nthird: [1, 2, 3]\nfourth: y\n"),
        [
            (2, 9, format!("{number} `x`")),
            (3, 8, "give seven numbers".to_owned()),
            (4, 9, format!("{number} `y`")),
        ]
    );
    assert_eq!(
        told("first: [1, 2, 3, 4, 5, 6, 7]\nsecond: x\nthird: [1, 2, 3, 4, 5, 6, 7]\nfourth: y\n"),
        [(2, 9, format!("{number} `x`")), (4, 9, format!("{number} `y`"))]
    );
    assert_eq!(
        told_outer("inner: {first: x, second: 1, third: [], fourth: 1}\nlast: y\n").len(),
        3
    );
    assert_eq!(
        told("second: 1\nthird: [1, 2, 3, 4, 5, 6, x]\n"),
        [
            (1, 1, "the key `first` is missing here; add it".to_owned()),
            (1, 1, "the key `fourth` is missing here; add it".to_owned()),
            (2, 27, format!("{number} `x`")),
        ]
    );
}
