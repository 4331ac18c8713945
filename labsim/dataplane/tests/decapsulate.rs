//! Decapsulators of every kind of tunnel, on hand-made packets: between network namespaces of the
//! test's own.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_dataplane::decapsulate::{Counters, Decapsulator, Gre, InnerEnd, Protocol};
use labsim_wire::checksum::AddressPair;
use labsim_wire::{gre, ipv4, ipv6, udp};
use nix::sys::socket::{MsgFlags, SockaddrStorage, recv, sendto};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;
use support::harness::{Ended, Test, run_with_rights};
use support::namespace::Namespace;
use support::topology::{decapsulator, open_tun, packet_socket, raw_socket, without_ipv6};

/// Longer than anything here takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(20);

const TESTS: &[Test] = &[
    ("every_kind_of_tunnel_ends_behind_a_tun", behind_a_tun),
    ("every_kind_of_tunnel_ends_behind_a_veth_end", behind_a_veth),
    ("an_encapsulation_limit_in_front_is_read_over", encapsulation_limit),
    ("what_is_not_for_an_end_is_refused_and_counted_by_name", refusals),
    ("a_device_that_is_down_is_answered_with_port_unreachable", device_down),
    ("without_a_decapsulator_the_kernel_says_so_itself", nobody),
];

fn main() -> ExitCode {
    run_with_rights(TESTS)
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

    fn tun(&self, name: &str, protocol: Protocol) -> std::io::Result<Decapsulator> {
        let device = self.server.run(|| open_tun(name))?;
        self.server.up(name);
        Ok(decapsulator(&self.server, protocol, InnerEnd::Tun(device)))
    }

    fn veth(&self, name: &str, protocol: Protocol) -> Decapsulator {
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
        server.set_read_timeout(Some(DEADLINE)).unwrap();
        server
    }

    fn send(&self, outer_ipv4: bool, packet: &[u8]) {
        let family = if outer_ipv4 { libc::AF_INET } else { libc::AF_INET6 };
        let socket = raw_socket(&self.sender, family, libc::IPPROTO_RAW);
        let to = SockaddrStorage::from(SocketAddr::new(of(SERVER, outer_ipv4), 0));
        sendto(socket.as_raw_fd(), packet, &to, MsgFlags::empty()).unwrap();
    }

    /// Where the sender gets ICMP of a family.
    fn icmp(&self, ipv4: bool) -> OwnedFd {
        let (family, protocol) = match ipv4 {
            true => (libc::AF_INET, libc::IPPROTO_ICMP),
            false => (libc::AF_INET6, libc::IPPROTO_ICMPV6),
        };
        raw_socket(&self.sender, family, protocol)
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
    protocol: Protocol,
    inner_ipv4: bool,
    (outer_class, class): (u8, u8),
    word: &[u8],
) -> Vec<u8> {
    let mut body = inner(inner_ipv4, class, word);
    let mut number = if inner_ipv4 { 4 } else { 41 };
    if let Protocol::Gre(options) | Protocol::Ip6gre(options) = protocol {
        let ethertype = if inner_ipv4 { 0x0800 } else { 0x86dd };
        let Gre { key, checksum } = options;
        let header = gre::Header { protocol: ethertype, checksum, key, sequence: None };
        body.splice(0..0, vec![0; header.length()]);
        header.emit(&mut body).unwrap();
        number = 47;
    }
    let outer = protocol.outer_ipv4();
    ip(of(SENDER, outer), of(SERVER, outer), number, outer_class, &body)
}

const KEYED: Gre = Gre { key: Some(7), checksum: true };

/// Every kind of tunnel, its device's name, and what may be inside.
const KINDS: [(&str, Protocol, &[bool]); 5] = [
    ("tunl0", Protocol::Ipip, &[true]),
    ("sit0", Protocol::Sit, &[false]),
    ("ip6tnl1", Protocol::Ip6tnl, &[true, false]),
    ("gre1", Protocol::Gre(KEYED), &[true, false]),
    ("ip6gre1", Protocol::Ip6gre(KEYED), &[true, false]),
];

fn arrives(lab: &Lab, decapsulator: Decapsulator, protocol: Protocol, inside: &[bool]) {
    let mut bytes = 0;
    for ipv4 in inside {
        let server = lab.at_vip(*ipv4);
        lab.send(protocol.outer_ipv4(), &tunnelled(protocol, *ipv4, (0, 0), b"hello"));
        let mut data = [0; 16];
        let (length, from) = server.recv_from(&mut data).unwrap();
        assert_eq!((&data[..length], from.ip()), (&b"hello"[..], of(CLIENT, *ipv4)));
        bytes += inner(*ipv4, 0, b"hello").len() as u64;
    }
    decapsulator.drain(DEADLINE).unwrap();
    let mut counters = decapsulator.stop();
    // What a device says by itself when it comes up.
    (counters.tx_dropped, counters.tx_dropped_bytes) = (0, 0);
    let rx_packets = inside.len() as u64;
    assert_eq!(counters, Counters { rx_packets, rx_bytes: bytes, ..Counters::default() });
}

fn behind_a_tun() -> Ended {
    for (name, protocol, inside) in KINDS {
        let lab = Lab::build();
        match lab.tun(name, protocol) {
            Ok(decapsulator) => arrives(&lab, decapsulator, protocol, inside),
            Err(error) => return Ended::Impossible(format!("/dev/net/tun: {error}")),
        }
    }
    Ended::Passed
}

fn behind_a_veth() -> Ended {
    for (name, protocol, inside) in KINDS {
        let lab = Lab::build();
        let decapsulator = lab.veth(name, protocol);
        arrives(&lab, decapsulator, protocol, inside);
    }
    Ended::Passed
}

fn encapsulation_limit() -> Ended {
    let lab = Lab::build();
    let protocol = Protocol::Ip6tnl;
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
    Ended::Passed
}

/// Congestion marks, keys, checksums, and what is inside: over IPv6, as over IPv4.
fn refusals() -> Ended {
    let lab = Lab::build();
    let protocol = Protocol::Ip6gre(KEYED);
    let decapsulator = lab.veth("ip6gre1", protocol);
    let icmp = lab.icmp(false);
    lab.send(false, &tunnelled(protocol, false, (3, 0), b"mark"));
    let mut wrong = tunnelled(protocol, false, (0, 0), b"sum");
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    lab.send(false, &wrong);
    let plain = Gre { key: Some(7), checksum: false };
    lab.send(false, &tunnelled(Protocol::Ip6gre(plain), false, (0, 0), b"none"));
    let mut other = tunnelled(Protocol::Ip6gre(plain), false, (0, 0), b"type");
    other[42..44].copy_from_slice(&[0x65, 0x58]);
    lab.send(false, &other);
    let keyless = Gre { key: Some(8), checksum: true };
    lab.send(false, &tunnelled(Protocol::Ip6gre(keyless), false, (0, 0), b"key"));
    assert_eq!(port_unreachable(&icmp, false), of(SERVER, false));
    decapsulator.drain(DEADLINE).unwrap();
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
    Ended::Passed
}

fn device_down() -> Ended {
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
    Ended::Passed
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
        let timeout = nix::poll::PollTimeout::try_from(DEADLINE).unwrap();
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

fn nobody() -> Ended {
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
    Ended::Passed
}
