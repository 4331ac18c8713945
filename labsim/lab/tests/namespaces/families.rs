//! IPv6 in nodes and through their tunnel devices.

use crate::hosts::{node, udp};
use crate::shape::{build, device, name, pair, scenario, userspace_mode};
use labsim_lab::{BuildError, Capture, Lab, LabPlan, MarkerKind, TunnelEnd, TunnelMode, probe};
use labsim_scenario::model::{
    GreOptions, InterfaceName, Scenario, Scope, Topology, TunnelDevice, TunnelKind, VipAddress,
};
use labsim_test_support::soon;
use labsim_wire::{ipv6, protocol, udp};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

labsim_test_support::tests![
    an_ipv6_packet_behind_any_device_reaches_the_vip,
    a_veth_end_takes_ipv6_as_the_tun_device_does,
    the_kernels_tunnels_for_ipv6_are_made_or_their_absence_is_named,
    a_device_leaves_room_for_its_headers,
    addresses_of_a_fresh_lab_answer_at_once,
    a_device_that_is_down_is_not_waited_for,
];

const OWN: &str = "2001:db8:1::51";
const VIP: &str = "2001:db8:4::99";

/// Three kinds of tunnel on one server, and what is told of each.
const KINDS: [(TunnelKind, &str); 3] = [
    (TunnelKind::Sit, "sit"),
    (TunnelKind::Ip6tnl, "ip6_tunnel"),
    (TunnelKind::Ip6gre(GreOptions { key: None, checksum: false }), "ip6_gre"),
];

fn usual(kind: TunnelKind) -> InterfaceName {
    device(kind.usual_device())
}

/// The shipped lab with IPv6 on rs1, its VIP on `lo`, and these tunnels there alone.
fn with(kinds: &[TunnelKind]) -> Scenario {
    let mut scenario = scenario();
    scenario.real_servers.retain(|node, _| *node == name("rs1"));
    for node in scenario.topology.nodes.iter_mut().filter(|node| node.name == name("rs1")) {
        node.interfaces[0].addresses.push(format!("{OWN}/64").parse().unwrap());
    }
    let server = scenario.real_servers.get_mut(&name("rs1")).unwrap();
    server.sysctls.remove("net.ipv4.conf.tunl0.rp_filter");
    let lo = VipAddress {
        address: VIP.parse().unwrap(),
        interface: device("lo"),
        label: None,
        scope: Scope::Host,
    };
    server.vips.push(lo);
    let local = |kind: TunnelKind| if kind.outer_ipv4() { "10.1.1.51" } else { OWN };
    let tunnel = |kind: &TunnelKind| TunnelDevice {
        kind: *kind,
        name: usual(*kind),
        up: true,
        address: None,
        local: Some(local(*kind).parse().unwrap()),
    };
    server.tunnels = kinds.iter().map(tunnel).collect();
    scenario
}

/// A UDP packet for the VIP's port 700.
fn inner_packet() -> Vec<u8> {
    let (source, destination) = ("2001:db8:11::201".parse().unwrap(), VIP.parse().unwrap());
    let mut body = [[0; 8].as_slice(), b"inner"].concat();
    udp::Header { source_port: 12345, destination_port: 700, payload_length: 5 }
        .emit(&mut body)
        .unwrap();
    let pair = labsim_wire::checksum::AddressPair::V6(source, destination);
    udp::ViewMut::new(&mut body).unwrap().fill_checksum(&pair);
    let header = ipv6::Header {
        source,
        destination,
        next_header: protocol::UDP,
        hop_limit: 9,
        traffic_class: 0,
        flow_label: 0,
        payload_length: body.len(),
    };
    let mut packet = vec![0; ipv6::HEADER_LEN];
    header.emit(&mut packet).unwrap();
    packet.extend(body);
    packet
}

/// Puts the packet where a decapsulator would.
fn write_behind(end: TunnelEnd) {
    let packet = inner_packet();
    match end {
        TunnelEnd::Tun(tun) => File::from(tun).write_all(&packet).unwrap(),
        TunnelEnd::Veth { socket, mac } => {
            let frame = [&mac[..], &[2, 0, 0, 0, 0, 1], &[0x86, 0xdd], &packet].concat();
            let flags = nix::sys::socket::MsgFlags::empty();
            let sent = nix::sys::socket::send(socket.as_raw_fd(), &frame, flags);
            assert_eq!(sent, Ok(frame.len()));
        }
    }
}

fn reaches_the_vip(mode: TunnelMode) {
    let kinds = KINDS.map(|(kind, _)| kind);
    let mut lab = build(&LabPlan::of(&with(&kinds), mode));
    for kind in kinds {
        let end = lab.take_tunnel(&name("rs1"), &usual(kind)).unwrap();
        assert!(lab.take_tunnel(&name("rs1"), &usual(kind)).is_none());
        let server = udp(node(&lab, "rs1"), &format!("[{VIP}]:700"));
        let capture = Capture::start(&lab).unwrap();
        write_behind(end);
        let mut buffer = [0; 9];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"inner");
        assert_eq!(from.to_string(), "[2001:db8:11::201]:12345");
        assert_eq!(capture.mark(MarkerKind::End, soon()).unwrap().silent, Vec::<String>::new());
        capture.stop().unwrap();
        let counters = node(&lab, "rs1").interface_counters().unwrap();
        assert_eq!(counters[kind.usual_device()].rx_packets, 1, "{kind:?}");
    }
    let counters = node(&lab, "rs1").counters().unwrap();
    assert_eq!(counters["Udp6InDatagrams"], KINDS.len() as u64, "{counters:?}");
}

fn an_ipv6_packet_behind_any_device_reaches_the_vip() {
    reaches_the_vip(userspace_mode());
}

fn a_veth_end_takes_ipv6_as_the_tun_device_does() {
    reaches_the_vip(TunnelMode::UserspaceVeth);
}

fn the_kernels_tunnels_for_ipv6_are_made_or_their_absence_is_named() {
    for (kind, remedy) in KINDS {
        let built = Lab::build(&LabPlan::of(&with(&[kind]), TunnelMode::Kernel));
        match (probe::kernel_tunnel(kind), built) {
            (Ok(()), Ok(lab)) => {
                let devices = node(&lab, "rs1").interface_counters().unwrap();
                assert!(devices.contains_key(kind.usual_device()), "{devices:?}");
            }
            (Err(missing), Err(error @ BuildError::NoKernelTunnel { .. })) => {
                assert!(missing.remedy.contains(remedy), "{missing}");
                assert!(error.to_string().contains(remedy), "{error}");
            }
            (probed, built) => panic!("{kind:?}: {probed:?} and {built:?}"),
        }
    }
}

/// The kernel's modules for IPv6 outside leave 8 bytes for an encapsulation limit too.
fn a_device_leaves_room_for_its_headers() {
    let key = TunnelKind::Ip6gre(GreOptions { key: Some(7), checksum: true });
    let plan = LabPlan::of(&with(&[KINDS[0].0, KINDS[1].0, KINDS[2].0, key]), TunnelMode::Kernel);
    let tunnels = &plan.node(&name("rs1")).unwrap().tunnels;
    let mtus: Vec<_> = tunnels.iter().map(|it| (it.name.as_str(), it.mtu)).collect();
    assert_eq!(mtus, [("sit0", 1480), ("ip6tnl1", 1452), ("ip6gre0", 1448), ("ip6gre1", 1440)]);
    let text = plan.to_string();
    let line = "  tunnel ip6tnl1 ip6tnl mtu 1452 (in the kernel)";
    assert!(text.lines().any(|it| it == line), "{text}");
}

/// A neighbour's answer that comes before its address has a route is lost, and a second goes by
/// until it is asked for again. The kernel's worker is quick, unless it has to wait for others that
/// make and undo namespaces.
fn addresses_of_a_fresh_lab_answer_at_once() {
    let mut topology = pair();
    for (node, address) in topology.nodes.iter_mut().zip(["fd00::1/64", "fd00::2/64"]) {
        node.interfaces[0].addresses.push(address.parse().unwrap());
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(build(&LabPlan::of_topology(&pair())));
                }
            });
        }
        // The others end whatever is found.
        let found: Vec<_> = (0..40).filter_map(|_| unanswering(&topology)).collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(found, Vec::<String>::new());
    });
}

/// An address of a fresh lab without a route to itself.
fn unanswering(topology: &Topology) -> Option<String> {
    let lab = build(&LabPlan::of_topology(topology));
    lab.nodes().find_map(|it| {
        let read = |file: &str| {
            let path = format!("/proc/thread-self/net/{file}");
            it.run(move || std::fs::read_to_string(path)).unwrap().unwrap()
        };
        let (routes, addresses) = (read("ipv6_route"), read("if_inet6"));
        // `lo`'s, a link-local one and the plan's.
        assert_eq!(addresses.lines().count(), 3, "{addresses}");
        let own = addresses.lines().filter_map(|line| line.split(' ').next());
        let unrouted = |address: &&str| {
            let host = format!("{address} 80 ");
            !routes.lines().any(|it| it.starts_with(&host))
        };
        own.map(|address| address.to_owned()).find(|address| unrouted(&address.as_str()))
    })
}

fn a_device_that_is_down_is_not_waited_for() {
    let mut scenario = with(&[TunnelKind::Sit]);
    let server = scenario.real_servers.get_mut(&name("rs1")).unwrap();
    server.tunnels[0].up = false;
    server.vips.last_mut().unwrap().interface = device("sit0");
    let lab = build(&LabPlan::of(&scenario, userspace_mode()));
    let read = || std::fs::read_to_string("/proc/thread-self/net/if_inet6");
    let addresses = node(&lab, "rs1").run(read).unwrap().unwrap();
    assert!(addresses.lines().any(|line| line.ends_with("sit0")), "{addresses}");
}
