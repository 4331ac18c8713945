//! Decapsulators of every kind of tunnel, on hand-made packets: between network namespaces of the
//! test's own.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_dataplane::decapsulate::{Counters, Decapsulator, InnerEnd};
use labsim_model::{GreOptions, GueOptions, TunnelKind};
use labsim_test_support::{Completion, PATIENCE};
use labsim_wire::checksum::AddressPair;
use labsim_wire::{gre, gue, ipv4, ipv6, udp};
use nix::sys::socket::{MsgFlags, SockaddrStorage, recv, sendto};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use support::namespace::{Namespace, acquire_privileges};
use support::topology::{create_tun, decapsulator, packet_socket, raw_socket, without_ipv6};

labsim_test_support::tests![
    every_kind_of_tunnel_ends_behind_a_tun,
    every_kind_of_tunnel_ends_behind_a_veth_end,
    an_encapsulation_limit_in_front_is_read_over,
    what_is_not_for_an_end_is_refused_and_counted_by_name,
    what_is_not_gue_around_ip_is_counted_by_name,
    a_datagram_without_a_checksum_is_taken_over_ipv6,
    a_device_that_is_down_is_answered_with_port_unreachable,
    without_a_decapsulator_the_kernel_says_so_itself,
];

fn main() -> ExitCode {
    labsim_test_support::run(acquire_privileges, trials())
}

/// Who sends tunnel packets, and who takes them.
struct Lab {
    sender: Namespace,
    server: Namespace,
    beyond: Namespace,
}

const SENDER: [&str; 2] = ["10.1.1.1", "2001:db8:1::1"];
const SERVER: [&str; 2] = ["10.1.1.51", "2001:db8:1::51"];
const VIP: [&str; 2] = ["172.16.4.99", "2001:db8:4::99"];
const CLIENT: [&str; 2] = ["192.168.11.201", "2001:db8:11::201"];

/// One of a pair of each family.
fn of(pair: [&str; 2], ipv4: bool) -> IpAddr {
    pair[usize::from(!ipv4)].parse().unwrap()
}

impl Lab {
    fn build() -> Self {
        let lab =
            Self { sender: Namespace::new(), server: Namespace::new(), beyond: Namespace::new() };
        for node in [&lab.sender, &lab.server] {
            node.sysctl("ipv6/conf/default/accept_dad", "0");
            node.sysctl("ipv4/conf/all/rp_filter", "0");
            node.sysctl("ipv4/conf/default/rp_filter", "0");
        }
        lab.sender.veth("eth0", &lab.server, "eth0");
        for (node, own) in [(&lab.sender, SENDER), (&lab.server, SERVER)] {
            node.up("lo");
            node.up("eth0");
            node.address("eth0", &format!("{}/24", own[0]));
            node.address("eth0", &format!("{}/64", own[1]));
        }
        lab.server.address("lo", "172.16.4.99/32");
        lab.server.address("lo", "2001:db8:4::99/128");
        lab
    }

    fn tun(&self, name: &str, protocol: TunnelKind) -> std::io::Result<Decapsulator> {
        let device = self.server.run(|| create_tun(name))?;
        self.server.up(name);
        Ok(decapsulator(&self.server, protocol, InnerEnd::Tun(device)))
    }

    fn veth(&self, name: &str, protocol: TunnelKind) -> Decapsulator {
        self.server.veth(name, &self.beyond, "far");
        without_ipv6(&self.beyond, "far");
        self.beyond.up("far");
        self.server.up(name);
        let (tunnel, index) = (self.server.mac(name), self.beyond.index("far"));
        let socket = self.beyond.run(|| packet_socket(index));
        decapsulator(&self.server, protocol, InnerEnd::VethPeer { socket, tunnel })
    }

    /// A server at the VIP.
    fn at_vip(&self, ipv4: bool) -> UdpSocket {
        let server = self.server.run(|| UdpSocket::bind((of(VIP, ipv4), 49))).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        server
    }

    fn send(&self, outer_ipv4: bool, packet: &[u8]) {
        let socket = raw_socket(&self.sender, outer_ipv4, labsim_sys::socket::PROTOCOL_RAW);
        let to = SockaddrStorage::from(SocketAddr::new(of(SERVER, outer_ipv4), 0));
        sendto(socket.as_raw_fd(), packet, &to, MsgFlags::empty()).unwrap();
    }

    /// Where the sender gets ICMP of a family.
    fn icmp(&self, ipv4: bool) -> OwnedFd {
        raw_socket(
            &self.sender,
            ipv4,
            if ipv4 { labsim_wire::protocol::ICMP } else { labsim_wire::protocol::ICMPV6 },
        )
    }
}

/// A packet with its header; without a traffic class.
fn ip(from: IpAddr, to: IpAddr, protocol: u8, class: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 40];
    match (from, to) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = ipv4::Header {
                source,
                destination,
                protocol,
                ttl: 9,
                tos: class,
                id: 7,
                dont_fragment: true,
                more_fragments: false,
                fragment_offset: 0,
                options: &[],
                payload_length: body.len(),
            };
            bytes.truncate(20);
            header.emit(&mut bytes).unwrap();
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = ipv6::Header {
                source,
                destination,
                next_header: protocol,
                hop_limit: 9,
                traffic_class: class,
                flow_label: 0,
                payload_length: body.len(),
            };
            header.emit(&mut bytes).unwrap();
        }
        _ => panic!("two families"),
    }
    bytes.extend(body);
    bytes
}

/// A client's packet for the VIP.
fn inner(ipv4: bool, class: u8, word: &[u8]) -> Vec<u8> {
    let header =
        udp::Header { source_port: 4000, destination_port: 49, payload_length: word.len() };
    let mut body = vec![0; header.length()];
    body.extend(word);
    header.emit(&mut body).unwrap();
    let (from, to) = (of(CLIENT, ipv4), of(VIP, ipv4));
    let pair = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => AddressPair::V4(from, to),
        (IpAddr::V6(from), IpAddr::V6(to)) => AddressPair::V6(from, to),
        _ => panic!("two families"),
    };
    udp::ViewMut::new(&mut body).unwrap().fill_checksum(&pair);
    ip(from, to, 17, class, &body)
}

fn tunnelled(
    protocol: TunnelKind,
    inner_ipv4: bool,
    (outer_class, class): (u8, u8),
    word: &[u8],
) -> Vec<u8> {
    let mut body = inner(inner_ipv4, class, word);
    let mut number = if inner_ipv4 { 4 } else { 41 };
    if let TunnelKind::Gre(options) | TunnelKind::Ip6gre(options) = protocol {
        let ethertype = if inner_ipv4 { 0x0800 } else { 0x86dd };
        let GreOptions { key, checksum } = options;
        let header = gre::Header { protocol: ethertype, checksum, key, sequence: None };
        body.splice(0..0, vec![0; header.length()]);
        header.emit(&mut body).unwrap();
        number = 47;
    }
    if let Some(GueOptions { port, variant }) = protocol.gue() {
        let header = gue::Header { variant, ipv4: inner_ipv4 };
        let carried = header.length() + body.len();
        let udp =
            udp::Header { source_port: 50_000, destination_port: port, payload_length: carried };
        body.splice(0..0, vec![0; udp.length() + header.length()]);
        udp.emit(&mut body).unwrap();
        header.emit(&mut body[udp.length()..]).unwrap();
        let outer = protocol.outer_ipv4();
        if !outer {
            let addresses = AddressPair::new(of(SENDER, outer), of(SERVER, outer)).unwrap();
            udp::ViewMut::new(&mut body).unwrap().fill_checksum(&addresses);
        }
        number = 17;
    }
    let outer = protocol.outer_ipv4();
    ip(of(SENDER, outer), of(SERVER, outer), number, outer_class, &body)
}

const KEYED: GreOptions = GreOptions { key: Some(7), checksum: true };

/// Every kind of tunnel, its device's name, and what may be inside.
const KINDS: [(&str, TunnelKind, &[bool]); 9] = [
    ("tunl0", TunnelKind::Ipip, &[true]),
    ("sit0", TunnelKind::Sit, &[false]),
    ("ip6tnl1", TunnelKind::Ip6tnl, &[true, false]),
    ("gre1", TunnelKind::Gre(KEYED), &[true, false]),
    ("ip6gre1", TunnelKind::Ip6gre(KEYED), &[true, false]),
    ("tunl0", TunnelKind::GueIpip(GueOptions { port: 6080, variant: 0 }), &[true]),
    ("tunl0", TunnelKind::GueIpip(GueOptions { port: 7000, variant: 1 }), &[true]),
    ("sit0", TunnelKind::GueSit(GueOptions { port: 6080, variant: 1 }), &[false]),
    ("ip6tnl1", TunnelKind::GueIp6tnl(GueOptions { port: 6080, variant: 0 }), &[true, false]),
];

fn arrives(lab: &Lab, decapsulator: Decapsulator, protocol: TunnelKind, inside: &[bool]) {
    let mut bytes = 0;
    for ipv4 in inside {
        let server = lab.at_vip(*ipv4);
        lab.send(protocol.outer_ipv4(), &tunnelled(protocol, *ipv4, (0, 0), b"hello"));
        let mut data = [0; 16];
        let (length, from) = server.recv_from(&mut data).unwrap();
        assert_eq!((&data[..length], from.ip()), (&b"hello"[..], of(CLIENT, *ipv4)));
        bytes += inner(*ipv4, 0, b"hello").len() as u64;
    }
    decapsulator.drain(PATIENCE).unwrap();
    let mut counters = decapsulator.stop();
    // What a device says by itself when it comes up.
    (counters.tx_dropped, counters.tx_dropped_bytes) = (0, 0);
    let rx_packets = inside.len() as u64;
    assert_eq!(counters, Counters { rx_packets, rx_bytes: bytes, ..Counters::default() });
}

fn every_kind_of_tunnel_ends_behind_a_tun() -> Completion {
    for (name, protocol, inside) in KINDS {
        let lab = Lab::build();
        match lab.tun(name, protocol) {
            Ok(decapsulator) => arrives(&lab, decapsulator, protocol, inside),
            Err(error) => return Completion::ignored_with(format!("/dev/net/tun: {error}")),
        }
    }
    Completion::Completed
}

fn every_kind_of_tunnel_ends_behind_a_veth_end() {
    for (name, protocol, inside) in KINDS {
        let lab = Lab::build();
        let decapsulator = lab.veth(name, protocol);
        arrives(&lab, decapsulator, protocol, inside);
    }
}

fn an_encapsulation_limit_in_front_is_read_over() {
    let lab = Lab::build();
    let protocol = TunnelKind::Ip6tnl;
    let decapsulator = lab.veth("ip6tnl1", protocol);
    let server = lab.at_vip(false);
    let mut packet = tunnelled(protocol, false, (0, 0), b"limited");
    // Destination options (60) with one of a limit of 4, and padding (RFC 2473, section 4.1.1).
    packet.splice(40..40, [41, 0, 4, 1, 4, 1, 1, 0]);
    packet[6] = 60;
    let length = u16::try_from(packet.len() - 40).unwrap();
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    lab.send(false, &packet);
    let mut data = [0; 16];
    let (length, _) = server.recv_from(&mut data).unwrap();
    assert_eq!(&data[..length], b"limited");
    assert_eq!(decapsulator.stop().rx_packets, 1);
}

/// Congestion marks, keys, checksums, and what is inside: over IPv6, as over IPv4.
fn what_is_not_for_an_end_is_refused_and_counted_by_name() {
    let lab = Lab::build();
    let protocol = TunnelKind::Ip6gre(KEYED);
    let decapsulator = lab.veth("ip6gre1", protocol);
    let icmp = lab.icmp(false);
    lab.send(false, &tunnelled(protocol, false, (3, 0), b"mark"));
    let mut wrong = tunnelled(protocol, false, (0, 0), b"sum");
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    lab.send(false, &wrong);
    let plain = GreOptions { key: Some(7), checksum: false };
    lab.send(false, &tunnelled(TunnelKind::Ip6gre(plain), false, (0, 0), b"none"));
    let mut other = tunnelled(TunnelKind::Ip6gre(plain), false, (0, 0), b"type");
    other[42..44].copy_from_slice(&[0x65, 0x58]);
    lab.send(false, &other);
    let keyless = GreOptions { key: Some(8), checksum: true };
    lab.send(false, &tunnelled(TunnelKind::Ip6gre(keyless), false, (0, 0), b"key"));
    assert_eq!(port_unreachable(&icmp, false), of(SERVER, false));
    decapsulator.drain(PATIENCE).unwrap();
    let mut counters = decapsulator.stop();
    (counters.tx_dropped, counters.tx_dropped_bytes) = (0, 0);
    let expected = Counters {
        rx_ecn_dropped: 1,
        rx_checksum: 1,
        rx_checksum_unwanted: 2,
        rx_key_mismatch: 1,
        ..Counters::default()
    };
    assert_eq!(counters, expected);
}

/// The kernel's fou takes it, and other UDP sockets do not.
fn a_datagram_without_a_checksum_is_taken_over_ipv6() {
    let lab = Lab::build();
    let protocol = TunnelKind::GueIp6tnl(GueOptions::default());
    let decapsulator = lab.veth("ip6tnl1", protocol);
    let server = lab.at_vip(true);
    let mut packet = tunnelled(protocol, true, (0, 0), b"unsummed");
    packet[46..48].fill(0);
    lab.send(false, &packet);
    let mut data = [0; 16];
    let (length, _) = server.recv_from(&mut data).unwrap();
    assert_eq!(&data[..length], b"unsummed");
    assert_eq!(decapsulator.stop().rx_packets, 1);
}

/// Congestion marks, other protocols, the other family, and datagrams of another kind.
fn what_is_not_gue_around_ip_is_counted_by_name() {
    let lab = Lab::build();
    let protocol = TunnelKind::GueIpip(GueOptions::default());
    let decapsulator = lab.veth("tunl0", protocol);
    let server = lab.at_vip(true);
    lab.send(true, &tunnelled(protocol, true, (3, 0), b"mark"));
    lab.send(true, &tunnelled(protocol, false, (0, 0), b"family"));
    let start = 20 + 8;
    for (place, value) in [(1, 6), (0, 0x20), (2, 1), (0, 0x80)] {
        let mut packet = tunnelled(protocol, true, (0, 0), b"other");
        packet[start + place] = value;
        lab.send(true, &packet);
    }
    let mut empty = tunnelled(protocol, true, (0, 0), b"");
    empty.truncate(start + 2);
    empty[2..4].copy_from_slice(&30_u16.to_be_bytes());
    empty[24..26].copy_from_slice(&10_u16.to_be_bytes());
    lab.send(true, &empty);
    // One with a right checksum is taken as one without, and one with a wrong checksum never comes.
    let mut summed = tunnelled(protocol, true, (0, 0), b"summed");
    let addresses = AddressPair::new(of(SENDER, true), of(SERVER, true)).unwrap();
    udp::ViewMut::new(&mut summed[20..]).unwrap().fill_checksum(&addresses);
    lab.send(true, &summed);
    let last = summed.len() - 1;
    summed[last] ^= 1;
    lab.send(true, &summed);
    let mut data = [0; 16];
    let (length, _) = server.recv_from(&mut data).unwrap();
    assert_eq!(&data[..length], b"summed");
    decapsulator.drain(PATIENCE).unwrap();
    let mut counters = decapsulator.stop();
    (counters.tx_dropped, counters.tx_dropped_bytes) = (0, 0);
    let bytes = inner(true, 0, b"summed").len() as u64;
    let expected = Counters {
        rx_packets: 1,
        rx_bytes: bytes,
        rx_truncated: 1,
        rx_not_ip: 5,
        rx_ecn_dropped: 1,
        ..Counters::default()
    };
    assert_eq!(counters, expected);
}

fn a_device_that_is_down_is_answered_with_port_unreachable() {
    for (name, protocol, inside) in KINDS {
        let lab = Lab::build();
        let decapsulator = lab.veth(name, protocol);
        lab.server.down(name);
        let outer = protocol.outer_ipv4();
        let icmp = lab.icmp(outer);
        lab.send(outer, &tunnelled(protocol, inside[0], (0, 0), b"lost"));
        assert_eq!(port_unreachable(&icmp, outer), of(SERVER, outer), "{name}");
        assert_eq!(decapsulator.stop().rx_device_down, 1);
    }
}

/// Waits for one, and says whose it is; what is no error is passed over.
fn port_unreachable(icmp: &OwnedFd, ipv4: bool) -> IpAddr {
    let (kind, code, from) = first_error(icmp, ipv4);
    assert_eq!((kind, code), if ipv4 { (3, 3) } else { (1, 4) });
    from
}

fn first_error(icmp: &OwnedFd, ipv4: bool) -> (u8, u8, IpAddr) {
    let mut fds =
        [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(icmp), nix::poll::PollFlags::POLLIN)];
    loop {
        let timeout = nix::poll::PollTimeout::try_from(PATIENCE).unwrap();
        assert_eq!(nix::poll::poll(&mut fds, timeout).unwrap(), 1, "no ICMP error came");
        let mut bytes = [0; 1500];
        let length = recv(icmp.as_raw_fd(), &mut bytes, MsgFlags::empty()).unwrap();
        // IPv4's come with their header. Both quote the packet, whose destination is who answers.
        let message = &bytes[if ipv4 { 20 } else { 0 }..length];
        if !ipv4 && message[0] >= 128 {
            continue;
        }
        let quoted = &message[8..];
        let from = match ipv4 {
            true => <[u8; 4]>::try_from(&quoted[16..20]).unwrap().into(),
            false => <[u8; 16]>::try_from(&quoted[24..40]).unwrap().into(),
        };
        return (message[0], message[1], from);
    }
}

fn without_a_decapsulator_the_kernel_says_so_itself() {
    for (_, protocol, inside) in KINDS {
        let lab = Lab::build();
        let outer = protocol.outer_ipv4();
        let icmp = lab.icmp(outer);
        lab.send(outer, &tunnelled(protocol, inside[0], (0, 0), b"lost"));
        let (kind, code, _) = first_error(&icmp, outer);
        // A kernel with a module of its own says port unreachable.
        let own = if outer { [(3, 2), (3, 3)] } else { [(4, 1), (1, 4)] };
        assert!(own.contains(&(kind, code)), "{protocol:?}: {kind} {code}");
    }
}
