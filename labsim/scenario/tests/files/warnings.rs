//! What is allowed and cannot work is said, and the scenario is loaded all the same.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};

fn warnings(changes: &[(&str, &str)]) -> Vec<String> {
    let loaded = Files::new(TOPOLOGY, &changed(SCENARIO, changes)).loaded();
    loaded.map_or_else(|diagnostics| shown(&diagnostics), |loaded| shown(&loaded.warnings))
}

/// What is changed in the valid scenario, and what is then warned of.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (&[], &[]),
    (
        &[("10.1.1.52:49]", "10.1.1.52:4949]")],
        &[
            "case.yaml:7:50: the member `10.1.1.52:4949` has another port than `vs`, whose address is not translated (Direct Server Return)…",
        ],
    ),
    (
        &[("10.1.1.52:49]", "10.1.1.52:4949]"), ("pool: p}", "pool: p, translate_port: false}")],
        &[
            "case.yaml:7:50: the member `10.1.1.52:4949` has another port than `vs`, which translates neither address nor port…",
        ],
    ),
    (
        &[
            ("10.1.1.52:49]", "10.1.1.52:4949]"),
            ("profile: ipip", "profile: none"),
            ("pool: p}", "pool: p, translate_address: true}"),
        ],
        &[],
    ),
    (
        &[
            ("10.1.1.52:49]", "10.1.1.52:4949]"),
            ("destination: 172.16.4.99:49", "destination: 172.16.4.99:any"),
        ],
        &[],
    ),
    (
        &[("pool: p}", "pool: p, source_address_translation: automap}")],
        &[
            "case.yaml:5:78: `vs` translates the source address and leaves the destination (Direct Server Return): the servers take the load balancer for their client, and every answer returns through it…",
        ],
    ),
    (&[("pool: p}", "pool: p, source_address_translation: none}")], &[]),
    (
        &[("pool: p}", "pool: p, translate_address: true, source_address_translation: automap}")],
        &["case.yaml:7:20: `vs` translates the destination address, and its pool has a tunnel…"],
    ),
    (
        &[
            ("profile: ipip", "profile: none"),
            (
                "pool: p}",
                "pool: p, translate_address: true, source_address_translation: {snat: [172.16.0.10, 172.16.0.99]}}",
            ),
        ],
        &[],
    ),
];

#[test]
fn what_cannot_work_is_warned_of_at_its_place() {
    for (changes, expected) in CASES {
        let found = warnings(changes);
        assert!(
            is_as_expected(&found, expected),
            "{changes:?}\nexpected {expected:#?}\nfound {found:#?}"
        );
    }
}
