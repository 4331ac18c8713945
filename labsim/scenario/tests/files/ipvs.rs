//! `engine: ipvs`: what Linux Virtual Server cannot do is refused at its place, and a scenario that needs none
//! of it can be run with either engine.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, shown};
use labsim_model::Engine;
use labsim_scenario::model::{LoadBalancer, Scenario};

/// The valid scenario with IPVS, and with changes.
fn with(changes: &[(&str, &str)]) -> String {
    let text = changed(SCENARIO, &[("  lb:\n", "  lb:\n    engine: ipvs\n")]);
    changed(&text, changes)
}

fn load(text: &str) -> Result<Scenario, Vec<String>> {
    Files::new(TOPOLOGY, text).load().map_err(|found| shown(&found))
}

fn balancer(scenario: &Scenario) -> &LoadBalancer {
    scenario.load_balancers.values().next().unwrap()
}

#[test]
fn what_ipvs_does_in_another_way_by_default_is_refused_only_where_it_is_written() {
    let scenario = load(&with(&[])).unwrap();
    assert_eq!(balancer(&scenario).engine, Engine::Ipvs);
    let vs = "pool: p}\n";
    for (change, place, why) in [
        (
            ("engine: ipvs\n", "engine: ipvs\n    outer_source: client\n"),
            "case.yaml:5:19",
            "director's own address",
        ),
        ((vs, "pool: p, fastl4: {loose_close: false}}\n"), "case.yaml:6:", "a client's FIN"),
        ((vs, "pool: p, fastl4: {reset_on_timeout: true}}\n"), "case.yaml:6:", "in silence"),
    ] {
        let found = load(&with(&[change])).unwrap_err();
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert!(only.starts_with(place) && only.contains(why), "{only}");
        assert!(only.contains("`engine: ipvs` at line 4"), "{only}");
    }
    let own = "pool: p, fastl4: {loose_close: true, reset_on_timeout: false}}\n";
    load(&with(&[("engine: ipvs\n", "engine: ipvs\n    outer_source: egress\n"), (vs, own)]))
        .unwrap();
}

#[test]
fn all_that_ipvs_cannot_do_is_told_at_once_with_places() {
    let found = load(&with(&[
        ("engine: ipvs\n", "engine: ipvs\n    faults: [raw_checksums]\n"),
        ("profile: ipip, members", "profile: {gre: {key: 7}}, monitor: {tcp: {interval: 1s}}, members"),
        ("tunnel: ipip", "tunnel: {gre: {key: 7}}"),
        ("    sysctls: {net.ipv4.conf.tunl0.rp_filter: 0}\n", ""),
        ("steps:\n", "steps:\n  kill: {kill_forwarder: {node: lb}}\n  start: {start_forwarder: {node: lb}}\n"),
        ("expect:\n", "expect:\n  lost: {forwarder: {node: lb, counter: no_flow, count: 0}, pass: yes, fail: no}\n"),
    ]))
    .unwrap_err();
    for (place, why) in [
        ("case.yaml:5:14: ", "on purpose"),
        ("case.yaml:9:", "carry no key"),
        ("case.yaml:9:", "monitors no server"),
        ("case.yaml:17:3: ", "no process"),
        ("case.yaml:18:3: ", "no process"),
        ("case.yaml:23:3: ", "counts no `no_flow`; it has `forwarded`"),
    ] {
        let is_there = |one: &String| one.starts_with(place) && one.contains(why);
        assert!(found.iter().any(is_there), "{place}{why} is not in {found:#?}");
    }
    assert_eq!(found.len(), 7, "one key for each of two members: {found:#?}");
}

#[test]
fn a_change_of_a_member_is_refused_for_what_it_adds() {
    let step = |step: &str| with(&[("steps:\n", &format!("steps:\n  change: {step}\n"))]);
    load(&step("{set_member: {node: lb, pool: p, member: 10.1.1.51:49, ratio: 0}}")).unwrap();
    let removed = "{remove_member: {node: lb, pool: p, member: 10.1.1.51:49}}";
    let added = "  again: {add_member: {node: lb, pool: p, member: 10.1.1.51:49, profile: {gre: {key: 1}}}}";
    let found = load(&step(&format!("{removed}\n{added}"))).unwrap_err();
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert!(only.starts_with("case.yaml:18:3: ") && only.contains("no key"), "{only}");
}

#[test]
fn a_scenario_of_labsims_forwarder_runs_with_ipvs_unless_it_needs_more() {
    let scenario = load(SCENARIO).unwrap();
    let other = scenario.with_engine(Engine::Ipvs).unwrap();
    assert_eq!(balancer(&other).engine, Engine::Ipvs);
    let list = changed(SCENARIO, &[("172.16.4.99:49, pool", "'172.16.4.99:49,80', pool")]);
    let obstacles = load(&list).unwrap().with_engine(Engine::Ipvs).unwrap_err();
    let text: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["lb: virtual server vs: IPVS has services of one port or of every port"]);
    assert!(load(&list).unwrap().with_engine(Engine::Labsim).is_ok());
}
