//! The lab of rates and latencies: `ends`, where frames begin and end, and on a link of its own
//! each contestant, which sends back out of its one arm what comes in.

use super::contestant::{Contestant, NAMES, Process, Served, config};
use super::socket;
use labsim_lab::{LabPlan, Node};
use labsim_scenario::model::{
    self, Attachment, InterfaceName, Link, NodeName, Place, Route, Setting, Topology,
};
use labsim_wire::arp;
use labsim_wire::ethernet::{self, Mac, ethertype};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{LinkAddr, MsgFlags, recvfrom, sendto};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);
pub(super) const PORT: u16 = 49;
/// An address without an owner: the receiving kernel drops a frame for it without parsing it,
/// which is the cheapest end that a frame can have without a program.
const UNOWNED: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

/// The running lab.
pub(super) struct Lab {
    lab: labsim_lab::Lab,
    pub(super) contestants: Vec<Contestant>,
    _neighbour: Neighbour,
}

impl Lab {
    /// Builds it and starts the forwarders.
    pub(super) fn build() -> Self {
        let lab = labsim_lab::Lab::build(&LabPlan::of_topology(&topology())).expect("a lab");
        let neighbour = Neighbour::start(lab.node(&node_name("ends")).expect("a node"));
        let ends = lab.node(&node_name("ends")).expect("a node").plan().clone();
        let contestants = NAMES.iter().zip(&ends.interfaces).map(|(name, end)| {
            let node = lab.node(&node_name(name)).expect("a node");
            let acceleration = match *name {
                "forwarder" => Some("none"),
                "accelerated" => Some("full"),
                _ => None,
            };
            let process = acceleration.map(|acceleration| {
                let destination = SocketAddr::new(VIP.into(), PORT);
                let member = SocketAddr::from(([10, 1, 1, 51], PORT));
                let served = [Served { destination, member }];
                Process::start(node, &config("ipip", "udp", &served, acceleration))
            });
            let mac = if *name == "nothing" { UNOWNED } else { Mac(node.plan().interfaces[0].mac) };
            Contestant { name, interface: end.name.to_string(), index: end.index, mac, process }
        });
        let contestants = contestants.collect();
        Self { lab, contestants, _neighbour: neighbour }
    }

    pub(super) fn ends(&self) -> &Node {
        self.lab.node(&node_name("ends")).expect("a node")
    }

    /// Frames that came back from a contestant so far.
    pub(super) fn came_back(&self, contestant: &Contestant) -> u64 {
        let counters = self.ends().interface_counters().expect("counters");
        counters[&contestant.interface].rx_packets
    }
}

pub(super) fn node_name(text: &str) -> NodeName {
    NodeName::new(text).expect("a valid name")
}

pub(super) fn interface_name(text: &str) -> InterfaceName {
    InterfaceName::new(text).expect("a valid name")
}

pub(super) fn interface(name: &str, address: &str, offloads: bool) -> model::Interface {
    let addresses = vec![address.parse().expect("a prefix")];
    model::Interface { name: interface_name(name), addresses, mtu: 1500, offloads }
}

/// Neither checks of sources nor redirects: a one-armed path looks wrong to both.
pub(super) fn sysctls() -> BTreeMap<String, Setting> {
    let keys = ["rp_filter", "send_redirects", "accept_redirects"];
    let places = ["all", "default"];
    let both = keys.iter().flat_map(|key| places.map(|at| format!("net.ipv4.conf.{at}.{key}")));
    let place = Place { file: "benchmark".to_owned(), line: 1 };
    both.map(|key| (key, Setting { value: "0".to_owned(), place: place.clone() })).collect()
}

fn topology() -> Topology {
    let number = |n: usize| n + 1;
    let mut nodes = vec![model::Node {
        name: node_name("ends"),
        forward: false,
        at: None,
        interfaces: (0..NAMES.len())
            .map(|n| interface(&format!("eth{n}"), &format!("10.0.{}.1/24", number(n)), false))
            .collect(),
        routes: Vec::new(),
        sysctls: sysctls(),
    }];
    nodes.extend(NAMES.iter().enumerate().map(|(n, name)| model::Node {
        name: node_name(name),
        forward: *name == "kernel",
        at: None,
        interfaces: vec![interface("eth0", &format!("10.0.{}.2/24", number(n)), false)],
        routes: vec![Route {
            destination: "0.0.0.0/0".parse().expect("a prefix"),
            via: vec![Ipv4Addr::new(10, 0, number(n) as u8, 9).into()],
            interface: interface_name("eth0"),
        }],
        sysctls: sysctls(),
    }));
    let links = links(&NAMES);
    Topology { name: "forwarder".into(), nodes, links, segments: Vec::new() }
}

/// A link from the node `ends` to each of these.
pub(in crate::plane) fn links(names: &[&str]) -> Vec<Link> {
    let links = names.iter().enumerate().map(|(n, name)| {
        let at = |node: &str, interface: String| Attachment {
            node: node_name(node),
            interface: interface_name(&interface),
        };
        Link { ends: [at("ends", format!("eth{n}")), at(name, "eth0".into())] }
    });
    links.collect()
}

/// Answers ARP requests for the next hops, none of which exists, with an address without an owner.
struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbour {
    fn start(node: &Node) -> Self {
        let socket = socket::open(node, 0, socket::ARP);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let mut readable = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut readable, 50u8);
                while answer(&socket) {}
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(socket: &OwnedFd) -> bool {
    let mut frame = [0; 64];
    let Ok((length, Some(from))) = recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut frame) else {
        return false;
    };
    let Some(Ok(request)) = frame[..length].get(14..).map(arp::View::new) else { return true };
    let (asked, asker) = (request.target_ip(), request.sender_mac());
    if request.operation() == arp::operation::REQUEST && asked.octets()[3] == 9 {
        let message = arp::Packet {
            operation: arp::operation::REPLY,
            sender_mac: UNOWNED,
            sender_ip: asked,
            target_mac: asker,
            target_ip: request.sender_ip(),
        };
        let link =
            ethernet::Header { destination: asker, source: UNOWNED, ethertype: ethertype::ARP };
        let mut reply = [0; 42];
        link.emit(&mut reply).expect("room for Ethernet");
        message.emit(&mut reply[14..]).expect("room for ARP");
        sendto(socket.as_raw_fd(), &reply, &from, MsgFlags::empty()).expect("an answer");
    }
    true
}
