//! Steps that change a node while the lab runs: what they mean, and every error of theirs.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::StepAction;

/// What is changed in the valid scenario, and what is then said of it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

/// The small lab's scenario with a step of every such kind.
fn scenario() -> String {
    changed(
        SCENARIO,
        &[
            (
                "\nsteps:",
                "\nfilters: {f: {nodes: rs1, state: absent, input: udp dport 9 drop}}\nsteps:",
            ),
            (
                "password: p}}\nconv",
                "password: p}}\n  \
                   hole: {set_route: {node: rs1, to: 192.0.2.0/24, via: blackhole}}\n  \
                   way: {set_route: {node: rs1, to: default, via: 10.1.1.1, mtu: 1400}}\n  \
                   none: {set_route: {node: rs1, to: 192.0.2.0/24, via: none}}\n  \
                   set: {set_sysctls: {node: rs1, sysctls: {net.ipv4.conf.eth0.rp_filter: 1}}}\n  \
                   add: {set_address: {node: rs1, interface: lo, address: 192.0.2.7, state: present}}\n  \
                   out: {set_address: {node: rs1, interface: eth0, address: 10.1.1.51/24, state: absent}}\n  \
                   on: {set_filter: {filter: f, state: present}}\n  \
                   off: {set_filter: {filter: f, state: absent}}\n\
                 conv",
            ),
        ],
    )
}

const CASES: &[Case<'_>] = &[
    (&[], &[]),
    (
        &[("to: 192.0.2.0/24, via: blackhole", "to: 192.0.2.1/24, via: 10.1.1.1")],
        &["case.yaml:18:37: 192.0.2.1/24 has host bits; write 192.0.2.0/24"],
    ),
    (
        &[("via: blackhole", "via: nowhere")],
        &[
            "case.yaml:18:56: `nowhere` is not an address; write one such as 10.1.1.51 or 2001:db8::51, or `blackhole`, `unreachable` or `none`",
        ],
    ),
    (
        &[("via: blackhole", "via: blackhole, advmss: 500")],
        &["case.yaml:18:75: a route that is `blackhole` has no packet sizes; leave them out"],
    ),
    (
        &[("via: 10.1.1.1, mtu: 1400", "via: none")],
        &[
            "case.yaml:19:36: `default` with `none` may be of either family; write `0.0.0.0/0` or `::/0`",
        ],
    ),
    (
        &[("via: 10.1.1.1, mtu: 1400", "via: 10.1.1.77, mtu: 14")],
        &[
            "case.yaml:19:50: no node has the next hop's address 10.1.1.77; name an address of a neighbour of `rs1:eth0`",
            "case.yaml:19:66: 14 bytes; write 68 to 65520",
        ],
    ),
    (
        &[("via: 10.1.1.1, mtu: 1400", "via: 10.9.1.1")],
        &[
            "case.yaml:19:50: the next hop 10.9.1.1 is unreachable: `rs1` is on `10.1.1.0/24`; name a neighbour's address",
        ],
    ),
    (
        &[("via: 10.1.1.1, mtu: 1400", "via: 10.1.1.51")],
        &["case.yaml:19:50: the next hop 10.1.1.51 is `rs1` itself; name a neighbour's address"],
    ),
    (
        &[("to: default, via: 10.1.1.1", "to: '::/0', via: 10.1.1.1")],
        &["case.yaml:19:49: 10.1.1.1 cannot be the next hop to ::/0; write one of its family"],
    ),
    (
        &[("to: 192.0.2.0/24, via: none", "to: 192.0.9.0/24, via: none")],
        &[
            "case.yaml:20:56: `rs1` has no route to 192.0.9.0/24 at this step; it has `0.0.0.0/0` and `10.1.1.0/24`",
        ],
    ),
    (
        &[("node: rs1, sysctls: {net.ipv4.conf.eth0.rp_filter: 1}", "node: rs1, sysctls: {}")],
        &[
            "case.yaml:21:43: `sysctls` is empty; write a setting such as `net.ipv4.conf.all.rp_filter: 1`",
        ],
    ),
    (
        &[("net.ipv4.conf.eth0.rp_filter: 1", "net.ipv4.conf.eth7.rp_filter: 1, net.ipv4.rp: 1")],
        &[
            "case.yaml:21:44: `net.ipv4.conf.eth7.rp_filter`: `rs1` has no interface `eth7`; name one that it has",
            "case.yaml:21:77: unknown kernel setting `net.ipv4.rp`; correct it (Linux 6.18 has none of that name; one of a newer kernel or of another module is set by a `run` step with `sysctl -w`)",
        ],
    ),
    (
        &[("interface: lo", "interface: tunl7")],
        &["case.yaml:22:45: `rs1` has no interface `tunl7`; it has `lo`, `eth0` and `tunl0`"],
    ),
    (
        &[("192.0.2.7, state: present", "192.0.2.7, state: absent, scope: nowhere")],
        &[
            "case.yaml:22:76: rs1:lo has no 192.0.2.7 at this step; write `present`, or leave the step out",
            "case.yaml:22:91: expected one of `host`, `link` or `global`, found `nowhere`",
        ],
    ),
    (
        &[("192.0.2.7, state: present", "192.0.2.7, state: absent")],
        &[
            "case.yaml:22:76: rs1:lo has no 192.0.2.7 at this step; write `present`, or leave the step out",
        ],
    ),
    (
        &[(
            "interface: lo, address: 192.0.2.7",
            "interface: eth0, address: '2001:db8::7', scope: link",
        )],
        &[
            "case.yaml:22:82: the kernel derives an IPv6 address's scope from the address; leave it out",
            "case.yaml:22:95: rs1:eth0 has no IPv6 address in the topology, so IPv6 does not run on it; give it one there",
        ],
    ),
    (
        &[("10.1.1.51/24, state: absent", "10.1.1.51, state: absent")],
        &["case.yaml:23:78: rs1:eth0 has 10.1.1.51 with another prefix length; write 10.1.1.51/24"],
    ),
    (
        &[("10.1.1.51/24, state: absent", "10.1.1.51/24, state: present")],
        &[
            "case.yaml:23:81: rs1:eth0 has 10.1.1.51 at this step already; write `absent`, or leave the step out",
        ],
    ),
    (
        &[("filter: f, state: present", "filter: g, state: present")],
        &["case.yaml:24:29: unknown filter `g`; `filters` has `f`"],
    ),
    (
        &[("filter: f, state: present", "filter: f, state: absent")],
        &[
            "case.yaml:24:39: the filter `f` is absent at this step already; write `present`, or leave the step out",
            "case.yaml:25:40: the filter `f` is absent at this step already; write `present`, or leave the step out",
        ],
    ),
    (
        &[("hole: {set_route: {node: rs1", "hole: {set_route: {node: rs9")],
        &[
            "case.yaml:18:28: unknown node `rs9`; the topology has `client`, `router`, `lb`, `rs1` and `rs2`",
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
fn each_step_says_what_it_changes() {
    let scenario = Files::new(TOPOLOGY, &scenario()).load().unwrap();
    let changes = scenario.steps.iter().filter_map(|step| match &step.action {
        StepAction::ChangeNode(change) => Some(change.to_string()),
        _ => None,
    });
    let expected = [
        "has rs1 drop packets to 192.0.2.0/24 (blackhole)",
        "sets the route of rs1 to 0.0.0.0/0 via 10.1.1.1 mtu 1400",
        "removes the route of rs1 to 192.0.2.0/24",
        "sets net.ipv4.conf.eth0.rp_filter = 1 on rs1",
        "adds 192.0.2.7/32 to rs1:lo",
        "removes 10.1.1.51/24 from rs1:eth0",
        "puts the filter f in",
        "takes the filter f out",
    ];
    assert_eq!(changes.collect::<Vec<_>>(), expected);
}

#[test]
fn a_change_that_a_forwarder_does_not_see_is_warned_of() {
    let text =
        changed(&scenario(), &[("hole: {set_route: {node: rs1", "hole: {set_route: {node: lb")]);
    let text =
        changed(&text, &[("  none: {set_route: {node: rs1, to: 192.0.2.0/24, via: none}}\n", "")]);
    let warnings = Files::new(TOPOLOGY, &text).loaded().unwrap().warnings;
    assert_eq!(warnings.iter().count(), 1, "{warnings}");
    let warning = warnings.iter().next().unwrap();
    assert_eq!(
        warning.message,
        "the forwarder of `lb` reads the node's routes when it starts; restart it after this step \
         (`kill_forwarder`, `start_forwarder`)"
    );
}
