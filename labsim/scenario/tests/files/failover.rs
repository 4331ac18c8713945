//! Load balancers on standby, and steps that make one active.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::StepAction;

const LB2: &str = "  lb2: {interfaces: {eth0: 10.1.1.53/24}}\n";

fn topology() -> String {
    changed(
        TOPOLOGY,
        &[("links:\n", &format!("{LB2}links:\n")), ("\"rs1:eth0\"", "\"rs1:eth0\", \"lb2:eth0\"")],
    )
}

/// The small lab's scenario with a load balancer on standby.
fn scenario() -> String {
    changed(
        SCENARIO,
        &[
            (
                "real_servers:\n",
                "  lb2:\n    failover_state: standby\n    virtual_servers:\n      \
                 vs: {destination: 172.16.4.99:49, pool: p, mirror: true}\n    pools:\n      \
                 p: {profile: ipip, members: [10.1.1.51:49]}\nreal_servers:\n",
            ),
            ("steps:\n", "steps:\n  over: {failover: {from: lb, to: lb2}}\n"),
        ],
    )
}

/// What is changed in the scenario, and what is then said of it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (&[], &[]),
    (&[("  over:", "  first: {kill_forwarder: {node: lb}}\n  over:")], &[]),
    (
        &[(
            "  over: {failover: {from: lb, to: lb2}}\n",
            "  over: {failover: {from: lb, to: lb2}}\n  back: {failover: {from: lb2, to: lb}}\n",
        )],
        &[],
    ),
    (
        &[("    failover_state: standby\n", "")],
        &[
            "case.yaml:21:35: `lb2` is active at this step; give it `failover_state: standby`, under `load_balancers`",
        ],
    ),
    (
        &[("failover_state: standby", "failover_state: backup")],
        &[
            "case.yaml:9:21: expected `active` or `standby`, found `backup`",
            "case.yaml:22:35: `lb2` is active at this step; give it `failover_state: standby`, under `load_balancers`",
        ],
    ),
    (
        &[("from: lb, to: lb2", "from: lb2, to: lb")],
        &[
            "case.yaml:22:27: `lb2` is on standby at this step; write the active load balancer",
            "case.yaml:22:36: `lb` is active at this step; give it `failover_state: standby`, under `load_balancers`",
        ],
    ),
    (
        &[("from: lb, to: lb2", "from: lb, to: lb")],
        &["case.yaml:22:35: `lb` takes nothing over from itself; write another one"],
    ),
    (
        &[("from: lb, to: lb2", "from: rs1, to: lb2")],
        &["case.yaml:22:27: `rs1` is not a load balancer; `load_balancers` has `lb` and `lb2`"],
    ),
    (
        &[("  over:", "  first: {kill_forwarder: {node: lb2}}\n  over:")],
        &[
            "case.yaml:23:35: `lb2`'s forwarder was killed, and cannot become active; start it first",
        ],
    ),
    (
        &[(
            "vs: {destination: 172.16.4.99:49, pool: p, mirror: true}",
            "vs: {destination: 172.16.4.98:49, pool: p}",
        )],
        &["case.yaml:22:35: `lb2` has no VIP of `lb`; give it a virtual server with the same VIP"],
    ),
];

#[test]
fn each_error_is_reported_at_its_place() {
    let mut wrong = Vec::new();
    for (changes, expected) in CASES {
        let files = Files::new(&topology(), &changed(&scenario(), changes));
        let found = files.load().err().map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
        if !is_as_expected(&found, expected) {
            wrong.push(format!("{changes:?}\nexpected {expected:#?}\nfound {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_step_says_what_it_does() {
    let scenario = Files::new(&topology(), &scenario()).load().unwrap();
    let action = &scenario.steps[0].action;
    assert!(matches!(action, StepAction::Failover { .. }));
    assert_eq!(action.description(), "makes lb2 active in place of lb");
}
