//! Every error of steps that operate what runs: members, servers, logins in the background.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::{MemberChange, StepAction};

/// What is changed in the valid scenario, and what is then said of it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

/// The small lab's scenario with a step of every such kind.
fn scenario() -> String {
    changed(
        SCENARIO,
        &[(
            "password: p}}\nconv",
            "password: p, background: true}}\n  \
               drain: {set_member: {node: lb, pool: p, member: 10.1.1.51:49, ratio: 0}}\n  \
               out: {remove_member: {node: lb, pool: p, member: 10.1.1.51:49}}\n  \
               in: {add_member: {node: lb, pool: p, member: 10.1.1.51:49}}\n  \
               stop: {stop_server: {node: rs1}}\n  \
               start: {start_server: {node: rs1}}\n  \
               unplug: {set_link: {node: rs1, interface: eth0, state: down}}\n  \
               plug: {set_link: {node: rs1, interface: eth0, state: up}}\n  \
               end: {finish: {login: login}}\n\
             conv",
        )],
    )
}

const CASES: &[Case<'_>] = &[
    (&[], &[]),
    (
        &[("background: true", "background: true, pause: true")],
        &["case.yaml:16:107: `pause` and `background` exclude each other; leave `background` out"],
    ),
    (
        &[("  end: {finish: {login: login}}\n", "")],
        &[
            "case.yaml:16:3: `login` is in the background, and no step waits for its end; add a `finish` step",
        ],
    ),
    (
        &[(", background: true", "")],
        &["case.yaml:24:25: `login` is not in the background; write `background: true` there"],
    ),
    (
        &[(
            "  end: {finish: {login: login}}",
            "  end: {finish: {login: login}}\n  two: {finish: {login: login}}",
        )],
        &["case.yaml:25:25: `login` is finished by an earlier step already; keep one"],
    ),
    (
        &[
            ("ratio: 0", "ratio: 65536"),
            ("out: {remove_member: {node: lb", "out: {remove_member: {node: rs1"),
        ],
        &[
            "case.yaml:17:72: a ratio of 65536; write 0 to 65535",
            "case.yaml:18:31: `rs1` is not a load balancer; `load_balancers` has `lb`",
            "case.yaml:19:48: 10.1.1.51:49 is a member at this step already; use `set_member`",
        ],
    ),
    (
        &[("10.1.1.51:49, ratio: 0}}", "10.1.1.51:49}}")],
        &["case.yaml:17:51: nothing is set; write `ratio`, `state` or both"],
    ),
    (
        &[("drain: {set_member: {node: lb, pool: p", "drain: {set_member: {node: lb, pool: q")],
        &["case.yaml:17:40: `lb` has no pool `q`; it has `p`"],
    ),
    (
        &[(
            "drain: {set_member: {node: lb, pool: p, member: 10.1.1.51:49, ratio: 0}}",
            "drain: {remove_member: {node: lb, pool: p, member: 10.1.1.52:49}}",
        )],
        &[
            "case.yaml:18:52: 10.1.1.51:49 is the pool's last member at this step; drain it by `set_member` with `ratio: 0`",
            "case.yaml:19:48: 10.1.1.51:49 is a member at this step already; use `set_member`",
        ],
    ),
    (
        &[(
            "in: {add_member: {node: lb, pool: p, member: 10.1.1.51:49",
            "in: {add_member: {node: lb, pool: p, member: 10.1.9.51:49, ratio: -1",
        )],
        &[
            "case.yaml:19:48: no node has the member's address 10.1.9.51; name a real server's",
            "case.yaml:19:69: `-1` is out of range…",
        ],
    ),
    (
        &[(
            "in: {add_member: {node: lb, pool: p, member: 10.1.1.51:49",
            "in: {add_member: {node: lb, pool: p, member: 10.1.9.51:49",
        )],
        &["case.yaml:19:48: no node has the member's address 10.1.9.51; name a real server's"],
    ),
    (
        &[
            ("in: {add_member", "in: {set_member"),
            ("10.1.1.51:49}}\n  stop", "10.1.1.51:49, ratio: 2}}\n  stop"),
        ],
        &[
            "case.yaml:19:48: 10.1.1.51:49 is not a member at this step; the pool has `10.1.1.52:49`",
        ],
    ),
    (
        &[("  in: {add_member", "  kill: {kill_forwarder: {node: lb}}\n  in: {add_member")],
        &["case.yaml:20:27: `lb`'s forwarder was killed, and accepts no changes; start it first"],
    ),
    (
        &[("stop: {stop_server: {node: rs1", "stop: {stop_server: {node: client")],
        &[
            "case.yaml:20:30: no built-in server runs on `client`; those of `tacacs_servers`, `radius_servers`, `tcp_servers` and `udp_servers` are on `rs1` and `rs2`",
            "case.yaml:21:32: `rs1`'s servers run already; stop them first, by `stop_server`",
        ],
    ),
    (
        &[("start: {start_server", "start: {stop_server")],
        &["case.yaml:21:31: `rs1`'s servers were stopped before; start them again in between"],
    ),
    (
        &[("interface: eth0, state: down", "interface: eth7, state: off")],
        &["case.yaml:22:58: expected `down` or `up`, found `off`"],
    ),
    (
        &[(
            "unplug: {set_link: {node: rs1, interface: eth0",
            "unplug: {set_link: {node: rs1, interface: tunl0",
        )],
        &["case.yaml:22:45: `rs1` has no interface `tunl0` on a link; it has `eth0`"],
    ),
    (
        &[(
            "plug: {set_link: {node: rs1, interface: eth0, state: up",
            "plug: {set_link: {node: rs1, interface: eth0, state: down",
        )],
        &[
            "case.yaml:23:56: rs1:eth0 is down at this step already; write `up`, or leave the step out",
        ],
    ),
];

#[test]
fn each_error_is_reported_at_its_place() {
    let mut wrong = Vec::new();
    for (changes, expected) in CASES {
        let files = Files::new(TOPOLOGY, &changed(&scenario(), changes));
        let found = files.load().err().map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
        if !is_as_expected(&found, expected) {
            wrong.push(format!("{changes:?}\nexpected {expected:#?}\nfound {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_load_balancer_that_is_started_again_has_the_members_of_its_file() {
    let again = "  kill: {kill_forwarder: {node: lb}}\n  again: {start_forwarder: {node: lb}}\n";
    let text = changed(
        &scenario(),
        &[("  in: {add_member: {node: lb, pool: p, member: 10.1.1.51:49}}\n", again)],
    );
    let text = changed(
        &text,
        &[(
            "  end: {finish",
            "  more: {set_member: {node: lb, pool: p, member: 10.1.1.51:49, ratio: 3}}\n  end: {finish",
        )],
    );
    let scenario = Files::new(TOPOLOGY, &text).load().unwrap();
    let fates = scenario.steps.iter().filter_map(|step| match &step.action {
        StepAction::ChangeMember(change) => Some(change.to),
        _ => None,
    });
    let set = |ratio| MemberChange::Set { ratio: Some(ratio), state: None };
    let expected = [set(0), MemberChange::Removed, set(3)];
    assert_eq!(fates.collect::<Vec<_>>(), expected);
}
