//! IPv6 in every format: VIPs, members, the load balancer's own addresses, beside IPv4 and across families.

use crate::common::{Import, imported, lb, load, places, scenarios};
use labsim_import::{a10, export, f5, ipvs, keepalived};
use labsim_scenario::model::{LoadBalancer, OuterSource, Scenario, TunnelKind};
use std::net::IpAddr;

const F5: &str = "\
ltm pool p { members { 2001:db8:1::51.49 { address 2001:db8:1::51 } 2001:db8:1::52.tacacs { address 2001:db8:1::52 } } TUNNEL }
ltm virtual vs { destination 2001:db8:4::99.49 mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ip-protocol tcp pool p source ::/0 TRANSLATION }
";

const A10: &str = "\
slb server rs1 2001:db8:1::51
  port 49 tcp
slb server rs2 2001:db8:1::52
  port 49 tcp
slb service-group p tcp
  member rs1 49
  member rs2 49
slb virtual-server vs 2001:db8:4::99
  port 49 tcp
    service-group p
";

const IPVS: &str = "\
-A -t [2001:db8:4::99]:49 -s rr
-a -t [2001:db8:4::99]:49 -r [2001:db8:1::51]:49 -WAY
-a -t [2001:db8:4::99]:49 -r [2001:db8:1::52]:49 -WAY
";

const KEEPALIVED: &str = "\
virtual_server 2001:db8:4::99 49 {
  lvs_sched rr
  lvs_method WAY
  real_server 2001:db8:1::51 49 { }
  real_server 2001:db8:1::52 49 { }
}
";

/// A format's text of one virtual server with two members, for a way to them.
fn text(format: &str, way: &str) -> (Import, String) {
    let translation = |direct: &str, snat: &str, dnat: &str| {
        match way {
            "tunnel" | "direct" => direct,
            "snat" => snat,
            _ => dnat,
        }
        .to_owned()
    };
    let is_tunnel = way == "tunnel";
    match format {
        "f5" => {
            let tunnel = if is_tunnel { "profiles { ip6ip6 }" } else { "" };
            let translation = translation(
                "translate-address disabled",
                "source-address-translation { type automap }",
                "",
            );
            (f5::import, F5.replace("TUNNEL", tunnel).replace("TRANSLATION", &translation))
        }
        "a10" => {
            let lines = translation("    no-dest-nat\n", "    source-nat auto\n", "");
            let tunnel = if is_tunnel { "    ipinip\n" } else { "" };
            (a10::import, format!("{A10}{lines}{tunnel}"))
        }
        "ipvs" => {
            let way = translation(if is_tunnel { "i" } else { "g" }, "m", "m");
            (ipvs::import, IPVS.replace("WAY", &way))
        }
        _ => {
            let way = translation(if is_tunnel { "TUN" } else { "DR" }, "NAT", "NAT");
            (keepalived::import, KEEPALIVED.replace("WAY", &way))
        }
    }
}

fn addresses(scenario: &Scenario, node: &str) -> Vec<String> {
    let nodes = scenario.topology.nodes.iter().filter(|it| it.name.as_str() == node);
    let interfaces = nodes.flat_map(|node| &node.interfaces);
    interfaces.flat_map(|it| &it.addresses).map(ToString::to_string).collect()
}

#[test]
fn each_format_and_way_gives_a_lab_of_ipv6_alone() {
    for format in ["f5", "a10", "ipvs", "keepalived"] {
        for way in ["tunnel", "direct", "snat", "dnat"] {
            let (import, text) = text(format, way);
            let imported = imported(import, "x.conf", &text);
            assert_eq!(imported.not_imported, [], "{text}");
            let scenario = load(&imported);
            let one = lb(&scenario).virtual_servers.values().next().unwrap();
            assert_eq!(one.destination.to_string(), "[2001:db8:4::99]:49", "{text}");
            assert_eq!(one.translate_address, !["tunnel", "direct"].contains(&way), "{text}");
            let members = &lb(&scenario).pools[&one.pool].members;
            assert_eq!(members[1].address.to_string(), "[2001:db8:1::52]:49");
            for node in &scenario.topology.nodes {
                let mut own = node.interfaces.iter().flat_map(|it| &it.addresses);
                assert!(own.all(|net| net.addr().is_ipv6()), "{text}: {}", imported.topology);
            }
            assert!(!imported.scenario.contains("net.ipv4.conf"), "{}", imported.scenario);
            if way == "tunnel" {
                let server = scenario.real_servers.values().next().unwrap();
                assert_eq!(server.tunnels[0].kind, TunnelKind::Ip6tnl, "{text}");
            }
        }
    }
}

#[test]
fn the_expectations_are_those_of_the_way() {
    for (way, parts) in [
        ("tunnel", ["source: 2001:db8:4::99", "replies_pass_by", "client: 2001:db8:11::201"]),
        ("direct", ["source: 2001:db8:4::99", "replies_pass_by", "client: 2001:db8:11::201"]),
        ("snat", ["source: 2001:db8:4::99", "replies_cross", "client: 2001:db8:16::10"]),
        ("dnat", ["result: timeout", "server_answers", "2001:db8:1::51"]),
    ] {
        let (import, text) = text("f5", way);
        let imported = imported(import, "x.conf", &text);
        for part in parts {
            // On one segment the load balancer has another address.
            assert!(imported.scenario.contains(part), "{way}: {part}: {}", imported.scenario);
        }
    }
}

#[test]
fn own_addresses_and_routes_of_ipv6_are_the_labs() {
    let own = "net self s { address 2001:db8:1::2/64 }\nnet self t { address 2001:db8:7::2/60 }\n\
               net route default6 { gw 2001:db8:7::1 network default-inet6 }\n";
    let (import, text) = text("f5", "tunnel");
    let far = imported(import, "x.conf", &format!("{text}{own}"));
    let scenario = load(&far);
    assert_eq!(addresses(&scenario, "lb"), ["2001:db8:7::2/60"]);
    assert!(addresses(&scenario, "router").contains(&"2001:db8:7::1/60".to_owned()));
    assert_eq!(places(&far.not_imported), ["3: own address 2001:db8:1::2/64"]);
    let own = "interface ve 10\n  ipv6 address 2001:db8:1::2/64\nipv6 route ::/0 2001:db8:1::fe\n";
    let (import, text) = self::text("a10", "direct");
    let beside = imported(import, "x.conf", &format!("{text}{own}"));
    let scenario = load(&beside);
    assert_eq!(addresses(&scenario, "lb"), ["2001:db8:1::2/64"]);
    assert!(addresses(&scenario, "router").contains(&"2001:db8:1::fe/64".to_owned()));
    assert_eq!(beside.not_imported, []);
}

/// One virtual server of each family, with members of their own.
const BOTH: &str = "\
ltm pool p4 { members { 10.1.1.51:49 { address 10.1.1.51 } } }
ltm pool p6 { members { 2001:db8:1::51.49 { address 2001:db8:1::51 } } }
ltm virtual vs4 { destination 10.1.1.99:49 ip-protocol tcp pool p4 translate-address disabled }
ltm virtual vs6 { destination 2001:db8:1::99.49 ip-protocol tcp pool p6 translate-address disabled }
";

#[test]
fn both_families_share_the_load_balancers_segment() {
    let imported = imported(f5::import, "x.conf", BOTH);
    let scenario = load(&imported);
    assert_eq!(addresses(&scenario, "lb"), ["10.1.1.10/24", "2001:db8:1::10/64"]);
    assert_eq!(addresses(&scenario, "client").len(), 2);
    assert_eq!(imported.topology.matches("servers: [").count(), 2, "{}", imported.topology);
    assert!(!imported.topology.contains("servers2"), "{}", imported.topology);
    assert!(imported.scenario.contains("vs4_login") && imported.scenario.contains("vs6_login"));
}

/// IPv4 and IPv6 clients, servers of both, a tunnel to each.
const ACROSS: &str = "\
ltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 } 2001:db8:1::52.49 { address 2001:db8:1::52 } } profiles { ipip } }
ltm virtual vs4 { destination 172.16.4.99:49 ip-protocol tcp pool p translate-address disabled }
ltm virtual vs6 { destination 2001:db8:4::99.49 ip-protocol tcp pool p translate-address disabled }
";

#[test]
fn a_tunnel_carries_each_family_in_the_other() {
    let imported = imported(f5::import, "x.conf", ACROSS);
    assert_eq!(imported.not_imported, []);
    assert_eq!(imported.warnings.len(), 1);
    assert!(imported.warnings[0].why.contains("outer_source: egress"));
    let scenario = load(&imported);
    assert_eq!(lb(&scenario).outer_source, OuterSource::Egress);
    assert_eq!(lb(&scenario).pools.len(), 1);
    for node in ["rs1", "rs2", "lb", "client"] {
        let families: Vec<bool> = addresses(&scenario, node)
            .iter()
            .map(|net| net.split('/').next().unwrap().parse::<IpAddr>().unwrap().is_ipv4())
            .collect();
        assert!(families.contains(&true) && families.contains(&false), "{node}: {families:?}");
    }
    let kinds: Vec<Vec<TunnelKind>> = scenario
        .real_servers
        .values()
        .map(|server| server.tunnels.iter().map(|tunnel| tunnel.kind).collect())
        .collect();
    assert_eq!(kinds, [vec![TunnelKind::Ipip, TunnelKind::Sit], vec![TunnelKind::Ip6tnl]]);
    for setting in ["net.ipv4.conf.tunl0.rp_filter: 0", "net.ipv4.conf.ip6tnl1.rp_filter: 0"] {
        assert!(imported.scenario.contains(setting), "{}", imported.scenario);
    }
}

#[test]
fn without_a_tunnel_a_pool_of_both_families_becomes_two() {
    let text = ACROSS.replace("profiles { ipip }", "");
    for (from, why) in [
        ("translate-address disabled", "only a tunnel carries"),
        ("translate-address enabled", "labsim translates no"),
    ] {
        let text = text.replace("translate-address disabled", from);
        let imported = imported(f5::import, "x.conf", &text);
        assert_eq!(
            places(&imported.not_imported),
            ["1: ltm virtual vs6: member 10.1.1.51", "1: ltm virtual vs4: member 2001:db8:1::52"]
        );
        assert!(imported.not_imported.iter().all(|note| note.why.contains(why)));
        let scenario = load(&imported);
        let pools: Vec<&String> = lb(&scenario).pools.keys().collect();
        assert_eq!(pools, ["p-IPv4", "p-IPv6"]);
    }
}

#[test]
fn snat_addresses_of_the_other_family_are_listed() {
    let text = "\
ltm snatpool s { members { 2001:db8:16::98 10.9.9.9 } }
ltm pool p { members { 2001:db8:1::51.49 { address 2001:db8:1::51 } } }
ltm virtual vs { destination 2001:db8:4::99.49 ip-protocol tcp pool p source-address-translation { type snat pool s } }
";
    let imported = imported(f5::import, "x.conf", text);
    assert_eq!(places(&imported.not_imported), ["3: ltm virtual vs: SNAT address 10.9.9.9"]);
    load(&imported);
    assert!(
        imported.scenario.contains("{snat: [\"2001:db8:16::98\"]}")
            || imported.scenario.contains("{snat: [2001:db8:16::98]}"),
        "{}",
        imported.scenario
    );
}

#[test]
fn gue_of_both_families_to_one_server_is_left_out() {
    let rule = |vip: &str| {
        format!(
            "-A -t {vip}:49 -s rr\n-a -t {vip}:49 -r 10.1.1.51:49 -i --tun-type gue --tun-port 6080 --tun-nocsum\n"
        )
    };
    let text = format!("{}{}", rule("172.16.4.99"), rule("[2001:db8:4::99]"));
    let imported = imported(ipvs::import, "x.txt", &text);
    assert_eq!(places(&imported.not_imported), ["3: -A -t [2001:db8:4::99]:49"]);
    load(&imported);
}

/// What the formats' names and defaults leave as it was.
fn shape(balancer: &LoadBalancer) -> Vec<String> {
    let servers = balancer.virtual_servers.values().map(|one| {
        let pool = &balancer.pools[&one.pool];
        let members: Vec<String> = pool
            .members
            .iter()
            .map(|member| format!("{:?}", (member.address, pool.profile_of(member))))
            .collect();
        format!("{} {} {:?} {members:?}", one.destination, one.translate_address, one.persistence)
    });
    let mut all: Vec<String> = servers.collect();
    all.sort();
    all
}

#[test]
fn shipped_scenarios_of_ipv6_come_back_from_each_format() {
    type Export = fn(&Scenario) -> String;
    let formats: [(&str, Export, Import); 4] = [
        ("f5", export::f5, f5::import),
        (
            "a10",
            |scenario| {
                let (node, balancer) = scenario.load_balancers.iter().next().unwrap();
                export::a10(scenario, node, balancer).text
            },
            a10::import,
        ),
        ("ipvs", |scenario| export::ipvs(lb(scenario)).text, ipvs::import),
        (
            "keepalived",
            |scenario| export::keepalived(scenario, lb(scenario)).text,
            keepalived::import,
        ),
    ];
    for name in ["tacacs-6in6", "tacacs-6in4", "tacacs-4in6", "snat-ipv6", "two-families"] {
        let before = crate::common::read(&scenarios().join(format!("ipv6/{name}.yaml")));
        for (format, export, import) in formats {
            let text = export(&before);
            let after = load(&imported(import, "x.conf", &text));
            assert_eq!(shape(lb(&after)), shape(lb(&before)), "{name} {format}: {text}");
        }
    }
}

#[test]
fn persistence_of_ipv6_keeps_its_prefix_length() {
    let before = "  lb:\n    outer_source: egress\n    virtual_servers:\n      vs: {destination: \"[2001:db8:4::99]:49\", pool: p, persistence: {source_address: {timeout: 120, prefix_length: 56}}}\n    pools: {p: {profile: ipip, members: [10.1.1.51:49]}}\n";
    let before = with_ipv6(before);
    let (node, balancer) = before.load_balancers.iter().next().unwrap();
    for (text, import) in [
        (export::f5(&before), f5::import as Import),
        (export::a10(&before, node, balancer).text, a10::import),
        (export::ipvs(balancer).text, ipvs::import),
        (export::keepalived(&before, balancer).text, keepalived::import),
    ] {
        let after = load(&imported(import, "x.conf", &text));
        assert_eq!(shape(lb(&after)), shape(balancer), "{text}");
    }
}

/// A scenario with these load balancers, in the shipped topology of both families.
fn with_ipv6(load_balancers: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.yaml");
    let topology = concat!(env!("CARGO_MANIFEST_DIR"), "/../../topologies/one-arm-dual.yaml");
    std::fs::copy(topology, folder.path().join("topology.yaml")).unwrap();
    let text = format!(
        "topology: topology.yaml\nload_balancers:\n{load_balancers}\
         tacacs_servers: [{{nodes: rs1, secret: s, clients: [0.0.0.0/0], users: {{u: p}}}}]\n\
         steps: {{login: {{tacacs_login: {{from: client, to: 10.1.1.51:49, user: u, password: p}}}}}}\n\
         expect: {{login: {{answer: {{result: pass}}, pass: yes, fail: no}}}}\n"
    );
    std::fs::write(&path, text).unwrap();
    crate::common::read(&path)
}
