//! Short texts after what people report in public, each with what its capture alone can show: the cause, a set
//! that holds it, or nothing. The texts are our own; the facts are those of the report that each names.

use crate::support::{
    ASKED, BACK, STRANGER, SYN, SYN_ACK, TO_STRANGER, answered_through_director, at_device, only,
    packet, radius, says, trace, with_payload, with_payloads,
};
use labsim_codes::{Code, cause};
use labsim_explain::{Kind, Role, Trace};

/// A packet in a tunnel from the load balancer to the server.
fn in_tunnel(second: u32, inner: &str) -> String {
    format!(
        "10:00:0{second}.000001 IP (tos 0x0, ttl 63, id {second}, offset 0, flags [none], proto IPIP (4), length 60)\n    \
         10.1.1.2 > 10.1.1.51: IP {inner}"
    )
}

/// The client's SYN as the server gets it, the second time with another ID.
fn tunnelled_syn(second: u32) -> String {
    let inner = packet(second, 62, 7, ASKED, SYN);
    in_tunnel(second, inner.split_once("IP ").unwrap().1)
}

/// One capture, on the server.
fn at_server(text: &str) -> Trace {
    let mut trace = trace(&format!("# tcpdump -vvv -nni eth0\n{text}"));
    assert!(trace.give_role("p0", Role::ServerSide));
    trace
}

fn is_set(trace: &Trace, holds: &[Code]) {
    let explanation = trace.explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.cause), (Kind::NotDecidable, None), "{verdict:#?}");
    for code in holds {
        assert!(verdict.possible.contains(code), "{code}: {verdict:#?}");
    }
    assert!(!verdict.next.is_empty());
}

fn is_cause(trace: &Trace, code: Code) {
    let explanation = trace.explain();
    let verdict = &only(&explanation).verdict;
    assert_eq!((verdict.kind, verdict.cause), (Kind::Cause, Some(code)), "{verdict:#?}");
}

#[test]
fn a_server_that_gets_tunnelled_syns_and_is_silent_is_one_class() {
    // katran#24 was the reverse path filter; katran#241 stayed open; kube-router#570 was a policy that sees the
    // outer protocol; a server of Windows drops by its strong host model and firewall.
    let trace = at_server(&(tunnelled_syn(0) + &tunnelled_syn(1) + &tunnelled_syn(3)));
    is_set(
        &trace,
        &[
            cause::RP_FILTER,
            cause::VIP_MISSING,
            cause::TUNNEL_MISSING,
            cause::TUNNEL_DOWN,
            cause::PROTOCOL_FILTERED,
        ],
    );
    says(&trace.explain(), "IPReversePathFilter");
}

#[test]
fn a_tunnelled_syn_that_no_server_saw_needs_a_capture_there() {
    // katran#116: sent by the load balancer, not seen on the server.
    let trace = trace(
        &("# tcpdump -v -nni eth0\n".to_owned()
            + &packet(0, 63, 7, ASKED, SYN)
            + &tunnelled_syn(0)),
    );
    is_set(&trace, &[]);
    says(&trace.explain(), "a capture on the server 10.1.1.51");
}

#[test]
fn a_reset_of_an_idle_connection_may_be_an_expired_flow() {
    // kube-router#1577: the director had forgotten the connection.
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(0, 60, 0, BACK, SYN_ACK)
        + &packet(0, 64, 8, ASKED, "[.], seq 1001, ack 9001, win 500")
        + &packet(9, 61, 0, BACK, "[R], seq 9001, win 0");
    let mut trace = trace(&("# tcpdump -v -nni eth0\n".to_owned() + &text));
    assert!(trace.give_role("p0", Role::ClientSide));
    is_set(&trace, &[cause::FLOW_EXPIRED, cause::CONNECTION_RESET]);
}

#[test]
fn a_capture_that_begins_in_the_middle_decides_nothing() {
    // keepalived#2450: both ends send again, and the handshake is not in the text.
    let data = |second, id| {
        with_payload(&packet(second, 64, id, ASKED, "[P.], seq 1001:1027, ack 9001, win 500"), 26)
    };
    let text = data(0, 7) + &data(1, 8);
    is_set(&trace(&("# tcpdump -S -v -nni eth0\n".to_owned() + &text)), &[]);
}

#[test]
fn long_packets_that_are_sent_again_while_short_ones_arrive_are_too_long_for_the_path() {
    // kube-router#630: with a tunnel an MSS of 1441 failed, and 1440 worked.
    let data = |second: u32, id: u16, from: u32, length: u32| {
        let numbers = format!("[P.], seq {from}:{}, ack 9001, win 500", from + length);
        with_payload(&packet(second, 64, id, ASKED, &numbers), length)
    };
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(0, 60, 0, BACK, SYN_ACK)
        + &packet(0, 64, 8, ASKED, "[.], seq 1001, ack 9001, win 500")
        + &data(1, 9, 1001, 200)
        + &packet(1, 60, 3, BACK, "[.], seq 9001, ack 1201, win 500")
        + &data(2, 10, 1201, 1441)
        + &data(3, 11, 1201, 1441)
        + &data(5, 12, 1201, 1441);
    let trace = trace(&("# tcpdump -S -v -nni eth0\n".to_owned() + &text));
    is_set(&trace, &[cause::MTU_BLACK_HOLE, cause::PMTU_ERROR_IGNORED, cause::FRAGMENTS_DROPPED]);
    says(
        &trace.explain(),
        "1481 bytes long, the IP header included; no packet as long was acknowledged",
    );
}

#[test]
fn a_vip_that_does_not_answer_ping_is_no_fault() {
    // kube-router#644 and #1044: by design.
    let ping = "10:00:00.000000 IP (tos 0x0, ttl 64, id 5, offset 0, flags [DF], proto ICMP (1), length 84)\n    \
                192.0.2.7 > 198.51.100.9: ICMP echo request, id 1, seq 1, length 64\n";
    let text = ping.to_owned()
        + &packet(1, 64, 7, ASKED, SYN)
        + &packet(1, 60, 0, BACK, SYN_ACK)
        + &packet(1, 64, 8, ASKED, "[.], seq 1001, ack 9001, win 500");
    let explanation = trace(&("# tcpdump -v -nni eth0\n".to_owned() + &text)).explain();
    assert_eq!(only(&explanation).verdict.kind, Kind::Healthy);
    assert!(explanation.icmp_errors.is_empty());
}

#[test]
fn a_syn_ack_of_another_address_that_the_client_resets_is_the_cause() {
    // cilium#18632 and #17759: the answer came from a pod, or from another VIP.
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(0, 60, 0, STRANGER, SYN_ACK)
        + &packet(0, 64, 9, TO_STRANGER, "[R], seq 1001, win 0");
    let trace = trace(&("# tcpdump -v -nni eth0\n".to_owned() + &text));
    is_cause(&trace, cause::WRONG_REPLY_SOURCE);
}

#[test]
fn checksums_that_offload_left_open_are_of_the_set_of_a_silent_server() {
    // calico#7807, VPP#2438: TCP dead over tunl0.
    is_set(&at_server(&(tunnelled_syn(0) + &tunnelled_syn(1))), &[cause::CHECKSUM_UNFINISHED]);
}

#[test]
fn a_radius_server_that_does_not_know_its_client_is_silent() {
    // The source is not the NAS that the server knows.
    let text = radius(0, 62, "192.0.2.7.40000 > 198.51.100.9.1812", None)
        + &radius(3, 62, "192.0.2.7.40000 > 198.51.100.9.1812", None);
    is_set(&with_payloads(at_server(&text)), &[cause::CLIENT_UNKNOWN]);
}

#[test]
fn a_udp_reply_of_the_primary_address_is_the_cause() {
    // openvpn#476: a socket at every address answers from the first.
    let text = radius(0, 62, "192.0.2.7.40000 > 198.51.100.9.1812", None)
        + &radius(0, 64, "10.1.1.51.1812 > 192.0.2.7.40000", None);
    is_cause(&with_payloads(at_server(&text)), cause::REPLY_FROM_OTHER_ADDRESS);
}

#[test]
fn a_service_that_takes_the_connection_and_says_nothing_may_have_another_secret() {
    // freeradius#5676: the first of two overlapping ranges of clients had another secret.
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(0, 60, 0, BACK, SYN_ACK)
        + &packet(0, 64, 8, ASKED, "[.], seq 1001, ack 9001, win 500")
        + &with_payload(&packet(1, 64, 9, ASKED, "[P.], seq 1001:1027, ack 9001, win 500"), 26)
        + &packet(1, 60, 3, BACK, "[.], seq 9001, ack 1027, win 500");
    is_set(
        &trace(&("# tcpdump -S -v -nni eth0\n".to_owned() + &text)),
        &[cause::SECRET_MISMATCH, cause::CLIENT_UNKNOWN],
    );
}

/// The client's packet as the load balancer sends it on in a tunnel.
fn sent_on(second: u32, packet: &str) -> String {
    in_tunnel(second, packet.split_once("IP ").unwrap().1)
}

#[test]
fn an_answer_that_the_director_gets_and_does_not_send_on_is_a_set() {
    // keepalived#1827: the servers answer through the director, which has the VIP itself. Its files decide: see
    // `configuration.rs`.
    let text = answered_through_director();
    is_set(&trace(&text), &[cause::REPLY_SOURCE_FILTERED, cause::FORWARDING_OFF, cause::NO_ROUTE]);
    says(
        &trace(&text).explain(),
        "The answer came in at p0:eth1 and was seen on no way out of this host",
    );
    // What went out again was not kept.
    let left = trace(&(text + &at_device("eth0  Out", &packet(2, 63, 0, BACK, SYN_ACK))));
    assert!(!only(&left.explain()).verdict.possible.contains(&cause::FORWARDING_OFF));
}

#[test]
fn a_packet_that_never_arrives_where_shorter_ones_do_before_and_after_it_may_be_too_long() {
    // A path may be narrower than Ethernet: the length alone does not tell.
    let of = |length: u32, tries: u32, has_later: bool| {
        let begin = packet(0, 64, 7, ASKED, SYN)
            + &packet(0, 60, 0, BACK, SYN_ACK)
            + &packet(0, 64, 8, ASKED, "[.], seq 1001, ack 9001, win 500");
        let numbers = format!("[P.], seq 1001:{}, ack 9001, win 500", 1001 + length);
        let data = |second: u32| {
            let id = u16::try_from(9 + second).unwrap();
            with_payload(&packet(1 + second, 64, id, ASKED, &numbers), length)
        };
        let end =
            packet(8, 64, 30, ASKED, &format!("[R.], seq {}, ack 9001, win 0", 1001 + length));
        let client = begin.clone() + &(0..tries).map(data).collect::<String>() + &end;
        let server = if has_later { begin + &end } else { begin };
        let page = ["# tcpdump -S -v -nni eth0\n", &client, "# tcpdump -S -v -nni eth0\n", &server];
        trace(&page.concat())
    };
    let found = of(560, 3, true);
    is_set(&found, &[cause::MTU_BLACK_HOLE, cause::PMTU_ERROR_IGNORED, cause::LINK_LOSSY]);
    says(
        &found.explain(),
        "Shorter packets of the client came to p1, before and after it, and this one did not",
    );
    for (length, tries, has_later) in [(500, 3, true), (560, 2, true), (560, 3, false)] {
        let explanation = of(length, tries, has_later).explain();
        let possible = &only(&explanation).verdict.possible;
        assert!(possible.is_empty(), "{length} {tries} {has_later}: {possible:?}");
    }
}

#[test]
fn long_packets_that_do_not_go_into_the_tunnel_while_shorter_ones_do_are_too_long_for_it() {
    // kube-router#1671 and #1664: the rule that lowers the MSS was missing.
    let announcing = "[S.], seq 9000, ack 1001, win 29200, options [mss 1460]";
    let data = |second: u32, id: u16, from: u32, length: u32| {
        let numbers = format!("[P.], seq {from}:{}, ack 9001, win 500", from + length);
        with_payload(&packet(second, 64, id, ASKED, &numbers), length)
    };
    let acknowledged = packet(0, 64, 8, ASKED, "[.], seq 1001, ack 9001, win 500");
    let handshake = packet(0, 64, 7, ASKED, SYN);
    let (long, short) = (
        [data(1, 9, 1001, 1460), data(2, 11, 1001, 1460), data(4, 12, 1001, 1460)],
        data(1, 10, 2461, 80),
    );
    let client = handshake.clone()
        + &packet(0, 60, 0, BACK, announcing)
        + &acknowledged
        + &long[0]
        + &short
        + &packet(1, 60, 1, BACK, "[.], seq 9001, ack 1001, win 500")
        + &long[1..].concat();
    let at_balancer = |is_through: bool| {
        let through = |packet: &String| packet.clone() + &sent_on(1, packet);
        let long = long.each_ref().map(|it| if is_through { through(it) } else { it.clone() });
        [
            through(&handshake),
            through(&acknowledged),
            long[0].clone(),
            through(&short),
            long[1..].concat(),
        ]
        .concat()
    };
    let of = |balancer: &str| {
        trace(&format!("# tcpdump -S -v -nni eth0\n{client}# tcpdump -S -v -nni eth0\n{balancer}"))
    };
    is_cause(&of(&at_balancer(false)), cause::MTU_BLACK_HOLE);
    says(
        &of(&at_balancer(false)).explain(),
        "The server announced an MSS of 1460 (SYN with ACK): packets of the client may be 1500 bytes long, and 1520 in \
         the tunnel",
    );
    // What went into the tunnel was lost behind it, for whatever reason.
    is_set(&of(&at_balancer(true)), &[cause::MTU_BLACK_HOLE, cause::FRAGMENTS_DROPPED]);
}

#[test]
fn answers_that_go_on_from_another_address_are_the_cause() {
    // cilium#32091 and #27730: behind a failover the server answers from its own address.
    let text = packet(0, 64, 7, ASKED, SYN)
        + &packet(0, 60, 0, BACK, SYN_ACK)
        + &packet(0, 64, 8, ASKED, "[.], seq 1001, ack 9001, win 500")
        + &with_payload(&packet(1, 64, 9, ASKED, "[P.], seq 1001:1027, ack 9001, win 500"), 26);
    let answer = |numbers: &str| with_payload(&packet(1, 60, 3, STRANGER, numbers), 43);
    let reset = |ttl: u8, number: &str| {
        packet(1, ttl, 0, TO_STRANGER, &format!("[R], seq {number}, win 0"))
    };
    let of =
        |more: &[String]| trace(&format!("# tcpdump -S -v -nni eth0\n{text}{}", more.concat()));
    let moved = answer("[P.], seq 9001:9044, ack 1027, win 500");
    is_cause(&of(&[moved.clone(), reset(64, "1027")]), cause::WRONG_REPLY_SOURCE);
    // Another connection of the same port, one that a load balancer translated, and an answer that was taken.
    for more in [
        vec![answer("[P.], seq 900000001:900000044, ack 1027, win 500"), reset(64, "1027")],
        vec![answer("[P.], seq 9001:9044, ack 501027, win 500"), reset(64, "501027")],
        vec![moved.clone(), reset(63, "1027")],
        vec![moved.clone()],
    ] {
        let explanation = of(&more).explain();
        assert!(explanation.connections.iter().all(|it| it.verdict.cause.is_none()), "{more:?}");
    }
}

#[test]
fn a_server_that_asks_its_own_vip_gets_its_packets_back() {
    // cloud-provider-aws#1160, ingress-nginx#6758 and kubernetes#66796: the source is preserved.
    let back = "192.0.2.7.40000 > 192.0.2.7.49";
    let text = |devices: [&str; 2], times: u32| {
        let one = |second: u32| {
            let id = u16::try_from(second).unwrap() + 7;
            at_device(devices[0], &packet(second, 64, id, ASKED, SYN))
                + &at_device(devices[1], &packet(second, 62, id, back, SYN))
        };
        format!("# tcpdump -v -nni any\n{}", (0..times).map(one).collect::<String>())
    };
    is_cause(&trace(&text(["eth0  Out", "eth0  In"], 2)), cause::SOURCE_IS_OWN);
    // At the load balancer nothing shows that it came back, and one SYN may be answered later.
    for (devices, times) in [(["eth0  In", "eth0  Out"], 2), (["eth0  Out", "eth0  In"], 1)] {
        let explanation = trace(&text(devices, times)).explain();
        assert!(explanation.connections.iter().all(|it| it.verdict.cause.is_none()), "{devices:?}");
    }
}
