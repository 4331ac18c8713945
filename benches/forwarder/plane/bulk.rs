//! Bulk TCP: client, both middles and the server on one segment. The client reaches one VIP through
//! `ip_forward`, one through the forwarder and one through its fast path (L2 DSR); the server answers
//! directly.

use super::contestant::{Process, Served, config};
use super::median;
use super::path::{interface, interface_name, node_name, sysctls};
use crate::scale::Scale;
use labsim_lab::{Lab, LabPlan, Node};
use labsim_scenario::model::{self, Attachment, Route, Segment, SegmentName, Topology};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const THROUGH_FAST_PATH: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 97);
const THROUGH_KERNEL: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 98);
const THROUGH_FORWARDER: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);
const VIPS: [Ipv4Addr; 3] = [THROUGH_KERNEL, THROUGH_FORWARDER, THROUGH_FAST_PATH];
const PORT: u16 = 5001;
const NODES: [&str; 5] = ["client", "kernel", "lb", "server", "fast"];
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(300);

/// Prints the table.
pub(super) fn print(scale: Scale) {
    let number = scale.choose(ROUNDS, 1);
    println!("\n  bulk TCP through a VIP, Gbit/s: medians of {number} rounds of {ROUND:?}");
    println!(
        "  {:<34} {:>10} {:>9} {:>14} {:>10} {:>14}",
        "", "ip_forward", "forwarder", "of ip_forward", "fast path", "of ip_forward"
    );
    for offloads in [false, true] {
        let lab = Lab::build(&LabPlan::of_topology(&topology(offloads))).expect("a lab");
        let node = |name: &str| lab.node(&node_name(name)).expect("a node");
        // To the server's link-layer address, and otherwise as it came.
        let start = |name, vip: Ipv4Addr, acceleration| {
            let destination = SocketAddr::new(vip.into(), PORT);
            let member = SocketAddr::from(([10, 0, 0, 4], PORT));
            let served = [Served { destination, member }];
            Process::start(node(name), &config("none", "tcp", &served, acceleration))
        };
        let _forwarder = start("lb", THROUGH_FORWARDER, "none");
        let _accelerated = start("fast", THROUGH_FAST_PATH, "full");
        let server = node("server");
        let ways = VIPS.map(|vip| {
            let address = SocketAddr::new(vip.into(), PORT);
            (address, server.tcp_listener(address).expect("a listener"))
        });
        let mut rates = VIPS.map(|_| Vec::new());
        for _ in 0..number {
            for ((address, listener), rates) in ways.iter().zip(&mut rates) {
                rates.push(transfer(node("client"), *address, listener));
            }
        }
        let [limits, own, fast] = rates;
        let ratio = |rates: &[f64]| {
            median(rates.iter().zip(&limits).map(|(rate, limit)| rate / limit).collect())
        };
        let (own_ratio, fast_ratio) = (ratio(&own), ratio(&fast));
        let title = if offloads { "with offloads" } else { "without offloads, as in labs" };
        let [limit, own, fast] = [limits, own, fast].map(median);
        println!(
            "  {title:<34} {limit:>10.2} {own:>9.2} {own_ratio:>14.2} {fast:>10.2} {fast_ratio:>14.2}"
        );
    }
}

/// Gbit/s of one connection.
fn transfer(client: &Node, to: SocketAddr, listener: &TcpListener) -> f64 {
    let mut stream = client.run(|| TcpStream::connect_timeout(&to, Duration::from_secs(5)));
    let stream = stream.as_mut().expect("the client's namespace").as_mut().expect("a connection");
    let mut accepted = loop {
        match listener.accept() {
            Ok((accepted, _)) => break accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    accepted.set_nonblocking(false).expect("a blocking socket");
    let began = Instant::now();
    std::thread::scope(|scope| {
        let receiver = scope.spawn(move || {
            let (mut buffer, mut sum) = (vec![0; 1 << 18], 0);
            loop {
                match accepted.read(&mut buffer) {
                    Ok(0) | Err(_) => return (sum, began.elapsed()),
                    Ok(bytes) => sum += bytes,
                }
            }
        });
        let bytes = vec![0; 1 << 17];
        while began.elapsed() < ROUND {
            stream.write_all(&bytes).expect("bytes leave");
        }
        stream.shutdown(std::net::Shutdown::Both).expect("an end");
        let (sum, elapsed) = receiver.join().expect("the receiver");
        sum as f64 * 8.0 / elapsed.as_secs_f64() / 1e9
    })
}

fn topology(offloads: bool) -> Topology {
    let address = |n: usize| Ipv4Addr::new(10, 0, 0, n as u8 + 1);
    let route = |vip: Ipv4Addr, via: usize| Route {
        destination: format!("{vip}/32").parse().expect("a prefix"),
        via: vec![address(via).into()],
        interface: interface_name("eth0"),
    };
    let nodes = NODES.iter().enumerate().map(|(n, name)| {
        let mut eth0 = interface("eth0", &format!("{}/24", address(n)), offloads);
        if *name == "server" {
            for vip in VIPS {
                eth0.addresses.push(format!("{vip}/32").parse().expect("a prefix"));
            }
        }
        model::Node {
            name: node_name(name),
            forward: *name == "kernel",
            at: None,
            interfaces: vec![eth0],
            routes: match *name {
                "client" => vec![
                    route(THROUGH_KERNEL, 1),
                    route(THROUGH_FORWARDER, 2),
                    route(THROUGH_FAST_PATH, 4),
                ],
                "kernel" => vec![route(THROUGH_KERNEL, 3)],
                _ => Vec::new(),
            },
            sysctls: sysctls(),
        }
    });
    let ports =
        NODES.map(|name| Attachment { node: node_name(name), interface: interface_name("eth0") });
    let segment =
        Segment { name: SegmentName::new("wire").expect("a name"), ports: ports.into(), mtu: 1500 };
    Topology {
        name: "bulk".into(),
        nodes: nodes.collect(),
        links: Vec::new(),
        segments: vec![segment],
    }
}
