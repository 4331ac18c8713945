//! The star: a router, and hosts on a link and a subnet of their own each, with a default route.

use labsim_scenario::model::{
    Attachment, Interface, InterfaceName, Link, Node, NodeName, Route, Topology,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The router's address on a host's link; the host has the next one.
pub(crate) fn gateway(host: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(host).expect("a host of a bench").to_be_bytes();
    Ipv4Addr::new(10, 16 + high, low, 1)
}

/// A host's own address.
pub(crate) fn address(host: usize) -> Ipv4Addr {
    let [a, b, c, _] = gateway(host).octets();
    Ipv4Addr::new(a, b, c, 2)
}

fn node_name(text: &str) -> NodeName {
    NodeName::new(text).expect("a valid name")
}

fn interface(name: &str, address: Ipv4Addr) -> Interface {
    Interface {
        name: InterfaceName::new(name).expect("a valid name"),
        addresses: vec![format!("{address}/24").parse().expect("a prefix")],
        mtu: 1500,
        offloads: false,
    }
}

/// The star as a file would give it.
pub(crate) fn topology(hosts: usize) -> Topology {
    let mut nodes = vec![Node {
        name: node_name("router"),
        forward: true,
        at: None,
        interfaces: (1..=hosts).map(|it| interface(&format!("r{it}"), gateway(it))).collect(),
        routes: Vec::new(),
        sysctls: BTreeMap::new(),
    }];
    nodes.extend((1..=hosts).map(|it| {
        let eth0 = interface("eth0", address(it));
        Node {
            name: node_name(&format!("h{it}")),
            forward: false,
            at: None,
            routes: vec![Route {
                destination: "0.0.0.0/0".parse().expect("a prefix"),
                via: vec![gateway(it).into()],
                interface: eth0.name.clone(),
            }],
            interfaces: vec![eth0],
            sysctls: BTreeMap::new(),
        }
    }));
    let links = nodes[0].interfaces.iter().zip(&nodes[1..]).map(|(port, host)| Link {
        ends: [
            Attachment { node: nodes[0].name.clone(), interface: port.name.clone() },
            Attachment { node: host.name.clone(), interface: host.interfaces[0].name.clone() },
        ],
    });
    let links = links.collect();
    Topology { name: "star".into(), nodes, links, segments: Vec::new() }
}
