//! Tunnel devices: packets written behind them come out in the node.

use crate::harness::soon;
use crate::hosts::{node, udp};
use crate::shape::{VIP, build, device, name, scenario, shipped};
use labsim_lab::{BuildError, Capture, Lab, MarkerKind, Plan, TunnelEnd, TunnelMode, probe};
use labsim_scenario::model::Direction;
use labsim_wire::checksum;
use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

crate::tests![
    a_packet_behind_the_tunnel_reaches_the_vip,
    a_tunnel_without_an_address_drops_everything_under_a_loose_filter,
    a_veth_end_does_what_the_tun_device_does,
    the_tun_device_is_made_or_its_absence_is_named,
    the_kernels_tunnel_is_made_or_its_absence_is_named,
    a_tunnel_is_handed_out_once,
];

/// A UDP packet from the client to the VIP's port 700.
fn inner_packet() -> Vec<u8> {
    let (source, destination) = (Ipv4Addr::new(192, 168, 11, 201), VIP.parse().unwrap());
    // Without a checksum of its own, which UDP over IPv4 allows (RFC 768).
    let udp = [[0x30, 0x39], 700_u16.to_be_bytes(), 13_u16.to_be_bytes(), [0, 0]].concat();
    let header = labsim_wire::ipv4::Header {
        source,
        destination,
        protocol: labsim_wire::protocol::UDP,
        ttl: 126,
        tos: 0,
        id: 7,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        options: &[],
        payload_length: udp.len() + 5,
    };
    let mut packet = vec![0; header.length()];
    header.emit(&mut packet).unwrap();
    assert_eq!(checksum::of(&packet), 0);
    packet.extend(udp);
    packet.extend(b"inner");
    packet
}

/// Puts the packet where a decapsulator would.
fn write_behind(end: TunnelEnd) {
    let packet = inner_packet();
    match end {
        TunnelEnd::Tun(tun) => {
            let mut tun = File::from(tun);
            tun.write_all(&packet).unwrap();
        }
        TunnelEnd::Veth { socket, mac } => {
            let frame = [&mac[..], &[2, 0, 0, 0, 0, 1], &[8, 0], &packet].concat();
            let sent = nix::sys::socket::send(
                socket.as_raw_fd(),
                &frame,
                nix::sys::socket::MsgFlags::empty(),
            );
            assert_eq!(sent, Ok(frame.len()));
        }
    }
}

fn reaches_the_vip(mut lab: Lab) {
    let end = lab.take_tunnel(&name("rs1"), &device("tunl0")).unwrap();
    let server = udp(node(&lab, "rs1"), &format!("{VIP}:700"));
    let capture = Capture::start(&lab).unwrap();
    write_behind(end);
    let mut buffer = [0; 9];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"inner");
    assert_eq!(from.to_string(), "192.168.11.201:12345");
    assert_eq!(capture.mark(MarkerKind::End, soon()).unwrap().silent, Vec::<String>::new());
    let captured = capture.stop().unwrap();
    let point = captured.find_point(&name("rs1"), &device("tunl0")).unwrap();
    let link = captured.points[point].link;
    let seen = captured
        .frames()
        .filter(|it| it.point == point && it.marker.is_none() && it.direction == Direction::In)
        .filter_map(|it| labsim_wire::decode(link, it.bytes, it.bytes.len()).packet().cloned())
        .collect::<Vec<_>>();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].outermost.ttl, 126);
    assert_eq!(node(&lab, "rs1").interface_counters().unwrap()["tunl0"].rx_packets, 1);
}

fn a_packet_behind_the_tunnel_reaches_the_vip() {
    reaches_the_vip(shipped());
}

fn a_veth_end_does_what_the_tun_device_does() {
    reaches_the_vip(build(&Plan::of(&scenario(), TunnelMode::UserspaceVeth)));
}

fn a_tunnel_without_an_address_drops_everything_under_a_loose_filter() {
    let mut scenario = scenario();
    let server = scenario.real_servers.get_mut(&name("rs1")).unwrap();
    server.tunnel.as_mut().unwrap().address = None;
    let mut lab = build(&Plan::of(&scenario, crate::shape::userspace_mode()));
    let end = lab.take_tunnel(&name("rs1"), &device("tunl0")).unwrap();
    let rs1 = node(&lab, "rs1");
    let server = rs1.udp_socket(format!("{VIP}:700").parse().unwrap()).unwrap();
    let capture = Capture::start(&lab).unwrap();
    write_behind(end);
    // Receiving is done when a later frame on the same device's way has been dealt with.
    assert_eq!(capture.mark(MarkerKind::End, soon()).unwrap().silent, Vec::<String>::new());
    assert_eq!(server.recv(&mut [0; 9]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(rs1.counters().unwrap()["TcpExtIPReversePathFilter"], 1);
}

fn the_tun_device_is_made_or_its_absence_is_named() {
    let built = Lab::build(&Plan::of(&scenario(), TunnelMode::Userspace));
    match (probe::tun_device(), built) {
        (Ok(()), Ok(mut lab)) => {
            let end = lab.take_tunnel(&name("rs1"), &device("tunl0"));
            assert!(matches!(end, Some(TunnelEnd::Tun(_))), "{end:?}");
        }
        (Err(missing), Err(BuildError::Tun { node, reason, remedy, .. })) => {
            assert_eq!(node, "rs1");
            assert_eq!((reason, remedy.clone()), (missing.reason, missing.remedy));
            assert!(remedy.contains('`'), "{remedy}");
        }
        (probed, built) => panic!("{probed:?} and {built:?}"),
    }
}

fn the_kernels_tunnel_is_made_or_its_absence_is_named() {
    let built = Lab::build(&Plan::of(&scenario(), TunnelMode::Kernel));
    match (probe::kernel_ipip(), built) {
        (Ok(()), Ok(lab)) => {
            let devices = node(&lab, "rs1").interface_counters().unwrap();
            assert!(devices.contains_key("tunl0"), "{devices:?}");
        }
        (Err(missing), Err(error @ BuildError::NoKernelTunnel { .. })) => {
            assert!(missing.remedy.contains("modprobe ipip"), "{missing}");
            assert!(error.to_string().contains("modprobe ipip"), "{error}");
        }
        (probed, built) => panic!("{probed:?} and {built:?}"),
    }
}

fn a_tunnel_is_handed_out_once() {
    let mut lab = shipped();
    let tunl0 = device("tunl0");
    assert!(lab.take_tunnel(&name("client"), &tunl0).is_none());
    assert!(lab.take_tunnel(&name("rs2"), &device("eth0")).is_none());
    assert!(lab.take_tunnel(&name("rs2"), &tunl0).is_some());
    assert!(lab.take_tunnel(&name("rs2"), &tunl0).is_none());
}
