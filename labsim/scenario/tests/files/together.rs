//! Diagnostics of many kinds, in both files, reported at once.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};

#[test]
fn ten_different_errors_are_reported_together() {
    let topology = changed(
        TOPOLOGY,
        &[
            ("  client: {interfaces", "  client: {colour: red, interfaces"),
            ("    forward: true", "    forward: yes"),
            ("10.1.1.52/24", "10.1.1.51/24"),
            ("172.16.0.10}\n", "172.17.0.10}\n"),
            (
                "\"lb:eth0\", \"router:lb\"]",
                "\"lb:eth0\", \"router:lb\"]\n  - [\"rs1:eth0\", \"ghost:eth0\"]",
            ),
        ],
    );
    let scenario = changed(
        SCENARIO,
        &[
            ("pool: p}", "pool: q}"),
            ("members: [10.1.1.51:49, 10.1.1.52:49]", "members: []"),
            ("{result: pass}", "{result: passed}"),
            ("client S seq 0", "client X"),
            ("at: client:eth0", "at: client:eth7"),
            ("topology: lab.yaml", "topology: lab.yaml\nfolder: x\nfolder: y"),
        ],
    );
    let found = Files::new(&topology, &scenario).load().unwrap_err();
    let found = shown(&found);
    let expected = [
        "case.yaml:2:1: unknown key `folder`…",
        "case.yaml:3:1: …",
        "case.yaml:7:47: there is no pool `q`; `pools` has `p`",
        "case.yaml:20:10: `X` is not a valid TCP flag; write them as tcpdump does, such as `S`, `S.`, `.`, \
         `P.`, `F.` or `R.`",
        "case.yaml:22:27: expected …",
        "lab.yaml:2:12: unknown key `colour`…",
        "lab.yaml:4:14: expected …",
        "lab.yaml:6:27: the next hop 172.17.0.10 is unreachable…",
        "lab.yaml:9:28: 10.1.1.51 is the address of `rs1:eth0` already (line 8); give each its own",
        "lab.yaml:13:18: unknown node `ghost`…",
        "lab.yaml:15:31: `rs1:eth0` is linked twice, first in line 13; …",
    ];
    assert!(is_as_expected(&found, &expected), "{found:#?}");
}

#[test]
fn a_topology_is_told_from_a_scenario() {
    use labsim_scenario::{Kind, load, validate};
    let files = Files::new(TOPOLOGY, SCENARIO);
    let kind = |name| validate(&files.path(name)).map(|valid| valid.kind);
    assert_eq!(kind("lab.yaml"), Ok(Kind::Topology));
    assert_eq!(kind("case.yaml"), Ok(Kind::Scenario));
    let found = shown(&load(&files.path("lab.yaml")).unwrap_err());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("this is a topology file; name a scenario"), "{found:#?}");
}

#[test]
fn a_file_that_is_no_mapping_is_one_error() {
    for (text, why) in [
        ("", "the file is empty"),
        ("# nothing\n", "only comments"),
        ("- a\n- b\n", "expected"),
        ("just text\n", "expected"),
        ("\u{0}", "NUL"),
        ("nodes: [", ""),
    ] {
        let found = shown(&Files::new(TOPOLOGY, text).load().unwrap_err());
        assert_eq!(found.len(), 1, "{text:?}: {found:#?}");
        assert!(found[0].contains(why), "{text:?}: {found:#?}");
    }
    let brackets = "[".repeat(1 << 20);
    assert!(Files::new(TOPOLOGY, &brackets).load().is_err());
    assert!(Files::new(&brackets, SCENARIO).load().is_err());
}
