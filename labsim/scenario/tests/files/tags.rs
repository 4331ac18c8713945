//! The words that scenarios are selected by.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, shown};
use labsim_scenario::model::Tag;

/// The small scenario with tags.
fn tagged(tags: &str) -> Files {
    let lines = format!("topology: lab.yaml\ntags: {tags}\n");
    Files::new(TOPOLOGY, &changed(SCENARIO, &[("topology: lab.yaml\n", &lines)]))
}

#[test]
fn tags_are_part_of_the_scenario_and_optional() {
    let scenario = tagged("[gre, rp-filter, 4in6]").load().unwrap();
    let tags: Vec<&str> = scenario.tags.iter().map(Tag::as_str).collect();
    assert_eq!(tags, ["4in6", "gre", "rp-filter"]);
    assert!(Files::new(TOPOLOGY, SCENARIO).load().unwrap().tags.is_empty());
}

#[test]
fn a_malformed_tag_is_shown_at_its_place() {
    let long = "t".repeat(33);
    let written = format!("[gre, GRE, -x, \"a b\", \"\", gre, {long}]");
    let words = "may hold lowercase letters, digits and `-`, and begins with a letter or a digit";
    assert_eq!(
        shown(&tagged(&written).load().unwrap_err()),
        [
            format!("case.yaml:2:13: the tag `GRE` {words}"),
            format!("case.yaml:2:18: the tag `-x` {words}"),
            format!("case.yaml:2:22: the tag `a b` {words}"),
            "case.yaml:2:29: an empty tag; write 1 to 32 bytes".to_owned(),
            "case.yaml:2:33: the tag `gre` is there already; remove one".to_owned(),
            format!("case.yaml:2:38: the tag `{long}` has 33 bytes; at most 32 are allowed"),
        ]
    );
    assert!(tagged(&format!("[{}]", "t".repeat(32))).load().is_ok());
}

#[test]
fn a_scenario_has_at_most_16_tags() {
    let written = |count: usize| {
        let tags: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
        tagged(&format!("[{}]", tags.join(", ")))
    };
    assert_eq!(written(16).load().unwrap().tags.len(), 16);
    assert_eq!(
        shown(&written(17).load().unwrap_err()),
        ["case.yaml:2:78: 17 tags; at most 16 are allowed"]
    );
}

#[test]
fn tags_replace_those_of_the_extended_file() {
    let files = tagged("[tacacs, ipip]");
    let load = |text: &str| {
        std::fs::write(files.path("more.yaml"), text).unwrap();
        let scenario = labsim_scenario::load(&files.path("more.yaml")).unwrap().scenario;
        scenario.tags.iter().map(Tag::to_string).collect::<Vec<_>>()
    };
    assert_eq!(load("extends: case.yaml\n"), ["ipip", "tacacs"]);
    assert_eq!(load("extends: case.yaml\ntags: [gre]\n"), ["gre"]);
    assert!(load("extends: case.yaml\ntags: null\n").is_empty());
}
