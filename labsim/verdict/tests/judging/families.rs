//! The same judgements and causes where packets are IPv6, outside or inside.

use crate::lab::{Lab, mac};
use crate::scenario::{at, node, scenario, step};
use crate::wire;
use labsim_scenario::model::Direction::{In, Out};
use labsim_scenario::model::{Check, Count, FrameMatch, IcmpMatch};
use labsim_verdict::{Diagnosis, diagnose, judge};
use labsim_wire::checksum::AddressPair;
use labsim_wire::icmpv6::{self, Message};
use labsim_wire::tcp::{self, Flags};
use labsim_wire::{ethernet, ipv6, protocol};
use std::net::{Ipv6Addr, SocketAddrV6};

const IPV6: u16 = 0x86dd;

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn client() -> SocketAddrV6 {
    SocketAddrV6::new(address("2001:db8:11::201"), 61067, 0, 0)
}

fn vip() -> SocketAddrV6 {
    SocketAddrV6::new(address("2001:db8:4::99"), 49, 0, 0)
}

fn server() -> Ipv6Addr {
    address("2001:db8:1::52")
}

fn ip(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, hops: u8, body: &[u8]) -> Vec<u8> {
    let header = ipv6::Header {
        source,
        destination,
        next_header: protocol,
        hop_limit: hops,
        traffic_class: 0,
        flow_label: 0,
        payload_length: body.len(),
    };
    let mut bytes = vec![0; ipv6::HEADER_LEN];
    header.emit(&mut bytes).unwrap();
    bytes.extend_from_slice(body);
    bytes
}

/// The client's SYN.
fn syn(hops: u8) -> Vec<u8> {
    let header = tcp::Header {
        source_port: client().port(),
        destination_port: vip().port(),
        sequence: 7,
        acknowledgement: 0,
        flags: Flags::SYN,
        window: 513,
        urgent: 0,
        options: &[],
    };
    let mut body = vec![0; header.length()];
    header.emit(&mut body).unwrap();
    let pair = AddressPair::V6(*client().ip(), *vip().ip());
    tcp::ViewMut::new(&mut body).unwrap().fill_checksum(&pair);
    ip(*client().ip(), *vip().ip(), protocol::TCP, hops, &body)
}

/// The SYN in its tunnel.
fn tunnelled(hops: u8) -> Vec<u8> {
    ip(*client().ip(), server(), protocol::IPV6, hops, &syn(126))
}

/// A lab whose client connects by IPv6 and whose SYN came to rs2, in a tunnel.
fn lost_at_the_server() -> Lab {
    let mut lab = Lab::new();
    lab.attempt().local = Some(client().into());
    lab.attempt().remote = vip().into();
    let frame = |packet: &[u8]| wire::ethernet(packet, IPV6);
    lab.push("client", "eth0", Out, &frame(&syn(128)));
    lab.push("lb", "eth0", In, &frame(&syn(127)));
    lab.push("lb", "eth0", Out, &frame(&tunnelled(255)));
    lab.push("rs2", "eth0", In, &frame(&tunnelled(254)));
    lab
}

fn neighbour(source: Ipv6Addr, message: Message) -> Vec<u8> {
    let destination = address("ff02::1");
    let mut body = vec![0; icmpv6::NEIGHBOUR_LEN];
    message.emit(source, destination, &mut body).unwrap();
    wire::ethernet(&ip(source, destination, protocol::ICMPV6, 255, &body), IPV6)
}

fn question(source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let own = ethernet::Mac([2, 0, 0, 0, 0, 2]);
    neighbour(source, Message::NeighbourSolicitation { target, source: Some(own) })
}

fn answer(target: Ipv6Addr) -> Vec<u8> {
    let link = Some(ethernet::Mac([2, 0, 0, 0, 0, 2]));
    let message = Message::NeighbourAdvertisement {
        target,
        link,
        router: false,
        solicited: true,
        override_known: true,
    };
    neighbour(target, message)
}

fn diagnosed(lab: &Lab) -> Diagnosis {
    diagnose(&scenario(Vec::new()), &lab.seen, &step("login")).unwrap()
}

fn sentences(lab: &Lab) -> Vec<String> {
    diagnosed(lab).causes.iter().map(|cause| cause.sentence.clone()).collect()
}

#[test]
fn a_server_without_a_decapsulator_is_told_by_ipv6s_counter_and_its_error() {
    let mut lab = lost_at_the_server();
    let error = icmpv6::Error {
        source: server(),
        destination: *client().ip(),
        hop_limit: 64,
        message: Message::Other {
            kind: icmpv6::kind::PARAMETER_PROBLEM,
            code: 1,
            rest: 6_u32.to_be_bytes(),
        },
    };
    let mut packet = vec![0; error.length(&tunnelled(254))];
    error.emit(&tunnelled(254), &mut packet).unwrap();
    lab.push("rs2", "eth0", Out, &wire::ethernet(&packet, IPV6));
    // IPv4's counter says nothing of this packet.
    lab.rose("rs2", "IpInUnknownProtos", 9);
    lab.rose("rs2", "Ip6InUnknownProtos", 1);
    let found = sentences(&lab);
    assert_eq!(found.len(), 1, "{found:?}");
    let beginning = "rs2 does not decapsulate IPv6-in-IP (IP protocol 41) packets \
                     (Ip6InUnknownProtos +1, ICMP ";
    assert!(found[0].starts_with(beginning), "{found:?}");
    assert!(found[0].ends_with("(type 4, code 1)): it has no tunnel device for them"), "{found:?}");
}

#[test]
fn a_vip_that_is_missing_is_told_by_ipv6s_counter() {
    let mut lab = lost_at_the_server();
    lab.push("rs2", "tunl0", In, &syn(126));
    lab.rose("rs2", "IpInAddrErrors", 9);
    assert_eq!(sentences(&lab), Vec::<String>::new());
    lab.rose("rs2", "Ip6InAddrErrors", 2);
    assert_eq!(
        sentences(&lab),
        ["rs2 dropped 1 packet for 2001:db8:4::99 (Ip6InAddrErrors +2): no interface \
         has this address"]
    );
    lab.rose("rs2", "Ip6InAddrErrors", 0);
    lab.rose("rs2", "Ip6InNoRoutes", 3);
    let expected = "rs2 has no route to 2001:db8:4::99 (Ip6InNoRoutes +3)";
    assert_eq!(sentences(&lab), [expected]);
}

#[test]
fn what_a_segment_floods_for_other_groups_is_dropped_by_no_filter() {
    let mut lab = lost_at_the_server();
    lab.push("rs2", "tunl0", In, &syn(126));
    lab.rose("rs2", "Ip6InReceives", 3);
    lab.rose("rs2", "Ip6InDelivers", 1);
    let [sentence] = &sentences(&lab)[..] else { panic!("{:?}", sentences(&lab)) };
    assert!(sentence.contains("neither delivered nor refused"), "{sentence}");
    // Of two packets that were not delivered, one is for a group of another host's, and then both are.
    let flooded = question(Ipv6Addr::UNSPECIFIED, address("2001:db8:1::7777"));
    lab.push("rs2", "eth0", In, &flooded);
    assert_eq!(sentences(&lab).len(), 1, "{:?}", sentences(&lab));
    lab.push("rs2", "eth0", In, &flooded);
    assert_eq!(sentences(&lab), Vec::<String>::new());
}

#[test]
fn a_neighbour_that_does_not_answer_neighbour_discovery_is_told() {
    let (router, silent, other) =
        (address("fe80::1"), address("2001:db8:1::53"), address("2001:db8:1::51"));
    let mut lab = lost_at_the_server();
    // Packets end at the node that asks.
    lab.push("router", "servers", Out, &wire::ethernet(&tunnelled(254), IPV6));
    lab.push("router", "servers", In, &wire::ethernet(&tunnelled(254), IPV6));
    let mut ask = |target| lab.push("router", "servers", Out, &question(router, target));
    (0..3).for_each(|_| ask(silent));
    ask(other);
    lab.push("router", "servers", In, &answer(other));
    // Duplicate address detection hopes for no answer.
    let nobody = Ipv6Addr::UNSPECIFIED;
    lab.push("router", "servers", Out, &question(nobody, address("2001:db8:1::1")));
    let diagnosis = diagnosed(&lab);
    assert_eq!(
        sentences(&lab),
        ["router sent 3 neighbour solicitations for 2001:db8:1::53 and got no reply"]
    );
    assert_eq!(diagnosis.causes[0].node, Some(node("router")));
}

#[test]
fn a_server_that_claims_the_vip_by_neighbour_discovery_is_named() {
    let mut lab = Lab::new();
    lab.attempt().local = Some(client().into());
    lab.attempt().remote = vip().into();
    let mut frame = wire::ethernet(&syn(127), IPV6);
    frame[..6].copy_from_slice(&mac("rs2", "eth0"));
    lab.push("client", "eth0", Out, &wire::ethernet(&syn(128), IPV6));
    lab.push("rs2", "eth0", Out, &answer(*vip().ip()));
    lab.push("router", "servers", Out, &frame);
    lab.push("rs2", "eth0", In, &frame);
    assert_eq!(
        sentences(&lab),
        ["rs2 claimed 2001:db8:4::99 by neighbour discovery 1 time, and 1 packet went \
         directly to its link-layer address 02:00:00:00:01:06, first at router:servers \
         out: they bypassed the load balancer"]
    );
}

/// As ARP matches only what says nothing about IP.
#[test]
fn what_keeps_neighbours_up_is_no_packet_unless_it_is_asked_for() {
    let mut lab = Lab::new();
    let target = address("2001:db8:1::1");
    lab.push("client", "eth0", Out, &question(address("fe80::1"), target));
    let report = {
        let mut body = [0; 8];
        body[0] = 143;
        wire::ethernet(&ip(address("fe80::1"), address("ff02::16"), 58, 1, &body), IPV6)
    };
    lab.push("client", "eth0", Out, &report);
    let holds = |matching, exactly| {
        let count = Count::Exactly(exactly);
        let check = Check::Frames { at: at("client", "eth0"), matching, count };
        judge(&scenario(vec![check]), &lab.seen).expectations.remove(0).passed
    };
    let of =
        |kind| FrameMatch { icmp: Some(IcmpMatch { kind, code: None }), ..FrameMatch::default() };
    assert!(holds(FrameMatch::default(), 2));
    assert!(holds(FrameMatch { protocol: Some(58), ..FrameMatch::default() }, 0));
    assert!(holds(FrameMatch { ttl: Some(255), ..FrameMatch::default() }, 0));
    assert!(holds(of(135), 1) && holds(of(143), 1) && holds(of(136), 0));
}
