//! Every error that a topology file can have, with its exact place and sentence.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};

/// What is changed in the valid topology, and what is then said of it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (
        &[("\"client:eth0\"", "\"clint:eth0\"")],
        &[
            "lab.yaml:2:25: `client:eth0` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:11:6: unknown node `clint`; `nodes` has `client`, `router`, `lb`, `rs1` and `rs2`",
        ],
    ),
    (
        &[("\"client:eth0\"", "\"client:eth1\"")],
        &[
            "lab.yaml:2:25: `client:eth0` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:11:6: `client` has no interface `eth1`; it has `eth0`",
        ],
    ),
    (
        &[("\"client:eth0\"", "client")],
        &[
            "lab.yaml:2:25: `client:eth0` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:11:6: `client` is not a valid `node:interface`; write it such as `lb:eth0`",
        ],
    ),
    (
        &[("\"client:eth0\"", "\"rs1:eth0\"")],
        &[
            "lab.yaml:2:25: `client:eth0` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:5:26: 192.168.11.1/24 is not of the subnet on this wire, 10.1.1.0/24, where `rs1:eth0` is; give `router:client` an address of it",
            "lab.yaml:14:31: `rs1:eth0` is linked twice, first in line 11; give the node another interface",
        ],
    ),
    (
        &[(", \"rs2:eth0\"]", "]")],
        &[
            "lab.yaml:9:22: `rs2:eth0` is not linked; name it in `links` or `segments`, or leave it out",
        ],
    ),
    (
        &[("[\"client:eth0\", \"router:client\"]", "[\"client:eth0\"]")],
        &[
            "lab.yaml:5:18: `router:client` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:11:5: a link has two ends, and this one has 1; write `[\"a:eth0\", \"b:eth0\"]`, or a segment where more meet",
        ],
    ),
    (
        &[("[\"router:servers\", \"rs1:eth0\", \"rs2:eth0\"]", "[]")],
        &[
            "lab.yaml:5:62: `router:servers` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:8:22: `rs1:eth0` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:9:22: `rs2:eth0` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:14:12: this segment has no interface; name its `node:interface`s",
        ],
    ),
    (
        &[("10.1.1.52/24", "10.1.1.51/24")],
        &[
            "lab.yaml:9:28: 10.1.1.51 is the address of `rs1:eth0` already (line 8); give each its own",
        ],
    ),
    (
        &[("10.1.1.52/24", "10.1.2.52/24")],
        &[
            "lab.yaml:9:28: 10.1.2.52/24 is not of the subnet on this wire, 10.1.1.0/24, where `router:servers` is; give `rs2:eth0` an address of it",
        ],
    ),
    (
        &[("10.1.1.52/24", "10.1.1.52/16")],
        &[
            "lab.yaml:9:28: 10.1.1.52/16 is not of the subnet on this wire, 10.1.1.0/24, where `router:servers` is; give `rs2:eth0` an address of it",
        ],
    ),
    (
        &[("192.168.11.201/24", "192.168.12.201/24")],
        &[
            "lab.yaml:5:26: 192.168.11.1/24 is not of the subnet on this wire, 192.168.12.0/24, where `client:eth0` is; give `router:client` an address of it",
        ],
    ),
    (
        &[("10.1.1.52/24", "10.1.1.0/24")],
        &["lab.yaml:9:28: `10.1.1.0/24` is the address of the network itself; write a host's"],
    ),
    (
        &[("10.1.1.52/24", "10.1.1.255/24")],
        &["lab.yaml:9:28: `10.1.1.255/24` is the broadcast address of its network; write a host's"],
    ),
    (
        &[("10.1.1.52/24", "10.1.1.52")],
        &["lab.yaml:9:28: 10.1.1.52 lacks its prefix length; write it such as 10.1.1.52/24"],
    ),
    (
        &[("10.1.1.52/24", "ten")],
        &[
            "lab.yaml:9:28: `ten` is not an address with a prefix length; write one such as 10.1.1.51/24 or 2001:db8::51/64",
        ],
    ),
    (
        &[("10.1.1.52/24", "[10.1.1.52/24, 2001:db8::/64]")],
        &["lab.yaml:9:43: `2001:db8::/64` is the address of the network itself; write a host's"],
    ),
    (
        &[("10.1.1.52/24", "224.0.0.1/24")],
        &["lab.yaml:9:28: 224.0.0.1 is a multicast address; write a global unicast address"],
    ),
    (
        &[("  rs2: {", "  real_server: {"), ("rs2:eth0", "real_server:eth0")],
        &[
            "lab.yaml:9:3: `real_server` is reserved for the server that answered; give the node another name",
        ],
    ),
    (
        &[
            ("{eth0: 10.1.1.52/24}", "{a-very-long-name: 10.1.1.52/24}"),
            ("rs2:eth0", "rs2:a-very-long-name"),
        ],
        &[
            "lab.yaml:9:22: the interface name `a-very-long-name` has 16 bytes; at most 15 are allowed",
        ],
    ),
    (
        &[("{eth0: 10.1.1.52/24}", "{tunl0: 10.1.1.52/24}"), ("rs2:eth0", "rs2:tunl0")],
        &["lab.yaml:9:22: the name `tunl0` is the kernel's own; give this another name"],
    ),
    (
        &[("{eth0: 10.1.1.52/24}", "{lo: 10.1.1.52/24}"), ("\"rs2:eth0\"", "\"rs2:lo\"")],
        &["lab.yaml:9:22: every node has `lo`; leave it out, or give this another name"],
    ),
    (
        &[("172.16.0.10}", "172.17.0.10}")],
        &[
            "lab.yaml:6:27: the next hop 172.17.0.10 is unreachable: `router` is on `192.168.11.0/24`, `172.16.0.0/24` and `10.1.1.0/24`; name a neighbour's address",
        ],
    ),
    (
        &[("172.16.0.10}", "172.16.0.11}")],
        &[
            "lab.yaml:6:27: no node has the next hop's address 172.16.0.11; name an address of a neighbour on the wire of `router:lb`",
        ],
    ),
    (
        &[("172.16.0.10}", "172.16.0.1}")],
        &["lab.yaml:6:27: the next hop 172.16.0.1 is `router` itself; name a neighbour's address"],
    ),
    (
        &[("172.16.0.10}", "nowhere}")],
        &[
            "lab.yaml:6:27: `nowhere` is not an address; write one such as 10.1.1.51 or 2001:db8::51",
        ],
    ),
    (
        &[("172.16.0.10}", "2001:db8::1}")],
        &[
            "lab.yaml:6:27: 2001:db8::1 cannot be the next hop to 172.16.4.99/32; write one of its family",
        ],
    ),
    (
        &[("{172.16.4.99: ", "{172.16.4.99/24: ")],
        &["lab.yaml:6:14: 172.16.4.99/24 has host bits; write 172.16.4.0/24, or `default`"],
    ),
    (
        &[("{172.16.4.99: ", "{vip: ")],
        &[
            "lab.yaml:6:14: `vip` is neither an address nor a prefix; write one such as 10.1.1.51 or 10.1.1.0/24, or `default`",
        ],
    ),
    (
        &[(
            "{172.16.4.99: 172.16.0.10}",
            "{172.16.4.99: 172.16.0.10, 172.16.4.99/32: 172.16.0.10}",
        )],
        &["lab.yaml:6:40: a second route to 172.16.4.99/32 (the first is in line 6); keep one"],
    ),
    (
        &[("{172.16.4.99: 172.16.0.10}", "{172.16.4.99: [172.16.0.10, 172.16.0.10]}")],
        &["lab.yaml:6:41: 172.16.0.10 is a next hop of this route already; keep one"],
    ),
    (
        &[("{172.16.4.99: 172.16.0.10}", "{172.16.4.99: []}")],
        &["lab.yaml:6:14: a route has a next hop; write its address, or a list of several"],
    ),
    (
        &[("{172.16.4.99: 172.16.0.10}", "{172.16.4.99: [172.16.0.10, 10.1.1.51]}")],
        &[
            "lab.yaml:6:41: 10.1.1.51 is reached through `servers`, and the next hop before it through `lb`; the next hops of a route share an interface",
        ],
    ),
    (
        &[("  rs2: {", "  rs2: {forward: true, "), ("  rs1: {", "  rs1: {sysctls: {}, ")],
        &[
            "lab.yaml:8:3: `rs1` has more than one router (`router 10.1.1.1` and `rs2 10.1.1.52`); say which: `routes: {default: 10.1.1.1}`, or `default: none`",
        ],
    ),
    (
        &[("  rs2: {", "  rs2: {sysctls: {net.ipv4.conf.eth1.rp_filter: 0}, ")],
        &[
            "lab.yaml:9:19: `net.ipv4.conf.eth1.rp_filter`: `rs2` has no interface `eth1`; a tunnel device's settings belong to `real_servers` in the scenario",
        ],
    ),
    (
        &[("  rs2: {", "  rs2: {sysctls: {kernel.core_pattern: 0}, ")],
        &[
            "lab.yaml:9:19: `kernel.core_pattern` is not a setting of a network namespace; write one that begins with `net.`, such as `net.ipv4.tcp_timestamps`",
        ],
    ),
    (
        &[("  rs2: {", "  rs2: {sysctls: {net.ipv4.conf/../../x: 0}, ")],
        &["lab.yaml:9:19: `net.ipv4.conf/../../x` holds a `/`; write the name with dots"],
    ),
    (
        &[("  rs2: {", "  rs2: {sysctls: {net.ipv4.ip_forward: 1}, ")],
        &[
            "lab.yaml:9:19: `net.ipv4.ip_forward` is what `forward: true` sets; write that in the topology's node",
        ],
    ),
    (
        &[("  rs2: {", "  rs2: {sysctls: {net.ipv4.tcp_rmem: \"1\\n2\"}, ")],
        &["lab.yaml:9:38: a kernel setting is one line without control characters; write it so"],
    ),
    (
        &[("  rs2: {", "  rs2: {sysctls: {net.ipv4.tcp_rmem: true}, ")],
        &["lab.yaml:9:38: expected …"],
    ),
    (
        &[("eth0: 10.1.1.52/24", "eth0: {addresses: 10.1.1.52/24, mtu: 575}")],
        &["lab.yaml:9:59: an MTU of 575 bytes; write 576 to 65535"],
    ),
    (
        &[(
            "eth0: 10.1.1.52/24",
            "eth0: {addresses: [10.1.1.52/24, \"2001:db8::1/64\"], mtu: 1279}",
        )],
        &["lab.yaml:9:79: an MTU of 1279 bytes is too small for IPv6; write at least 1280"],
    ),
    (
        &[(
            "  - [\"lb:eth0\", \"router:lb\"]",
            "  - {endpoints: [\"lb:eth0\", \"router:lb\"], mtu: 70000}",
        )],
        &["lab.yaml:12:48: an MTU of 70000 bytes; write 576 to 65535"],
    ),
    (
        &[(
            "  - [\"lb:eth0\", \"router:lb\"]",
            "  - {endpoints: [\"lb:eth0\", \"router:lb\"], mut: 1400}",
        )],
        &["lab.yaml:12:43: unknown key `mut`…"],
    ),
    (
        &[
            ("    forward: true", "    forward: true\n    at: [1, -1]"),
            ("10.1.1.51/24}}", "10.1.1.51/24}, at: [2, 1]}"),
            ("10.1.1.52/24}}", "10.1.1.52/24}, at: [2, 1]}"),
            ("172.16.0.10/24}}", "172.16.0.10/24}, at: [2]}"),
            ("192.168.11.201/24}}", "192.168.11.201/24}, at: [100, 0]}"),
        ],
        &[
            "lab.yaml:2:55: [100, 0] is beyond [99, 99]; count columns and rows from 0",
            "lab.yaml:5:9: a place is `[column, row]`, two numbers from 0",
            "lab.yaml:5:13: `-1` is out of range; write a whole number from 0 to 4294967295",
            "lab.yaml:8:48: a place is `[column, row]`, two numbers from 0",
            "lab.yaml:10:47: `rs1` stands at [2, 1] already (line 9); give each its own",
        ],
    ),
    (
        &[
            ("10.1.1.51/24}}", "10.1.1.51/24}, at: [2, 1]}"),
            ("10.1.1.52/24}}", "10.1.1.52/24}, at: [2, 1]}"),
            ("172.16.0.10/24}}", "172.16.0.10/24}, at: [2]}"),
            ("192.168.11.201/24}}", "192.168.11.201/24}, at: [100, 0]}"),
        ],
        &[
            "lab.yaml:2:55: [100, 0] is beyond [99, 99]; count columns and rows from 0",
            "lab.yaml:7:48: a place is `[column, row]`, two numbers from 0",
            "lab.yaml:9:47: `rs1` stands at [2, 1] already (line 8); give each its own",
        ],
    ),
    (&[("    forward: true", "    forward: maybe")], &["lab.yaml:4:14: expected …"]),
    (
        &[("\"lb:eth0\"", "\"lb:eth1\"")],
        &[
            "lab.yaml:7:21: `lb:eth0` is not linked; name it in `links` or `segments`, or leave it out",
            "lab.yaml:12:6: `lb` has no interface `eth1`; it has `eth0`",
        ],
    ),
    (
        &[
            (
                "  rs2: {interfaces: {eth0: 10.1.1.52/24}}",
                "  rs2: {interfaces: {eth0: 10.1.1.52/24, eth1: 172.16.0.20/24}}",
            ),
            ("segments:\n", "segments:\n  alone: [\"rs2:eth1\"]\n"),
            ("172.16.0.10}\n", "172.16.0.20}\n"),
        ],
        &[
            "lab.yaml:6:27: the next hop 172.16.0.20 is `rs2:eth1`, which is not on the wire of `router:lb`",
        ],
    ),
];

#[test]
fn each_error_is_reported_at_its_place() {
    for (changes, expected) in CASES {
        let files = Files::new(&changed(TOPOLOGY, changes), SCENARIO);
        let found = labsim_scenario::load_topology(&files.path("lab.yaml")).map(|_| ());
        let found = found.err().map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
        assert!(
            is_as_expected(&found, expected),
            "{changes:?}\nexpected {expected:#?}\nfound {found:#?}"
        );
    }
}

#[test]
fn a_topology_without_nodes_is_refused() {
    let files = Files::new("nodes: {}\n", SCENARIO);
    let found = labsim_scenario::load_topology(&files.path("lab.yaml")).unwrap_err();
    assert_eq!(shown(&found), ["lab.yaml:1:1: `nodes` is empty; a topology has at least one node"]);
}
