//! Who gets what the program does not forward; what it counts; what it leaves behind.

use crate::support::arm::{Arm, Seen, arm};
use crate::support::bench::ipv6::config_of;
use crate::support::bench::{
    ACK, CLIENT, SYN, Tcp, US, arp_request, config, frame, header_of, resum, tcp, udp,
};
use crate::support::engine::{By, MEMBER, PATH, Pair, SERVER};
use labsim_fast_path::{Capacity, FastPath, Owned, Share};
use labsim_forwarder::{
    Instant, OffloadDirection, OffloadKey, OffloadedFlow, PortRange, Service, SourceTranslation,
    Tally,
};
use labsim_test_support::Completion;
use labsim_wire::protocol;
use std::net::Ipv4Addr;

labsim_test_support::tests![
    what_is_owned_goes_to_the_engine_and_the_rest_to_the_kernel,
    flows_and_traffic_are_counted_as_the_engine_counts_them,
    room_is_for_the_flows_that_the_configuration_allows,
    a_full_map_and_a_missing_path_leave_packets_to_the_engine,
    a_capture_at_the_interface_sees_both_directions,
    nothing_is_left_behind,
];

/// The frame, and whether engine and kernel get it.
type Expectation = (&'static str, Vec<u8>, (bool, bool));

fn to(destination: Ipv4Addr, destination_port: u16) -> Vec<u8> {
    Tcp { destination, destination_port, ..tcp(SYN) }.frame()
}

fn later_fragment(destination: Ipv4Addr) -> Vec<u8> {
    let mut header = header_of(CLIENT, destination, protocol::TCP);
    (header.dont_fragment, header.fragment_offset) = (false, 1400);
    frame(US, header, &[7; 64])
}

fn icmp(destination: Ipv4Addr, kind: u8) -> Vec<u8> {
    frame(US, header_of(CLIENT, destination, protocol::ICMP), &[&[kind, 0][..], &[0; 34]].concat())
}

/// IP packets that the kernel got so far.
fn received(arm: &Arm) -> u64 {
    arm.balancer.counter("Ip", "InReceives")
}

fn what_is_owned_goes_to_the_engine_and_the_rest_to_the_kernel() -> Completion {
    let mut arm = match arm() {
        Ok(arm) => arm,
        Err(ignored) => return ignored,
    };
    let [vip, hosts, shared, tunnel, other] =
        [1, 2, 3, 4, 5].map(|last| Ipv4Addr::new(172, 16, 4, last));
    let tcp_ports =
        |first, last| Service { protocol: protocol::TCP, ports: Some(PortRange { first, last }) };
    let every_udp = Service { protocol: protocol::UDP, ports: None };
    let services = Share::Services(vec![tcp_ports(49, 49), tcp_ports(80, 90), every_udp]);
    let ports = Share::Ports(PortRange { first: 40_000, last: 50_000 });
    let shares = [(vip, Share::All), (hosts, services), (shared, ports), (tunnel, Share::Errors)];
    let owned = shares.map(|(address, share)| Owned { address: address.into(), share });
    arm.fast_path.set_owned(&owned).unwrap();
    let (engine, kernel, both) = ((true, false), (false, true), (true, true));
    let datagram = |destination| {
        let mut frame = udp(7, 9, b"data");
        frame[30..34].copy_from_slice(&Ipv4Addr::octets(&destination));
        resum(&mut frame);
        frame
    };
    let expectations: Vec<Expectation> = vec![
        ("TCP to a VIP", to(vip, 9), engine),
        ("ICMP to a VIP", icmp(vip, 8), engine),
        ("a fragment to a VIP", later_fragment(vip), engine),
        ("a service of a VIP that the host has", to(hosts, 49), engine),
        ("a service in a range", to(hosts, 90), engine),
        ("a service of every port", datagram(hosts), engine),
        ("a later fragment of a service's protocol", later_fragment(hosts), engine),
        ("another port of the host's", to(hosts, 91), both),
        ("ICMP to a VIP that the host has", icmp(hosts, 8), both),
        ("a translated port", to(shared, 50_000), engine),
        ("a port of the host's own", to(shared, 50_001), kernel),
        ("an ICMP error about a translated packet", icmp(shared, 3), both),
        ("a ping to the host", icmp(shared, 8), kernel),
        ("a fragment to a translated address", later_fragment(shared), both),
        ("an ICMP error about a tunnel packet", icmp(tunnel, 11), both),
        ("TCP to the tunnel's source", to(tunnel, 49), kernel),
        ("a packet to an address that is nobody's", to(other, 49), kernel),
    ];
    for (what, frame, (engine, kernel)) in expectations {
        let before = received(&arm);
        let Seen { sent, to_engine } = arm.pass(&frame);
        assert!(sent.is_empty(), "{what}: {sent:02x?}");
        let expected: &[Vec<u8>] = if engine { &[frame] } else { &[] };
        assert_eq!(to_engine, expected, "{what}");
        assert_eq!(received(&arm) - before, u64::from(kernel), "{what}");
    }
    let request = arp_request(vip);
    assert_eq!(arm.pass(&request).to_engine, [request]);
    arm.fast_path.set_owned(&[]).unwrap();
    let before = received(&arm);
    assert!(arm.pass(&to(vip, 9)).to_engine.is_empty(), "it is the kernel's again");
    assert_eq!(received(&arm) - before, 1);
    Completion::Completed
}

fn flows_and_traffic_are_counted_as_the_engine_counts_them() -> Completion {
    let mut arm = match arm() {
        Ok(arm) => arm,
        Err(ignored) => return ignored,
    };
    let mut pair = Pair::new(&mut arm, &config()).unwrap();
    let key = pair.open(&tcp(SYN).frame());
    let flow_use = pair.arm.fast_path.flow_use(&key).unwrap();
    assert!(!flow_use.is_used && !flow_use.acknowledged);
    let before = pair.bench.counters();
    let frames = [0, 10, 700].map(|data| Tcp { data, ..tcp(ACK) }.frame());
    for frame in &frames {
        assert_eq!(pair.pass(frame), By::Program);
    }
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let inner = Tally { packets: 3, bytes: (bytes - 3 * 14) as u64 };
    let counters = pair.arm.fast_path.counters(SERVER + 1, MEMBER + 1).unwrap();
    let (server, member) = (usize::from(SERVER), usize::from(MEMBER));
    let no_replies = Tally::default();
    assert_eq!((counters.received[server], counters.server_replies[server]), (inner, no_replies));
    assert_eq!((counters.sent[member], counters.member_replies[member]), (inner, no_replies));
    assert_eq!(counters.forwarded, Tally { packets: 3, bytes: bytes as u64 });
    assert_eq!(counters.forwarded_to_client, Tally::default());
    assert_eq!(pair.arm.fast_path.lost().unwrap(), 0);
    let after = pair.bench.counters();
    let of_servers = |counters: &labsim_forwarder::Counters| {
        let received = counters.virtual_servers.values().map(|server| server.received);
        received.fold((0, 0), |sum, it| (sum.0 + it.packets, sum.1 + it.bytes))
    };
    let (before, after) = (of_servers(&before), of_servers(&after));
    assert_eq!((after.0 - before.0, after.1 - before.1), (inner.packets, inner.bytes));
    let seen = pair.arm.fast_path.remove(&key).unwrap();
    assert!(seen.is_used && seen.acknowledged);
    assert_eq!((seen.client_next, seen.server_next), (1000 + 700, 2000));
    assert!(seen.last_seen > Instant::ZERO);
    assert_eq!(pair.arm.fast_path.remove(&key), None);
    assert_eq!(pair.pass(&frames[0]), By::Engine);
    Completion::Completed
}

fn room_is_for_the_flows_that_the_configuration_allows() -> Completion {
    let most = config().limits.flows;
    let room = Capacity::of(&config());
    assert_eq!(room.ipv4_flows, most);
    assert_eq!(Capacity::of(&config_of(true, true)).ipv6_flows, most);
    let mut translating = config();
    for server in translating.balancer.virtual_servers.values_mut() {
        server.source_address_translation = SourceTranslation::Automap;
    }
    assert_eq!(Capacity::of(&translating).ipv4_flows, 2 * most, "a flow has an entry each way");
    let mut large = config();
    large.limits.flows = 1_000_000;
    assert!(Capacity::of(&large).ipv6_flows < 10_000, "no IPv6 is served");
    for pool in large.balancer.pools.values_mut() {
        let member = pool.members[0];
        pool.members = vec![member; 1000];
    }
    assert!(Capacity::of(&large).members >= 4000, "a reload may add members");
    Completion::Completed
}

fn a_full_map_and_a_missing_path_leave_packets_to_the_engine() -> Completion {
    let mut arm = match Arm::new(Capacity { ipv4_flows: 1, ..Capacity::default() }) {
        Ok(arm) => arm,
        Err(_) => return arm().err().unwrap_or(Completion::Completed),
    };
    let mut pair = Pair::new(&mut arm, &config()).unwrap();
    let key = pair.open(&tcp(SYN).frame());
    let data = tcp(ACK).frame();
    assert_eq!(pair.pass(&data), By::Program);
    let flow = OffloadedFlow {
        direction: OffloadDirection::ToMember,
        path: PATH,
        server: SERVER,
        member: MEMBER,
        new_source: None,
        new_destination: None,
    };
    let other = OffloadKey { source: (key.source.ip(), 1).into(), ..key };
    assert!(!pair.arm.fast_path.insert(&other, &flow, Instant::ZERO).unwrap());
    let far = OffloadedFlow { member: u16::MAX, ..flow };
    assert!(!pair.arm.fast_path.insert(&key, &far, Instant::ZERO).unwrap());
    let second = Tcp { source_port: 1, ..tcp(SYN) }.frame();
    assert_eq!(pair.pass(&second), By::Engine);
    pair.arm.fast_path.set_path(PATH, None).unwrap();
    pair.arm.fast_path.set_path(PATH, None).unwrap();
    assert_eq!(pair.pass(&data), By::Engine);
    Completion::Completed
}

fn a_capture_at_the_interface_sees_both_directions() -> Completion {
    let mut arm = match arm() {
        Ok(arm) => arm,
        Err(ignored) => return ignored,
    };
    let capture = arm.balancer_socket("eth0");
    let mut pair = Pair::new(&mut arm, &config()).unwrap();
    pair.open(&tcp(SYN).frame());
    let data = Tcp { data: 99, ..tcp(ACK) }.frame();
    let seen = pair.arm.pass(&data);
    let captured = capture.take();
    assert_eq!(captured[..2], [data, seen.sent[0].clone()]);
    Completion::Completed
}

fn nothing_is_left_behind() -> Completion {
    let arm = match arm() {
        Ok(arm) => arm,
        Err(ignored) => return ignored,
    };
    let Arm { balancer, fast_path, .. } = arm;
    let names = || -> Vec<String> {
        let entries = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let names = entries.lines().filter_map(|line| line.split_once(':'));
        names.map(|(name, _)| name.trim().to_owned()).collect()
    };
    assert!(balancer.run(names).iter().any(|name| name.starts_with("pva")));
    drop(fast_path);
    assert!(!balancer.run(names).iter().any(|name| name.starts_with("pva")));
    // Another takes its place.
    let again = balancer.run(|| FastPath::attach("eth0", US, Capacity::default())).unwrap();
    assert_eq!(balancer.index(&format!("pva{}", balancer.index("eth0"))), again.engine_interface());
    Completion::Completed
}
