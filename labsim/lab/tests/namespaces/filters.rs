//! Packet filters: what they drop, what they let pass, and what they count.

use crate::captures::{frames, start, stop};
use crate::hosts::{node, udp};
use crate::shape::{build, userspace_mode};
use labsim_lab::{Lab, LabPlan};
use labsim_scenario::model::filter::Decided;
use labsim_sys::netlink::attribute::{each, find};
use labsim_sys::netlink::nftables;
use labsim_test_support::wait_for;
use labsim_wire::decode::Transport;
use std::os::fd::AsFd;

labsim_test_support::tests![
    what_matches_is_dropped_and_the_rest_passes,
    each_kind_of_rule_matches_what_it_says_and_nothing_else,
    later_fragments_are_told_from_first_ones,
    postrouting_knows_where_a_forwarded_packet_came_in,
    a_stateful_filter_lets_answers_in_and_nothing_new,
    a_rejected_sender_is_told,
    a_rule_rewrites_the_dscp_and_nothing_else,
    a_packet_passes_every_filter_of_its_node,
    the_kernel_reads_back_what_was_written,
    the_largest_filter_fits_in_one_transaction,
];

const TOPOLOGY: &str = "\
nodes:
  a: {interfaces: {eth0: [10.0.0.1/24, 'fd00::1/64']}}
  router: {forward: true, interfaces: {left: [10.0.0.254/24, 'fd00::254/64'], right: [10.0.1.254/24, 'fd01::254/64']}}
  b: {interfaces: {eth0: [10.0.1.2/24, 'fd01::2/64']}}
links:
  - ['a:eth0', 'router:left']
  - ['router:right', 'b:eth0']
";

const REST: &str = "
steps:
  none: {send_packet: {from: a, source: 10.0.0.1, destination: 10.0.1.2, destination_port: 9}}
expect:
  none: {frames: {at: 'b:eth0', match: {ttl: 1}, count: 0}, pass: none, fail: some}
";

/// A lab of two hosts and a router, with these filters.
fn lab(filters: &str) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("topology.yaml"), TOPOLOGY).unwrap();
    let case = folder.path().join("case.yaml");
    std::fs::write(&case, format!("topology: topology.yaml\nfilters:\n{filters}{REST}")).unwrap();
    let loaded = labsim_scenario::load(&case);
    let scenario = loaded.unwrap_or_else(|error| panic!("{error}")).scenario;
    build(&LabPlan::of(&scenario, userspace_mode()))
}

/// A filter of the router's with one rule.
fn forwarding(rule: &str) -> Lab {
    lab(&format!("  f: {{nodes: router, forward: '{rule}'}}\n"))
}

/// What the filters of a node counted, once they have decided about so many packets: a busy machine
/// handles what was sent later.
fn filtered(lab: &Lab, of: &str, packets: u64) -> Vec<(String, u64)> {
    let mut counted = Vec::new();
    wait_for(&format!("{packets} packets at {of}'s filters"), || {
        counted = node(lab, of).filtered().unwrap();
        counted.iter().map(|it| it.packets).sum::<u64>() >= packets
    });
    counted.into_iter().map(|Decided { by, packets, .. }| (by, packets)).collect()
}

fn what_matches_is_dropped_and_the_rest_passes() {
    let lab = forwarding("udp dport 700 drop");
    let [refused, taken] = ["10.0.1.2:700", "10.0.1.2:701"].map(|at| udp(node(&lab, "b"), at));
    let client = udp(node(&lab, "a"), "10.0.0.1:0");
    for _ in 0..3 {
        client.send_to(b"no", "10.0.1.2:700").unwrap();
    }
    client.send_to(b"yes", "10.0.1.2:701").unwrap();
    assert_eq!(taken.recv_from(&mut [0; 9]).unwrap().0, 3);
    // What came before it has been dropped.
    refused.set_nonblocking(true).unwrap();
    assert!(refused.recv_from(&mut [0; 9]).is_err());
    let expected = [("udp dport 700 drop".to_owned(), 3), ("policy accept".to_owned(), 1)];
    assert_eq!(filtered(&lab, "router", 4), expected);
}

fn each_kind_of_rule_matches_what_it_says_and_nothing_else() {
    // Each is tried with a datagram of 9 bytes from 10.0.0.1:7000 to 10.0.1.2:700.
    for (rule, matches) in [
        ("drop", true),
        ("iifname left drop", true),
        ("iifname right drop", false),
        ("oifname { left, right } drop", true),
        ("iifname != left drop", false),
        ("iifname != { right, lo } drop", true),
        ("meta l4proto { tcp, udp } drop", true),
        ("meta l4proto != { tcp, udp } drop", false),
        ("ip protocol udp drop", true),
        ("ip saddr 10.0.0.1 drop", true),
        ("ip saddr 10.0.0.0/24 drop", true),
        ("ip saddr != 10.0.0.0/24 drop", false),
        ("ip saddr != { 10.0.1.0/24, 10.0.0.2 } drop", true),
        ("ip daddr 10.0.1.1-10.0.1.3 drop", true),
        ("ip daddr 10.0.1.3-10.0.1.9 drop", false),
        ("ip saddr & 255.255.255.0 == 10.0.0.0 drop", true),
        ("ip ttl 63 drop", true),
        ("ip ttl > 63 drop", false),
        ("ip length 37 drop", true),
        ("ip length > 37 drop", false),
        ("ip hdrlength 5 drop", true),
        ("ip hdrlength > 5 drop", false),
        ("ip dscp 0 drop", true),
        ("ip dscp ef drop", false),
        ("ip frag-off & 0x3fff == 0 drop", true),
        ("udp sport 7000 udp dport { 1-600, 700 } drop", true),
        ("udp sport 7000 udp dport { 1-600, 701 } drop", false),
        ("udp length 17 drop", true),
        ("tcp dport 700 drop", false),
        ("icmp type echo-request drop", false),
        ("ip6 saddr fd00::/8 drop", false),
        ("ct state new drop", true),
        ("ct state established drop", false),
        ("ct state != new drop", false),
        ("ct state != established,related drop", true),
    ] {
        let lab = forwarding(rule);
        let client = udp(node(&lab, "a"), "10.0.0.1:7000");
        let server = udp(node(&lab, "b"), "10.0.1.2:700");
        client.send_to(b"ninebytes", "10.0.1.2:700").unwrap();
        if !matches {
            assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 9, "{rule}");
        }
        let expected = [
            (rule.to_owned(), u64::from(matches)),
            ("policy accept".to_owned(), u64::from(!matches)),
        ];
        assert_eq!(filtered(&lab, "router", 1), expected, "{rule}");
    }
    for (rule, matches) in [
        ("ip6 saddr fd00::/64 drop", true),
        ("ip6 saddr fd01::/64 drop", false),
        ("ip6 daddr { fd01::1, fd01::2 } drop", true),
        ("ip6 hoplimit 63 ip6 nexthdr udp udp dport 700 drop", true),
        ("meta l4proto udp drop", true),
        ("ip saddr 0.0.0.0/0 drop", false),
    ] {
        let lab = forwarding(rule);
        let client = udp(node(&lab, "a"), "[fd00::1]:7000");
        let server = udp(node(&lab, "b"), "[fd01::2]:700");
        client.send_to(b"ninebytes", "[fd01::2]:700").unwrap();
        if !matches {
            assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 9, "{rule}");
        }
        let counted = filtered(&lab, "router", 1);
        assert_eq!(counted[0], (rule.to_owned(), u64::from(matches)), "{rule}");
    }
}

fn later_fragments_are_told_from_first_ones() {
    let [later, first] = ["ip frag-off & 0x1fff != 0 drop", "udp dport 700 accept"];
    let rules = format!("priority: -500, rules: ['{later}', '{first}']");
    let lab = lab(&format!("  f: {{nodes: router, prerouting: {{{rules}}}}}\n"));
    let client = udp(node(&lab, "a"), "10.0.0.1:0");
    // Three fragments of at most 1480 bytes.
    client.send_to(&[0; 4000], "10.0.1.2:700").unwrap();
    let by_rule = || {
        let mut counted = node(&lab, "router").filtered().unwrap();
        // The policy's are other packets, such as multicast listener reports.
        counted.retain(|it| !it.by.starts_with("policy"));
        counted.into_iter().map(|it| (it.by, it.packets)).collect::<Vec<_>>()
    };
    wait_for("three fragments", || by_rule().iter().map(|it| it.1).sum::<u64>() >= 3);
    assert_eq!(by_rule(), [(later.to_owned(), 2), (first.to_owned(), 1)]);
}

fn postrouting_knows_where_a_forwarded_packet_came_in() {
    let rules = ["udp dport 700 iifname left drop", "udp dport 700 iifname right drop"];
    let [left, right] = rules;
    let lab = lab(&format!("  f: {{nodes: router, postrouting: ['{left}', '{right}']}}\n"));
    let client = udp(node(&lab, "a"), "10.0.0.1:0");
    client.send_to(b"4", "10.0.1.2:700").unwrap();
    let client = udp(node(&lab, "a"), "[fd00::1]:0");
    client.send_to(b"6", "[fd01::2]:700").unwrap();
    let mut counted = Vec::new();
    wait_for("two packets at the router's filter", || {
        counted = node(&lab, "router").filtered().unwrap();
        counted.truncate(rules.len());
        counted.iter().map(|it| it.packets).sum::<u64>() >= 2
    });
    let counted: Vec<_> = counted.iter().map(|it| (it.by.as_str(), it.packets)).collect();
    assert_eq!(counted, [(left, 2), (right, 0)]);
}

fn a_stateful_filter_lets_answers_in_and_nothing_new() {
    let rule = "ct state established,related accept";
    let lab = lab(&format!("  f: {{nodes: b, input: {{policy: drop, rules: '{rule}'}}}}\n"));
    let outside = udp(node(&lab, "a"), "10.0.0.1:7000");
    let inside = udp(node(&lab, "b"), "10.0.1.2:700");
    outside.send_to(b"unasked", "10.0.1.2:700").unwrap();
    inside.send_to(b"question", "10.0.0.1:7000").unwrap();
    assert_eq!(outside.recv_from(&mut [0; 9]).unwrap().0, 8);
    outside.send_to(b"answer", "10.0.1.2:700").unwrap();
    assert_eq!(inside.recv_from(&mut [0; 9]).unwrap().0, 6, "the answer, and nothing before it");
    assert_eq!(filtered(&lab, "b", 2), [(rule.to_owned(), 1), ("policy drop".to_owned(), 1)]);
}

fn a_rejected_sender_is_told() {
    for rule in ["reject", "reject with icmpx admin-prohibited", "udp dport 700 reject"] {
        let lab = lab(&format!("  f: {{nodes: b, input: '{rule}'}}\n"));
        let _server = udp(node(&lab, "b"), "10.0.1.2:700");
        let client = udp(node(&lab, "a"), "10.0.0.1:0");
        client.connect("10.0.1.2:700").unwrap();
        client.send(b"x").unwrap();
        let told = client.recv(&mut [0; 9]).unwrap_err().kind();
        assert!(told != std::io::ErrorKind::WouldBlock, "{rule}: {told}");
        let counted = node(&lab, "b").filtered().unwrap();
        assert!(counted[0].drops && counted[0].packets == 1, "{rule}: {counted:?}");
    }
}

fn a_rule_rewrites_the_dscp_and_nothing_else() {
    let lab = lab(
        "  f:\n    nodes: router\n    prerouting: [udp dport 700 ip dscp set af21, udp dport 700 ip6 dscp set af21]\n    \
             forward: udp dport 701 drop\n",
    );
    for (at, from, level, option) in [
        ("10.0.1.2:700", "10.0.0.1:0", libc::IPPROTO_IP, libc::IP_TOS),
        ("[fd01::2]:700", "[fd00::1]:0", libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    ] {
        let capture = start(&lab);
        let server = udp(node(&lab, "b"), at);
        let client = udp(node(&lab, "a"), from);
        // EF, and a congestion mark that is to stay.
        labsim_sys::socket::set_int(client.as_fd(), level, option, 0xba).unwrap();
        client.send_to(b"marked", at).unwrap();
        assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 6, "with a right checksum");
        let captured = stop(capture);
        let tos = |node: &str, device: &str| {
            let frames = frames(&captured, node, device);
            let packets = frames.iter().filter_map(|(_, decoded)| decoded.packet());
            let packets = packets.filter(|packet| matches!(packet.transport, Transport::Udp(_)));
            packets.map(|packet| packet.innermost().tos).collect::<Vec<_>>()
        };
        assert_eq!((tos("router", "left"), tos("b", "eth0")), (vec![0xba], vec![0x4a]), "{at}");
    }
    let counted = node(&lab, "router").filtered().unwrap();
    let counted: Vec<_> = counted.iter().map(|one| (one.packets, one.drops)).collect();
    assert_eq!(counted[..2], [(1, false), (1, false)]);
}

fn a_packet_passes_every_filter_of_its_node() {
    let lab = lab(
        "  one: {nodes: [router, b], forward: udp dport 1 drop, input: udp dport 700 drop}\n  \
                   two: {nodes: b, input: udp dport 701 drop}\n",
    );
    let client = udp(node(&lab, "a"), "10.0.0.1:0");
    let server = udp(node(&lab, "b"), "10.0.1.2:702");
    for port in [700, 701, 702] {
        client.send_to(b"x", ("10.0.1.2", port)).unwrap();
    }
    assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 1);
    let filtered = node(&lab, "b").filtered().unwrap();
    let dropped = filtered.iter().filter(|it| it.drops);
    let dropped: Vec<_> =
        dropped.map(|it| (it.filter.as_str(), it.hook.name(), it.packets)).collect();
    assert_eq!(dropped, [("one", "input", 1), ("one", "forward", 0), ("two", "input", 1)]);
    assert_eq!(node(&lab, "a").filtered().unwrap(), []);
}

/// The names of a rule's expressions, and the bytes that are compared.
fn shape(rule: &[u8]) -> Vec<(String, Vec<u8>)> {
    let expressions = each(find(rule, 4).unwrap());
    let shape = |(_, one): (u16, &[u8])| {
        let name = find(one, 1).unwrap();
        let name = String::from_utf8(name[..name.len() - 1].to_vec()).unwrap();
        let data = find(one, 2).unwrap_or_default();
        let compared = find(data, 3).filter(|_| name == "cmp" || name == "range");
        let value = compared.and_then(|data| find(data, 1)).unwrap_or_default().to_vec();
        (name, value)
    };
    expressions.map(shape).collect()
}

fn the_kernel_reads_back_what_was_written() {
    let lab = forwarding("ip saddr { 10.0.0.1, 10.0.2.0/24 } tcp dport 49 drop");
    let read = node(&lab, "router").run(|| nftables::rules(1, b"f\0")).unwrap().unwrap();
    let expected = |first: Vec<(&str, Vec<u8>)>| {
        let before = [("meta", vec![]), ("cmp", vec![2]), ("meta", vec![]), ("cmp", vec![6])];
        let port = [("payload", vec![]), ("cmp", vec![0, 49])];
        let end = [("counter", vec![]), ("immediate", vec![])];
        let all = before.into_iter().chain(first).chain(port).chain(end);
        all.map(|(name, value)| (name.to_owned(), value)).collect::<Vec<_>>()
    };
    let shapes: Vec<_> = read.iter().map(|rule| shape(rule)).collect();
    assert_eq!(shapes[0], expected(vec![("payload", vec![]), ("cmp", vec![10, 0, 0, 1])]));
    assert_eq!(shapes[1], expected(vec![("payload", vec![]), ("range", vec![10, 0, 2, 0])]));
    assert_eq!(shapes[2], [("counter".to_owned(), vec![])]);
    assert_eq!(shapes.len(), 3);
    assert_eq!(filtered(&lab, "router", 0).len(), 2, "both values of the set are one rule's");
}

fn the_largest_filter_fits_in_one_transaction() {
    // As many rules as a filter may have, each of the longest kind.
    let values: Vec<String> = (1..=64).map(|it| format!("2001:db8::{it}-2001:db9::{it}")).collect();
    let rules: Vec<String> = values
        .chunks(8)
        .map(|few| format!("'ip6 saddr {{ {} }} tcp dport 49 tcp flags syn drop'", few.join(", ")))
        .collect();
    let rules = [rules.clone(), rules.clone(), rules.clone(), rules].concat();
    let lab = lab(&format!("  f: {{nodes: router, forward: [{}]}}\n", rules.join(", ")));
    let read = node(&lab, "router").run(|| nftables::rules(1, b"f\0")).unwrap().unwrap();
    assert_eq!(read.len(), 257);
    assert_eq!(filtered(&lab, "router", 0).len(), 33);
}
