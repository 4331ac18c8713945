//! What is read of a file with mistakes, and types that take text or a mapping.

mod common;

use std::fmt;

use common::{Lab, mistakes_as};
use labsim_yaml::{Located, Lost, Source, read, read_partly};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

fn partly(text: &str) -> (Option<Lab>, usize, Lost) {
    let source = Source::new("lab.yaml", text);
    let partial = read_partly::<Lab>(&source);
    let strict = read::<Lab>(&source).err().unwrap_or_default();
    assert_eq!(partial.mistakes, strict, "both ways of reading tell the same");
    (partial.value, partial.mistakes.len(), partial.lost)
}

fn lost(keys: &[&str], others: bool) -> Lost {
    Lost { keys: keys.iter().map(|key| (*key).to_owned()).collect(), others }
}

#[test]
fn a_file_without_mistakes_is_read_as_a_whole() {
    let (lab, mistakes, lost) = partly("vip: 192.0.2.1\nmtu: 1500\n");
    assert_eq!((lab.and_then(|lab| lab.mtu), mistakes, lost), (Some(1500), 0, Lost::default()));
}

#[test]
fn what_is_wrong_is_left_out_and_nothing_is_made_up() {
    let text = "\
vip: 192.0.2.1
mtu: x
pools:
  web: {members: [rs1, toolong, rs3], port: 49}
  app: {members: [rs1]}
  bad: {members: [rs1], port: x}
  toolong: {members: [], port: 1}
links: [[lb, rs1], [lb], [lb, toolong]]
steps: [wait, waait, ping: toolong, ping: rs1, login: {user: a}]
tunnel: {low: 1, high: x}
";
    let (lab, mistakes, losses) = partly(text);
    let lab = lab.unwrap();
    assert_eq!(mistakes, 11);
    assert_eq!(losses, lost(&["app", "bad", "toolong"], true));
    let pools: Vec<String> = lab.pools.iter().map(|pool| format!("{pool:?}")).collect();
    assert_eq!(pools.len(), 1);
    assert!(pools[0].contains("rs1") && pools[0].contains("rs3"), "{pools:?}");
    assert!(!pools[0].contains("toolong"), "{pools:?}");
    assert_eq!((lab.links.len(), lab.steps.len(), lab.mtu, lab.tunnel), (1, 2, None, None));
}

#[test]
fn a_file_that_lacks_what_it_needs_has_no_value() {
    for text in ["mtu: 5\n", "vip: x\n", "vip: 192.0.2.1\nsteps: [\n", "", "[]"] {
        let (lab, mistakes, losses) = partly(text);
        assert!(lab.is_none() && mistakes == 1 && losses.others, "{text:?}");
    }
}

#[test]
fn a_repeated_or_unknown_key_costs_nothing_but_itself() {
    let (lab, mistakes, losses) = partly("vip: 192.0.2.1\nvip: 192.0.2.2\nzzz: 1\n");
    assert_eq!((lab.is_some(), mistakes, losses), (true, 2, Lost::default()));
    let (lab, mistakes, losses) = partly("vip: 192.0.2.1\nmtu: x\n");
    assert_eq!((lab.is_some(), mistakes, losses), (true, 1, lost(&[], true)));
    let (lab, mistakes, losses) = partly("vip: 192.0.2.1\nstep: [wait]\n");
    assert_eq!((lab.is_some(), mistakes, losses), (true, 1, lost(&[], true)));
}

#[test]
fn broken_values_are_lost_even_where_all_else_is_well() {
    let (lab, mistakes, losses) =
        partly("vip: 192.0.2.1\npools: {a: *none}\nlinks: [[a, *none]]\n");
    assert_eq!(mistakes, 2);
    let lab = lab.unwrap();
    assert_eq!((lab.pools.len(), lab.links.len(), losses), (0, 0, lost(&["a"], true)));
}

/// An interface: `lb:eth0`, or a mapping.
#[derive(Debug, PartialEq)]
struct End {
    node: Located<String>,
    mtu: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndFields {
    node: Located<String>,
    mtu: u16,
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = End;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an end, such as `lb`, or a mapping with `node` and `mtu`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<End, E> {
                Ok(End { node: Located::new(text.to_owned(), Default::default()), mtu: 1500 })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<End, A::Error> {
                let EndFields { node, mtu } =
                    Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(End { node, mtu })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[test]
fn a_type_that_takes_text_or_a_mapping_is_examined_like_any_other() {
    let text = "\
- lb
- {node: lb, mtu: 9000}
- {node: lb, mtuu: 9000}
- {nod: lb, extra: 1, mtu: x}
- {}
- {node: [], mtu: 70000}
- 5
- [lb]
";
    let allowed = "(allowed here are `node` and `mtu`)";
    let missing = |key: &str| format!("the key `{key}` is missing here; add it");
    let expected = "expected an end, such as `lb`, or a mapping with `node` and `mtu`, found";
    assert_eq!(
        mistakes_as::<Vec<End>>(text),
        [
            (3, 14, format!("unknown key `mtuu`; did you mean `mtu`? {allowed}")),
            (4, 4, format!("unknown key `nod`; did you mean `node`? {allowed}")),
            (4, 13, format!("unknown key `extra`; take it out or correct it {allowed}")),
            (4, 28, "expected a whole number from 0 to 65535, found the text `x`".to_owned()),
            (5, 3, missing("mtu")),
            (5, 3, missing("node")),
            (6, 10, "expected text, such as `abc`, found an empty list".to_owned()),
            (6, 19, "`70000` is out of range; write a whole number from 0 to 65535".to_owned()),
            (7, 3, format!("{expected} the number `5`")),
            (8, 3, format!("{expected} a list")),
        ]
    );
    let ends: Vec<End> = read(&Source::new("x", "[lb, {node: rs1, mtu: 9000}]")).unwrap();
    assert_eq!((ends[0].mtu, ends[1].mtu, ends[1].node.span.column()), (1500, 9000, 13));
    let ends = read_partly::<Vec<End>>(&Source::new("x", text)).value.unwrap();
    assert_eq!(ends.len(), 2);
}

/// A type that counts its items, and of which nothing can be made up.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<u8>")]
struct Seven;

impl TryFrom<Vec<u8>> for Seven {
    type Error = &'static str;

    fn try_from(items: Vec<u8>) -> Result<Self, &'static str> {
        if items.len() == 7 { Ok(Self) } else { Err("give seven numbers") }
    }
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only the refusals are of interest")]
struct Counted {
    first: Seven,
    second: u8,
    third: Seven,
    fourth: u8,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only the refusals are of interest")]
struct Outer {
    inner: Counted,
    last: u8,
}

#[test]
fn a_type_that_counts_its_items_does_not_complain_of_those_that_were_read_before() {
    let number = "expected a whole number from 0 to 255, found the text";
    let told = mistakes_as::<Counted>;
    let told_outer = mistakes_as::<Outer>;
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
    // What cannot be made up does not hide what stands beside it.
    assert_eq!(
        told_outer("inner: {first: x, second: 1, third: [], fourth: 1}\nlast: y\n").len(),
        3
    );
    // The missing `first` cannot be made up, which hides the missing `fourth`.
    assert_eq!(
        told("second: 1\nthird: [1, 2, 3, 4, 5, 6, x]\n"),
        [
            (1, 1, "the key `first` is missing here; add it".to_owned()),
            (2, 27, format!("{number} `x`")),
        ]
    );
}
