use super::{LiveChange, LiveScenario, kinds, step_forms};
use crate::model::{NodeName, StepAction};
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name)
}

fn live() -> LiveScenario {
    LiveScenario::open(file("tacacs-ipip.yaml").as_path()).unwrap()
}

fn step(kind: &str, fields: &str) -> StepAction {
    match live().change(kind, fields).unwrap().0 {
        LiveChange::Step(step) => step.action,
        LiveChange::Configuration(_) => panic!("{kind} is no step"),
    }
}

fn configured(live: &LiveScenario, kind: &str, fields: &str) -> LiveScenario {
    match live.change(kind, fields).unwrap().0 {
        LiveChange::Configuration(changed) => *changed,
        LiveChange::Step(_) => panic!("{kind} is a step"),
    }
}

fn wrong(kind: &str, fields: &str) -> String {
    live().change(kind, fields).unwrap_err().to_string()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

#[test]
fn every_kind_of_step_is_declared_with_its_keys() {
    let forms = step_forms();
    assert_eq!(forms.len(), 13);
    for form in &forms {
        assert!(!form.description.is_empty() && !form.keys.is_empty(), "{form:?}");
        assert!(form.keys.iter().all(|(_, text, _)| !text.is_empty()), "{form:?}");
    }
    let link = forms.iter().find(|form| form.name == "link").unwrap();
    let mut keys: Vec<&str> = link.keys.iter().map(|(key, ..)| key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["interface", "node", "state"]);
}

#[test]
fn a_step_is_read_by_its_own_name_and_by_its_short_one_with_braces_and_without() {
    for (kind, fields) in [
        ("link", "node: rs1, interface: eth0, state: down"),
        ("set_link", "{node: rs1, interface: eth0, state: down}"),
    ] {
        let action = step(kind, fields);
        assert_eq!(action.description(), "sets rs1:eth0 down");
    }
}

#[test]
fn the_state_of_a_lab_is_not_that_of_its_file() {
    // In a file each of these were the wrong order.
    step("link", "node: rs1, interface: eth0, state: up");
    step("start_server", "node: rs1");
    step("start_forwarder", "node: lb");
    step("address", "node: rs1, interface: lo, address: 172.16.4.99, state: present");
    step("remove_member", "node: lb, pool: p_tacacs-test_49, member: 10.1.1.77:49");
}

#[test]
fn what_is_wrong_in_a_step_has_its_place_in_what_was_typed() {
    let unknown = wrong("link", "node: rs9, interface: eth0, state: down");
    assert!(unknown.starts_with("labsim set:1:8: "), "{unknown}");
    let typo = wrong("link", "nod: rs1, interface: eth0, state: down");
    assert!(typo.contains("did you mean `node`?"), "{typo}");
    let empty = wrong("link", "");
    assert!(empty.contains("`link` takes interface, node, state"), "{empty}");
    assert!(wrong("link", "[a]").contains("labsim set"));
    assert!(wrong("link", "node: rs1}, expect: {a: 1").contains("labsim set:1:"));
}

#[test]
fn what_changes_nothing_is_refused_and_what_is_unknown_has_what_was_meant() {
    assert!(wrong("tacacs_login", "from: client").contains("`labsim step` runs"));
    assert!(wrong("lnk", "node: rs1").contains("did you mean `link`?"));
    assert!(wrong("load_balancer", "lb: {}").contains("did you mean `load_balancers`?"));
    assert!(wrong("expect", "a: {}").contains("the key `expect` of a scenario is not changed"));
    assert!(wrong("something", "a: {}").contains("there are link, route"));
}

#[test]
fn a_configuration_is_laid_over_the_file_and_comes_off_again() {
    let file = live();
    let port = configured(&file, "tacacs_servers", "aaa: {port: 4949}");
    assert_eq!(port.scenario().tacacs_servers[&node("rs1")].port, 4949);
    let changed = port.changed(&node("rs1"));
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(changed[0].contains("tacacs_servers.aaa.port"), "{changed:?}");
    assert_eq!(port.changed(&node("lb")), [""; 0]);
    let both = configured(
        &port,
        "load_balancers",
        "lb: {virtual_servers: {vs_tacacs-test_49: {source_address_translation: automap}}}",
    );
    assert_eq!(both.changed(&node("lb")).len(), 1);
    let left = both.without(Some(&node("lb"))).unwrap();
    assert_eq!(left.changed(&node("lb")), [""; 0]);
    assert_eq!(left.scenario().tacacs_servers[&node("rs1")].port, 4949);
    let none = both.without(None).unwrap();
    assert_eq!(none.changed(&node("rs1")), [""; 0]);
}

#[test]
fn a_secret_that_was_changed_is_named_and_not_shown() {
    let changed = configured(&live(), "tacacs_servers", "aaa: {secret: sesame}");
    let shown = changed.changed(&node("rs1")).join("\n");
    assert!(shown.contains("secret"), "{shown}");
    assert!(!shown.contains("sesame"), "{shown}");
}

#[test]
fn what_a_configuration_makes_of_the_scenario_is_checked() {
    let unknown =
        wrong("load_balancers", "lb: {virtual_servers: {vs_tacacs-test_49: {pool: none}}}");
    assert!(unknown.contains("none"), "{unknown}");
    let absent = wrong("tacacs_servers", "bbb: null");
    assert!(absent.contains("takes a key out"), "{absent}");
    assert!(wrong("tacacs_servers", "aaa: {port: 4949}}, expect: {").contains("labsim set"));
    assert!(kinds::keys_of_step("set_link").contains("state"));
}
