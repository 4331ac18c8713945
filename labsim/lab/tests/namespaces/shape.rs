//! The shipped lab's shape, made in code: client, router, load balancer, three servers.

use labsim_lab::{Lab, LabPlan, TunnelMode, probe};
use labsim_scenario::model::{
    Attachment, Interface, InterfaceName, Link, Node, NodeName, Place, RealServer, Route,
    RouteMetrics, Scenario, ScenarioName, Scope, Segment, SegmentName, Setting, Topology,
    TunnelDevice, TunnelKind, VipAddress,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const VIP: &str = "172.16.4.99";

pub(crate) fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

pub(crate) fn device(text: &str) -> InterfaceName {
    InterfaceName::new(text).unwrap()
}

fn interface(text: &str, address: &str) -> Interface {
    let addresses = vec![address.parse().unwrap()];
    Interface { name: device(text), addresses, mtu: 1500, offloads: false }
}

pub(crate) fn route(to: &str, via: &str, out: &str) -> Route {
    let (destination, via) = (to.parse().unwrap(), via.parse().unwrap());
    Route { destination, via: vec![via], interface: device(out) }
}

pub(crate) fn host(text: &str, address: &str, gateway: &str) -> Node {
    Node {
        name: name(text),
        forward: false,
        at: None,
        interfaces: vec![interface("eth0", address)],
        routes: vec![route("0.0.0.0/0", gateway, "eth0")],
        sysctls: BTreeMap::new(),
    }
}

pub(crate) fn at(node: &str, interface: &str) -> Attachment {
    Attachment { node: name(node), interface: device(interface) }
}

pub(crate) fn topology() -> Topology {
    let router = Node {
        name: name("router"),
        forward: true,
        at: None,
        interfaces: vec![
            interface("client", "192.168.11.1/24"),
            interface("lb", "172.16.3.1/24"),
            interface("servers", "10.1.1.1/24"),
        ],
        routes: vec![route("172.16.4.99/32", "172.16.3.2", "lb")],
        sysctls: BTreeMap::new(),
    };
    Topology {
        name: "one-arm-routed".into(),
        nodes: vec![
            host("client", "192.168.11.201/24", "192.168.11.1"),
            router,
            host("lb", "172.16.3.2/24", "172.16.3.1"),
            host("rs1", "10.1.1.51/24", "10.1.1.1"),
            host("rs2", "10.1.1.52/24", "10.1.1.1"),
            host("rs3", "10.1.1.53/24", "10.1.1.1"),
        ],
        links: vec![
            Link { ends: [at("client", "eth0"), at("router", "client")] },
            Link { ends: [at("router", "lb"), at("lb", "eth0")] },
        ],
        segments: vec![Segment {
            name: SegmentName::new("servers").unwrap(),
            ports: vec![
                at("router", "servers"),
                at("rs1", "eth0"),
                at("rs2", "eth0"),
                at("rs3", "eth0"),
            ],
            mtu: 1500,
        }],
    }
}

pub(crate) fn sysctls(of: &[(&str, &str)]) -> BTreeMap<String, Setting> {
    let place = Place { file: "x.yaml".to_owned(), line: 3 };
    let setting = |value: &str| Setting { value: value.to_owned(), place: place.clone() };
    of.iter().map(|(key, value)| ((*key).to_owned(), setting(value))).collect()
}

pub(crate) fn real_server(address: &str) -> RealServer {
    RealServer {
        group: Some("servers".to_owned()),
        tunnels: vec![TunnelDevice {
            up: true,
            kind: TunnelKind::Ipip,
            name: device("tunl0"),
            address: Some(address.parse().unwrap()),
            local: Some(address.parse().unwrap()),
        }],
        routes: RouteMetrics::default(),
        vips: vec![VipAddress {
            address: VIP.parse().unwrap(),
            interface: device("lo"),
            label: Some("lo:0".into()),
            scope: Scope::Host,
        }],
        sysctls: sysctls(&[
            ("net.ipv4.conf.all.arp_announce", "2"),
            ("net.ipv4.conf.all.arp_ignore", "3"),
            ("net.ipv4.conf.all.rp_filter", "2"),
            ("net.ipv4.conf.tunl0.rp_filter", "0"),
        ]),
    }
}

pub(crate) fn scenario() -> Scenario {
    let servers = [("rs1", "10.1.1.51"), ("rs2", "10.1.1.52"), ("rs3", "10.1.1.53")];
    Scenario {
        name: ScenarioName::new("shape").unwrap(),
        tags: BTreeSet::new(),
        topology: topology(),
        load_balancers: BTreeMap::new(),
        real_servers: servers
            .into_iter()
            .map(|(node, address)| (name(node), real_server(address)))
            .collect(),
        tacacs_servers: BTreeMap::new(),
        radius_servers: BTreeMap::new(),
        services: BTreeMap::new(),
        filters: Vec::new(),
        impairments: BTreeMap::new(),
        processes: Vec::new(),
        captures: labsim_scenario::model::Captures::default(),
        steps: Vec::new(),
        expectations: Vec::new(),
    }
}

/// A TUN device if this user can have one; otherwise a veth end.
pub(crate) fn userspace_mode() -> TunnelMode {
    match probe::tun_device() {
        Ok(()) => TunnelMode::Userspace,
        Err(_) => TunnelMode::UserspaceVeth,
    }
}

pub(crate) fn build(plan: &LabPlan) -> Lab {
    Lab::build(plan).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn shipped() -> Lab {
    build(&LabPlan::of(&scenario(), userspace_mode()))
}

/// Two hosts on one link, without a router.
pub(crate) fn pair() -> Topology {
    let mut topology = topology();
    topology.nodes =
        vec![host("a", "10.0.0.1/24", "10.0.0.2"), host("b", "10.0.0.2/24", "10.0.0.1")];
    topology.links = vec![Link { ends: [at("a", "eth0"), at("b", "eth0")] }];
    topology.segments.clear();
    topology
}
