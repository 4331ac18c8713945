use super::{ChangedNode, Names, Saved, SavedFiles};
use labsim_model::NodeState;
use labsim_model::node_state::FilterChain;
use labsim_scenario::model::{NodeName, Scenario};
use std::path::Path;

fn names() -> Names {
    Names {
        header: "# Saved.\n".to_owned(),
        scenario: "lab.yaml".to_owned(),
        topology: "topology.yaml".to_owned(),
        own_topology: "saved-topology.yaml".to_owned(),
        always: false,
    }
}

#[test]
fn a_filter_that_is_gone_is_absent_in_the_file_and_what_cannot_be_loaded_is_left() {
    let file = Path::new("../../scenarios/faults/inner-packets-filtered.yaml");
    let load = |present: bool| -> Scenario {
        let state = if present { "present" } else { "absent" };
        let change = format!("filters: {{host_firewall: {{state: {state}}}}}");
        labsim_scenario::load_changed(file, &change).unwrap().scenario
    };
    let scenario = load(true);
    let filter = scenario.filters.first().unwrap();
    assert_eq!((filter.name.as_str(), filter.present), ("host_firewall", true));
    let name: NodeName = filter.nodes.first().unwrap().clone();
    let chain = FilterChain {
        family: "inet".to_owned(),
        table: filter.name.to_string(),
        name: "input".to_owned(),
        hook: None,
        priority: None,
        policy: None,
        rules: Vec::new(),
    };
    let built = NodeState { filters: vec![chain], ..NodeState::default() };
    let nodes =
        [ChangedNode { name: name.clone(), built: built.clone(), now: NodeState::default() }];
    let names = names();
    let saved = |load: &dyn Fn(&SavedFiles) -> Option<Scenario>| {
        Saved::new(&scenario, &nodes, &names, load)
    };
    let absent = saved(&|files| files.scenario.contains("absent").then(|| load(false)));
    let files = absent.files(&scenario, &names).unwrap();
    let text = "# Saved.\n\nextends: lab.yaml\n\nfilters:\n  host_firewall: {state: absent}\n";
    assert_eq!(files, SavedFiles { scenario: text.to_owned(), topology: None });
    assert_eq!(absent.expected(&name), Some(&NodeState::default()));
    // The file has no effect, or is none.
    for refuses in [saved(&|_| Some(load(true))), saved(&|_| None)] {
        assert!(refuses.is_empty());
        assert_eq!(refuses.expected(&name), Some(&built));
    }
}
