//! A load balancer whose host does more: it forwards, it has the VIP on an interface, or it is a member
//! of its own pool. Runs as root and as an ordinary user alike.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_dataplane::forwarder::IngressDrop;
use labsim_forwarder::{Config, Outcome, OuterSource, VirtualServer};
use labsim_test_support::{PATIENCE, wait_for};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use support::forwarder::{self, Forwarder};
use support::namespace::{Namespace, acquire_privileges};
use support::topology::{CLIENT, Topology, VIP, config};

/// The load balancer's own address.
const OWN: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 2);

labsim_test_support::tests![
    a_host_that_forwards_sends_no_packet_to_the_vip_on_beside_the_forwarder,
    a_host_that_has_the_vip_answers_what_no_virtual_server_takes,
    fragments_reach_whoever_has_their_first_ones_port,
    a_member_that_is_the_host_itself_gets_the_packets_as_they_came,
    members_take_turns_where_one_is_the_host_itself,
    a_vip_that_comes_while_it_runs_is_kept_from_the_kernel_at_once,
    a_member_of_the_host_itself_without_the_vip_is_refused,
    a_host_between_clients_and_servers_balances_and_routes,
];

fn main() -> ExitCode {
    forwarder::become_one();
    labsim_test_support::run(acquire_privileges, trials())
}

fn start(lab: &Topology) -> Forwarder {
    Forwarder::start(&lab.balancer, &config(OuterSource::Client))
}

/// Its only member is the host itself.
fn own_member() -> Config {
    let mut config = config(OuterSource::Client);
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.members = vec![SocketAddr::from((OWN, 49)).into()];
    config
}

fn connect(lab: &Topology, port: u16) -> std::io::Result<TcpStream> {
    lab.client.run(|| TcpStream::connect_timeout(&(VIP, port).into(), PATIENCE))
}

/// A datagram of that many bytes from the client to the VIP, which a socket of `at` receives.
fn datagram(lab: &Topology, at: &Namespace, port: u16, bytes: usize) {
    let server = at.run(|| UdpSocket::bind((VIP, port))).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    let sent: Vec<u8> = (0..bytes).map(|number| number as u8).collect();
    client.send_to(&sent, (VIP, port)).unwrap();
    let mut received = vec![0; bytes + 1];
    let (length, from) = server.recv_from(&mut received).unwrap();
    assert_eq!((&received[..length], from), (&sent[..], client.local_addr().unwrap()));
}

/// Asks and answers over one connection to a listener at `at`; who listens hears the client.
fn exchange(lab: &Topology, at: &Namespace) {
    let listener = at.run(|| TcpListener::bind((VIP, 49))).unwrap();
    let mut client = connect(lab, 49).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut server, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    client.write_all(b"who am I?").unwrap();
    let mut question = [0; 9];
    server.read_exact(&mut question).unwrap();
    server.write_all(b"you").unwrap();
    drop(server);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"you");
}

fn a_host_that_forwards_sends_no_packet_to_the_vip_on_beside_the_forwarder() {
    let lab = Topology::build();
    let _tunnel = lab.tunnel_of_veth();
    lab.balancer.sysctl("ipv4/ip_forward", "1");
    let mut forwarder = start(&lab);
    exchange(&lab, &lab.server);
    datagram(&lab, &lab.server, 49, 3000);
    assert_eq!(lab.balancer.counter("Ip", "ForwDatagrams"), 0);
    assert_eq!(forwarder.snapshot().ingress_drop, IngressDrop::Active);
    // And everything else it sends on: the client's route leads over it.
    lab.router.route("10.7.0.0/24", "10.9.9.2");
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    client.send_to(b"to nobody", ("10.7.0.1", 9)).unwrap();
    wait_for("packet that is forwarded", || lab.balancer.counter("Ip", "ForwDatagrams") > 0);
}

fn a_host_that_has_the_vip_answers_what_no_virtual_server_takes() {
    let lab = Topology::build();
    let _tunnel = lab.tunnel_of_veth();
    lab.balancer.address("lo", "172.16.4.99/32");
    let mut forwarder = start(&lab);
    exchange(&lab, &lab.server);
    assert_eq!(lab.balancer.counter("Tcp", "OutRsts"), 0);
    assert_eq!(connect(&lab, 50).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(lab.balancer.counter("Tcp", "OutRsts"), 1);
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    client.connect((VIP, 50)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(b"closed").unwrap();
    let refused = client.recv(&mut [0; 9]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(lab.balancer.counter("Icmp", "OutDestUnreachs"), 1);
    let (engine, _) = forwarder.counters();
    assert_eq!(engine.packets(Outcome::LeftToHost), 2);
    assert_eq!((engine.answers.tcp_reset, engine.answers.icmp_port_unreachable), (0, 0));
}

fn fragments_reach_whoever_has_their_first_ones_port() {
    let lab = Topology::build();
    let _tunnel = lab.tunnel_of_veth();
    lab.balancer.address("lo", "172.16.4.99/32");
    let mut forwarder = start(&lab);
    datagram(&lab, &lab.server, 49, 5000);
    datagram(&lab, &lab.balancer, 50, 5000);
    let (engine, socket) = forwarder.counters();
    assert_eq!((engine.packets(Outcome::LeftToHost), socket.to_host), (4, 3));
    // Those after the first were kept from the kernel, and came back to it once each.
    assert_eq!(lab.balancer.counter("Ip", "ReasmReqds"), 4);
    assert_eq!(lab.balancer.counter("Ip", "ReasmOKs"), 1);
}

fn a_member_that_is_the_host_itself_gets_the_packets_as_they_came() {
    let lab = Topology::build();
    lab.balancer.address("lo", "172.16.4.99/32");
    let mut forwarder = Forwarder::start(&lab.balancer, &own_member());
    exchange(&lab, &lab.balancer);
    datagram(&lab, &lab.balancer, 49, 5000);
    assert_eq!(connect_again(&lab), ErrorKind::ConnectionRefused, "nobody listens any more");
    let (engine, socket) = forwarder.counters();
    assert_eq!(engine.packets(Outcome::DeliveredToHost), socket.to_host);
    assert!(engine.packets(Outcome::DeliveredToHost) >= 8);
    assert_eq!(engine.packets(Outcome::Forwarded), 0);
    assert_eq!(lab.balancer.counter("Tcp", "OutRsts"), 1);
    assert!(engine.members["pool"]["10.9.9.2:49"].reachable);
}

fn connect_again(lab: &Topology) -> ErrorKind {
    connect(lab, 49).unwrap_err().kind()
}

fn members_take_turns_where_one_is_the_host_itself() {
    let lab = Topology::build();
    let _tunnel = lab.tunnel_of_veth();
    lab.balancer.address("lo", "172.16.4.99/32");
    let mut config = own_member();
    let remote = SocketAddr::from((Ipv4Addr::new(10, 1, 1, 52), 49));
    config.balancer.pools.get_mut("pool").unwrap().members.push(remote.into());
    let mut forwarder = Forwarder::start(&lab.balancer, &config);
    let listeners =
        [&lab.balancer, &lab.server].map(|node| node.run(|| TcpListener::bind((VIP, 49))).unwrap());
    for _ in 0..2 {
        for listener in &listeners {
            let client = connect(&lab, 49).unwrap();
            let (_server, peer) = listener.accept().unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
    }
    let (engine, _) = forwarder.counters();
    for member in ["10.9.9.2:49", "10.1.1.52:49"] {
        assert_eq!(engine.members["pool"][member].flows_opened, 2, "{member}");
    }
}

fn a_vip_that_comes_while_it_runs_is_kept_from_the_kernel_at_once() {
    let lab = Topology::build();
    let _tunnel = lab.tunnel_of_veth();
    lab.balancer.address("lo", "172.16.4.99/32");
    let mut first = config(OuterSource::Client);
    let servers = &mut first.balancer.virtual_servers;
    let tcp: VirtualServer = servers.remove("tcp").unwrap();
    let mut forwarder = Forwarder::start(&lab.balancer, &first);
    assert_eq!(connect(&lab, 49).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    first.balancer.virtual_servers.insert("tcp".to_owned(), tcp);
    forwarder.reconfigure(&first);
    exchange(&lab, &lab.server);
    assert_eq!(lab.balancer.counter("Tcp", "OutRsts"), 1);
    assert_eq!(forwarder.snapshot().ingress_drop, IngressDrop::Active);
}

fn a_member_of_the_host_itself_without_the_vip_is_refused() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::spawn(&lab.balancer, &own_member());
    assert!(!forwarder.wait().success());
    let complaint = forwarder.complaint();
    assert!(complaint.contains("does not have the VIP 172.16.4.99"), "{complaint}");
}

/// client - load balancer - server: the load balancer is both ends' router.
fn a_host_between_clients_and_servers_balances_and_routes() {
    let mut lab = Topology::build();
    for (name, other, prefix) in
        [("eth1", &lab.client, "192.168.12.1/24"), ("eth2", &lab.server, "10.1.2.1/24")]
    {
        lab.balancer.veth(name, other, "direct");
        lab.balancer.up(name);
        other.up("direct");
        lab.balancer.address(name, prefix);
    }
    lab.client.address("direct", "192.168.12.201/24");
    lab.client.route("172.16.4.99/32", "192.168.12.1");
    lab.client.route("10.1.2.0/24", "192.168.12.1");
    lab.server.address("direct", "10.1.2.52/24");
    lab.server.route("192.168.12.0/24", "10.1.2.1");
    lab.server.sysctl("ipv4/conf/direct/rp_filter", "0");
    lab.balancer.sysctl("ipv4/ip_forward", "1");
    lab.protocol = labsim_model::TunnelKind::Ipip;
    let _tunnel = lab.tunnel_of_veth();
    let mut config = config(OuterSource::Egress);
    config.routed_interfaces = ["eth1", "eth2"].map(str::to_owned).to_vec();
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.members = vec![SocketAddr::from((Ipv4Addr::new(10, 1, 2, 52), 49)).into()];
    let mut forwarder = Forwarder::start(&lab.balancer, &config);
    exchange(&lab, &lab.server);
    // Read first: what comes after it only makes the forwarder's count greater.
    let routed = lab.balancer.counter("Ip", "ForwDatagrams");
    let (engine, socket) = forwarder.counters();
    let forwarded = engine.packets(Outcome::Forwarded);
    assert!(forwarded >= 4 && socket.to_host == forwarded, "{socket:?}");
    // The answers, and none of the requests beside the tunnel's.
    assert!((1..=forwarded + 2).contains(&routed), "{routed}");
    // A port without a virtual server is the forwarder's to refuse, by the same way back.
    assert_eq!(connect(&lab, 50).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(lab.balancer.counter("Tcp", "OutRsts"), 0, "the kernel's own");
}
