//! What a valid topology may leave to be inferred, and the ways to write it.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed};
use labsim_scenario::load_topology;
use labsim_scenario::model::{Node, NodeName, Topology};

fn topology(changes: &[(&str, &str)]) -> Topology {
    let files = Files::new(&changed(TOPOLOGY, changes), SCENARIO);
    load_topology(&files.path("lab.yaml")).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

fn node<'a>(topology: &'a Topology, name: &str) -> &'a Node {
    topology.node(&NodeName::new(name).unwrap()).unwrap()
}

/// The routes of a node as `destination via next-hop dev interface`.
fn routes(topology: &Topology, name: &str) -> Vec<String> {
    let routes = node(topology, name).routes.iter();
    let shown = |route: &labsim_scenario::model::Route| {
        route.arguments(labsim_scenario::model::RouteMetrics::default())
    };
    routes.map(shown).collect()
}

#[test]
fn a_hosts_default_route_is_its_only_router() {
    let lab = topology(&[]);
    assert_eq!(routes(&lab, "client"), ["0.0.0.0/0 via 192.168.11.1 dev eth0"]);
    assert_eq!(routes(&lab, "rs2"), ["0.0.0.0/0 via 10.1.1.1 dev eth0"]);
    assert_eq!(routes(&lab, "router"), ["172.16.4.99/32 via 172.16.0.10 dev lb"]);
}

#[test]
fn a_route_may_have_several_next_hops_and_a_default_route_several_of_each_family() {
    let lab = topology(&[
        (
            "  rs1: {",
            "  rs1: {routes: {default: [10.1.1.1, 10.1.1.52], 192.0.2.0/24: [10.1.1.52, 10.1.1.1]}, ",
        ),
        ("10.1.1.52/24", "[10.1.1.52/24, \"2001:db8:1::52/64\"]"),
    ]);
    assert_eq!(
        routes(&lab, "rs1"),
        [
            "0.0.0.0/0 nexthop via 10.1.1.1 dev eth0 nexthop via 10.1.1.52 dev eth0",
            "192.0.2.0/24 nexthop via 10.1.1.52 dev eth0 nexthop via 10.1.1.1 dev eth0"
        ]
    );
}

#[test]
fn each_family_has_its_own_default_route() {
    let lab = topology(&[
        ("servers: 10.1.1.1/24", "servers: [10.1.1.1/24, \"2001:db8:1::1/64\"]"),
        ("10.1.1.52/24", "[10.1.1.52/24, \"2001:db8:1::52/64\"]"),
    ]);
    assert_eq!(
        routes(&lab, "rs2"),
        ["0.0.0.0/0 via 10.1.1.1 dev eth0", "::/0 via 2001:db8:1::1 dev eth0"]
    );
    assert_eq!(routes(&lab, "rs1").len(), 1);
}

#[test]
fn a_written_default_route_is_kept_and_none_is_none() {
    let lab = topology(&[
        (
            "rs1: {interfaces: {eth0: 10.1.1.51/24}}",
            "rs1: {interfaces: {eth0: 10.1.1.51/24}, routes: {default: 10.1.1.52}}",
        ),
        (
            "rs2: {interfaces: {eth0: 10.1.1.52/24}}",
            "rs2: {interfaces: {eth0: 10.1.1.52/24}, routes: {default: none}}",
        ),
    ]);
    assert_eq!(routes(&lab, "rs1"), ["0.0.0.0/0 via 10.1.1.52 dev eth0"]);
    assert_eq!(routes(&lab, "rs2"), [""; 0]);
}

#[test]
fn with_two_routers_and_a_route_of_ones_own_nothing_is_inferred() {
    let lab = topology(&[
        ("rs2: {interfaces", "rs2: {forward: true, interfaces"),
        (
            "rs1: {interfaces: {eth0: 10.1.1.51/24}}",
            "rs1: {interfaces: {eth0: 10.1.1.51/24}, routes: {192.168.11.0/24: 10.1.1.1}}",
        ),
    ]);
    assert_eq!(routes(&lab, "rs1"), ["192.168.11.0/24 via 10.1.1.1 dev eth0"]);
    assert_eq!(routes(&lab, "rs2"), [""; 0], "a router has the routes that are written");
}

#[test]
fn a_default_route_for_both_families_is_a_list() {
    let lab = topology(&[
        ("servers: 10.1.1.1/24", "servers: [10.1.1.1/24, \"2001:db8:1::1/64\"]"),
        (
            "rs2: {interfaces: {eth0: 10.1.1.52/24}}",
            "rs2: {interfaces: {eth0: [10.1.1.52/24, \"2001:db8:1::52/64\"]}, \
             routes: {default: [10.1.1.1, \"2001:db8:1::1\"]}}",
        ),
    ]);
    assert_eq!(
        routes(&lab, "rs2"),
        ["0.0.0.0/0 via 10.1.1.1 dev eth0", "::/0 via 2001:db8:1::1 dev eth0"]
    );
}

#[test]
fn mtu_and_offloads_come_from_the_wire_and_an_interfaces_own_word_wins() {
    let lab = topology(&[
        (
            "  servers: [\"router:servers\", \"rs1:eth0\", \"rs2:eth0\"]",
            "  servers: {endpoints: [\"router:servers\", \"rs1:eth0\", \"rs2:eth0\"], mtu: 1400, offloads: true}",
        ),
        ("eth0: 10.1.1.52/24", "eth0: {addresses: 10.1.1.52/24, mtu: 9000}"),
    ]);
    let of = |name: &str| {
        let interface = node(&lab, name).interfaces.last().unwrap();
        (interface.mtu, interface.offloads)
    };
    assert_eq!(of("rs1"), (1400, true));
    assert_eq!(of("rs2"), (9000, true));
    assert_eq!(of("client"), (1500, false));
    assert_eq!(lab.segments[0].mtu, 9000, "the bridge carries its largest port's packets");
}

#[test]
fn sysctl_values_are_kept_as_they_are_written() {
    let lab = topology(&[(
        "  client: {",
        "  client: {sysctls: {net.ipv4.tcp_timestamps: 0, net.ipv4.tcp_rmem: 4096 87380 6291456}, ",
    )]);
    let settings = &node(&lab, "client").sysctls;
    assert_eq!(settings["net.ipv4.tcp_timestamps"].value, "0");
    assert_eq!(settings["net.ipv4.tcp_rmem"].value, "4096 87380 6291456");
}

#[test]
fn two_subnets_may_share_a_segment() {
    let lab = topology(&[
        ("servers: 10.1.1.1/24", "servers: [10.1.1.1/24, 10.1.2.1/24]"),
        ("10.1.1.52/24", "10.1.2.52/24"),
    ]);
    assert_eq!(routes(&lab, "rs2"), ["0.0.0.0/0 via 10.1.2.1 dev eth0"]);
}

#[test]
fn files_in_json_are_read_too() {
    let files = Files::new(
        r#"{"nodes": {"a": {"interfaces": {"eth0": "10.0.0.1/31"}}, "b": {"interfaces": {"eth0": "10.0.0.0/31"}}}, "links": [["a:eth0", "b:eth0"]]}"#,
        SCENARIO,
    );
    assert_eq!(load_topology(&files.path("lab.yaml")).unwrap().links.len(), 1);
}
