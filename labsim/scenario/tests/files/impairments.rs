//! What a file says about impaired links, what it means, and every error in it.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::{
    Check, Count, DelayBounds, Direction, Impairment, PathCheck, Percent, Scenario,
};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// The valid scenario with impairments, a line each from line 16 on.
fn with(lines: &str) -> String {
    changed(SCENARIO, &[("steps:\n", &format!("impairments:\n{lines}steps:\n"))])
}

fn only(scenario: &Scenario) -> (String, &Impairment) {
    assert_eq!(scenario.impairments.len(), 1);
    let (end, impairment) = scenario.impairments.first_key_value().unwrap();
    (format!("{}:{}", end.node, end.interface), impairment)
}

fn percent(millionths: u32) -> Percent {
    Percent::of_millionths(millionths).unwrap()
}

#[test]
fn every_setting_is_read() {
    let text = with(
        "  client:eth0: {delay: 20ms, jitter: 5ms, loss: 10%, duplicate: 0.5%, reorder: 25%, \
         rate: 1mbit, queue: 50, seed: 7}\n",
    );
    let scenario = Files::new(TOPOLOGY, &text).load().unwrap();
    let expected = Impairment {
        delay: 20 * MS,
        jitter: 5 * MS,
        loss: percent(100_000),
        duplicate: percent(5_000),
        reorder: percent(250_000),
        rate: Some(1_000_000),
        queue: 50,
        seed: 7,
    };
    assert_eq!(only(&scenario), ("client:eth0".to_owned(), &expected));
    assert_eq!(
        expected.to_string(),
        "delay 20ms, jitter 5ms, loss 10%, duplicate 0.5%, reorder 25%, rate 1000000 bit/s, queue 50"
    );
}

#[test]
fn a_queue_is_as_long_as_a_low_rate_sends_in_five_seconds() {
    for (setting, frames) in
        [("loss: 1%", 1000), ("rate: 1gbit", 1000), ("rate: 1mbit", 412), ("rate: 8kbit", 3)]
    {
        let text = with(&format!("  rs1:eth0: {{{setting}}}\n"));
        let scenario = Files::new(TOPOLOGY, &text).load().unwrap();
        assert_eq!(only(&scenario).1.queue, frames, "{setting}");
    }
}

#[test]
fn a_file_that_extends_another_changes_one_end_and_takes_out_another() {
    let base = with("  client:eth0: {delay: 20ms, loss: 1%}\n  router:client: {delay: 20ms}\n");
    let files = Files::new(TOPOLOGY, &base);
    let over =
        "extends: case.yaml\nimpairments:\n  client:eth0: {loss: 2%}\n  router:client: null\n";
    std::fs::write(files.path("over.yaml"), over).unwrap();
    let scenario = labsim_scenario::load(&files.path("over.yaml")).unwrap().scenario;
    let (end, impairment) = only(&scenario);
    assert_eq!(
        (end.as_str(), impairment.delay, impairment.loss),
        ("client:eth0", 20 * MS, percent(20_000))
    );
}

#[test]
fn a_path_check_is_read() {
    let text = changed(
        SCENARIO,
        &[(
            "{answer: {result: pass}",
            "{path: {from: \"client:eth0 out\", to: \"rs1:tunl0 in\", match: {protocol: tcp}, \
             delay: {at_least: 20ms, at_most: 1s}, lost: 0, duplicates: {at_least: 1}, \
             reordered: {at_least: 1, at_most: 5}}",
        )],
    );
    let scenario = Files::new(TOPOLOGY, &text).load().unwrap();
    let Check::Path(path_check) = &scenario.expectations[0].check else { panic!() };
    let PathCheck { from, to, matching, delay, lost, duplicates, reordered } = &**path_check;
    assert_eq!((from.node.as_str(), from.direction), ("client", Direction::Out));
    assert_eq!((to.interface.as_str(), to.direction), ("tunl0", Direction::In));
    assert_eq!(matching.protocol, Some(6));
    let bounds = DelayBounds { at_least: Some(20 * MS), at_most: Some(1000 * MS) };
    assert_eq!(*delay, Some(bounds));
    assert_eq!((*lost, *duplicates), (Some(Count::Exactly(0)), Some(Count::AtLeast(1))));
    assert_eq!(*reordered, Some(Count::Between(1, 5)));
}

/// What stands at an end, and what is said of it.
type Case<'a> = (&'a str, &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (
        "client: {delay: 1ms}",
        &[
            "case.yaml:16:3: `client` is not a valid `node:interface`; write it such as `client:eth0`",
        ],
    ),
    ("nobody:eth0: {delay: 1ms}", &["case.yaml:16:3: unknown node `nobody`; the topology has …"]),
    (
        "client:eth1: {delay: 1ms}",
        &["case.yaml:16:3: `client` has no link at `eth1`; it has `eth0`"],
    ),
    ("rs1:tunl0: {delay: 1ms}", &["case.yaml:16:3: `rs1` has no link at `tunl0`; it has `eth0`"]),
    ("client:lo: {delay: 1ms}", &["case.yaml:16:3: `client` has no link at `lo`; it has `eth0`"]),
    (
        "client:eth0: {}",
        &["case.yaml:16:16: this has no effect; add a `delay`, a `loss` or a `rate`"],
    ),
    (
        "client:eth0: {delay: 20}",
        &["case.yaml:16:24: `20` is not a time; write one such as `20ms`, in `us`, `ms` or `s`"],
    ),
    ("client:eth0: {delays: 20ms}", &["case.yaml:16:17: unknown key `delays`…"]),
    (
        "client:eth0: {delay: 6s}",
        &[
            "case.yaml:16:24: a frame would be kept for up to 6s; delay and jitter are at most 5s together",
        ],
    ),
    (
        "client:eth0: {delay: 3s, jitter: 3s}",
        &[
            "case.yaml:16:24: a frame would be kept for up to 6s; delay and jitter are at most 5s together",
        ],
    ),
    (
        "client:eth0: {jitter: 5ms}",
        &["case.yaml:16:25: `jitter` needs a `delay` that is at least as long; add one"],
    ),
    (
        "client:eth0: {delay: 5ms, jitter: 6ms}",
        &[
            "case.yaml:16:37: a jitter of 6ms about a delay of 5ms: no frame arrives before it is sent; write at most the delay",
        ],
    ),
    (
        "client:eth0: {loss: 10}",
        &["case.yaml:16:23: `10` is not a valid percentage; write one such as `10%`"],
    ),
    ("client:eth0: {loss: 101%}", &["case.yaml:16:23: `101%` is above 100%; write 0% to 100%"]),
    (
        "client:eth0: {duplicate: -1%}",
        &["case.yaml:16:28: `-1%` is not a valid percentage; write one such as `10%`"],
    ),
    ("client:eth0: {reorder: 25%}", &["case.yaml:16:26: `reorder` needs a `delay`; add one"]),
    (
        "client:eth0: {rate: 1mb}",
        &[
            "case.yaml:16:23: `1mb` is not a valid rate; write one such as `1mbit`, in `bit`, `kbit`, `mbit` or `gbit` a second",
        ],
    ),
    (
        "client:eth0: {rate: 1kbit}",
        &["case.yaml:16:23: a rate of 1000 bit/s; write 8kbit to 10gbit"],
    ),
    (
        "client:eth0: {loss: 1%, queue: 0}",
        &["case.yaml:16:34: a queue of 0 frames; write 1 to 10000"],
    ),
    (
        "client:eth0: {loss: 1%, queue: 10001}",
        &["case.yaml:16:34: a queue of 10001 frames; write 1 to 10000"],
    ),
    (
        "client:eth0: {rate: 1mbit, queue: 1000}",
        &[
            "case.yaml:16:37: 1000 frames of 1514 bytes take longer than 10 s at this rate; write at most 825, or a higher rate",
        ],
    ),
    (
        "client:eth0: {loss: 1%}\n  client:eth0: {loss: 2%}",
        &["case.yaml:17:3: the key `client:eth0` is given twice…"],
    ),
    (
        "client:eth0: {delay: soon, jitter: 5ms, loss: 200%, reorder: 5%, rate: 0bit}",
        &[
            "case.yaml:16:24: `soon` is not a time…",
            "case.yaml:16:49: `200%` is above 100%…",
            "case.yaml:16:74: a rate of 0 bit/s…",
        ],
    ),
];

#[test]
fn each_error_at_an_end_is_reported_at_its_place() {
    for (line, expected) in CASES {
        let found = Files::new(TOPOLOGY, &with(&format!("  {line}\n"))).load();
        let found = shown(&found.expect_err(line));
        assert!(
            is_as_expected(&found, expected),
            "{line}\nexpected {expected:#?}\nfound {found:#?}"
        );
    }
}

const PATH_CHECKS: &[Case<'_>] = &[
    (
        "{from: client:eth0, to: router:client in, lost: 0}",
        &[
            "case.yaml:20:23: `client:eth0` is not an interface with a direction; write such as `client:eth0 out`",
        ],
    ),
    (
        "{from: client:eth0 out, to: router in, lost: 0}",
        &["case.yaml:20:44: `router` is not a valid `node:interface`; write it such as `lb:eth0`"],
    ),
    (
        "{from: client:eth0 out, to: router:wan in, lost: 0}",
        &["case.yaml:20:44: `router` has no interface `wan`; it has …"],
    ),
    (
        "{from: client:eth0 out, to: real_server:eth0 in, lost: 0}",
        &["case.yaml:20:44: `real_server` is not one fixed node; name a node"],
    ),
    (
        "{from: client:eth0 out, to: client:eth0 out, lost: 0}",
        &["case.yaml:20:44: `from` and `to` are the same; name two different ones"],
    ),
    (
        "{from: client:eth0 out, to: router:client in}",
        &[
            "case.yaml:20:16: this check has no bounds; add `delay`, `lost`, `duplicates` or `reordered`",
        ],
    ),
    (
        "{from: client:eth0 out, to: router:client in, lost: {}}",
        &["case.yaml:20:68: this accepts every number; add `at_least` or `at_most`"],
    ),
    (
        "{from: client:eth0 out, to: router:client in, lost: {at_least: 3, at_most: 2}}",
        &["case.yaml:20:79: `at_least` 3 is above `at_most` 2; swap them"],
    ),
    (
        "{from: client:eth0 out, to: router:client in, delay: {}}",
        &["case.yaml:20:69: this accepts every time; add `at_least` or `at_most`"],
    ),
    (
        "{from: client:eth0 out, to: router:client in, delay: {at_least: 0ms}}",
        &["case.yaml:20:80: every delay is at least 0; write a longer time"],
    ),
    (
        "{from: client:eth0 out, to: router:client in, delay: {at_least: 2s, at_most: 1s}}",
        &["case.yaml:20:80: `at_least` 2s is above `at_most` 1s; swap them"],
    ),
    (
        "{from: client:eth0 out, to: router:client in, match: {direction: in}, lost: 0}",
        &["case.yaml:20:81: `from` sets the direction; leave it out here"],
    ),
];

#[test]
fn each_error_of_a_path_check_is_reported_at_its_place() {
    for (path_check, expected) in PATH_CHECKS {
        let check = format!("{{path: {path_check}");
        let text = changed(SCENARIO, &[("{answer: {result: pass}", &check)]);
        let found = Files::new(TOPOLOGY, &text).load();
        let found = shown(&found.expect_err(path_check));
        assert!(
            is_as_expected(&found, expected),
            "{path_check}\nexpected {expected:#?}\nfound {found:#?}"
        );
    }
}

#[test]
fn more_impaired_ends_than_allowed_are_refused() {
    let lines: String =
        (0..257).map(|number| format!("  n{number}:eth0: {{loss: 1%}}\n")).collect();
    let found = shown(&Files::new(TOPOLOGY, &with(&lines)).load().unwrap_err());
    let last = found.last().unwrap();
    assert!(last.ends_with("257 impaired interfaces; at most 256 are allowed"), "{last}");
}
