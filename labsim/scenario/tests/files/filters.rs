//! Packet filters in a scenario file: what is read, and every mistake with its exact place.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::filter::{Hook, Policy};
use labsim_scenario::model::{Check, Count};

/// The valid scenario with a filter in line 2, and perhaps an expectation.
fn with(filter: &str) -> Files {
    let text = format!("topology: lab.yaml\nfilters: {filter}\n");
    Files::new(TOPOLOGY, &changed(SCENARIO, &[("topology: lab.yaml\n", &text)]))
}

#[test]
fn a_filter_is_read_from_its_short_forms_and_its_long_ones() {
    let text = "{one: {nodes: rs1, input: iifname tunl0 drop}, two: {nodes: [rs2, router], \
                output: {policy: drop, priority: -300, rules: [\"tcp dport { 1, 2 } accept\", reject]}, \
                prerouting: [drop]}}";
    let scenario = with(text).load().unwrap_or_else(|error| panic!("{error}"));
    let [one, two] = scenario.filters.as_slice() else { panic!("{:?}", scenario.filters) };
    assert_eq!((one.name.as_str(), one.nodes.len(), one.chains.len()), ("one", 1, 1));
    let chain = &one.chains[0];
    assert_eq!((chain.hook, chain.policy, chain.priority), (Hook::Input, Policy::Accept, 0));
    assert_eq!(
        (chain.rules[0].text.as_str(), chain.rules[0].place.line),
        ("iifname tunl0 drop", 2)
    );
    assert_eq!(two.nodes.len(), 2);
    let [first, second] = two.chains.as_slice() else { panic!("{two:?}") };
    assert_eq!((first.hook, first.rules.len()), (Hook::Prerouting, 1));
    assert_eq!((second.hook, second.policy, second.priority), (Hook::Output, Policy::Drop, -300));
    let of_rules: Vec<_> = second.rules.iter().map(|it| (it.alternatives(), it.drops())).collect();
    assert_eq!(of_rules, [(2, false), (1, true)]);
}

#[test]
fn an_expectation_names_a_filter_and_one_of_its_nodes() {
    let check = "{filter: {name: f, node: rs1, dropped: 3}";
    let files = |check: &str| {
        let text = changed(
            SCENARIO,
            &[
                (
                    "topology: lab.yaml\n",
                    "topology: lab.yaml\nfilters: {f: {nodes: rs1, input: drop}}\n",
                ),
                ("{answer: {result: pass}", check),
            ],
        );
        Files::new(TOPOLOGY, &text)
    };
    let scenario = files(check).load().unwrap_or_else(|error| panic!("{error}"));
    let Check::Filter { filter, node, dropped } = &scenario.expectations[0].check else {
        panic!("{:?}", scenario.expectations)
    };
    let node = node.as_ref().map(|node| node.as_str());
    assert_eq!((filter.as_str(), node, *dropped), ("f", Some("rs1"), Count::Exactly(3)));
    for (check, message) in [
        (
            "{filter: {name: g, dropped: 3}",
            "case.yaml:21:25: unknown filter `g`; `filters` has `f`",
        ),
        (
            "{filter: {name: f, node: rs2, dropped: 3}",
            "case.yaml:21:34: `rs2` does not have this filter; it is in `rs1`",
        ),
    ] {
        let found = shown(&files(check).load().unwrap_err());
        assert!(is_as_expected(&found, &[message]), "{check}: {found:#?}");
    }
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    for (filter, messages) in [
        (
            "{f: {nodes: rs9, input: drop}}",
            &[
                "case.yaml:2:22: unknown node `rs9`; the topology has `client`, `router`, `lb`, `rs1` and `rs2`",
            ][..],
        ),
        (
            "{f: {nodes: rs1}}",
            &[
                "case.yaml:2:11: this filter has no chain; add `input`, `forward`, `output`, `prerouting` or `postrouting`",
            ],
        ),
        (
            "{f: {nodes: rs1, inptu: drop}}",
            &["case.yaml:2:27: unknown key `inptu`; did you mean `input`?…"],
        ),
        (
            "{f: {nodes: rs1, input: []}}",
            &[
                "case.yaml:2:34: this chain drops nothing; add a rule such as `ip protocol icmp drop`, or `policy: drop`",
            ],
        ),
        (
            "{f: {nodes: rs1, input: {policy: deny}}}",
            &["case.yaml:2:43: expected `accept` or `drop`, found `deny`"],
        ),
        (
            "{f: {nodes: rs1, input: {priority: raw, rules: drop}}}",
            &["case.yaml:2:45: `raw` is not a valid priority; write a number from -1000 to 1000"],
        ),
        (
            "{f: {nodes: rs1, input: [iifnam tunl0 drop, ip sadr 10.0.0.1 drop]}}",
            &[
                "case.yaml:2:35: unknown word `iifnam` in a rule; did you mean `iifname`?",
                "case.yaml:2:54: `ip` has no `sadr`; did you mean `ip saddr`?",
            ],
        ),
        (
            "{f: {nodes: rs1, output: iifname eth0 drop, input: oifname eth0 drop, postrouting: reject}}",
            &[
                "case.yaml:2:35: `iifname` never matches at `output`, where packets have no incoming interface…",
                "case.yaml:2:61: `oifname` never matches at `input`, where it is not known yet…",
                "case.yaml:2:93: the kernel does not `reject` at `postrouting`…",
            ],
        ),
    ] {
        let found = match with(filter).loaded() {
            Ok(loaded) => panic!("{filter}: {:?}", loaded.scenario.filters),
            Err(diagnostics) => shown(&diagnostics),
        };
        assert!(is_as_expected(&found, messages), "{filter}: {found:#?}");
    }
}

#[test]
fn what_cannot_work_is_warned_of() {
    for (filter, message) in [
        (
            "{f: {nodes: lb, input: drop}}",
            "case.yaml:2:22: the forwarder of `lb` takes packets before a filter of the node's kernel sees them…",
        ),
        (
            "{f: {nodes: rs1, input: iifname tunl1 drop}}",
            "case.yaml:2:34: `rs1` has no interface `tunl1`; it has `eth0` and `tunl0`",
        ),
    ] {
        let warned =
            shown(&with(filter).loaded().unwrap_or_else(|error| panic!("{error}")).warnings);
        assert!(is_as_expected(&warned, &[message]), "{filter}: {warned:#?}");
    }
}

#[test]
fn a_filter_has_a_bound() {
    let ports: Vec<String> = (1..=64).map(|it| it.to_string()).collect();
    let rule = format!("'tcp dport {{ {} }} tcp sport {{ 1, 2, 3, 4, 5 }} drop'", ports.join(", "));
    let found = shown(&with(&format!("{{f: {{nodes: rs1, input: {rule}}}}}")).load().unwrap_err());
    assert!(
        is_as_expected(&found, &["case.yaml:2:11: 320 rules; at most 256 are allowed"]),
        "{found:#?}"
    );
    let rules = vec!["drop"; 300].join(", ");
    let found =
        shown(&with(&format!("{{f: {{nodes: rs1, input: [{rules}]}}}}")).load().unwrap_err());
    assert_eq!(found.len(), 1, "{found:#?}");
}
