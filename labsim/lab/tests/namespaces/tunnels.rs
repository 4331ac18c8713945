//! Tunnel devices: packets written behind them come out in the node.

use crate::hosts::{node, udp};
use crate::shape::{VIP, build, device, name, scenario, shipped};
use labsim_lab::{
    BuildError, Capture, Lab, LabPlan, MarkerKind, TunnelEnd, TunnelMode, TunnelModes, probe,
};
use labsim_scenario::model::{Direction, GreOptions, Scenario, TunnelKind};
use labsim_test_support::soon;
use labsim_wire::checksum;
use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};

labsim_test_support::tests![
    a_packet_behind_the_tunnel_reaches_the_vip,
    a_tunnel_without_an_address_drops_everything_under_a_loose_filter,
    a_veth_end_does_what_the_tun_device_does,
    the_tun_device_is_made_or_its_absence_is_named,
    the_kernels_tunnel_is_made_or_its_absence_is_named,
    the_kernels_gre_tunnels_are_made_or_their_absence_is_named,
    a_gre_device_leaves_room_for_its_header,
    a_veth_end_that_stands_in_takes_the_longest_packets,
    a_tunnels_socket_receives_its_protocol_alone,
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
    reaches_the_vip(build(&LabPlan::of(&scenario(), TunnelMode::UserspaceVeth)));
}

fn a_tunnel_without_an_address_drops_everything_under_a_loose_filter() {
    let mut scenario = scenario();
    let server = scenario.real_servers.get_mut(&name("rs1")).unwrap();
    server.tunnels[0].address = None;
    let mut lab = build(&LabPlan::of(&scenario, crate::shape::userspace_mode()));
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
    let built = Lab::build(&LabPlan::of(&scenario(), TunnelMode::Userspace));
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
    let built = Lab::build(&LabPlan::of(&scenario(), TunnelMode::Kernel));
    match (probe::kernel_tunnel(TunnelKind::Ipip), built) {
        (Ok(()), Ok(lab)) => {
            let devices = node(&lab, "rs1").interface_counters().unwrap();
            assert!(devices.contains_key("tunl0"), "{devices:?}");
        }
        (Err(missing), Err(error @ BuildError::NoKernelTunnel { .. })) => {
            assert!(missing.remedy.contains("ipip"), "{missing}");
            assert!(error.to_string().contains("ipip"), "{error}");
        }
        (probed, built) => panic!("{probed:?} and {built:?}"),
    }
}

/// The shipped lab with GRE: gre0, a key, a checksum.
fn gre_scenario() -> Scenario {
    let mut scenario = scenario();
    let key = GreOptions { key: Some(99), checksum: false };
    let checksum = GreOptions { key: None, checksum: true };
    let kinds = [("gre0", GreOptions::default()), ("gre1", key), ("gre1", checksum)];
    for (server, (device_name, options)) in scenario.real_servers.values_mut().zip(kinds) {
        let tunnel = &mut server.tunnels[0];
        tunnel.name = device(device_name);
        tunnel.kind = TunnelKind::Gre(options);
        server.sysctls.remove("net.ipv4.conf.tunl0.rp_filter");
    }
    scenario
}

fn the_kernels_gre_tunnels_are_made_or_their_absence_is_named() {
    let built = Lab::build(&LabPlan::of(&gre_scenario(), TunnelMode::Kernel));
    match (probe::kernel_tunnel(TunnelKind::Gre(GreOptions::default())), built) {
        (Ok(()), Ok(lab)) => {
            for (server, tunnel) in [("rs1", "gre0"), ("rs2", "gre1"), ("rs3", "gre1")] {
                let devices = node(&lab, server).interface_counters().unwrap();
                assert!(devices.contains_key(tunnel), "{server}: {devices:?}");
            }
        }
        (Err(missing), Err(error @ BuildError::NoKernelTunnel { .. })) => {
            assert!(missing.remedy.contains("ip_gre"), "{missing}");
            assert!(error.to_string().contains("ip_gre"), "{error}");
        }
        (probed, built) => panic!("{probed:?} and {built:?}"),
    }
}

fn a_gre_device_leaves_room_for_its_header() {
    let mode = crate::shape::userspace_mode();
    let mut modes = TunnelModes::from(TunnelMode::Kernel);
    modes.set(TunnelKind::Gre(GreOptions::default()), mode);
    let mut lab = build(&LabPlan::of(&gre_scenario(), modes));
    for (server, tunnel, mtu) in
        [("rs1", "gre0", 1476), ("rs2", "gre1", 1472), ("rs3", "gre1", 1472)]
    {
        for planned in [TunnelMode::Kernel, TunnelMode::Userspace] {
            let plan = LabPlan::of(&gre_scenario(), TunnelModes::from(planned));
            let tunnel = &plan.node(&name(server)).unwrap().tunnels[0];
            assert_eq!(tunnel.mtu, mtu, "{server}");
        }
        assert!(lab.take_tunnel(&name(server), &device(tunnel)).is_some());
        let listed = node(&lab, server).run(|| mtu_of(tunnel)).unwrap();
        let built = if mode == TunnelMode::UserspaceVeth { 65_535 } else { mtu };
        assert_eq!(listed, Some(built.to_string()), "{server}:{tunnel}");
    }
}

/// A tunnel's MTU bounds what is sent into it, and a veth end's also what comes out.
fn a_veth_end_that_stands_in_takes_the_longest_packets() {
    let modes = TunnelModes::from(TunnelMode::UserspaceVeth);
    let lab = build(&LabPlan::of(&gre_scenario(), modes));
    for (server, tunnel) in [("rs1", "gre0"), ("rs2", "gre1"), ("rs3", "gre1")] {
        let listed = node(&lab, server).run(|| mtu_of(tunnel)).unwrap();
        assert_eq!(listed.as_deref(), Some("65535"), "{server}:{tunnel}");
    }
}

/// By `SIOCGIFMTU` (netdevice(7)): `/sys` shows the namespace that it was mounted in.
fn mtu_of(name: &str) -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    Some(labsim_sys::device::mtu_of(&socket, name).ok()?.to_string())
}

fn a_tunnels_socket_receives_its_protocol_alone() {
    let lab = shipped();
    let rs1 = node(&lab, "rs1");
    let socket = |node: &labsim_lab::Node, kind| node.tunnel_sockets(kind).unwrap().remove(0);
    let gre = socket(rs1, TunnelKind::Gre(GreOptions::default()));
    let ipip = socket(rs1, TunnelKind::Ipip);
    let router = node(&lab, "router");
    // The kernel puts the header in front: what is sent is the payload (raw(7)).
    let sender = socket(router, TunnelKind::Ipip);
    let to: nix::sys::socket::SockaddrIn = "10.1.1.51:0".parse().unwrap();
    let flags = nix::sys::socket::MsgFlags::empty();
    nix::sys::socket::sendto(sender.as_raw_fd(), b"inner", &to, flags).unwrap();
    let mut ready = [nix::poll::PollFd::new(ipip.as_fd(), nix::poll::PollFlags::POLLIN)];
    assert_eq!(nix::poll::poll(&mut ready, 20_000_u16), Ok(1));
    let mut packet = [0; 64];
    let length = nix::unistd::read(&ipip, &mut packet).unwrap();
    assert_eq!((packet[9], &packet[20..length]), (4, &b"inner"[..]));
    // Both sockets have their packets when one has: the kernel hands them out one after the other.
    assert_eq!(nix::unistd::read(&gre, &mut packet), Err(nix::errno::Errno::EAGAIN));
}

fn a_tunnel_is_handed_out_once() {
    let mut lab = shipped();
    let tunl0 = device("tunl0");
    assert!(lab.take_tunnel(&name("client"), &tunl0).is_none());
    assert!(lab.take_tunnel(&name("rs2"), &device("eth0")).is_none());
    assert!(lab.take_tunnel(&name("rs2"), &tunl0).is_some());
    assert!(lab.take_tunnel(&name("rs2"), &tunl0).is_none());
}
