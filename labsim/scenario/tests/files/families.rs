//! VIPs, members and tunnels of both families: what is inferred from them, and what cannot be.

use crate::common::{Files, changed, is_as_expected, shown};
use labsim_scenario::model::{NodeName, StepAction};

/// The small lab with both families everywhere.
const TOPOLOGY: &str = "\
nodes:
  client: {interfaces: {eth0: [192.168.11.201/24, 2001:db8:11::201/64]}}
  router:
    forward: true
    interfaces:
      client: [192.168.11.1/24, 2001:db8:11::1/64]
      lb: [172.16.0.1/24, 2001:db8:16::1/64]
      servers: [10.1.1.1/24, 2001:db8:1::1/64]
    routes: {172.16.4.99: 172.16.0.10, 2001:db8:4::99: 2001:db8:16::10}
  lb: {interfaces: {eth0: [172.16.0.10/24, 2001:db8:16::10/64]}}
  rs1: {interfaces: {eth0: [10.1.1.51/24, 2001:db8:1::51/64]}}
  rs2: {interfaces: {eth0: [10.1.1.52/24, 2001:db8:1::52/64]}}
links:
  - [\"client:eth0\", \"router:client\"]
  - [\"lb:eth0\", \"router:lb\"]
segments:
  servers: [\"router:servers\", \"rs1:eth0\", \"rs2:eth0\"]
";

/// VIPs and members of both: rs1 is a member by either address, rs2 by IPv6's.
const SCENARIO: &str = "\
topology: lab.yaml
load_balancers:
  lb:
    outer_source: egress
    virtual_servers:
      vs4: {destination: 172.16.4.99:49, pool: p}
      vs6: {destination: '[2001:db8:4::99]:49', pool: p}
    pools:
      p: {profile: ipip, members: [10.1.1.51:49, '[2001:db8:1::51]:49', '[2001:db8:1::52]:49']}
real_servers:
  - nodes: [rs1, rs2]
    tunnel: ipip
    vip: [172.16.4.99, 2001:db8:4::99]
    sysctls: {net.ipv4.conf.ip6tnl1.rp_filter: 0}
tacacs_servers:
  - {nodes: [rs1, rs2], secret: s, clients: [192.168.11.0/24, 2001:db8:11::/64], users: {u: p}}
steps:
  login: {tacacs_login: {from: client, to: '[2001:db8:4::99]:49', user: u, password: p}}
expect:
  told: {answer: {result: pass, source: 2001:db8:4::99}, pass: yes, fail: no}
";

fn devices(node: &str, changes: &[(&str, &str)]) -> Vec<String> {
    let files = Files::new(TOPOLOGY, &changed(SCENARIO, changes));
    let scenario = files.load().unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let server = &scenario.real_servers[&NodeName::new(node).unwrap()];
    let shown = |address: Option<std::net::IpAddr>| {
        address.map_or_else(|| "-".to_owned(), |address| address.to_string())
    };
    let each = server.tunnels.iter().map(|tunnel| {
        format!(
            "{} {} {} {}",
            tunnel.kind.name(),
            tunnel.name,
            shown(tunnel.address),
            shown(tunnel.local)
        )
    });
    each.collect()
}

const SETTINGS: (&str, &str) = ("    sysctls: {net.ipv4.conf.ip6tnl1.rp_filter: 0}\n", "");

#[test]
fn a_server_has_a_device_for_each_kind_of_tunnel_that_ends_on_it() {
    assert_eq!(
        devices("rs1", &[]),
        [
            "ipip tunl0 10.1.1.51 10.1.1.51",
            "sit sit0 - 10.1.1.51",
            "ip6tnl ip6tnl1 10.1.1.51 2001:db8:1::51"
        ]
    );
    assert_eq!(devices("rs2", &[]), ["ip6tnl ip6tnl1 10.1.1.52 2001:db8:1::52"]);
    let gre = [("tunnel: ipip", "tunnel: {mode: gre, key: 7}"), SETTINGS];
    assert_eq!(
        devices("rs1", &gre),
        ["gre gre1 10.1.1.51 10.1.1.51", "ip6gre ip6gre1 10.1.1.51 2001:db8:1::51"]
    );
    let gre = [("tunnel: ipip", "tunnel: gre"), SETTINGS];
    assert_eq!(devices("rs2", &gre), ["ip6gre ip6gre0 10.1.1.52 2001:db8:1::52"]);
}

#[test]
fn only_ipv6_inside_needs_no_address_on_the_device() {
    let only = ("      vs4: {destination: 172.16.4.99:49, pool: p}\n", "");
    let changes = [only, SETTINGS];
    assert_eq!(
        devices("rs1", &changes),
        ["sit sit0 - 10.1.1.51", "ip6tnl ip6tnl1 - 2001:db8:1::51"]
    );
}

#[test]
fn a_server_that_is_no_member_ends_what_its_own_addresses_and_vips_allow() {
    let changes = [
        ("'[2001:db8:1::51]:49', '[2001:db8:1::52]:49'", "'[2001:db8:1::51]:49'"),
        ("vip: [172.16.4.99, 2001:db8:4::99]", "vip: 172.16.4.99"),
    ];
    assert_eq!(
        devices("rs2", &changes),
        ["ipip tunl0 10.1.1.52 10.1.1.52", "ip6tnl ip6tnl1 10.1.1.52 2001:db8:1::52"]
    );
}

#[test]
fn a_made_up_packet_is_of_either_family_inside_and_outside() {
    let step = "\nsteps:\n  packet: {send_packet: {from: lb, source: 2001:db8:11::201, destination: 2001:db8:4::99, \
                destination_port: 7, outer: {mode: gre, source: 172.16.0.10, destination: 10.1.1.51, dont_fragment: true}}}\n";
    let files = Files::new(TOPOLOGY, &changed(SCENARIO, &[("\nsteps:\n", step)]));
    let scenario = files.load().unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let StepAction::SendPacket(packet) = &scenario.steps[0].action else { panic!("no packet") };
    let (_, outer) = packet.outer.unwrap();
    assert!(packet.header.source.is_ipv6() && outer.source.is_ipv4() && outer.dont_fragment);
}

/// What is changed in topology and scenario, and what is then said.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (&[], &[], &[]),
    (
        &[],
        &[("outer_source: egress", "outer_source: client")],
        &[
            "case.yaml:9:36: tunnel packets to the member 10.1.1.51:49 are IPv4, and their source would be the client of `vs6`, which is IPv6; write `outer_source: egress`",
            "case.yaml:9:50: tunnel packets to the member [2001:db8:1::51]:49 are IPv6, and their source would be the client of `vs4`, which is IPv4; write `outer_source: egress`",
            "case.yaml:9:73: tunnel packets to the member [2001:db8:1::52]:49 are IPv6, and their source would be the client of `vs4`, which is IPv4; write `outer_source: egress`",
        ],
    ),
    (
        &[],
        &[("profile: ipip", "profile: none")],
        &[
            "case.yaml:9:36: the member 10.1.1.51:49 is IPv4, `vs6` is IPv6, and only a tunnel carries one in the other; write `profile: ipip` or `profile: gre`",
            "case.yaml:9:50: the member [2001:db8:1::51]:49 is IPv6, `vs4` is IPv4, and only a tunnel carries one in the other; write `profile: ipip` or `profile: gre`",
            "case.yaml:9:73: the member [2001:db8:1::52]:49 is IPv6, `vs4` is IPv4, and only a tunnel carries one in the other; write `profile: ipip` or `profile: gre`",
        ],
    ),
    (
        &[],
        &[
            (
                "vs4: {destination: 172.16.4.99:49",
                "vs4: {translate_address: true, destination: 172.16.4.99:49",
            ),
            ("vs6: {", "vs6: {translate_address: true, source_address_translation: automap, "),
            ("profile: ipip, ", ""),
        ],
        &[
            "case.yaml:9:21: the member 10.1.1.51:49 is IPv4, and `vs6`, which translates addresses, is IPv6; write an IPv6 member",
            "case.yaml:9:35: the member [2001:db8:1::51]:49 is IPv6, and `vs4`, which translates addresses, is IPv4; write an IPv4 member",
            "case.yaml:9:58: the member [2001:db8:1::52]:49 is IPv6, and `vs4`, which translates addresses, is IPv4; write an IPv4 member",
        ],
    ),
    (
        &[
            (
                "lb: {interfaces: {eth0: [172.16.0.10/24, 2001:db8:16::10/64]}}",
                "lb: {interfaces: {eth0: 172.16.0.10/24}}",
            ),
            (", 2001:db8:4::99: 2001:db8:16::10", ""),
        ],
        &[],
        &[
            "case.yaml:9:50: `lb` has no IPv6 address to reach [2001:db8:1::51]:49 from; give it one",
            "case.yaml:9:73: `lb` has no IPv6 address to reach [2001:db8:1::52]:49 from; give it one",
        ],
    ),
    (
        &[
            ("links:\n", "links:\n  - {endpoints: [\"lb:eth0\", \"router:lb\"], mtu: 1319}\n"),
            ("  - [\"lb:eth0\", \"router:lb\"]\n", ""),
        ],
        &[],
        &[
            "case.yaml:9:20: the load balancer's MTU of 1319 bytes leaves IPv6 1279 inside the tunnel, and it needs 1280; give its interface 1320 or more",
        ],
    ),
    (
        &[
            ("links:\n", "links:\n  - {endpoints: [\"lb:eth0\", \"router:lb\"], mtu: 1320}\n"),
            ("  - [\"lb:eth0\", \"router:lb\"]\n", ""),
        ],
        &[],
        &[],
    ),
    (
        &[],
        &[("tunnel: ipip", "tunnel: {mode: ipip, device: t}"), SETTINGS],
        &[
            "case.yaml:11:13: several kinds of tunnel end on `rs1`, each on a device of its own (`tunl0`, `sit0` and `ip6tnl1`); leave `device: t` out",
        ],
    ),
    (
        &[],
        &[("tunnel: ipip", "tunnel: gue"), SETTINGS],
        &[
            "case.yaml:11:13: IPv4 and IPv6 cannot share a UDP port of `rs1` (`tunl0` and `sit0`); use GUE for the VIPs of one family",
        ],
    ),
    (
        &[],
        &[("net.ipv4.conf.ip6tnl1.rp_filter", "net.ipv4.conf.tunl0.rp_filter")],
        &[
            "case.yaml:14:15: `net.ipv4.conf.tunl0.rp_filter`: one of these nodes has no interface `tunl0`; name one that all of them have",
        ],
    ),
    (
        &[],
        &[("vs6: {", "vs6: {persistence: {source_address: {prefix_length: 129}}, ")],
        &["case.yaml:7:59: a prefix of 129 bits; write 1 to 128"],
    ),
    (
        &[],
        &[(
            "\nsteps:\n",
            "\nsteps:\n  packet: {send_packet: {from: lb, source: 10.0.0.1, destination: 2001:db8:4::99, destination_port: 7, \
             outer: {mode: ipip, source: 2001:db8:16::10, destination: 2001:db8:1::51, dont_fragment: true}}}\n",
        )],
        &[
            "case.yaml:18:67: source and destination are of different families; give both the same",
            "case.yaml:18:193: IPv6 has no don't-fragment bit; leave `dont_fragment` out",
        ],
    ),
    (
        &[],
        &[
            (", '[2001:db8:1::51]:49', '[2001:db8:1::52]:49'", ""),
            ("      vs6: {destination: '[2001:db8:4::99]:49', pool: p}\n", ""),
            ("profile: ipip", "profile: none"),
            (
                "\nsteps:\n",
                "\nsteps:\n  more: {add_member: {node: lb, pool: p, member: '[2001:db8:1::52]:49'}}\n",
            ),
            ("ip6tnl1", "tunl0"),
        ],
        &[
            "case.yaml:17:50: the member [2001:db8:1::52]:49 is IPv6, `vs4` is IPv4, and only a tunnel carries one in the other; write `profile: ipip` or `profile: gre`",
        ],
    ),
];

#[test]
fn each_error_is_reported_at_its_place() {
    let mut wrong = Vec::new();
    for (topology, scenario, expected) in CASES {
        let files = Files::new(&changed(TOPOLOGY, topology), &changed(SCENARIO, scenario));
        let found = files.load().err().map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
        if !is_as_expected(&found, expected) {
            wrong.push(format!(
                "{topology:?} {scenario:?}\nexpected {expected:#?}\nfound {found:#?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
