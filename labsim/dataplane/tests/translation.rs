//! GRE and address translation on real packets, between network namespaces of the test's own. Runs
//! as root and as an ordinary user alike.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_dataplane::decapsulate::Decapsulator;
use labsim_forwarder::{
    Config, GreOptions, Outcome, OuterSource, Profile, SnatPorts, SourceTranslation,
};
use labsim_model::TunnelKind;
use labsim_test_support::{PATIENCE, wait_for};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect, socket};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use support::forwarder::{self, Forwarder};
use support::namespace::{Namespace, acquire_privileges};
use support::topology::{CLIENT, Topology, VIP, config};

/// The load balancer's own address, and its member's.
const OWN: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 2);
const MEMBER: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 52);

labsim_test_support::tests![
    a_connection_goes_through_gre_and_straight_back,
    a_connection_goes_through_gre_with_key_and_checksum,
    gre_packets_with_another_key_are_dropped_by_name,
    automap_shows_the_server_the_load_balancer_and_the_client_the_vip,
    automap_carries_datagrams_both_ways,
    a_forwarder_after_a_killed_one_translates_on,
    a_snat_address_that_only_the_forwarder_owns_is_answered_for,
    a_snat_address_beyond_the_subnet_works_where_it_is_routed,
    without_snat_the_client_refuses_the_members_own_answer,
    translation_begins_and_ends_while_it_runs,
    translated_ports_that_the_kernel_gives_away_are_refused,
    snat_under_dsr_brings_the_answers_back_through_the_load_balancer,
];

fn main() -> ExitCode {
    forwarder::become_one();
    labsim_test_support::run(acquire_privileges, trials())
}

/// What both ends of a connection saw of each other.
struct Seen {
    /// The client, as the server saw it.
    client: std::net::SocketAddr,
    /// The client's own end.
    from: std::net::SocketAddr,
}

/// Asks and answers over one connection from the client to the VIP.
fn exchange(lab: &Topology, listening: Ipv4Addr) -> Seen {
    let listener = lab.server.run(|| TcpListener::bind((listening, 49))).unwrap();
    let client = lab.client.run(|| TcpStream::connect_timeout(&(VIP, 49).into(), PATIENCE));
    let mut client = client.unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut server, seen) = accept(&listener);
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.peer_addr().unwrap(), (VIP, 49).into());
    client.write_all(b"who am I?").unwrap();
    let mut question = [0; 9];
    server.read_exact(&mut question).unwrap();
    server.write_all(&question).unwrap();
    server.shutdown(Shutdown::Both).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"who am I?");
    let seen = Seen { client: seen, from: client.local_addr().unwrap() };
    // The client closes last: once the kernel knows its end no more, its FIN was acknowledged, and
    // nothing of the connection is sent again, whatever becomes of the load balancer.
    assert!(lab.client.has_connection_from(seen.from.port()));
    drop((client, server));
    wait_for("end of the connection", || !lab.client.has_connection_from(seen.from.port()));
    seen
}

/// Accepts a connection, which does not come if somebody reset it.
fn accept(listener: &TcpListener) -> (TcpStream, std::net::SocketAddr) {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    wait_for("connection that could be accepted", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, peer) = accepted.unwrap();
    stream.set_nonblocking(false).unwrap();
    (stream, peer)
}

/// The kernel of the load balancer's namespace said nothing about translated packets.
fn kernel_kept_quiet(node: &Namespace) {
    assert_eq!(node.counter("Tcp", "OutRsts"), 0);
    assert_eq!(node.counter("Icmp", "OutMsgs"), 0);
}

fn gre_config(gre: GreOptions) -> Config {
    let mut config = config(OuterSource::Egress);
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::Gre(gre);
    config
}

/// Both addresses translated, no tunnel.
fn snat_config(source: SourceTranslation) -> Config {
    let mut config = config(OuterSource::Egress);
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::None;
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = true;
        server.source_address_translation = source.clone();
    }
    config
}

fn gre_tunnel(lab: &mut Topology, gre: GreOptions) -> Decapsulator {
    lab.protocol = TunnelKind::Gre(gre);
    lab.tunnel_of_tun().unwrap_or_else(|_| lab.tunnel_of_veth())
}

fn exchange_through_gre(key: Option<u32>, checksum: bool) {
    let mut lab = Topology::build();
    let decapsulator = gre_tunnel(&mut lab, GreOptions { key, checksum });
    let mut forwarder = Forwarder::start(&lab.balancer, &gre_config(GreOptions { key, checksum }));
    let seen = exchange(&lab, VIP);
    assert_eq!(seen.client, seen.from);
    wait_for("end of the exchange", || {
        let forwarded = forwarder.counters().0.packets(Outcome::Forwarded);
        decapsulator.drain(PATIENCE).unwrap();
        forwarded >= 4 && decapsulator.counters().rx_packets == forwarded
    });
    let (engine, _) = forwarder.counters();
    assert_eq!(engine.packets(Outcome::ForwardedToClient), 0, "the answers go past it");
}

fn a_connection_goes_through_gre_and_straight_back() {
    exchange_through_gre(None, false);
}

fn a_connection_goes_through_gre_with_key_and_checksum() {
    exchange_through_gre(Some(0x0102_0304), true);
}

fn gre_packets_with_another_key_are_dropped_by_name() {
    let mut lab = Topology::build();
    let decapsulator = gre_tunnel(&mut lab, GreOptions { key: Some(7), checksum: false });
    let sent = GreOptions { key: Some(8), checksum: false };
    let _forwarder = Forwarder::start(&lab.balancer, &gre_config(sent));
    let socket = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    socket.send_to(b"hello", (VIP, 49)).unwrap();
    wait_for("dropped packet", || decapsulator.counters().rx_key_mismatch == 1);
    assert_eq!(decapsulator.stop().rx_packets, 0);
}

fn automap_shows_the_server_the_load_balancer_and_the_client_the_vip() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &snat_config(SourceTranslation::Automap));
    let seen = exchange(&lab, MEMBER);
    assert_eq!(seen.client.ip(), OWN);
    assert!(SnatPorts::default().contains(seen.client.port()), "{}", seen.client);
    let (engine, _) = forwarder.counters();
    assert!(engine.packets(Outcome::ForwardedToClient) >= 3, "{engine:?}");
    assert_eq!(engine.snat.ports_changed, 1);
    assert!(engine.members["pool"]["10.1.1.52:49"].replies.packets >= 3);
    kernel_kept_quiet(&lab.balancer);
}

/// One datagram there and one back; who the server saw.
fn datagrams(lab: &Topology) -> std::net::SocketAddr {
    let server = lab.server.run(|| UdpSocket::bind((MEMBER, 49))).unwrap();
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    client.connect((VIP, 49)).unwrap();
    client.send(b"question").unwrap();
    let mut buffer = [0; 16];
    let (length, seen) = server.recv_from(&mut buffer).unwrap();
    server.send_to(&buffer[..length], seen).unwrap();
    let length = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"question");
    seen
}

fn automap_carries_datagrams_both_ways() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &snat_config(SourceTranslation::Automap));
    assert_eq!(datagrams(&lab).ip(), OWN);
    // A member whose port is closed says so: to the client, from the VIP.
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.connect((VIP, 49)).unwrap();
    client.send(b"anybody there?").unwrap();
    let error = client.recv(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
    assert_eq!(forwarder.counters().0.packets(Outcome::IcmpErrorForwarded), 1);
    kernel_kept_quiet(&lab.balancer);
}

fn a_forwarder_after_a_killed_one_translates_on() {
    let lab = Topology::build();
    let config = snat_config(SourceTranslation::Automap);
    let mut first = Forwarder::start(&lab.balancer, &config);
    exchange(&lab, MEMBER);
    kill(first.process(), Signal::SIGKILL).unwrap();
    assert!(!first.wait().success());
    // A second one, with fewer ports, which ends in order; and a third one.
    let fewer = Config { snat_ports: SnatPorts { first: 64_000, last: 64_001 }, ..config.clone() };
    let mut second = Forwarder::start(&lab.balancer, &fewer);
    assert!(exchange(&lab, MEMBER).client.port() >= 64_000);
    // Nothing was said between the two: the killed one's filter stayed.
    kernel_kept_quiet(&lab.balancer);
    // An orderly end takes the filter away, and what comes late is the kernel's to refuse.
    second.close_input();
    assert!(second.wait().success());
    let _third = Forwarder::start(&lab.balancer, &config);
    assert_eq!(exchange(&lab, MEMBER).client.ip(), OWN);
}

fn snat_pool_address(address: &str, prepare: impl FnOnce(&Topology)) {
    let lab = Topology::build();
    prepare(&lab);
    let address: IpAddr = address.parse().unwrap();
    let config = snat_config(SourceTranslation::Snat(vec![address]));
    let mut forwarder = Forwarder::start(&lab.balancer, &config);
    let seen = exchange(&lab, MEMBER);
    assert_eq!(seen.client, (address, seen.from.port()).into(), "the port is kept");
    assert_eq!(datagrams(&lab).ip(), address);
    let (engine, _) = forwarder.counters();
    assert_eq!(engine.snat.ports_kept, 2);
    kernel_kept_quiet(&lab.balancer);
}

fn a_snat_address_that_only_the_forwarder_owns_is_answered_for() {
    snat_pool_address("10.9.9.50", |_| {});
}

fn a_snat_address_beyond_the_subnet_works_where_it_is_routed() {
    snat_pool_address("172.16.5.5", |lab| lab.router.route("172.16.5.5/32", "10.9.9.2"));
}

fn without_snat_the_client_refuses_the_members_own_answer() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &snat_config(SourceTranslation::None));
    let server = lab.server.run(|| UdpSocket::bind((MEMBER, 49))).unwrap();
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(b"question", (VIP, 49)).unwrap();
    let (_, seen) = server.recv_from(&mut [0; 16]).unwrap();
    assert_eq!(seen, client.local_addr().unwrap(), "the source stays");
    // TCP: the answer comes from the member, which the client never asked.
    let listener = lab.server.run(|| TcpListener::bind((MEMBER, 49))).unwrap();
    let asking = lab.client.run(begin_to_connect);
    wait_for("reset of the client's", || lab.client.counter("Tcp", "OutRsts") > 0);
    assert!(TcpStream::from(asking).peer_addr().is_err(), "not connected");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
    let (engine, _) = forwarder.counters();
    assert!(engine.packets(Outcome::Forwarded) >= 2);
    assert_eq!(engine.packets(Outcome::ForwardedToClient), 0);
}

/// A connection to the VIP that nobody waits for.
fn begin_to_connect() -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let client = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let vip = SockaddrIn::from(SocketAddrV4::new(VIP, 49));
    assert_eq!(connect(client.as_raw_fd(), &vip), Err(Errno::EINPROGRESS));
    client
}

fn translation_begins_and_ends_while_it_runs() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &snat_config(SourceTranslation::None));
    for _ in 0..2 {
        forwarder.reconfigure(&snat_config(SourceTranslation::Automap));
        assert_eq!(exchange(&lab, MEMBER).client.ip(), OWN);
        kernel_kept_quiet(&lab.balancer);
        forwarder.reconfigure(&snat_config(SourceTranslation::None));
    }
}

fn translated_ports_that_the_kernel_gives_away_are_refused() {
    let lab = Topology::build();
    lab.balancer.run(|| {
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "32768 61000").unwrap();
    });
    let mut forwarder = Forwarder::spawn(&lab.balancer, &snat_config(SourceTranslation::Automap));
    assert_eq!(forwarder.event(), None);
    assert!(!forwarder.wait().success());
    let reason = forwarder.complaint();
    let setting = "net.ipv4.ip_local_port_range is 32768 to 61000";
    assert!(reason.contains("snat_ports 61000 to 64999") && reason.contains(setting), "{reason}");
    // An address that the kernel does not share has no such worry.
    let snat = SourceTranslation::Snat(vec![Ipv4Addr::new(10, 9, 9, 50).into()]);
    let _runs = Forwarder::start(&lab.balancer, &snat_config(snat));
}

fn snat_under_dsr_brings_the_answers_back_through_the_load_balancer() {
    let lab = Topology::build();
    let _decapsulator = lab.tunnel_of_tun().unwrap_or_else(|_| lab.tunnel_of_veth());
    let mut config = config(OuterSource::Client);
    for server in config.balancer.virtual_servers.values_mut() {
        server.source_address_translation = SourceTranslation::Automap;
    }
    let mut forwarder = Forwarder::start(&lab.balancer, &config);
    assert_eq!(exchange(&lab, VIP).client.ip(), OWN);
    assert!(forwarder.counters().0.packets(Outcome::ForwardedToClient) >= 3);
    kernel_kept_quiet(&lab.balancer);
}
