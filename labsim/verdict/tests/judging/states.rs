//! The nodes' states, which are read in the end, and what a step changed before.

use crate::diagnosing::codes;
use crate::lab::{Lab, VIP, reaches};
use crate::scenario::{at, interface, node, scenario, step};
use labsim_codes::{Code, cause};
use labsim_model::NodeState;
use labsim_model::node_state::{Address, AddressScope};
use labsim_scenario::model::{
    Check, Count, FrameMatch, NodeChange, Place, Scenario, Scope, Step, StepAction,
};
use labsim_verdict::{diagnose, judge_with_states};
use labsim_wire::tcp::Flags;
use std::collections::BTreeMap;

/// A lab whose login came out of the tunnel at rs2, where a counter rose, and rs2's state: it has the VIP.
fn counted_at_rs2(counter: &str) -> (Lab, NodeState) {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_TUNNEL);
    lab.rose("rs2", counter, 1);
    let vip = Address {
        device: "lo".to_owned(),
        address: format!("{}/32", VIP.ip()).parse().unwrap(),
        scope: AddressScope::Host,
        tentative: false,
        dad_failed: false,
        deprecated: false,
    };
    (lab, NodeState { addresses: vec![vip], ..NodeState::default() })
}

fn told(scenario: &Scenario, lab: &Lab) -> Vec<(Code, String)> {
    codes(&diagnose(scenario, &lab.seen, &step("login")).unwrap())
}

#[test]
fn the_state_in_the_end_says_nothing_of_a_step_before_a_change() {
    let (mut lab, state) = counted_at_rs2("IpInAddrErrors");
    let address = state.addresses[0].address;
    lab.seen.states.insert(node("rs2"), state);
    let mut scenario = scenario(Vec::new());
    assert_eq!(
        told(&scenario, &lab),
        [],
        "rs2 has the VIP: the packet that was counted is another one"
    );
    for (changed, expected) in [("rs1", None), ("rs2", Some(cause::VIP_MISSING))] {
        let change = NodeChange::Address {
            node: node(changed),
            interface: interface("lo"),
            address,
            scope: Scope::Host,
            present: true,
        };
        let place = Place { file: "x.yaml".to_owned(), line: 9 };
        let action = StepAction::ChangeNode(Box::new(change));
        scenario.steps.push(Step { name: step("add"), place, action });
        assert_eq!(told(&scenario, &lab).first().map(|(code, _)| *code), expected, "{changed}");
        scenario.steps.truncate(1);
    }
}

#[test]
fn a_server_without_a_route_to_the_client_is_not_said_to_lack_one_to_the_vip() {
    let (mut lab, state) = counted_at_rs2("IpOutNoRoutes");
    assert_eq!(told(&scenario(Vec::new()), &lab), [], "rs2 may not have taken the packet in");
    lab.seen.states.insert(node("rs2"), state);
    assert_eq!(told(&scenario(Vec::new()), &lab), [(cause::NO_ROUTE, "rs2".to_owned())]);
    let diagnosis = diagnose(&scenario(Vec::new()), &lab.seen, &step("login")).unwrap();
    let cause = &diagnosis.causes[0];
    assert!(cause.sentence.contains("no route to 192.168.11.201"), "{}", cause.sentence);
    assert_eq!(cause.fix.linux, ["rs2: ip route replace 192.168.11.201 via 10.1.1.1"]);
}

#[test]
fn the_states_are_read_only_if_something_went_wrong() {
    let mut lab = Lab::with_login();
    let mut reads = 0;
    let mut judged = |scenario: &Scenario| {
        let read = || {
            reads += 1;
            BTreeMap::from([(node("rs2"), NodeState::default())])
        };
        let verdict = judge_with_states(scenario, &mut lab.seen, read);
        (verdict.passed(), reads, lab.seen.states.len())
    };
    let of_client = |number| Check::Frames {
        at: at("client", "eth0"),
        matching: FrameMatch::default(),
        count: Count::AtLeast(number),
    };
    assert_eq!(judged(&scenario(vec![of_client(1)])), (true, 0, 0));
    assert_eq!(judged(&scenario(vec![of_client(99)])), (false, 1, 1));
}
