//! Every error that load balancers, servers and steps can have, with its exact place and sentence.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};

/// What is changed in the valid scenario, and what is then said of it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

const CASES: &[Case<'_>] = &[
    (&[("topology: lab.yaml", "topology: lap.yaml")], &["case.yaml:1:11: lap.yaml: no such file"]),
    (
        &[("topology: lab.yaml", "topology: ../../etc/passwd")],
        &["case.yaml:1:11: ../../etc/passwd: the name must end in .yaml, .yml or .json"],
    ),
    (&[("topology: lab.yaml\n", "")], &["case.yaml:1:1: the key `topology` is missing…"]),
    (
        &[("  lb:\n", "  lp:\n")],
        &[
            "case.yaml:3:3: unknown node `lp`; the topology has `client`, `router`, `lb`, `rs1` and `rs2`",
        ],
    ),
    (
        &[("  lb:\n", "  router:\n"), ("profile: ipip, ", "")],
        &[
            "case.yaml:7:21: 10.1.1.51 is behind `router:servers`, and the load balancer answers for the VIP at `router:client`: a member behind another interface needs a tunnel and no address translation; write such as `profile: ipip`",
            "case.yaml:7:35: 10.1.1.52 is behind `router:servers`, and the load balancer answers for the VIP at `router:client`: a member behind another interface needs a tunnel and no address translation; write such as `profile: ipip`",
        ],
    ),
    (&[("pool: p}", "pool: q}")], &["case.yaml:5:47: there is no pool `q`; `pools` has `p`"]),
    (
        &[("members: [10.1.1.51:49, 10.1.1.52:49]", "members: []")],
        &["case.yaml:7:35: the pool `p` has no members; add one such as 10.1.1.51:49"],
    ),
    (
        &[("10.1.1.52:49]", "10.1.1.51:49]")],
        &["case.yaml:7:50: 10.1.1.51:49 is a member already; remove one"],
    ),
    (
        &[("10.1.1.52:49]", "10.1.1.54:49]")],
        &["case.yaml:7:50: no node has the member's address 10.1.1.54; name a real server's"],
    ),
    (
        &[("10.1.1.52:49]", "10.1.1.52]")],
        &[
            "case.yaml:7:50: `10.1.1.52` is not an address with a port; write it such as 172.16.4.99:49 or [2001:db8::99]:49",
        ],
    ),
    (
        &[("10.1.1.52:49]", "10.1.1.52:0]")],
        &["case.yaml:7:50: port 0 does not exist; write 1 to 65535, or `any`"],
    ),
    (
        &[("10.1.1.52:49]", "10.1.1.52:any]")],
        &["case.yaml:7:50: `any` stands for every port; write one from 1 to 65535"],
    ),
    (
        &[("10.1.1.52:49]", "10.9.9.9:49]")],
        &["case.yaml:7:50: no node has the member's address 10.9.9.9; name a real server's"],
    ),
    (
        &[("10.1.1.52:49]", "\"[2001:db8::1]:49\"]")],
        &[
            "case.yaml:7:50: tunnel packets to the member [2001:db8::1]:49 are IPv6, and their source would be the client of `vs`, which is IPv4; write `outer_source: egress`",
        ],
    ),
    (
        &[("users: {u: p}}", "users: {u: p}, services: {v: {shell: [priv-lvl]}}}")],
        &[
            "case.yaml:14:90: `v` is no user of this server; add it to `users`",
            "case.yaml:14:102: this attribute has no value; write `name=value`, or `name*value` for one that may be ignored",
        ],
    ),
    (
        &[("profile: ipip", "profile: gree")],
        &[
            "case.yaml:7:20: expected one of `none`, `ipip`, `gre` or `gue`, found `gree`; did you mean `gre`?",
        ],
    ),
    (
        &[("profile: ipip", "profile: ipip, load_balancing_mode: fastest")],
        &[
            "case.yaml:7:47: expected one of `round_robin`, `ratio`, `least_connections`, `ratio_least_connections` or `maglev`, found `fastest`",
        ],
    ),
    (
        &[("profile: ipip", "profile: ipip, load_balancing_mode: {ratio: 5}")],
        &["case.yaml:7:55: `ratio` takes no value; write `ratio` alone"],
    ),
    (
        &[("profile: ipip", "profile: ipip, load_balancing_mode: {maglev: {hash: port}}")],
        &["case.yaml:7:63: expected …"],
    ),
    (
        &[("profile: ipip", "profile: ipip, load_balancing_mode: {maglev: {table_size: 65536}}")],
        &["case.yaml:7:69: 65536 is not a prime; write one such as 65537"],
    ),
    (
        &[("profile: ipip", "profile: ipip, load_balancing_mode: {maglev: {table_size: 1}}")],
        &["case.yaml:7:69: a table of 1 places; write a prime from 2 to 5000011"],
    ),
    (
        &[(
            "profile: ipip",
            "profile: ipip, load_balancing_mode: {maglev: {table_size: 99999999999}}",
        )],
        &[
            "case.yaml:7:69: `99999999999` is out of range; write a whole number from 0 to 4294967295",
        ],
    ),
    (
        &[
            ("profile: ipip", "profile: ipip, load_balancing_mode: {maglev: {table_size: 2}}"),
            ("10.1.1.52:49]", "10.1.1.52:49, 10.1.1.52:50]"),
        ],
        &["case.yaml:7:69: 2 places are too few for 3 members; write a prime of 300 or more"],
    ),
    (
        &[("10.1.1.52:49]", "{address: 10.1.1.52:49, ratio: 65536}]")],
        &["case.yaml:7:81: `65536` is out of range; write a whole number from 0 to 65535"],
    ),
    (&[("10.1.1.52:49]", "{ratio: 2}]")], &["case.yaml:7:50: the key `address` is missing…"]),
    (
        &[("10.1.1.52:49]", "{address: 10.1.1.52:49, weight: 2}]")],
        &["case.yaml:7:74: unknown key `weight`…"],
    ),
    (
        &[("10.1.1.52:49]", "{address: 10.1.1.51:49, ratio: 2}]")],
        &["case.yaml:7:60: 10.1.1.51:49 is a member already; remove one"],
    ),
    (
        &[("pool: p}", "pool: p, persistence: cookie}")],
        &["case.yaml:5:63: expected `none` or `source_address`, found `cookie`"],
    ),
    (
        &[("pool: p}", "pool: p, persistence: {source_address: {timeout: 0, prefix_length: 33}}}")],
        &[
            "case.yaml:5:90: a persistence timeout of 0 s; write 1 to 86400",
            "case.yaml:5:108: a prefix of 33 bits; write 1 to 32",
        ],
    ),
    (&[("profile: ipip", "profile: {gre: {keys: 5}}")], &["case.yaml:7:27: unknown key `keys`…"]),
    (&[("profile: ipip", "profile: {gre: {key: -1}}")], &["case.yaml:7:32: `-1` is out of range…"]),
    (
        &[("destination: 172.16.4.99:49", "destination: 224.0.0.9:49")],
        &["case.yaml:5:25: 224.0.0.9 is a multicast address; write a global unicast address"],
    ),
    (
        &[("destination: 172.16.4.99:49", "destination: 172.16.4.99:70000")],
        &[
            "case.yaml:5:25: `70000` is no port; write 1 to 65535, a range such as 8000-8010, a list of both such as \"80,443,8000-8010\", or `any`",
        ],
    ),
    (
        &[
            ("destination: 172.16.4.99:49", "destination: 10.1.1.51:49"),
            ("to: 172.16.4.99", "to: 10.1.1.51"),
        ],
        &[
            "case.yaml:5:25: the VIP is a member of its own pool `p`; give one of them another address",
            "case.yaml:5:25: the VIP is the address of `rs1:eth0`, whose kernel would answer itself; give the virtual server an address that no other node's interface has",
        ],
    ),
    (&[("pool: p}", "pool: p, translate_address: yes}")], &["case.yaml:5:69: expected …"]),
    (
        &[("pool: p}", "pool: p, source_address_translation: auto}")],
        &["case.yaml:5:78: expected one of `none`, `automap` or `snat`, found `auto`"],
    ),
    (
        &[("pool: p}", "pool: p, source_address_translation: {snat: []}}")],
        &["case.yaml:5:85: `snat` has no address; add one, or write `automap`"],
    ),
    (
        &[(
            "pool: p}",
            "pool: p, source_address_translation: {snat: [10.1.1.51, 172.16.4.99, \"fd00::1\", 172.16.0.99, 172.16.0.99, x]}}",
        )],
        &[
            "case.yaml:5:86: 10.1.1.51 is a member's address, and a server does not answer itself; write another",
            "case.yaml:5:86: 10.1.1.51 is the address of `rs1:eth0`; give SNAT one that no other node has",
            "case.yaml:5:110: fd00::1 is IPv6, and `vs` is IPv4; write an IPv4 address",
            "case.yaml:5:134: 172.16.0.99 is there twice; remove one",
            "case.yaml:5:147: expected an IP address, such as `192.0.2.1` or `2001:db8::1`, found the text `x`",
        ],
    ),
    (
        &[("pool: p}", "pool: p, fastl4: {idle_timeout: 9, reset_on_timeout: 9}}")],
        &["case.yaml:5:94: expected `true` or `false`, found the number `9`"],
    ),
    (
        &[("pool: p}", "pool: p, fastl4: {idle_timeout: 0}}")],
        &["case.yaml:5:73: an idle timeout of 0 s; write 1 to 86400"],
    ),
    (
        &[("      vs: {", "      other: {destination: 172.16.4.99:49, pool: p}\n      vs: {")],
        &["case.yaml:6:25: `other` has the same destination and protocol; give each its own"],
    ),
    (
        &[(
            "    virtual_servers:\n      vs: {destination: 172.16.4.99:49, pool: p}",
            "    virtual_servers: {}",
        )],
        &["case.yaml:4:22: there is no virtual server; add one"],
    ),
    (
        &[("- nodes: [rs1, rs2]", "- nodes: [rs1, rs3]")],
        &[
            "case.yaml:9:18: unknown node `rs3`; the topology has `client`, `router`, `lb`, `rs1` and `rs2`",
        ],
    ),
    (
        &[("- nodes: [rs1, rs2]", "- nodes: [rs1, rs1]")],
        &["case.yaml:9:18: `rs1` is named twice; keep one"],
    ),
    (
        &[("- nodes: [rs1, rs2]", "- nodes: []")],
        &["case.yaml:9:12: no node is named; name at least one"],
    ),
    (
        &[("10.1.1.52:49]", "172.16.0.10:49]")],
        &[
            "case.yaml:5:25: the member 172.16.0.10:49 is `lb` itself, which does not have the VIP 172.16.4.99 and would send its packets away; make `lb` a real server with this VIP, or give it to an interface",
        ],
    ),
    (
        &[
            ("pool: p}", "pool: p, translate_address: true}"),
            ("profile: ipip, members: [10.1.1.51:49, 10.1.1.52:49]", "members: [172.16.0.10:49]"),
            ("- nodes: [rs1, rs2]", "- nodes: [rs1, lb]"),
        ],
        &[
            "case.yaml:5:69: the member 172.16.0.10:49 is `lb` itself, whose answers leave without passing the load balancer and could not be translated back; take `translate_address` out, or the member",
        ],
    ),
    (
        &[
            ("10.1.1.52:49]", "10.1.1.52:49], monitor: {tcp: {transparent: true}}"),
            ("- nodes: [rs1, rs2]", "- nodes: [rs1, lb]"),
        ],
        &[
            "case.yaml:7:74: a transparent monitor cannot probe 172.16.4.99, which `lb` has itself: the packets never leave; remove `transparent`, or take the VIP off the node",
        ],
    ),
    (
        &[("real_servers:\n", "real_servers:\n  - {nodes: rs2}\n")],
        &["case.yaml:10:18: `rs2` is a real server already (line 9); keep one"],
    ),
    (
        &[("tunnel: ipip", "tunnel: vxlan")],
        &[
            "case.yaml:10:13: expected one of `ipip`, `gre` or `gue`, or a map with keys such as `mode`, `device` and `address`, found the text `vxlan`",
        ],
    ),
    (
        &[("tunnel: ipip", "tunnel: {mode: {gue: {variant: 2, ports: 7}}, key: 5}")],
        &[
            "case.yaml:10:39: unknown key `ports`; did you mean `port`? (allowed here are `port` and `variant`)",
            "case.yaml:10:56: only GRE has a key and a checksum; take it out, or write `mode: gre`",
        ],
    ),
    (
        &[("tunnel: ipip", "tunnel: {mode: {gue: {port: 0}}, key: 5}")],
        &[
            "case.yaml:10:26: GUE needs a UDP port; write 1 to 65535",
            "case.yaml:10:43: only GRE has a key and a checksum; take it out, or write `mode: gre`",
        ],
    ),
    (
        &[("tunnel: ipip", "tunnel: {mode: ipip, key: 5, checksum: true}")],
        &[
            "case.yaml:10:31: only GRE has a key and a checksum; take it out, or write `mode: gre`",
            "case.yaml:10:44: only GRE has a key and a checksum; take it out, or write `mode: gre`",
        ],
    ),
    (
        &[("tunnel: ipip", "tunnel: gre")],
        &[
            "case.yaml:12:15: `net.ipv4.conf.tunl0.rp_filter`: one of these nodes has no interface `tunl0`; name one that all of them have",
        ],
    ),
    (
        &[("tunnel: ipip", "tunnel: {mode: ipip, device: eth0}")],
        &[
            "case.yaml:9:13: `rs1` has an interface `eth0` already; give the tunnel another device",
            "case.yaml:9:18: `rs2` has an interface `eth0` already; give the tunnel another device",
        ],
    ),
    (
        &[("tunnel: ipip", "tunnel: {mode: ipip, address: mine}")],
        &[
            "case.yaml:10:35: `mine` is not an address; write one such as 10.1.1.51 or 2001:db8::51, `own` or `none`",
        ],
    ),
    (
        &[("tunnel: ipip", "tunnel: {mode: ipip, device: a-very-long-name}")],
        &[
            "case.yaml:10:34: the interface name `a-very-long-name` has 16 bytes; at most 15 are allowed",
        ],
    ),
    (
        &[("    tunnel: ipip\n", "")],
        &[
            "case.yaml:11:15: `net.ipv4.conf.tunl0.rp_filter`: one of these nodes has no interface `tunl0`; name one that all of them have",
        ],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: 172.16.4.99/32")],
        &["case.yaml:11:10: `172.16.4.99/32` has a prefix length; write the address alone"],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: 255.255.255.255")],
        &[
            "case.yaml:11:10: 255.255.255.255 is the broadcast address; write a global unicast address",
        ],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: 10.1.1.52")],
        &[
            "case.yaml:11:10: 10.1.1.52 is the address of `rs2:eth0`; a VIP is an address that no interface has",
        ],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: [172.16.4.99, 172.16.4.99]")],
        &["case.yaml:11:24: the VIP 172.16.4.99 is named twice; keep one"],
    ),
    (
        &[("    vip: 172.16.4.99", "    routes: {}\n    vip: 172.16.4.99")],
        &["case.yaml:11:13: `routes` is empty; write `mtu` or `advmss`"],
    ),
    (
        &[("    vip: 172.16.4.99", "    routes: {mtu: 67, advmss: 65496}\n    vip: 172.16.4.99")],
        &[
            "case.yaml:11:19: 67 bytes; write 68 to 65520",
            "case.yaml:11:31: 65496 bytes; write 48 to 65495",
        ],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: {address: 172.16.4.99, label: eth0:0}")],
        &["case.yaml:11:40: a label begins with its device and a colon; write such as `lo:0`"],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: {address: 172.16.4.99, label: \"lo:sixteen-bytes\"}")],
        &["case.yaml:11:40: the label has 16 bytes; at most 15 are allowed"],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: {address: \"2001:db8::99\", scope: global}")],
        &[
            "case.yaml:11:43: the kernel derives an IPv6 address's scope from the address; leave it out",
        ],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: {address: \"2001:db8::99\", label: \"lo:0\"}")],
        &["case.yaml:11:43: an IPv6 address has no label; leave it out"],
    ),
    (
        &[("    vip: 172.16.4.99", "    vip: {address: 172.16.4.99, device: dummy0}")],
        &[
            "case.yaml:11:41: `rs1` has no interface `dummy0` to put a VIP on; write such as `lo`",
            "case.yaml:11:41: `rs2` has no interface `dummy0` to put a VIP on; write such as `lo`",
        ],
    ),
    (
        &[("{net.ipv4.conf.tunl0.rp_filter: 0}", "{net.ipv4.conf.tunl1.rp_filter: 0}")],
        &[
            "case.yaml:12:15: `net.ipv4.conf.tunl1.rp_filter`: one of these nodes has no interface `tunl1`; name one that all of them have",
        ],
    ),
    (
        &[("- {nodes: [rs1, rs2], secret: s", "- {nodes: [rs1, rs9], secret: s")],
        &[
            "case.yaml:14:19: unknown node `rs9`; the topology has `client`, `router`, `lb`, `rs1` and `rs2`",
        ],
    ),
    (
        &[(
            "tacacs_servers:\n",
            "tacacs_servers:\n  - {nodes: rs2, secret: s, clients: [10.0.0.1], users: {}}\n",
        )],
        &["case.yaml:15:19: `rs2` runs a TACACS+ server already (line 14); keep one"],
    ),
    (
        &[(
            "tacacs_servers:\n",
            "tacacs_servers:\n  - {nodes: client, secret: t, clients: [10.0.0.1], users: {}}\n",
        )],
        &["case.yaml:17:3: the TACACS+ servers have different secrets; write this step's `secret`"],
    ),
    (
        &[("secret: s", "secret: \"\"")],
        &["case.yaml:14:33: an empty secret; write 1 to 1024 bytes"],
    ),
    (
        &[("secret: s", "port: 0, secret: s")],
        &["case.yaml:14:31: port 0 does not exist; write 1 to 65535"],
    ),
    (
        &[("clients: [192.168.11.0/24]", "clients: []")],
        &[
            "case.yaml:14:45: no client is allowed; write their addresses, or 0.0.0.0/0 for all of IPv4",
        ],
    ),
    (
        &[("clients: [192.168.11.0/24]", "clients: [192.168.11.1/24]")],
        &["case.yaml:14:46: 192.168.11.1/24 has host bits; write 192.168.11.0/24"],
    ),
    (
        &[("users: {u: p}", "users: {u: \"\"}")],
        &["case.yaml:14:75: an empty password; write 1 to 255 bytes"],
    ),
    (
        &[(
            "  - {nodes: [rs1, rs2], secret: s, clients: [192.168.11.0/24], users: {u: p}}\n",
            "  []\n",
        )],
        &[
            "case.yaml:16:3: no TACACS+ server defines a secret; add one to `tacacs_servers`, or write this step's `secret`",
        ],
    ),
    (
        &[(
            "steps:\n",
            "radius_servers:\n  - {nodes: rs2, secret: s, clients: [10.0.0.1], users: {}, reply_message: \"\"}\nsteps:\n",
        )],
        &["case.yaml:16:76: an empty reply message; write 1 to 2024 bytes"],
    ),
    (
        &[("from: client", "from: clint")],
        &[
            "case.yaml:16:32: unknown node `clint`; the topology has `client`, `router`, `lb`, `rs1` and `rs2`",
        ],
    ),
    (
        &[("to: 172.16.4.99:49", "to: 172.16.4.98:49")],
        &[
            "case.yaml:16:44: no node has 172.16.4.98; name a virtual server's destination, or an address of a node",
        ],
    ),
    (
        &[("to: 172.16.4.99:49", "to: 172.16.4.99")],
        &[
            "case.yaml:16:44: `172.16.4.99` is not an address with a port; write it such as 172.16.4.99:49 or [2001:db8::99]:49",
        ],
    ),
    (&[("tacacs_login", "tacacs_logon")], &["case.yaml:16:11: expected …"]),
    (
        &[("  login: {tacacs", "  lo gin: {tacacs")],
        &[
            "case.yaml:16:3: the step name `lo gin` may hold letters, digits, `-`, `_` and `.`, and begins with a letter or a digit",
        ],
    ),
    (&[("user: u, ", "user: u, method: chop, ")], &["case.yaml:16:77: expected …"]),
    (&[("user: u, ", "user: u, close: rst, ")], &["case.yaml:16:76: expected …"]),
    (&[("steps:", "stops:")], &["case.yaml:15:1: unknown key `stops`…"]),
    (
        &[(
            "  login: {tacacs_login: {from: client, to: 172.16.4.99:49, user: u, password: p}}\n",
            "  {}\n",
        )],
        &["case.yaml:1:1: `steps` is empty; a scenario does something, such as a `tacacs_login`"],
    ),
];

#[test]
fn each_error_is_reported_at_its_place() {
    let mut wrong = Vec::new();
    for (changes, expected) in CASES {
        let files = Files::new(TOPOLOGY, &changed(SCENARIO, changes));
        let found = files.load().err().map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
        if !is_as_expected(&found, expected) {
            wrong.push(format!("{changes:?}\nexpected {expected:#?}\nfound {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_member_is_behind_the_interface_of_its_closest_subnet() {
    let client = (
        "client: {interfaces: {eth0: 192.168.11.201/24}}",
        "client: {interfaces: {eth0: 10.1.2.201/16}}",
    );
    let router = ("{client: 192.168.11.1/24,", "{client: 10.1.2.1/16,");
    let topology = changed(TOPOLOGY, &[client, router]);
    let scenario =
        [("  lb:\n", "  router:\n"), ("profile: ipip, ", ""), ("192.168.11.0/24", "10.1.0.0/16")];
    let files = Files::new(&topology, &changed(SCENARIO, &scenario));
    let found = files.load().err().map(|diagnostics| shown(&diagnostics)).unwrap_or_default();
    let behind = |member: &str| {
        let said = format!("10.1.1.{member} is behind `router:servers`");
        found.iter().any(|message| message.contains(&said))
    };
    assert!(behind("51") && behind("52"), "{found:#?}");
}
