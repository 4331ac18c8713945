//! Scenarios that extend others: what is merged, and where errors are shown.

use crate::common::{SCENARIO, TOPOLOGY, changed, shown};
use labsim_scenario::model::{
    Check, ExchangeForm, LoginResult, NodeName, Scenario, StepAction, TunnelKind,
};
use labsim_yaml::Diagnostics;
use std::fs;

/// The small lab's scenario as a part, with names to change things by.
fn part() -> String {
    changed(
        SCENARIO,
        &[
            ("topology: lab.yaml", "topology: ../../lab.yaml"),
            ("  - nodes: [rs1, rs2]\n", "  all:\n    nodes: [rs1, rs2]\n"),
            ("  - {nodes: [rs1, rs2], secret", "  aaa: {nodes: [rs1, rs2], secret"),
        ],
    )
}

/// Loads `over`, which extends the part.
fn load(over: &str, part: &str) -> Result<Scenario, (Diagnostics, String)> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("cases/parts")).unwrap();
    fs::write(folder.path().join("lab.yaml"), TOPOLOGY).unwrap();
    fs::write(folder.path().join("cases/parts/part.yaml"), part).unwrap();
    let path = folder.path().join("cases/case.yaml");
    fs::write(&path, format!("extends: parts/part.yaml\n{over}")).unwrap();
    let loaded = labsim_scenario::load(&path).map(|loaded| loaded.scenario);
    loaded.map_err(|diagnostics| (diagnostics, folder.path().display().to_string()))
}

fn loaded(over: &str) -> Scenario {
    load(over, &part()).unwrap_or_else(|(diagnostics, _)| panic!("{diagnostics}"))
}

fn diagnostics(over: &str, part: &str) -> Vec<String> {
    let (diagnostics, folder) = load(over, part).unwrap_err();
    // The names are those of the files, and nothing else of the path.
    shown(&diagnostics).iter().map(|one| one.replace(&format!("{folder}/cases/"), "")).collect()
}

#[test]
fn an_extending_file_says_only_what_is_special_about_it() {
    let scenario = loaded(
        "load_balancers: {lb: {pools: {p: {profile: gre}}}}\n\
         real_servers: {all: {tunnel: gre, sysctls: {net.ipv4.conf.tunl0.rp_filter: null}}}\n\
         steps: {login: {tacacs_login: {timeout: 0.5}}}\n\
         expect: {told: {answer: {result: timeout}}, seen: null}\n",
    );
    assert_eq!(scenario.name.as_str(), "case");
    let rs1 = &scenario.real_servers[&NodeName::new("rs1").unwrap()];
    let tunnel = &rs1.tunnels[0];
    assert!(matches!(tunnel.kind, TunnelKind::Gre(_)) && tunnel.name.as_str() == "gre0");
    assert!(rs1.sysctls.is_empty());
    let StepAction::Exchange(exchange) = &scenario.steps[0].action else { panic!() };
    let ExchangeForm::TacacsLogin(login) = &exchange.form else { panic!() };
    assert_eq!((exchange.timeout.as_millis(), login.user.as_str()), (500, "u"));
    assert_eq!(scenario.expectations.len(), 1);
    assert!(matches!(
        scenario.expectations[0].check,
        Check::Answer { result: LoginResult::Timeout, .. }
    ));
}

#[test]
fn an_expectation_knows_the_file_that_it_stands_in() {
    let scenario = loaded(
        "expect:\n  new: {answer: {result: pass}, pass: yes, fail: no}\n  told: {pass: certainly}\n",
    );
    let places: Vec<(&str, &str, usize)> = scenario
        .expectations
        .iter()
        .map(|one| {
            let file = one.place.file.rsplit('/').next().unwrap();
            (one.name.as_str(), file, one.place.line)
        })
        .collect();
    assert_eq!(
        places,
        [("told", "case.yaml", 4), ("seen", "part.yaml", 22), ("new", "case.yaml", 3)]
    );
}

#[test]
fn errors_are_shown_in_the_files_that_they_stand_in() {
    let part = changed(&part(), &[("10.1.1.52:49]", "10.1.1.54:49]"), ("user: u, ", "")]);
    assert_eq!(
        diagnostics(
            "load_balancers: {lb: {pools: {q: {members: [10.1.1.55:49]}}}}\n\
             real_servers: {again: {nodes: rs1}}\nexpect: {x: null}\n",
            &part
        ),
        [
            "case.yaml:2:45: no node has the member's address 10.1.1.55; name a real server's",
            "case.yaml:3:31: `rs1` is a real server already (line 10 of parts/part.yaml); keep one",
            "case.yaml:4:10: `null` takes a key out, and parts/part.yaml has no `x` here; take this line out",
            "part.yaml:7:50: no node has the member's address 10.1.1.54; name a real server's",
            "part.yaml:17:25: the key `user` is missing here; add it",
        ]
    );
}

#[test]
fn a_part_may_lack_what_the_extending_file_says() {
    let lines = part();
    let without: String = lines
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("topology") && !line.contains("tacacs_login"))
        .collect();
    let over = "topology: ../lab.yaml\n\
                steps: {login: {tacacs_login: {from: client, to: 172.16.4.99:49, user: u, password: p}}}\n";
    let without = without.replace("steps:\n", "");
    assert!(load(over, &without).is_ok_and(|scenario| scenario.steps.len() == 1));
    assert_eq!(
        diagnostics("", &without),
        [
            "case.yaml:1:1: the key `steps` is missing here; add it",
            "case.yaml:1:1: the key `topology` is missing here; add it",
        ]
    );
}

#[test]
fn a_topology_may_extend_another_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lab.yaml"), TOPOLOGY).unwrap();
    let path = folder.path().join("more.yaml");
    let more = "extends: lab.yaml\nnodes: {rs3: {interfaces: {eth0: 10.1.1.53/24}}}\n\
                segments: {servers: [\"router:servers\", \"rs1:eth0\", \"rs2:eth0\", \"rs3:eth0\"]}\n";
    fs::write(&path, more).unwrap();
    let topology = labsim_scenario::load_topology(&path).unwrap();
    assert_eq!((topology.name.as_str(), topology.nodes.len()), ("more", 6));
    let kind = labsim_scenario::validate(&path).map(|valid| valid.kind);
    assert_eq!(kind, Ok(labsim_scenario::Kind::Topology));
}

#[test]
fn a_change_in_memory_is_laid_over_a_file_and_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("cases/parts")).unwrap();
    fs::write(folder.path().join("lab.yaml"), TOPOLOGY).unwrap();
    fs::write(folder.path().join("cases/parts/part.yaml"), part()).unwrap();
    let path = folder.path().join("cases/case.yaml");
    fs::write(&path, "extends: parts/part.yaml\nreal_servers: {all: {vip: 172.16.4.99}}\n")
        .unwrap();
    let change =
        "real_servers: {all: {vip: 172.16.4.98}}\nsteps: {login: {tacacs_login: {timeout: 0.5}}}";
    let scenario = labsim_scenario::load_changed(&path, change).unwrap().scenario;
    assert_eq!(scenario.name.as_str(), "case");
    let rs1 = &scenario.real_servers[&NodeName::new("rs1").unwrap()];
    assert_eq!(rs1.vips[0].address.to_string(), "172.16.4.98");
    assert_eq!(rs1.group.as_deref(), Some("all"));
    let StepAction::Exchange(login) = &scenario.steps[0].action else { panic!() };
    assert_eq!(login.timeout.as_millis(), 500);
    // What is wrong in it has its place in it.
    for (change, expected) in [
        ("real_servers: {all: {vips: 1}}", "the change:1:22: "),
        ("impairments: {rs1:eth0: null}", "the change:1:"),
        ("a: [", "the change:"),
    ] {
        let diagnostics = labsim_scenario::load_changed(&path, change).unwrap_err().to_string();
        assert!(diagnostics.contains(expected), "{diagnostics}");
    }
}
