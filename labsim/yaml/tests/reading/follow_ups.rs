//! What stands in for a wrong value lets the rest be examined, and is never complained of.

use std::collections::BTreeMap;

use crate::common::diagnostics_as;
use labsim_yaml::FromYaml;

/// A text of which no example can be guessed.
#[derive(Debug, FromYaml, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
struct Zzz;

impl TryFrom<String> for Zzz {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text == "zzz" { Ok(Self) } else { Err("write zzz") }
    }
}

/// A list of lists that hold three numbers together.
#[derive(Debug, FromYaml)]
#[serde(try_from = "Vec<Vec<u8>>")]
struct Three;

impl TryFrom<Vec<Vec<u8>>> for Three {
    type Error = &'static str;

    fn try_from(lists: Vec<Vec<u8>>) -> Result<Self, &'static str> {
        if lists.concat().len() == 3 { Ok(Self) } else { Err("give three numbers") }
    }
}

#[derive(Debug, FromYaml)]
#[serde(try_from = "Vec<u8>")]
struct NotEmpty;

impl TryFrom<Vec<u8>> for NotEmpty {
    type Error = &'static str;

    fn try_from(items: Vec<u8>) -> Result<Self, &'static str> {
        if items.is_empty() { Err("give an item") } else { Ok(Self) }
    }
}

const NUMBER: &str = "expected a whole number from 0 to 255, found the text";

#[test]
fn a_key_of_which_nothing_can_be_made_up_costs_its_entry_alone() {
    assert_eq!(
        diagnostics_as::<BTreeMap<Zzz, u8>>("yyy: 1\nzzz: x\n"),
        [(1, 1, "write zzz".to_owned()), (2, 6, format!("{NUMBER} `x`"))]
    );
}

#[test]
fn a_complaint_that_may_follow_from_an_error_deep_within_is_not_told() {
    assert_eq!(
        diagnostics_as::<Vec<Three>>("- [[1], [2, x]]\n- [[1], [2]]\n- [[1], [2, 3]]\n"),
        [(1, 13, format!("{NUMBER} `x`")), (2, 3, "give three numbers".to_owned())]
    );
}

#[test]
fn a_complaint_does_not_follow_from_what_was_read_before() {
    #[derive(Debug, FromYaml)]
    #[expect(dead_code, reason = "only the refusals are of interest")]
    struct Both {
        three: Three,
        number: u8,
    }
    assert_eq!(
        diagnostics_as::<Vec<Both>>("- {three: [[1], [2, 3]], number: x}\n- {number: y}\n"),
        [
            (1, 34, format!("{NUMBER} `x`")),
            (2, 3, "the key `three` is missing here; add it".to_owned()),
            (2, 12, format!("{NUMBER} `y`")),
        ]
    );
}

#[test]
fn all_missing_keys_are_told_whatever_their_types() {
    #[derive(Debug, FromYaml)]
    #[expect(dead_code, reason = "only the refusals are of interest")]
    struct All {
        inner: Inner,
        items: NotEmpty,
        address: std::net::IpAddr,
        last: u8,
    }
    #[derive(Debug, FromYaml)]
    #[expect(dead_code, reason = "only the refusals are of interest")]
    struct Inner {
        numbers: Vec<u8>,
    }
    let missing = |key: &str| (1, 1, format!("the key `{key}` is missing here; add it"));
    let keys = ["address", "inner", "items", "last"];
    assert_eq!(diagnostics_as::<All>("{}"), keys.map(missing));
}
