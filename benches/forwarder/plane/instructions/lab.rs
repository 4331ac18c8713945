//! The lab: `ends`, where frames begin and end, and on a link of its own each contestant, which sends
//! back out of its one arm what comes in. Every contestant has both families.

use crate::plane::contestant::{Process, Served, config};
use crate::plane::path::{PORT, VIP, interface_name, links, node_name, sysctls};
use labsim_lab::{LabPlan, Node};
use labsim_scenario::model::{self, Route, Topology};
use labsim_sys::netlink::ipvs::{Key, Method, Server, Service, Tunnel};
use labsim_sys::netlink::{Request, Socket};
use labsim_wire::ethernet::Mac;
use labsim_wire::protocol;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use nix::unistd::Pid;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The nodes: the generator's own share, the kernel, IPVS, the packet ring, the fast path.
const NAMES: [&str; 5] = ["nothing", "ip-forward", "ipvs", "ring", "fast-path"];
const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, 1);
const MEMBERS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 1, 1, 51)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, 1)),
];
pub(in crate::plane) const VIPS: [IpAddr; 2] = [IpAddr::V4(VIP), IpAddr::V6(VIP6)];
/// Titles that are looked for.
pub(in crate::plane) const IP_FORWARD: &str = "ip_forward";
pub(in crate::plane) const IPVS: &str = "IPVS, tunnel";
pub(in crate::plane) const FAST_PATH: &str = "labsim, fast-path";
/// An address without an owner: the receiving kernel drops a frame for it at once.
pub(in crate::plane) const UNOWNED: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

pub(in crate::plane) struct Contestant {
    pub(in crate::plane) title: String,
    /// The other end of its link.
    pub(in crate::plane) interface: String,
    pub(in crate::plane) index: u32,
    /// To which its frames are sent.
    pub(in crate::plane) mac: Mac,
    process: Option<Process>,
}

impl Contestant {
    /// The process that its frames wait for.
    pub(in crate::plane) fn process(&self) -> Option<Pid> {
        self.process.as_ref().map(Process::pid)
    }
}

pub(in crate::plane) struct Lab {
    lab: labsim_lab::Lab,
    pub(in crate::plane) contestants: Vec<Contestant>,
}

impl Lab {
    /// Builds it and starts the contestants. One that the kernel does not have is left out, with the reason.
    pub(in crate::plane) fn build() -> Self {
        let lab = labsim_lab::Lab::build(&LabPlan::of_topology(&topology())).expect("a lab");
        let ends = lab.node(&node_name("ends")).expect("a node").plan().clone();
        let mut contestants = Vec::new();
        for (name, end) in NAMES.iter().zip(&ends.interfaces) {
            let node = lab.node(&node_name(name)).expect("a node");
            let mut mac = Mac(node.plan().interfaces[0].mac);
            let (title, process) = match *name {
                "nothing" => {
                    mac = UNOWNED;
                    ("generator alone".to_owned(), None)
                }
                "ip-forward" => (IP_FORWARD.to_owned(), None),
                "ipvs" => match add_services(node) {
                    Ok(()) => (IPVS.to_owned(), None),
                    Err(error) => {
                        println!("  without IPVS: {error}");
                        continue;
                    }
                },
                _ => {
                    let process = start(node, if *name == "ring" { "none" } else { "full" });
                    (format!("labsim, {}", process.data_plane()), Some(process))
                }
            };
            let (interface, index) = (end.name.to_string(), end.index);
            contestants.push(Contestant { title, interface, index, mac, process });
        }
        Self { lab, contestants }
    }

    pub(in crate::plane) fn ends(&self) -> &Node {
        self.lab.node(&node_name("ends")).expect("a node")
    }

    /// Frames that came back from a contestant so far.
    pub(in crate::plane) fn came_back(&self, contestant: &Contestant) -> u64 {
        let counters = self.ends().interface_counters().expect("counters");
        counters[&contestant.interface].rx_packets
    }

    /// Gives the receiving interfaces another MAC address: from here on forwarded frames are dropped there as
    /// another host's, the cheapest end that a frame can have. Contestants know the next hop by then.
    pub(in crate::plane) fn disown(&self) {
        for (number, contestant) in self.contestants.iter().enumerate() {
            let mut link = LinkMessage::default();
            link.header.index = contestant.index;
            let other = vec![2, 0, 0, 0, 1, number as u8];
            link.attributes.push(LinkAttribute::Address(other));
            let request = Request::new(RouteNetlinkMessage::SetLink(link));
            let set = self.ends().run(|| Socket::open()?.execute(request).map_err(|it| it.errno));
            set.expect("a thread").expect("another link-layer address");
        }
    }
}

fn start(node: &Node, acceleration: &str) -> Process {
    let served = VIPS.iter().zip(MEMBERS).map(|(vip, member)| Served {
        destination: SocketAddr::new(*vip, PORT),
        member: SocketAddr::new(member, PORT),
    });
    let served: Vec<Served> = served.collect();
    Process::start(node, &config("ipip", "udp", &served, acceleration))
}

fn add_services(node: &Node) -> std::io::Result<()> {
    let table = node.ipvs()?.table;
    for (vip, member) in VIPS.iter().zip(MEMBERS) {
        let key = Key { destination: SocketAddr::new(*vip, PORT), protocol: protocol::UDP };
        table.add_service(&Service { key, scheduler: "rr", flags: 0, persistence: None })?;
        let method = Method::Tunnel(Tunnel::Ipip);
        let address = SocketAddr::new(member, PORT);
        table.add_server(key, &Server { address, method, weight: 1 })?;
    }
    Ok(())
}

fn topology() -> Topology {
    let addresses = |n: usize, host: u8| {
        vec![format!("10.0.{}.{host}/24", n + 1), format!("2001:db8:0:{}::{host}/64", n + 1)]
    };
    let interface = |name: &str, addresses: Vec<String>| model::Interface {
        name: interface_name(name),
        addresses: addresses.iter().map(|it| it.parse().expect("a prefix")).collect(),
        mtu: 1500,
        offloads: false,
    };
    let node = |name: &str, interfaces, routes| model::Node {
        name: node_name(name),
        forward: name == "ip-forward",
        at: None,
        interfaces,
        routes,
        sysctls: sysctls(),
    };
    let ends = (0..NAMES.len()).map(|n| interface(&format!("eth{n}"), addresses(n, 9))).collect();
    // A route that leads nowhere: without any, its kernel answers what comes back with an ICMPv6 error.
    let nowhere = Route {
        destination: "::/0".parse().expect("a prefix"),
        via: vec![Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 2).into()],
        interface: interface_name("eth0"),
    };
    let mut nodes = vec![node("ends", ends, vec![nowhere])];
    nodes.extend(NAMES.iter().enumerate().map(|(n, name)| {
        let mut own = addresses(n, 2);
        if *name == "ipvs" {
            // Its kernel has to take packets to them.
            own.extend([format!("{VIP}/32"), format!("{VIP6}/128")]);
        }
        let via = [
            ("0.0.0.0/0", IpAddr::from([10, 0, n as u8 + 1, 9])),
            ("::/0", Ipv6Addr::new(0x2001, 0xdb8, 0, n as u16 + 1, 0, 0, 0, 9).into()),
        ];
        let routes = via.map(|(destination, via)| Route {
            destination: destination.parse().expect("a prefix"),
            via: vec![via],
            interface: interface_name("eth0"),
        });
        node(name, vec![interface("eth0", own)], routes.into())
    }));
    let links = links(&NAMES);
    Topology { name: "instructions".into(), nodes, links, segments: Vec::new() }
}
